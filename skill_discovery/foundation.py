"""The unconditional action predictor: behaviour cloning of everything, without a goal.

    python -m skill_discovery.foundation recordings/ OUT            # or: jarvis train foundation recordings/ --out OUT
    train(small(), clips, "runs/foundation")
    scorer = load_scorer("runs/foundation")

VPT's architecture and action space at sizes that a laptop trains. It learns from windows that begin with an empty
memory, so that it also knows what to expect at the first ticks; what nobody pressed is seen but not learnt. A clip's
pictures are decoded once and kept, as long as they fit.

    OUT/step_00000500/...       checkpoints of the run (jarvis.training)
    OUT/config.json             the last one's network: the folder is what `load_policy` and `--policy` take
    OUT/model.safetensors OUT/card.md OUT/log.jsonl OUT/done
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.core.actions import POLICY_BUTTONS, VPT_CAMERA, JointActions
from jarvis.core.errors import EpisodeError, UnknownNameError, nearest_names
from jarvis.core.files import DONE, Pathlike, atomic_write
from jarvis.training import Batches, Log, Optimizer, OptimizerConfig, change, every, latest, resume, to_json
from jarvis.vpt.config import PolicyConfig
from jarvis.vpt.config import tiny as tiny_policy
from skill_discovery.clips import PlayClip

if TYPE_CHECKING:
    from torch import Tensor

    from jarvis.vpt.networks import VPTPolicy

__all__ = ["RECIPES", "FoundationConfig", "Windows", "recipe", "train"]


@dataclass(frozen=True)
class FoundationConfig:
    """A run. Ticks are twentieths of a second."""

    network: PolicyConfig
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    window_ticks: int = 128  # of an example, from an empty memory
    stride_ticks: int = 64  # from the beginning of one example to that of the next
    batch: int = 8  # examples of an update
    steps: int = 2000
    smoothing: float = 0.0  # share of the probability that every class is expected to have
    cache_gb: float = 4.0  # of decoded pictures that are kept
    seed: int = 0
    precision: str = "no"  # "no" is float32, or "bf16"
    log_every: int = 25
    save_every: int = 500
    keep: int = 2  # checkpoints

    def __post_init__(self) -> None:
        if min(self.window_ticks, self.stride_ticks, self.batch, self.steps, self.log_every, self.save_every) < 1:
            raise ValueError(f"{self}: ticks, batch and steps start at 1")
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing: {self.smoothing}, expected 0 to below 1")


def tiny() -> FoundationConfig:
    """For tests: four steps of a network of 0.7 M parameters, in a second."""
    network = replace(tiny_policy(), image_size=32)
    return FoundationConfig(network, OptimizerConfig(warmup=2), 16, 8, 2, 4, log_every=1, save_every=2)


def small() -> FoundationConfig:
    """For the voxel world on a laptop: 2 M parameters, 64 x 64 pixels, 500 frames a CPU second.

    Its measured losses and what they are good for: docs/EXPERIMENTS.md.
    """
    network = PolicyConfig(
        channels=(8, 16, 32), hidden=128, heads=4, layers=2, temperature=1.0, image_size=64, memory_ticks=64
    )
    return FoundationConfig(
        network, OptimizerConfig(rate=2e-3, warmup=50, final=0.05), 64, 32, batch=4, steps=3000, save_every=200
    )


def foundation_1x() -> FoundationConfig:
    """The 71 M network of the released 1x weights, with the paper's chunks of 128. Needs a GPU; not run here."""
    from jarvis.vpt.config import foundation_1x as network

    return FoundationConfig(
        network(), OptimizerConfig(rate=2e-4, warmup=1000), batch=32, steps=50_000, precision="bf16"
    )


RECIPES: dict[str, Callable[[], FoundationConfig]] = {"tiny": tiny, "small": small, "1x": foundation_1x}


def recipe(name: str, settings: dict[str, Any] | None = None) -> FoundationConfig:
    """A whole config by name, with other values: {"steps": 100, "optimizer": {"rate": 1e-4}}."""
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, nearest_names(name, RECIPES))
    return change(RECIPES[name](), settings or {})


class Windows:
    """Examples: windows of clips, each from an empty memory."""

    def __init__(self, clips: Sequence[PlayClip], config: FoundationConfig) -> None:
        """EpisodeError if there is nothing to learn from: no clips, or only ticks in which nobody did anything."""
        self.clips, self.config = list(clips), config
        joint = JointActions(VPT_CAMERA)
        self._classes = [
            np.stack(joint.encode(clip.buttons[:, : len(POLICY_BUTTONS)], VPT_CAMERA.to_bins(clip.camera)), axis=1)
            for clip in self.clips
        ]
        null = np.array([joint.null_buttons, joint.null_camera])
        self._active = [(classes != null).any(axis=1) for classes in self._classes]
        self.places = [
            (number, start)
            for number, clip in enumerate(self.clips)
            for start in range(0, max(1, len(clip) - config.window_ticks + 1), config.stride_ticks)
            if self._active[number][start : start + config.window_ticks].any()
        ]
        if not self.places:
            raise EpisodeError(f"nothing to learn from in {len(self.clips)} clips: nobody presses or moves anything")
        self._kept: dict[int, np.ndarray] = {}
        self._room = int(config.cache_gb * 2**30)

    def __len__(self) -> int:
        return len(self.places)

    def frames(self, number: int, start: int, stop: int) -> np.ndarray:
        """(ticks, size, size, 3) uint8 of a clip."""
        size = self.config.network.image_size
        if number not in self._kept:
            clip = self.clips[number]
            needed = len(clip) * size * size * 3
            if needed > self._room:
                return np.concatenate(list(clip.frames(size, start, stop)))
            self._kept[number] = np.concatenate(list(clip.frames(size)))
            self._room -= needed
        return self._kept[number][start:stop]

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frames (batch, ticks, size, size, 3), classes (batch, ticks, 2), and what counts, (batch, ticks) bool.

        Windows at the end of short clips are filled up with ticks that do not count.
        """
        size, ticks = self.config.network.image_size, self.config.window_ticks
        frames = np.zeros((len(indices), ticks, size, size, 3), np.uint8)
        classes = np.zeros((len(indices), ticks, 2), np.int64)
        counts = np.zeros((len(indices), ticks), np.bool_)
        for row, index in enumerate(indices.tolist()):
            number, start = self.places[index]
            stop = min(start + ticks, len(self.clips[number]))
            frames[row, : stop - start] = self.frames(number, start, stop)
            classes[row, : stop - start] = self._classes[number][start:stop]
            counts[row, : stop - start] = self._active[number][start:stop]
        return frames, classes, counts


def losses(policy: VPTPolicy, frames: np.ndarray, classes: Tensor) -> Tensor:
    """(batch, ticks, 2) nats: of the button class and of the camera class, each window from an empty memory."""
    import torch

    first = torch.zeros(frames.shape[:2], dtype=torch.bool)
    plain = getattr(policy, "module", policy)  # as accelerate wraps it
    output, _ = policy(frames, first, plain.initial_state(len(frames)))
    taken = [
        output[head].gather(-1, classes[..., column, None]).squeeze(-1)
        for column, head in enumerate(("buttons_logp", "camera_logp"))
    ]
    return -torch.stack(taken, dim=-1)


def train(
    config: FoundationConfig,
    clips: Sequence[PlayClip],
    out: Pathlike,
    *,
    held_back: Sequence[PlayClip] = (),
    device: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Trains, or goes on with a run, and returns its folder, which is then a checkpoint folder.

    held_back: clips on which the loss is measured at every checkpoint. EpisodeError if there is nothing to learn from,
    CheckpointError if the folder holds another run.
    """
    import torch

    from jarvis import training
    from jarvis.vpt.initialisation import build

    out = Path(out)
    data = Windows(clips, config)
    accelerator = training.accelerator(config.precision, device)
    policy = build(config.network, config.seed).trainable()
    for parameter in policy.value_head.parameters():  # nothing here depends on it
        parameter.requires_grad_(False)
    model = accelerator.prepare(policy)
    optimizer = Optimizer(model, config.optimizer, config.steps, accelerator)
    batches = Batches(
        len(data), config.batch, config.seed, rank=accelerator.process_index, world=accelerator.num_processes
    )
    parts = {"optimizer": optimizer, "batches": batches}
    start = resume(out, model, parts)
    main = accelerator.is_main_process
    log = Log(out / "log.jsonl", start, say, main)
    should_log, should_save = every(config.log_every), every(config.save_every, last=config.steps)
    facts: dict[str, float] = {}
    for step, indices in zip(range(start, config.steps), batches, strict=False):
        frames, classes, counts = data.batch(indices)
        taken, counted = torch.from_numpy(classes).to(policy.device), torch.from_numpy(counts).to(policy.device)
        with accelerator.autocast():
            nats = losses(model, frames, taken)[counted].mean(dim=0)
        update = optimizer.step(nats.sum() * training.share(accelerator, float(counts.sum())))
        if should_log(step):
            log.write(step, buttons=nats[0], camera=nats[1], epoch=batches.epoch, **update)
        if should_save(step) and main:
            if held_back:
                facts = held_back_loss(policy, held_back, config)
                log.write(step, **{f"held_back_{name}": value for name, value in facts.items()})
            training.save(
                out, step + 1, lambda to, told=facts: _write(to, policy, config, clips, told), model, parts, config.keep
            )
    if main:
        _finish(out)
    accelerator.wait_for_everyone()
    return out


def held_back_loss(policy: VPTPolicy, clips: Sequence[PlayClip], config: FoundationConfig) -> dict[str, float]:
    """{"buttons", "camera", "ticks"}: nats a tick on whole windows of clips that were not learnt from."""
    import torch

    data = Windows(clips, config)
    total, ticks = np.zeros(2), 0
    policy.eval()
    with torch.no_grad():
        for begin in range(0, len(data), config.batch):
            frames, classes, counts = data.batch(np.arange(begin, min(begin + config.batch, len(data))))
            nats = losses(policy, frames, torch.from_numpy(classes).to(policy.device)).cpu().numpy()
            total += nats[counts].sum(axis=0, dtype=np.float64)
            ticks += int(counts.sum())
    policy.train()
    return {"buttons": float(total[0] / ticks), "camera": float(total[1] / ticks), "ticks": ticks}


def _write(
    folder: Path, policy: VPTPolicy, config: FoundationConfig, clips: Sequence[PlayClip], told: dict[str, float]
) -> None:
    """The checkpoint as `jarvis.vpt.load_policy` takes it."""
    from jarvis.vpt.loading import write_checkpoint

    ticks = sum(map(len, clips))
    sources = sorted({clip.source for clip in clips})
    measured = ", ".join(f"{name} {value:.4g}" for name, value in told.items()) or "nothing measured"
    card = (
        "# Unconditional action predictor\n\n"
        f"VPT's policy network, {sum(p.numel() for p in policy.parameters()):,} parameters, cloned from {len(clips)} "
        f"clips, {ticks} ticks ({ticks / 72_000:.2f} hours), actions {', '.join(sources)}.\n"
        f"Nats a tick on clips held back: {measured}.\n"
    )
    extra = {"config": to_json(config), "clips": [clip.name for clip in clips], "held_back": told}
    temporary = folder / ".network"
    write_checkpoint(temporary, policy, card, extra)
    for path in temporary.iterdir():
        if path.name != DONE:
            path.rename(folder / path.name)
    shutil.rmtree(temporary)


def _finish(out: Path) -> None:
    """Copies the last checkpoint's model beside the run, so that the folder is a checkpoint itself."""
    last = latest(out)
    assert last is not None
    for name in ("model.safetensors", "config.json", "card.md"):
        atomic_write(out / name, (last / name).read_bytes())
    atomic_write(out / DONE, "")


def main() -> None:
    """The command line of this module."""
    import argparse

    from skill_discovery.clips import find_clips

    parser = argparse.ArgumentParser(description="Train an unconditional action predictor.")
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--recipe", default="small", choices=list(RECIPES))
    parser.add_argument("--steps", type=int)
    given = parser.parse_args()
    clips, aside = find_clips(given.folder)
    for name, reason in aside.items():
        print(f"{name}: left out: {reason}")
    train(recipe(given.recipe, {"steps": given.steps} if given.steps else {}), clips, given.out, say=print)


if __name__ == "__main__":
    main()
