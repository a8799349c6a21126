"""jarvis label videos/ --out labelled"""

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
    print_json,
    to_log,
    to_person,
)


def label(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Files, folders, or .txt lists of paths.")],
    out: Annotated[Path, typer.Option("--out", metavar="DATASET", help="Where the labels go; see docs/DATA.md.")],
    idm: Annotated[
        str, typer.Option("--idm", metavar="SPEC", help="default, a checkpoint folder, or vpt:MODEL:WEIGHTS.")
    ] = "default",
    engine: EngineName = "process",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="process: decoders that feed the model, 2 unless told. ray: actors, 1."),
    ] = None,
    rank: Annotated[
        int | None,
        typer.Option("--rank", min=0, help="Which share of the videos is done here, from 0; else SLURM_ARRAY_TASK_ID."),
    ] = None,
    world: Annotated[
        int | None, typer.Option("--world", min=1, help="How many shares there are; else SLURM_ARRAY_TASK_COUNT.")
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Also write DATASET/jsonl/NAME.jsonl, as OpenAI's contractors recorded.")
    ] = False,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1; else the best.")
    ] = None,
    decoder: Annotated[str, typer.Option("--decoder", metavar="NAME", help="av, or decord.")] = "av",
    assume_rate: Annotated[
        float | None,
        typer.Option(
            "--assume-rate",
            metavar="FPS",
            help="True frames a second of files whose time stamps are wrong: 20 makes each frame a tick.",
        ),
    ] = None,
    keep_partial: Annotated[
        bool, typer.Option("--keep-partial", help="Label what comes before damage, instead of putting the video aside.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what was put aside.")] = False,
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", min=1, help="How long a decoder may say nothing.")
    ] = 60.0,
    address: Address = None,
    gpus: Gpus = 0.0,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Label videos with the keys and the mouse motion that were used.

    Goes on where it stopped, if it was stopped. A video that cannot be done is put aside in DATASET/quarantine.jsonl
    after two attempts; then the exit code is 3. Labelling draws nothing at random, so that --seed changes nothing.
    """
    import signal

    from jarvis.app.labelling import LabelRequest
    from jarvis.app.labelling import label as run
    from jarvis.app.settings import SettingsError

    rank, world = _share(rank, world)
    if rank >= world:
        raise SettingsError(f"--rank {rank} --world {world}: ranks are 0 to {world - 1}")
    log = "events.jsonl" if world == 1 else f"events-{rank}-of-{world}.jsonl"
    decoders = 2 if workers is None or engine == "ray" else workers
    request = LabelRequest(
        str(out.absolute()), _absolute(idm), device, decoders, decoder, assume_rate, keep_partial, deadline, log
    )
    options: dict[str, Any] = {"workers": 1}
    if engine == "ray":
        options = {"workers": workers or 1, "address": address, "gpus": gpus}

    def ended(one: Any) -> None:
        if as_json:
            told = {"clip": one.clip, "status": "quarantined" if one.facts is None else "done", "reason": one.reason}
            facts = one.facts
            if facts is not None:
                told |= {"video": facts.video, "ticks": facts.num_ticks, "frames": facts.num_frames}
            print_json({name: value for name, value in told.items() if value is not None})

    before = signal.signal(signal.SIGTERM, _stop)
    try:
        report = run(
            videos, request, engine=engine, rank=rank, world=world, retry=retry, jsonl=jsonl,
            say=to_log if as_json else to_person, ended=ended, **options,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGTERM, before)
    summary = {
        "videos": report.videos,
        "done": report.done,
        "before": report.before,
        "quarantined": len(report.quarantined),
        "copies": len(report.copies),
        "ticks": report.ticks,
        "seconds": round(report.seconds, 2),
    }
    if as_json:
        print_json(summary)
    else:
        aside = f", {len(report.quarantined)} put aside in {out / 'quarantine.jsonl'}" if report.quarantined else ""
        to_person(
            f"{report.done} of {report.videos} videos are labelled in {out}{aside}; "
            f"{report.ticks} ticks in {report.seconds:.0f} s"
        )
    return PARTIAL if report.quarantined else OK


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt


def _absolute(spec: str) -> str:
    """The spec with its paths made absolute: workers may run in another folder."""
    kind, colon, paths = spec.rpartition("vpt:")
    parts = (str(Path(part).absolute()) if Path(part).exists() else part for part in paths.split(":"))
    return kind + colon + ":".join(parts)


def _share(rank: int | None, world: int | None) -> tuple[int, int]:
    """As it was typed, else as SLURM tells the tasks of an array, else everything."""
    import os

    if world is None and rank is None and "SLURM_ARRAY_TASK_COUNT" in os.environ:
        first = int(os.environ.get("SLURM_ARRAY_TASK_MIN", "0"))
        return int(os.environ["SLURM_ARRAY_TASK_ID"]) - first, int(os.environ["SLURM_ARRAY_TASK_COUNT"])
    return rank or 0, world or 1
