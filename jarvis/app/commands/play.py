"""jarvis play --task craft_diamond"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import (
    Assignments,
    Config,
    Json,
    Seed,
    environment_names,
    mapping_of,
    policy_names,
    print_json,
    takes_settings,
    task_names,
    to_log,
    to_person,
)


@takes_settings("env_options")
def play(
    ctx: typer.Context,
    task: Annotated[
        str, typer.Option("--task", metavar="NAME", help="What to do: see `jarvis tasks`.", autocompletion=task_names)
    ],
    env: Annotated[
        str,
        typer.Option(
            "--env",
            metavar="NAME",
            help="voxel, minerl, minestudio, luanti or crafter.",
            autocompletion=environment_names,
        ),
    ] = "voxel",
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="SPEC",
            help="A folder, random, scripted, openai:URL#MODEL ...; else default, and random outside voxel worlds.",
            autocompletion=policy_names,
        ),
    ] = None,
    episodes: Annotated[int, typer.Option("--episodes", min=1, help="How many; each has the next seed.")] = 1,
    max_ticks: Annotated[
        int | None,
        typer.Option("--max-ticks", min=1, help="Ends an episode, 20 a second; else the task does."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where files go; else the next free runs/TASK_000.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in DIR.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it live on a local page, in real time.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of the page; 0 takes a free one.")] = 0,
    width: Annotated[
        int | None, typer.Option("--width", min=1, help="Of the picture; else the environment's own.")
    ] = None,
    height: Annotated[int | None, typer.Option("--height", min=1, help="Likewise.")] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="The world does not wait while the policy thinks: 20 ticks a second.")
    ] = False,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Play a task, and write a video and the results.

    The episode k has the seed SEED + k; SEED is 0 if it is not given, or that of the episode that is replayed.
    An interrupted run goes on with what is missing when it is started again with the same options.
    """
    from jarvis.app.runs import PlayConfig
    from jarvis.app.runs import play as run

    env_options = mapping_of(ctx, "env_options")
    asked = PlayConfig(
        task,
        env,
        policy or ("default" if env == "voxel" else "random"),
        episodes,
        seed,
        max_ticks,
        out,
        overwrite,
        watch,
        port,
        width,
        height,
        env_options,
        realtime,
    )
    return run(asked, to_log if as_json else to_person, print_json if as_json else None)
