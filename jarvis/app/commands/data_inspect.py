"""jarvis data inspect recordings/diamond"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    print_table,
)


def data_inspect(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A folder of recordings, one of their files, a dataset.")
    ],
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Tell what recordings or a dataset hold.

    Hours, who played what, how often each key is down, how far the mouse turns, and what is put aside.
    """
    from data_pipelines.inspection import examine, summarise

    summary = summarise(examine(path))
    if as_json:
        print_json(summary)
    else:
        print_table(("what", "how much"), _rows(summary))
    return OK if not summary["quarantined"] else PARTIAL if summary["items"] else FAILURE


def _rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    def share(value: float) -> str:
        return f"{100 * value:.1f} %"

    rows = [
        ("recordings or clips", str(summary["items"])),
        ("put aside", str(len(summary["quarantined"]))),
        ("play", f"{summary['ticks']} ticks, {summary['hours']:.2f} hours"),
        *((f"by {kind}", _most(ticks)) for kind, ticks in summary["ticks_by"].items() if ticks),
        ("nothing pressed or moved", share(summary["null"])),
    ]
    if summary["gui_open"] is not None:
        rows.append(("a screen is open", share(summary["gui_open"])))
    rows.append(("mouse, degrees a tick", "pitch {pitch:.2f}, yaw {yaw:.2f}".format(**summary["turn"])))
    rows += [(f"key {name}", f"{share(part)}, {summary['presses'][name]} presses")
             for name, part in sorted(summary["keys"].items(), key=lambda pair: -pair[1])]  # fmt: skip
    rows += [(f"mended: {what.replace('_', ' ')}", f"{lines} lines") for what, lines in summary["repairs"].items()]
    return rows + [(f"put aside: {name}", reason) for name, reason in summary["quarantined"].items()]


def _most(ticks: dict[str, int], shown: int = 8) -> str:
    named = [f"{name} {count}" for name, count in list(ticks.items())[:shown]]
    return ", ".join(named) + (f", and {len(ticks) - shown} more" if len(ticks) > shown else "")
