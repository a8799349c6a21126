"""jarvis train agent --recipe tiny --task craft_planks --out runs/agent"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import (
    INTERRUPTED,
    OK,
    Assignments,
    Config,
    Json,
    Seed,
    print_json,
    settings_of,
    takes_settings,
    task_names,
    to_log,
    to_person,
)


def _recipes(incomplete: str) -> list[str]:
    from jarvis.app.learners.apprentice import RECIPES

    return [name for name in RECIPES if name.startswith(incomplete)]


@takes_settings("*")
def train_agent(
    ctx: typer.Context,
    task: Annotated[
        list[str],
        typer.Option(
            "--task",
            metavar="NAME",
            help="What is played; NAME* for many, twice for more often.",
            autocompletion=task_names,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the run goes.")],
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME", help="tiny or gpu.", autocompletion=_recipes)
    ] = "tiny",
    model: Annotated[
        str | None, typer.Option("--model", metavar="WHERE", help="Where it begins: a size, or a checkpoint folder.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", metavar="NAME", help="cpu keeps off a GPU.")] = None,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Train an agent in play, at the side of a teacher.

    A guide says what to do now, a teacher shows how, the agent learns it and more and more plays itself (DAgger). Every
    setting of the recipe can be given: --set seconds=900 --set workers=8 --set optimizer.rate=3e-4. Ctrl-C saves what
    was learnt. Judge the result with: jarvis evaluate --policy OUT/step_... --suite NAME
    """
    from evaluation.tasks import get, matching
    from jarvis.app.learners.apprentice import apprentice
    from jarvis.app.learners.apprentice import recipe as recipe_of

    settings = settings_of(ctx)
    if seed is not None:
        settings["seed"] = seed
    if model is not None:
        settings["model"] = model
    asked = recipe_of(recipe, settings)
    tasks = [get(name) for pattern in task for name in matching(pattern)]
    say = to_log if as_json else to_person
    trained = apprentice(asked, tasks, out, say=say, device=device)
    if as_json:
        print_json({"checkpoint": str(trained.folder), "steps": trained.steps, "results": trained.results})
    else:
        say(f"{trained.folder}; play with: jarvis play --policy {trained.folder} --task {tasks[0].name}")
    return INTERRUPTED if trained.stopped else OK
