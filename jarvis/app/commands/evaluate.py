"""jarvis evaluate --suite atomic --policy scripted --out runs/atomic_scripted"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import (
    FAILURE,
    OK,
    PARTIAL,
    Address,
    Assignments,
    Config,
    EngineName,
    Gpus,
    Json,
    Seed,
    Workers,
    environment_names,
    mapping_of,
    policy_names,
    print_json,
    print_table,
    suite_names,
    takes_settings,
    to_log,
    to_person,
)


@takes_settings("env_options")
def evaluate(
    ctx: typer.Context,
    suite: Annotated[
        str,
        typer.Option(
            "--suite",
            metavar="NAME",
            help="smoke, atomic, tech_tree, craft_diamond or crafter.",
            autocompletion=suite_names,
        ),
    ],
    policy: Annotated[
        str, typer.Option("--policy", metavar="SPEC", help="Who is judged.", autocompletion=policy_names)
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where results go; else the next free runs/SUITE_000.")
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="Whose worlds: test, or validation to choose by, or train.")
    ] = "test",
    task: Annotated[
        list[str] | None,
        typer.Option("--task", metavar="NAME", help="Only this task or group, or NAME*. May be given several times."),
    ] = None,
    episodes: Annotated[
        int | None, typer.Option("--episodes", min=1, help="Of each task; else as many as the suite says.")
    ] = None,
    env: Annotated[
        str | None,
        typer.Option("--env", metavar="NAME", help="Another one that can.", autocompletion=environment_names),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Environments at once.")] = 4,
    width: Annotated[
        int | None, typer.Option("--width", min=16, help="Of the picture; else what the policy sees, or 128.")
    ] = None,
    height: Annotated[int | None, typer.Option("--height", min=16, help="Likewise.")] = None,
    videos: Annotated[bool, typer.Option("--videos/--no-videos", help="Keep a video of each episode.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier evaluation in DIR.")] = False,
    judge: Annotated[
        str | None,
        typer.Option("--judge", metavar="URL#MODEL", help="Let a vision-language model look too; it decides nothing."),
    ] = None,
    engine: EngineName = "inline",
    workers: Workers = None,
    address: Address = None,
    gpus: Gpus = 0.0,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Judge a policy by a suite of tasks, with intervals.

    Writes results.jsonl (a line an episode), summary.json, eval_info.json in LeRobot's layout, and report.html with the
    videos. The seeds are the suite's own, the same for every policy, so --seed changes nothing. An interrupted
    evaluation goes on when it is started again with the same options. With --json: each episode, then the summary.
    """
    from evaluation.suites import get_suite
    from jarvis.app.evaluating import EvaluateConfig, rows_of, start

    say = to_log if as_json else to_person
    asked = EvaluateConfig(
        suite, policy, out, split, tuple(task or ()), episodes, env, rows, width, height, videos, overwrite, judge,
        mapping_of(ctx, "env_options"), engine, workers, address, gpus,
    )  # fmt: skip
    folder, summary = start(asked, say, print_json if as_json else None)
    if as_json:
        print_json(summary)
    else:
        head = ("", "episodes", "success", "aborted", "rate, % (95 % interval)", "ticks (median)")
        print_table(head, rows_of(get_suite(suite), summary), always_head=True)
        if summary.get("crafter_score"):
            value, low, high = summary["crafter_score"]
            say(f"Crafter score {value:.1f} % ({low:.1f} to {high:.1f})")
    if "judge" in summary:
        say(f"the judge agreed with the predicates in {summary['judge']['agree']} of {summary['judge']['judged']}")
    say(f"report {folder / 'report.html'}")
    overall = summary["overall"]
    return OK if not overall["aborted"] else FAILURE if overall["aborted"] == overall["episodes"] else PARTIAL
