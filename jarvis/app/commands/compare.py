"""jarvis compare runs/atomic_random runs/atomic_scripted"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import OK, Assignments, Config, Json, Seed, print_json, print_table


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="The folder of an evaluation.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    every_task: Annotated[bool, typer.Option("--tasks", help="Show every task, not only the groups.")] = False,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Compare two evaluations on their equal episodes.

    Episodes are paired by task, seed and wording. The difference is B less A in percentage points, with its 95 %
    interval (Newcombe); p is McNemar's exact test.
    """
    from evaluation.runs import compare as pair
    from jarvis.app.evaluating import comparison_rows

    found = pair(first, second)
    if as_json:
        print_json(found)
        return OK
    print(f"A  {found['first']['policy']}  {first}\nB  {found['second']['policy']}  {second}")
    head = ("", "pairs", "A", "B", "B less A, points (95 % interval)", "p")
    print_table(head, comparison_rows(found, every_task), always_head=True)
    left_out = [f"{count} {why}" for why, count in found["left_out"].items() if count]
    if left_out:
        print(f"left out: {', '.join(left_out)}")
    return OK
