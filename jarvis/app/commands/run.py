"""jarvis run quickstart"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from jarvis.app.commands.options import (
    OK,
    PARTIAL,
    Assignments,
    Config,
    Json,
    Seed,
    print_json,
    print_table,
    settings_of,
    takes_settings,
    to_log,
    to_person,
)


def _pipelines(incomplete: str) -> list[str]:
    from jarvis.app.pipelines.plan import SHIPPED

    return [name for name in SHIPPED if name.startswith(incomplete)]


@takes_settings("*")
def run(
    ctx: typer.Context,
    pipeline: Annotated[
        str,
        typer.Argument(
            metavar="PIPELINE", help="quickstart, youtube, contractor, or a YAML file.", autocompletion=_pipelines
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Of the run.  [default: runs/PIPELINE]")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="The last stage that is run.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what stages put aside.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show the stages and their settings, and do nothing.")] = False,
    tidy: Annotated[
        bool, typer.Option("--tidy", help="Afterwards, delete what earlier settings and inputs made.")
    ] = False,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Run a pipeline, from video to a better agent, stage by stage.

    What is done is not done again: the same command goes on where it was stopped or killed, and with other settings
    only what depends on them is made anew. Settings are the pipeline's parameters and its stages' own: --set
    episodes=20 --set agent.settings.steps=500. DIR/page.html shows the stages while they run. docs/PIPELINES.md tells
    how pipelines are written. Exit code 3 if some stage put something aside.
    """
    import signal

    from jarvis.app.improve import improve
    from jarvis.app.improve import tidy as clear
    from jarvis.app.pipelines.plan import read_plan

    changes = settings_of(ctx)
    if seed is not None:
        changes["seed"] = seed
    planned = read_plan(pipeline, changes)
    if plan:
        return _show(planned, as_json)
    folder = out or Path("runs") / Path(pipeline).stem
    say = to_log if as_json else to_person
    say(f"the run's page: {folder / 'page.html'}")
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        outcome = improve(planned, folder, until=until, retry=retry, say=say, tell=print_json if as_json else _quiet)
    finally:
        signal.signal(signal.SIGTERM, before)
    if tidy:
        for name in clear(folder):
            say(f"deleted {name}")
    say(f"{len(outcome.ran)} stages run, {len(outcome.kept)} done before; {folder / 'page.html'}")
    return PARTIAL if outcome.aside else OK


def _quiet(line: dict[str, Any]) -> None:
    """Everything was said in words."""


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt


def _show(planned: Any, as_json: bool) -> int:
    from dataclasses import asdict

    if as_json:
        stages = [{"name": step.name, "do": step.kind, **asdict(step.stage)} for step in planned.steps]
        print_json({"name": planned.name, "parameters": dict(planned.parameters), "stages": stages})
        return OK
    rows = []
    for step in planned.steps:
        plain = asdict(type(step.stage)())
        given = {key: value for key, value in asdict(step.stage).items() if value != plain[key]}
        rows.append((step.name, step.kind, ", ".join(f"{key} {_told(value)}" for key, value in given.items())))
    print_table(("stage", "does", "settings"), rows, always_head=True)
    return OK


def _told(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
