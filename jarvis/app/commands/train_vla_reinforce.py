"""jarvis train vla-reinforce --model runs/agent/step_00004000 --task mine_oak_log-easy --out runs/better"""

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
    task_names,
    to_log,
    to_person,
)


@takes_settings("*")
def train_vla_reinforce(
    ctx: typer.Context,
    model: Annotated[str, typer.Option("--model", metavar="DIR", help="The agent's checkpoint folder.")],
    task: Annotated[
        list[str], typer.Option("--task", metavar="NAME", help="What is played, in turn.", autocompletion=task_names)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the run goes.")],
    device: Annotated[str | None, typer.Option("--device", metavar="NAME", help="cpu keeps off a GPU.")] = None,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Improve an agent by policy gradient on tasks' own predicates.

    Episodes of one start are compared with each other (GRPO). Every setting can be given: --set rounds=100
    --set group=16 --set optimizer.rate=1e-5. A run that was stopped goes on from its last round.
    """
    from evaluation.tasks import get
    from jarvis import training
    from vla.reinforce import Reinforcement, reinforce

    settings = settings_of(ctx) | {"model": model}
    if seed is not None:
        settings["seed"] = seed
    asked = training.change(Reinforcement(), settings)
    folder = reinforce(asked, [get(name) for name in task], out, say=to_log if as_json else to_person, device=device)
    if as_json:
        print_json({"checkpoint": str(folder), "rounds": asked.rounds})
    return OK
