"""Training an inverse dynamics model on recordings: `jarvis train idm --recipe tiny --data DIR --out RUN`.

config = recipes()["small"]
train(config, "runs/idm", ["recordings/train"], validation="recordings/valid")

RUN/config.json       the whole configuration
RUN/log.jsonl         loss, learning rate, and now and then the metrics on the validation recordings
RUN/step_.../         checkpoints (jarvis.training), each a model that `idm.load(RUN)` takes
RUN/cache/            the decoded recordings, unless another place is given
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from idm.augmentation import Augmentation
from idm.clips import Clips, Example, Recorded, load_recordings
from idm.labels import Labeler, Labels, camera_of
from idm.loading import load_network, write_network
from idm.metrics import report
from idm.networks import MotionConfig, build_motion
from idm.networks import small as small_motion
from idm.networks import tiny as tiny_motion
from jarvis import training
from jarvis.core.actions import CameraBins
from jarvis.core.files import Pathlike, read_json, write_json
from jarvis.core.random_streams import generator
from jarvis.training import OptimizerConfig
from jarvis.vpt import IDMConfig, build, idm_4x

__all__ = ["TrainConfig", "camera_targets", "evaluate", "loss_of", "recipes", "train"]


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    recipe: str  # its name
    network: MotionConfig | IDMConfig
    steps: int
    batch: int = 8  # clips a step
    parts: int = 1  # pieces in which a batch is computed, when it does not fit at once
    clip_ticks: int = 64  # frames of a clip
    margin_ticks: int = 2  # frames at a clip's ends that do not count
    hours: float | None = None  # of recordings used at most
    precision: str = "no"  # or bf16
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    average: float = 0.999  # decay of the average of the weights, which is what is used afterwards
    measured: bool = False  # the motion network's frames are measured once, so their shape is not augmented
    camera_weight: float = 1.0  # of the camera's loss against that of the buttons
    augmentation: Augmentation = field(default_factory=Augmentation)
    log_every: int = 20  # steps
    save_every: int = 500
    keep: int = 2  # checkpoints
    validate_every: int = 1000
    validation_ticks: int | None = None  # of each recording at most
    seed: int = 0


def recipes() -> dict[str, TrainConfig]:
    """Every recipe by name.

    tiny: two hundred steps of a toy, half a minute on a laptop; for tests, it learns little.
    small: the network that ships: jarvis train idm --recipe small, 35 minutes of one core's time for its 6,000 steps.
        What ships had 2,400 without mirrors and 1,200 with: keypresses 95 %, camera R2 0.86 (docs/EXPERIMENTS.md).
    base: VPT's 4x network and schedule (arXiv 2206.11795, appendix D.1: Adam, 3e-3 at a batch of 128 clips of 128
        frames, weight decay 0.01). Meant for GPUs with 80 GB, and not run here.
    """
    return {
        "tiny": TrainConfig(
            "tiny", tiny_motion(), steps=200, batch=2, clip_ticks=32, average=0.9, save_every=100,
            validate_every=200, optimizer=OptimizerConfig(rate=2e-3, warmup=20),
        ),
        "small": TrainConfig(
            "small", small_motion(), steps=6_000, optimizer=OptimizerConfig(rate=1e-3, warmup=200, decay=0.05),
            measured=True, augmentation=Augmentation(mirror=0.5),
        ),
        "base": TrainConfig(
            "base", idm_4x(), steps=300_000, batch=128, parts=32, clip_ticks=128, precision="bf16", save_every=1000,
            validate_every=5000, optimizer=OptimizerConfig(rate=3e-3, warmup=2000, schedule="linear", decay=0.01),
        ),
    }  # fmt: skip


def train(
    config: TrainConfig,
    folder: Pathlike,
    recordings: Sequence[Pathlike] | Pathlike,
    *,
    validation: Sequence[Pathlike] | Pathlike | None = None,
    cache: Pathlike | None = None,
    device: str | None = None,
    begin: str | None = None,
    stop: int | None = None,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Trains, or goes on with a run that was cut short, and returns the last checkpoint's folder.

    begin: a spec of `idm.load` whose weights a new run starts with, of the same network; else it starts from the seed.
    stop: leave after this step although `config.steps` (which the learning rate follows) is further. ConfigError if the
    folder holds a run of another configuration.
    """
    folder = Path(folder)
    _same_run(folder, config)
    cache = Path(cache or folder / "cache")
    accelerator = training.accelerator(config.precision, device)
    with accelerator.main_process_first():  # the others find what it decoded
        clips = Clips.of(recordings, cache, config.clip_ticks, config.margin_ticks, config.hours, say)
        held_out = load_recordings(validation, cache, say=say) if validation else []
    camera = camera_of(config.network)
    network = _build(config)
    if begin is not None and training.latest(folder) is None:
        _start_with(network, begin)
    model = accelerator.prepare(network.trainable())
    optimizer = training.Optimizer(model, config.optimizer, config.steps, accelerator)
    batches = training.Batches(
        len(clips), config.batch, config.seed, rank=accelerator.process_index, world=accelerator.num_processes
    )
    average = training.Average(network, config.average)
    parts = {"optimizer": optimizer, "batches": batches, "average": average}
    start = training.resume(folder, network, parts)
    log = training.Log(folder / "log.jsonl", start, say, accelerator.is_main_process)
    last = min(config.steps, stop or config.steps)
    should_log, should_save, should_validate = (
        training.every(often, last) for often in (config.log_every, config.save_every, config.validate_every)
    )

    for step, indices in zip(range(start, last), batches, strict=False):
        training.seed_step(config.seed, step, accelerator.process_index)
        randoms = [generator(config.seed, "augmentation", step, int(index)) for index in indices]
        example = clips.batch(indices, randoms, config.augmentation, config.measured)
        losses: list[Tensor] = []
        weight = training.share(accelerator, float(example.weight.sum()))

        def pieces(
            example: Example = example, losses: list[Tensor] = losses, weight: float = weight
        ) -> Iterator[Tensor]:
            for piece in example.pieces(config.parts):
                with accelerator.autocast():
                    inputs = piece.inputs
                    output = model(torch.from_numpy(inputs) if isinstance(inputs, np.ndarray) else inputs)
                buttons, turns = loss_of(output, piece, camera)
                losses.append(torch.stack([buttons, turns]).detach())
                yield weight * (buttons + config.camera_weight * turns)

        facts = optimizer.step(pieces())
        average.update(network)
        if not accelerator.is_main_process:
            continue
        if should_log(step):
            buttons, turns = torch.stack(losses).mean(0).tolist()
            log.write(step, buttons=buttons, camera=turns, epoch=batches.epoch, **facts)
        if should_validate(step) and held_out:
            average.swap(network)
            log.write(step, validation=evaluate(network, held_out, config.validation_ticks).summary())
            average.swap(network)
        if should_save(step):
            said = _card(config, clips, step + 1, folder)

            def write(to: Path, said: str = said) -> None:
                average.swap(network)
                try:
                    write_network(to, network, said, {"recipe": config.recipe, "hours": clips.hours})
                finally:
                    average.swap(network)

            training.save(folder, step + 1, write, network, parts, config.keep)
    accelerator.wait_for_everyone()
    found = training.latest(folder)
    assert found is not None
    return found


def _build(config: TrainConfig) -> Any:
    if isinstance(config.network, MotionConfig):
        return build_motion(config.network, config.seed)
    network = build(config.network, config.seed)
    network.recompute_features = config.parts > 1
    return network


def _start_with(network: Any, begin: str) -> None:
    known: Any = load_network(begin)
    if known.config != network.config:
        raise training.ConfigError(f"{begin}: its network is {known.config}, this run's is {network.config}")
    network.load_state_dict(known.state_dict())


def _same_run(folder: Path, config: TrainConfig) -> None:
    path, wanted = folder / "config.json", training.to_json(config)
    if path.is_file():
        before = read_json(path)
        changed = sorted(name for name in wanted if before.get(name) != wanted[name])
        if changed:
            raise training.ConfigError(
                f"{folder}: the run was begun with another {', '.join(changed)}; choose another --out, or its settings"
            )
    else:
        write_json(path, wanted)


def camera_targets(degrees: Tensor, camera: CameraBins, interpolate: bool) -> Tensor:
    """(..., 2) degrees -> (..., 2, bins) shares that sum up to 1: the nearest bin, or the two on either side."""
    if not interpolate:
        nearest = torch.from_numpy(camera.to_bins(degrees.numpy()))
        return functional.one_hot(nearest, camera.num_bins).float()
    centres = torch.tensor(camera.centres, dtype=torch.float32)
    clipped = degrees.clamp(centres[0], centres[-1])
    right = torch.searchsorted(centres, clipped.contiguous()).clamp(1, camera.num_bins - 1)
    share = (clipped - centres[right - 1]) / (centres[right] - centres[right - 1])
    targets = torch.zeros(*degrees.shape, camera.num_bins)
    targets.scatter_(-1, right[..., None], share[..., None])
    targets.scatter_(-1, right[..., None] - 1, 1 - share[..., None])
    return targets


def loss_of(output: dict[str, Tensor], example: Example, camera: CameraBins) -> tuple[Tensor, Tensor]:
    """Mean negative log-likelihoods a frame: of all buttons, and of the camera's two axes."""
    device = output["buttons_logp"].device
    weight = torch.from_numpy(example.weight).to(device)
    total = weight.sum().clamp(min=1)
    pressed = torch.from_numpy(example.buttons).to(device)
    buttons = -output["buttons_logp"].gather(-1, pressed[..., None])[..., 0].sum(-1)
    interpolate = output["camera_logp"].shape[-1] != 11
    targets = camera_targets(torch.from_numpy(example.camera), camera, interpolate).to(device)
    turns = -(targets * output["camera_logp"]).sum((-1, -2))
    return (buttons * weight).sum() / total, (turns * weight).sum() / total


def evaluate(network: Any, recorded: Sequence[Recorded], ticks: int | None = None, cursor: bool = True) -> Any:
    """The metrics of a network's labels on recordings, see `idm.metrics.report`."""
    was_training = network.training
    network.eval()
    labeler = Labeler(network, device=next(network.parameters()).device)
    videos = [_frames(one, ticks, cursor) for one in recorded]
    found: list[list[Labels]] = [[] for _ in recorded]
    for number, labels in labeler.label_many(videos):
        found[number].append(labels)
    network.train(was_training)
    stop = slice(0, ticks)
    return report(
        [Labels.join(parts) for parts in found],
        [one.buttons[stop] for one in recorded],
        [one.camera[stop] for one in recorded],
        [one.gui[stop] for one in recorded],
    )


def _frames(one: Recorded, ticks: int | None, cursor: bool) -> Any:
    count = len(one) if ticks is None else min(ticks, len(one))
    for start in range(0, count, 64):
        yield one.seen(start, min(start + 64, count), cursor=cursor)


def _card(config: TrainConfig, clips: Clips, steps: int, folder: Path) -> str:
    settings = "\n".join(
        f"- {name}: {value}" for name, value in dataclasses.asdict(config).items() if name != "network"
    )
    return (
        f"# Inverse dynamics model, recipe {config.recipe}\n\n"
        f"{steps} steps on {clips.hours:.2f} hours of recordings ({len(clips.recorded)} of them), run `{folder.name}`. "
        f"The weights are the average over the run. How well it labels is in the run's log.jsonl.\n\n{settings}\n"
    )
