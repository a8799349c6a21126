"""jarvis record --player scripted --hours 2 --out recordings/diamond"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import (
    OK,
    PARTIAL,
    Address,
    Assignments,
    Config,
    EngineName,
    Json,
    Seed,
    Workers,
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
def record(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the recordings go.")],
    player: Annotated[
        str,
        typer.Option("--player", metavar="SPEC", help="scripted, human, or a policy.", autocompletion=policy_names),
    ] = "scripted",
    hours: Annotated[float | None, typer.Option("--hours", help="How much play: 72,000 ticks an hour.")] = None,
    episodes: Annotated[int | None, typer.Option("--episodes", min=1, help="Or so many episodes.")] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="NAME",
            help="What is played, in turn; NAME* is every task that begins so. May be given "
            "several times.  [default: craft_diamond]",
            autocompletion=task_names,
        ),
    ] = None,
    env: Annotated[
        str,
        typer.Option(
            "--env", metavar="NAME", help="voxel, minerl, minestudio or luanti.", autocompletion=environment_names
        ),
    ] = "voxel",
    workers: Workers = None,
    engine: EngineName = "process",
    address: Address = None,
    max_ticks: Annotated[
        int | None, typer.Option("--max-ticks", min=1, help="Ends an episode; else the task does.")
    ] = None,
    vary: Annotated[
        bool, typer.Option("--vary", help="Looks of web video: textures, view, light, compression, overlays.")
    ] = False,
    width: Annotated[int, typer.Option("--width", min=16, help="Of the video; 128 by 128 is what policies see.")] = 640,
    height: Annotated[int, typer.Option("--height", min=16, help="Likewise.")] = 360,
    crf: Annotated[int, typer.Option("--crf", min=0, max=51, help="Of the video: less is better and larger.")] = 20,
    preset: Annotated[str, typer.Option("--preset", help="Of x264: faster ones make larger files.")] = "superfast",
    habits: Annotated[
        str, typer.Option("--habits", help="Of the scripted player: human makes mistakes, clean does not.")
    ] = "human",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of a person's page; 0 takes a free one.")] = 0,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Record play as video, keys and mouse, to learn from.

    Writes the contractors' format: NAME.mp4 and NAME.jsonl, readable by every VPT tool, with what is true of the world
    in NAME.truth.jsonl. The same seed and options give the same files, whatever the number of workers. An interrupted
    recording goes on when it is started again with the same options.
    """
    from data_pipelines.recorder import RecordingStyle
    from jarvis.app.recording import RecordConfig, start

    say = to_log if as_json else to_person
    asked = RecordConfig(
        out, env, player, tuple(task or ("craft_diamond",)), hours, episodes, seed or 0, workers, max_ticks, width,
        height, vary, RecordingStyle(crf=crf, preset=preset), habits, port, mapping_of(ctx, "env_options"),
        engine, address,
    )  # fmt: skip
    report = start(asked, say)
    if as_json:
        print_json(
            {
                "out": str(out),
                "episodes": report.episodes,
                "recordings": len(report.recordings),
                "ticks": report.ticks,
                "hours": round(report.hours, 6),
                "played": report.played,
                "quarantined": {str(episode): reason for episode, reason in report.quarantined.items()},
                "seconds": round(report.seconds, 3),
            }
        )
    aside = f", {len(report.quarantined)} put aside: {out / 'quarantine.jsonl'}" if report.quarantined else ""
    say(f"{out}: {report.ticks} ticks ({report.hours:.2f} hours) in {report.episodes} episodes{aside}")
    return PARTIAL if report.quarantined else OK
