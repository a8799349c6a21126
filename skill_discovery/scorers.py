"""Asking VPT-like policies how likely what a player did is: one causal pass over a video, batched over time.

    scorer = PolicyScorer(jarvis.vpt.load_policy("foundation-model-1x.model", "foundation-model-1x.weights"))
    scorer = load_scorer("checkpoints/foundation")
    scorer = load_scorer("vpt:foundation-model-1x.model:foundation-model-1x.weights")
    evidence = gather(clip, scorer)

The published code feeds one frame a call (`ScoringConfig(chunk_ticks=1)` does too). However the ticks are cut into
calls, the losses agree. Frames go through the CNN once; the fresh predictors of TickScores start from its features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from jarvis.core.actions import VPT_CAMERA, CameraBins, JointActions
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.surprise import TickScores

if TYPE_CHECKING:
    from jarvis.vpt.networks import VPTPolicy
    from jarvis.vpt.transformer import PolicyState

__all__ = ["PolicyScorer", "ScoringConfig", "load_scorer", "weights_digest"]


@dataclass(frozen=True)
class ScoringConfig:
    """How a video is scored."""

    chunk_ticks: int = 256  # of one call; the published code has 1
    horizon: int = 12  # ticks that a fresh predictor is followed from every tick; 0 leaves them out
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.chunk_ticks < 1 or self.horizon < 0:
            raise ValueError(f"{self}: expected chunk_ticks from 1 and horizon from 0")


def weights_digest(model: torch.nn.Module) -> str:
    """SHA-256 of a network's config and tensors: equal for equal predictors, wherever they were loaded from."""
    digest = hashlib.sha256(repr(getattr(model, "config", None)).encode())
    for name, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(flat.shape)} {flat.dtype}".encode())
        digest.update(flat.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class PolicyScorer:
    """An ActionScorer of a `jarvis.vpt` policy."""

    def __init__(self, policy: VPTPolicy, config: ScoringConfig | None = None, bins: CameraBins = VPT_CAMERA) -> None:
        """Raises FormatError if the policy's heads have other classes than actions in these bins."""
        joint = JointActions(bins)
        for head, found, expected in (
            ("camera", policy.config.num_camera, joint.num_camera),
            ("buttons", policy.config.num_buttons, joint.num_buttons),
        ):
            if found != expected:
                raise FormatError(
                    f"the predictor's {head} head has {found} classes, but labels in {bins.num_bins} camera bins have "
                    f"{expected}: choose a predictor trained with {bins}, or pass the bins it was trained with"
                )
        self.config = config or ScoringConfig()
        self.policy = policy.trainable(False).to(self.config.device)
        self.bins = bins
        self.image_size = policy.config.image_size
        self.digest = weights_digest(policy)

    @torch.inference_mode()
    def score(
        self,
        frames: Iterable[np.ndarray],
        button_classes: np.ndarray,
        camera_classes: np.ndarray,
        first: np.ndarray | None = None,
    ) -> TickScores:
        """Scores one clip; see ActionScorer. first: (n,) bool, ticks before which everything is forgotten."""
        count = len(button_classes)
        taken = torch.from_numpy(np.stack([button_classes, camera_classes], axis=1)).to(self.policy.device)
        resets = torch.zeros(count, dtype=torch.bool) if first is None else torch.from_numpy(np.asarray(first, bool))
        state = self.policy.initial_state(1)
        parts: list[dict[str, Tensor]] = []
        features: list[Tensor] = []
        done = 0
        for chunk in self._chunks(frames):
            stop = done + len(chunk)
            if stop > count:
                raise EpisodeError(f"more than {count} frames for {count} actions")
            encoded = self.policy.features(chunk[None])
            latent, state = self.policy.latents(encoded, resets[None, done:stop], state)
            parts.append(self._losses(latent[0], taken[done:stop]) | {"hidden": latent[0].half()})
            features.append(encoded[0])
            done = stop
        if done != count:
            raise EpisodeError(f"{done} frames for {count} actions")
        scored = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
        fresh = self._fresh(torch.cat(features), taken).cpu().numpy()
        return TickScores(
            scored["losses"][:, 0].copy(), scored["losses"][:, 1].copy(), scored["entropy"],
            fresh[..., 0].copy(), fresh[..., 1].copy(), scored["hidden"], self.digest,
        )  # fmt: skip

    def _chunks(self, frames: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
        """The same frames, `chunk_ticks` of them at a time at most."""
        for some in frames:
            for start in range(0, len(some), self.config.chunk_ticks):
                yield some[start : start + self.config.chunk_ticks]

    def _losses(self, latent: Tensor, taken: Tensor) -> dict[str, Tensor]:
        """(ticks, hidden) and (ticks, 2) classes -> losses and entropies, (ticks, 2) each."""
        output = self.policy.heads(latent[None])
        losses, entropies = [], []
        for column, head in enumerate(("buttons_logp", "camera_logp")):
            logp = output[head][0]
            losses.append(-logp.gather(-1, taken[:, column, None]).squeeze(-1))
            entropies.append(-(logp.exp() * logp).sum(dim=-1))
        return {"losses": torch.stack(losses, dim=-1), "entropy": torch.stack(entropies, dim=-1)}

    def _taken(self, latent: Tensor, taken: Tensor) -> Tensor:
        """(ticks, 2): the losses alone, without a whole distribution for every one of many short looks."""
        losses = []
        for column, name in enumerate(("buttons", "camera")):
            head = self.policy.pi_head[name]
            logits = head.linear_layer(latent).float() / head.temperature
            losses.append(logits.logsumexp(dim=-1) - logits.gather(-1, taken[:, column, None]).squeeze(-1))
        return torch.stack(losses, dim=-1)

    def _fresh(self, features: Tensor, taken: Tensor) -> Tensor:
        """(n, horizon, 2): losses at the ticks from each tick on, of a predictor that begins there."""
        count, horizon = len(features), self.config.horizon
        fresh = torch.full((count, horizon, 2), torch.nan, device=features.device)
        if not horizon:
            return fresh
        blank = self._blank(64)
        offsets = torch.arange(horizon, device=features.device)
        for start in range(0, count, 64):
            stop = min(start + 64, count)
            ticks = torch.arange(start, stop, device=features.device)[:, None] + offsets
            inside = ticks < count
            windows = ticks.clamp(max=count - 1)
            first = torch.zeros(windows.shape, dtype=torch.bool)
            latent, _ = self.policy.latents(features[windows], first, blank[: stop - start])
            fresh[start:stop][inside] = self._taken(latent[inside], taken[windows][inside])
        return fresh

    def _blank(self, batch: int) -> PolicyState:
        return self.policy.initial_state(batch)


def load_scorer(spec: str | Path, config: ScoringConfig | None = None, **options: Any) -> PolicyScorer:
    """From a checkpoint folder or `vpt:MODEL[:WEIGHTS]`. ModelFileError names the file."""
    from jarvis.vpt.loading import load_spec

    text = str(spec)
    if not text.startswith("vpt:") and not Path(text).exists():
        raise FormatError(f"{text}: no such checkpoint; train one with: jarvis train foundation PLAY --out {text}")
    return PolicyScorer(load_spec(text), config, **options)
