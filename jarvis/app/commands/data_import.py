"""jarvis data import recordings/ --from vpt --out dataset"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import (
    FAILURE,
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


def data_import(
    source: Annotated[Path, typer.Argument(metavar="PATH", help="A folder, or for webdataset a shard.")],
    kind: Annotated[str, typer.Option("--from", metavar="FORMAT", help="vpt, lerobot, minestudio or webdataset.")],
    out: Annotated[Path, typer.Option("--out", metavar="DATASET", help="New, or filled by the same kind of import.")],
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Make a dataset of what others recorded or labelled.

    Videos stay where they are, if they are files of their own. Exit code 3 if some clips were left out.
    """
    from data_pipelines.exchange import import_from

    say = to_log if as_json else to_person
    done = import_from(kind, source, out, say)
    if as_json:
        print_json({"clips": done.clips, "ticks": done.ticks, "left_out": done.left_out, "notes": done.notes})
    say(f"{done.clips} clips, {done.ticks} ticks in {out}; {len(done.left_out)} left out")
    return OK if not done.left_out else PARTIAL if done.clips else FAILURE
