"""What to do with a policy's two heads: choose, score, compare.

The heads are independent: log-probabilities, entropies and divergences of an action are sums over both.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["HEADS", "entropy", "kl_divergence", "log_probability", "sample"]

HEADS = {"buttons": "buttons_logp", "camera": "camera_logp"}
MASKED_LOGIT = -100.0  # of a class that may not be chosen, as VPT has it

Output = Mapping[str, Tensor]


def sample(
    output: Output,
    generator: torch.Generator | None = None,
    deterministic: bool = False,
    masks: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Classes {"buttons": (...), "camera": (...)} int64 for the (...) leading axes of a policy's output.

    deterministic: the most probable classes. masks: for a head, a bool tensor that says which classes may be chosen.
    """
    chosen = {}
    for head, key in HEADS.items():
        scores = output[key]
        if masks and head in masks:
            scores = scores.masked_fill(~masks[head], MASKED_LOGIT)
        if not deterministic:
            uniform = torch.rand(scores.shape, generator=generator, device=scores.device)
            # The class with the largest sum of log-probability and Gumbel noise is a sample. Uniform numbers may be 0.
            scores = scores - uniform.clamp(min=1e-38).log().neg().log()
        chosen[head] = scores.argmax(dim=-1)
    return chosen


def log_probability(output: Output, actions: Mapping[str, Tensor]) -> Tensor:
    """(...) log-probabilities of {"buttons": (...), "camera": (...)} classes."""
    parts = [output[key].gather(-1, actions[head][..., None]).squeeze(-1) for head, key in HEADS.items()]
    return torch.stack(parts).sum(dim=0)


def entropy(output: Output) -> Tensor:
    """(...) entropies in nats."""
    return torch.stack([-(output[key].exp() * output[key]).sum(dim=-1) for key in HEADS.values()]).sum(dim=0)


def kl_divergence(output: Output, reference: Output) -> Tensor:
    """(...) divergences KL(output || reference) in nats."""
    parts = [(output[key].exp() * (output[key] - reference[key])).sum(dim=-1) for key in HEADS.values()]
    return torch.stack(parts).sum(dim=0)
