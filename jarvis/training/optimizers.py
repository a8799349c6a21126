"""One update of the weights: backward, clip, step, with a learning rate that is a function of the step alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from jarvis.core.errors import JarvisError
from jarvis.core.random_streams import stream_seed

__all__ = ["Average", "Optimizer", "OptimizerConfig", "accelerator", "averaged", "rate_at", "seed_step", "share"]

SCHEDULES = ("constant", "cosine", "linear")


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with a warm-up and a decay."""

    rate: float = 3e-4  # the highest learning rate
    schedule: str = "cosine"  # how it falls after the warm-up: constant, linear or cosine
    warmup: int = 100  # steps in which it rises from zero
    final: float = 0.0  # of the last step, as a share of `rate`
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    decay: float = 0.01  # of matrices and kernels; norms, biases and other vectors do not decay
    clip: float = 1.0  # the largest norm of the gradient; 0 does not clip

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule {self.schedule!r}, expected one of {', '.join(SCHEDULES)}")
        if not (self.rate > 0 and self.warmup >= 0 and self.clip >= 0 and self.decay >= 0 and 0 <= self.final <= 1):
            raise ValueError(f"{self}: expected a rate above 0 and nothing negative")


def rate_at(config: OptimizerConfig, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0, in a run of so many."""
    if step < config.warmup:
        return config.rate * (step + 1) / config.warmup
    share = min(1.0, (step - config.warmup) / max(1, steps - config.warmup))
    fallen = {"constant": 0.0, "linear": share, "cosine": (1 - math.cos(math.pi * share)) / 2}[config.schedule]
    return config.rate * (1 - (1 - config.final) * fallen)


def accelerator(precision: str = "no", device: str | None = None) -> Accelerator:
    """Where to train. precision: "no" (float32) or "bf16". device: "cpu" keeps off a GPU that there is."""
    if precision not in ("no", "bf16"):
        raise JarvisError(f"precision {precision!r}, expected no or bf16")
    return Accelerator(cpu=device == "cpu", mixed_precision=precision)


def seed_step(seed: int, step: int, process: int = 0) -> None:
    """Seeds torch for one step. So no random state needs to be kept, and a resumed run draws what it would have.

    process: its number, of several; they must not all drop the same features.
    """
    torch.manual_seed(stream_seed(seed, "step", step, *([process] if process else [])) % 2**63)


def averaged(accelerator: Accelerator, value: float) -> float:
    """The mean over all processes, which must ask together."""
    if accelerator.num_processes == 1:
        return value
    return float(accelerator.reduce(torch.tensor(value, device=accelerator.device), "mean").item())


def share(accelerator: Accelerator, count: float) -> float:
    """What a mean over `count` items of this process counts, so that the mean of all processes is that of all items.

    1 with one process. All processes must ask together.
    """
    if accelerator.num_processes == 1:
        return 1.0
    total = accelerator.reduce(torch.tensor(float(count), device=accelerator.device), "sum").item()
    return count * accelerator.num_processes / max(total, 1.0)


class Optimizer:
    """AdamW over the parameters that want a gradient.

    A module may be given as accelerate prepared it. Parameters are told apart by name, so a checkpoint fits as long as
    the names do.
    """

    def __init__(self, model: nn.Module, config: OptimizerConfig, steps: int, accelerator: Accelerator) -> None:
        self.config, self.steps, self.accelerator, self._model = config, steps, accelerator, model
        self.taken = 0  # steps
        plain = accelerator.unwrap_model(model)
        self.parameters = {name: p for name, p in plain.named_parameters() if p.requires_grad}
        if not self.parameters:
            raise JarvisError("no parameter of the model wants a gradient")
        matrices = [p for p in self.parameters.values() if p.ndim > 1]
        vectors = [p for p in self.parameters.values() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": config.decay}, {"params": vectors, "weight_decay": 0.0}]
        self._adam = torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=config.rate, betas=config.betas, eps=config.epsilon
        )

    def step(self, loss: Tensor | Iterable[Tensor]) -> dict[str, float]:
        """One update. Returns {"rate", "norm"}: the learning rate, and the gradient's norm before it was clipped.

        loss: a mean over the batch, or several over equal parts of it (best from a generator, which frees each part's
        memory before the next). A step whose gradient is not finite changes nothing. Of several processes each may have
        another number of parts, and parameters that it does not use.
        """
        losses = [loss] if isinstance(loss, Tensor) else loss
        count = 0
        # NOTE: what accelerate wraps in another way, as FSDP, shares its gradients by itself
        ours = isinstance(self._model, nn.parallel.DistributedDataParallel)
        with self.accelerator.no_sync(self._model) if ours else nullcontext():  # once for all parts, below
            for part in losses:
                self.accelerator.backward(part)
                count += 1
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        if count > 1:
            torch._foreach_div_(gradients, count)
        if ours:
            self._average_gradients()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.config.clip or math.inf).item()
        rate = rate_at(self.config, self.taken, self.steps)
        if math.isfinite(norm):
            for group in self._adam.param_groups:
                group["lr"] = rate
            self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        self.taken += 1
        return {"rate": rate, "norm": norm}

    def _average_gradients(self) -> None:
        """Over all processes. What none of them used keeps no gradient, as with one process."""
        used = torch.tensor([float(p.grad is not None) for p in self.parameters.values()])
        used = self.accelerator.reduce(used.to(self.accelerator.device), "sum").cpu()
        for parameter, users in zip(self.parameters.values(), used.tolist(), strict=True):
            if users:
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = self.accelerator.reduce(gradient, "mean")

    def state(self) -> dict[str, Any]:
        """Numbers and tensors by name, what `restore` takes."""
        return {
            "taken": self.taken,
            **{
                f"{name}/{key}": value
                for name, parameter in self.parameters.items()
                for key, value in self._adam.state.get(parameter, {}).items()
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state. JarvisError if it is not one of this model's parameters."""
        self.taken = int(state["taken"])
        names = {key.rpartition("/")[0] for key in state if key != "taken"}
        unknown = names - set(self.parameters)
        if unknown:
            raise JarvisError(
                f"the optimizer's state is of parameter {min(unknown)!r}, which this model does not train"
            )
        self._adam.state.clear()
        for name, parameter in self.parameters.items():
            found = {
                key: state[f"{name}/{key}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}/{key}" in state
            }
            if found:
                self._adam.state[parameter] = {
                    key: value.clone() if key == "step" else value.to(parameter.device, copy=True)
                    for key, value in found.items()
                }


class Average:
    """An exponential moving average of the weights, often better than any of them. Kept in float32."""

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise JarvisError(f"decay {decay}, expected 0 to below 1")
        self.decay, self.updates = decay, 0
        self._model = model
        self.values = {name: p.detach().clone().float() for name, p in self._trained(model)}

    @staticmethod
    def _trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
        plain = getattr(model, "module", model)
        return [(name, p) for name, p in plain.named_parameters() if p.requires_grad]

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Takes the present weights in. The first steps count more, so that the beginning is soon forgotten."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        trained = self._trained(model)
        torch._foreach_lerp_([self.values[name] for name, _ in trained], [p.float() for _, p in trained], 1 - decay)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchanges the model's weights and the average; once more brings both back."""
        for name, parameter in self._trained(model):
            now = parameter.detach().float().clone()
            parameter.copy_(self.values[name])
            self.values[name] = now

    def state(self) -> dict[str, Any]:
        """What `restore` takes."""
        return {"updates": self.updates, **self.values}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""
        self.updates = int(state["updates"])
        for name, value in self.values.items():
            value.copy_(state[name])
