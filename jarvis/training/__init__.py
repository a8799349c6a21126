# ruff: noqa: F401 - the imports below are for type checkers, the table for everybody else
"""What every training loop needs, in pieces. The loop itself stays visible, in the package that trains:

    accelerator = training.accelerator(config.precision)              # device, processes, mixed precision
    model = accelerator.prepare(build(config.network, config.seed))
    optimizer = training.Optimizer(model, config.optimizer, config.steps, accelerator)
    batches = training.Batches(len(dataset), config.batch, config.seed)
    average = training.Average(model, 0.999)                          # if wanted
    log = training.Log(folder / "log.jsonl")
    parts = {"optimizer": optimizer, "batches": batches, "average": average}
    start = training.resume(folder, model, parts)                     # 0, or the step of the last checkpoint

    for step, indices in zip(range(start, config.steps), batches):
        training.seed_step(config.seed, step)                         # dropout and the like
        with accelerator.autocast():
            loss = model(dataset.batch(indices)).loss
        facts = optimizer.step(loss)                                  # backward, clip, update: {"lr", "norm"}
        average.update(model)
        if should_log(step):
            log.write(step, loss=loss, **facts)
        if should_save(step) and accelerator.is_main_process:
            training.save(folder, step + 1, lambda to: write_network(to, model), model, parts)

Nothing here remembers anything that a checkpoint does not hold: two steps, a stop and two more give, on a CPU, the
very bits of four steps. `should_log = training.every(50)`, `should_save = training.every(500, last=config.steps)`.

    RUN/log.jsonl                          one line a logged step; a resumed run first forgets the steps it repeats
    RUN/step_00000500/                     a checkpoint folder (checkpoints.py), whole or absent at any moment
        config.json *.safetensors card.md  the model, as its package writes it: what `load(...)` takes
        training_state/                    weights.safetensors (float32, as trained) state.safetensors state.json
        done                               empty, written last

A config is a frozen dataclass; `training.change(config, {"optimizer": {"rate": 1e-4}})` is it with other values,
checked, and `training.to_json(config)` what goes into files.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jarvis.training.batches import Batches
    from jarvis.training.checkpoints import CheckpointError, latest, name, prune, resume, save, saved
    from jarvis.training.configs import ConfigError, change, to_json
    from jarvis.training.logs import Log, every
    from jarvis.training.optimizers import (
        Average,
        Optimizer,
        OptimizerConfig,
        accelerator,
        averaged,
        rate_at,
        seed_step,
        share,
    )

_MODULES = {
    "batches": "Batches",
    "checkpoints": "CheckpointError latest name prune resume save saved",
    "configs": "ConfigError change to_json",
    "logs": "Log every",
    "optimizers": "Average Optimizer OptimizerConfig accelerator averaged rate_at seed_step share",
}
_HOME = {name: f"jarvis.training.{module}" for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
