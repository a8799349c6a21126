"""jarvis train foundation recordings/ --out runs/foundation --recipe small"""

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
    settings_of,
    takes_settings,
    to_log,
    to_person,
)


def _recipes(incomplete: str) -> list[str]:
    from skill_discovery.foundation import RECIPES

    return [name for name in RECIPES if name.startswith(incomplete)]


@takes_settings("*")
def train_foundation(
    ctx: typer.Context,
    play: Annotated[
        list[Path], typer.Argument(metavar="DATASET|RECORDINGS...", help="Datasets' folders, or those of recordings.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The checkpoint folder.")],
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME", help="tiny, small or 1x.", autocompletion=_recipes)
    ] = "small",
    held_back: Annotated[
        Path | None, typer.Option("--held-back", metavar="DIR", help="Play on which the loss is measured.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", metavar="NAME", help="cpu keeps off a GPU.")] = None,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Train an unconditional action predictor by cloning play.

    A run that was interrupted goes on bit for bit when it is started again. Every setting of the recipe can be given:
    --set steps=500 --set optimizer.rate=1e-3 --set network.hidden=256.
    """
    from skill_discovery.clips import find_clips
    from skill_discovery.foundation import recipe as recipe_of
    from skill_discovery.foundation import train

    settings = settings_of(ctx)
    if seed is not None:
        settings["seed"] = seed
    asked = recipe_of(recipe, settings)
    say = to_log if as_json else to_person
    clips, aside = [], {}
    for folder in play:
        found, refused = find_clips(folder)
        clips += found
        aside |= refused
    for name, reason in aside.items():
        say(f"{name}: left out: {reason}")
    others = find_clips(held_back)[0] if held_back is not None else []
    folder = train(asked, clips, out, held_back=others, device=device, say=say)
    if as_json:
        print_json({"checkpoint": str(folder), "steps": asked.steps, "clips": len(clips), "left_out": aside})
    return PARTIAL if aside else OK
