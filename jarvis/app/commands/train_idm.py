"""jarvis train idm --recipe small --data recordings/train --validation recordings/valid --out runs/idm"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import (
    OK,
    Assignments,
    Config,
    Json,
    Seed,
    print_json,
    settings_of,
    takes_settings,
    to_log,
    to_person,
)


def _recipes(incomplete: str) -> list[str]:
    from idm.training import recipes

    return [name for name in recipes() if name.startswith(incomplete)]


@takes_settings("*")
def train_idm(
    ctx: typer.Context,
    data: Annotated[
        list[Path], typer.Option("--data", metavar="DIR", help="Recordings: of `jarvis record`, or a contractor's.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the run goes.")],
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME", help="tiny, small or base.", autocompletion=_recipes)
    ] = "small",
    validation: Annotated[
        list[Path] | None, typer.Option("--validation", metavar="DIR", help="Recordings to measure on, not to learn.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="For decoded recordings.  [default: OUT/cache]")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="SPEC", help="Weights to begin with: default, or a folder.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", metavar="NAME", help="cpu keeps off a GPU.")] = None,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Train a model that tells keys and mouse from the video.

    A run that was stopped goes on exactly. Every setting of the recipe can be given: --set steps=500 --set hours=2
    --set optimizer.rate=3e-4 --set network.hidden=256. The result labels with: jarvis label VIDEO --idm OUT
    """
    from idm.training import recipes, train
    from jarvis.core.errors import UnknownNameError, nearest_names
    from jarvis.training import change, latest

    known = recipes()
    if recipe not in known:
        raise UnknownNameError("recipe", recipe, nearest_names(recipe, known), "jarvis train idm")
    settings = settings_of(ctx)
    if seed is not None:
        settings["seed"] = seed
    asked = change(known[recipe], settings, f"recipe {recipe}")
    say = to_log if as_json else to_person
    before = latest(out)
    if before is not None:
        say(f"goes on from {before}")
    folder = train(asked, out, data, validation=validation, cache=cache, device=device, begin=model, say=say)
    if as_json:
        print_json({"checkpoint": str(folder), "steps": asked.steps, "recipe": recipe})
    else:
        say(f"{folder}; label with: jarvis label VIDEO --idm {out} --out DATASET")
    return OK
