"""jarvis segment recordings/ --criterion sbd+nms --policy runs/foundation"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from jarvis.app.commands.options import (
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
    print_json,
    settings_of,
    takes_settings,
    to_log,
    to_person,
)


def _criteria(incomplete: str) -> list[str]:
    from skill_discovery.criteria import CRITERIA

    return [name for name in CRITERIA if name.startswith(incomplete)]


@takes_settings("options")
def segment(
    ctx: typer.Context,
    play: Annotated[
        Path, typer.Argument(metavar="DATASET|RECORDINGS", help="A dataset's folder, or one of recordings.")
    ],
    criterion: Annotated[
        str,
        typer.Option(
            "--criterion",
            metavar="NAME",
            help="sbd, sbd+nms, likelihood-ratio, hidden-change, action-cpd, events, event+loss, ...",
            autocompletion=_criteria,
        ),
    ] = "action-cpd",
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="SPEC", help="The action predictor: a checkpoint folder or vpt:MODEL:WEIGHTS."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where files go; else beside the folder, as FOLDER-skills."),
    ] = None,
    threshold: Annotated[
        str,
        typer.Option(
            "--threshold",
            metavar="RULE",
            help="length, validation, shipped, a number, or another run's threshold.json.",
        ),
    ] = "length",
    mean_ticks: Annotated[
        float, typer.Option("--mean-ticks", min=1, help="How long segments are on average, for --threshold length.")
    ] = 100.0,
    min_ticks: Annotated[int, typer.Option("--min-ticks", min=1, help="The shortest segment; 20 are a second.")] = 10,
    max_ticks: Annotated[int, typer.Option("--max-ticks", min=2, help="The longest.")] = 1200,
    clusters: Annotated[
        int, typer.Option("--clusters", min=0, help="Skills of a library of the segments; 0 makes none.")
    ] = 0,
    namer: Annotated[
        str | None,
        typer.Option("--namer", metavar="openai:URL#MODEL", help="Names what events leave without a name."),
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
    """Cut labelled play into skills.

    Losses are kept, so that another criterion needs neither the videos nor the predictor. An interrupted run goes on
    when it is started again. A criterion's own settings: --set options.window=9. Without a predictor, the best one for
    recordings of the voxel world is --criterion learned --threshold shipped.
    """
    from data_pipelines.engines import engine_of
    from skill_discovery.run import SegmentConfig, segment_folder

    options: dict[str, Any] = settings_of(ctx).get("options") or {}
    asked = SegmentConfig(
        criterion, policy, threshold, mean_ticks, options, min_ticks, max_ticks, clusters, namer, seed or 0
    )
    say = to_log if as_json else to_person
    with engine_of(engine, workers, address, gpus) as hands:
        report = segment_folder(play, asked, out, say, hands)
    if as_json:
        print_json(report.to_json())
    else:
        mean = report.ticks / max(1, report.segments)
        say(f"{report.segments} segments of {mean:.0f} ticks on average in {report.out}")
        if report.quarantined:
            say(f"{len(report.quarantined)} clips were put aside: {report.out / 'quarantine.jsonl'}")
        if report.stability is not None:
            say(f"stability of the skill library: {report.stability:.2f}")
    return PARTIAL if report.quarantined else OK
