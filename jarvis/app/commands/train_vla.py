"""jarvis train vla --recipe tiny-trajectories --data data/steps --out runs/agent"""

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
    from vla.post_train import RECIPES

    return [name for name in RECIPES if name.startswith(incomplete)]


@takes_settings("*")
def train_vla(
    ctx: typer.Context,
    data: Annotated[
        list[Path], typer.Option("--data", metavar="DIR", help="Samples: of `train vla-data`, or minecraft-vla-sft.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the run goes.")],
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe", metavar="NAME", autocompletion=_recipes,
            help="SIZE-STAGE: tiny, small or 7b; language, vision or trajectories; and 7b-lora.",
        ),
    ] = "tiny-trajectories",
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="WHERE", help="Where it begins: tiny, small, a checkpoint folder, ORG/NAME."),
    ] = None,
    device: Annotated[str | None, typer.Option("--device", metavar="NAME", help="cpu keeps off a GPU.")] = None,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:  # fmt: skip
    """Post-train a vision-language-action model, stage by stage.

    The stages follow each other through --model: the language stage's last checkpoint is where the vision stage begins,
    and so on. A run that was stopped goes on exactly. Every setting of the recipe can be given: --set steps=500
    --set optimizer.rate=1e-4 --set lora=16 --set chunk=4. Several GPUs:
    accelerate launch --multi_gpu --num_processes 8 -m jarvis train vla ..., which makes what one would make.
    """
    from vla.post_train import post_train
    from vla.post_train import recipe as recipe_of

    settings = settings_of(ctx)
    if seed is not None:
        settings["seed"] = seed
    if model is not None:
        settings["model"] = model
    asked = recipe_of(recipe, settings)
    say = to_log if as_json else to_person
    folder = post_train(asked, data, out, say=say, device=device)
    if as_json:
        print_json({"checkpoint": str(folder), "steps": asked.steps, "stage": asked.stage})
    else:
        say(f"{folder}; play with: jarvis play --policy {folder} --task NAME")
    return OK
