"""jarvis data export dataset --to lerobot --out lerobot_set"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import (
    OK,
    PARTIAL,
    Assignments,
    Config,
    Json,
    Seed,
    print_json,
    to_log,
    to_person,
)


def data_export(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="What jarvis label or jarvis data import made.")],
    kind: Annotated[str, typer.Option("--to", metavar="FORMAT", help="vpt, lerobot, minestudio or webdataset.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder; it appears when it is whole.")],
    lerobot: Annotated[
        str | None,
        typer.Option("--lerobot", metavar="VERSION", help="For lerobot: 0.4, or 0.6 with skills as language."),
    ] = None,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Write a dataset in the format of others.

    Videos are copied where they are as the format wants them, else encoded again. Exit code 3 if some clips were left
    out.
    """
    from data_pipelines.exchange import export_to
    from jarvis.app.settings import SettingsError

    if lerobot is not None and kind != "lerobot":
        raise SettingsError(f"--lerobot {lerobot}: only for --to lerobot")
    say = to_log if as_json else to_person
    done = export_to(kind, dataset, out, say, **({} if lerobot is None else {"lerobot": lerobot}))
    if as_json:
        print_json({"clips": done.clips, "ticks": done.ticks, "left_out": done.left_out, "notes": done.notes})
    say(f"{done.clips} clips, {done.ticks} ticks in {out}; {len(done.left_out)} left out")
    return PARTIAL if done.left_out else OK
