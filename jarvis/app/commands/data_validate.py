"""jarvis data validate recordings/diamond"""

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


def data_validate(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A folder of recordings, one of their files, a dataset.")
    ],
    decode: Annotated[
        bool, typer.Option("--decode/--no-decode", help="Decode every video whole: slow, and finds all damage.")
    ] = True,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Read every recording or clip, and tell which are damaged.

    The folder of a LeRobotDataset is checked as a whole, more strictly than its own loader does.
    Exit code 3 if some are to be put aside, 1 if all are. With --json: a line for each of them.
    """
    from data_pipelines.inspection import examine
    from data_pipelines.lerobot_checks import lerobot_problems

    say = to_log if as_json else to_person
    if (path / "meta" / "info.json").is_file():
        problems = lerobot_problems(path)
        for problem in problems:
            print_json({"name": path.name, "ok": False, "reason": problem}) if as_json else print(problem, flush=True)
        say(f"{path}: a LeRobotDataset with {len(problems)} problems")
        return FAILURE if problems else OK
    sound = aside = ticks = 0
    for item in examine(path, decode=decode):
        if as_json:
            found = {"name": item.name, "ok": item.reason is None, "reason": item.reason, "ticks": item.ticks}
            print_json(found | {"notes": list(item.notes), "repairs": item.repairs})
        elif item.reason is not None:
            print(f"{item.name}: {item.reason}", flush=True)
        else:
            for note in item.notes:
                print(f"{item.name}: {note}", flush=True)
        aside += item.reason is not None
        sound += item.reason is None
        ticks += item.ticks
    say(f"{sound} sound, {ticks} ticks; {aside} to be put aside")
    return OK if not aside else PARTIAL if sound else FAILURE
