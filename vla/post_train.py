"""Post-training in JARVIS-VLA's three stages: language, vision and grounding, trajectories.

    run = post_train(recipe("trajectories", "tiny"), ["data/steps"], "runs/agent")     # -> runs/agent/step_00002000
    jarvis train vla --recipe tiny-trajectories --data data/steps --out runs/agent

Each stage is a run of its own that begins with the model of the one before (`model`: tiny, small, or a folder). A run
that was stopped goes on from its last checkpoint, on a CPU bit for bit. Through accelerate: bf16, several GPUs with
`accelerate launch`, FSDP by its config.

    RUN/settings.json          the config and the data; another for the same folder is refused
    RUN/log.jsonl              loss, rate, gradient norm, tokens, share that is learnt, tokens a second
    RUN/step_00000500/         config.json *.safetensors tokenizer card.md training_state/ done
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvis import training
from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.files import read_json, write_json
from jarvis.core.random_streams import generator
from jarvis.training.optimizers import OptimizerConfig
from vla.backbone import Backbone, tiny
from vla.packing import Examples, Packed, pack
from vla.samples import Samples

if TYPE_CHECKING:
    import torch

__all__ = ["RECIPES", "STAGES", "PostTraining", "begin_with", "group_of", "post_train", "recipe"]

STAGES = ("language", "vision", "trajectories")
GROUPS = ("vision", "adapter", "language")


@dataclass(frozen=True)
class PostTraining:
    """One stage of post-training."""

    stage: str = "trajectories"  # what its data teaches, one of STAGES
    model: str = "tiny"  # where it begins: tiny, small, FAMILY-tiny, or a checkpoint folder
    trains: tuple[str, ...] = GROUPS  # parts of the model that change: vision, adapter, language
    codec: str = "jarvisvla-fixed"
    history: int = 0  # earlier frames in each example of play
    chunk: int = 1  # actions in each example of play
    width: int | None = None  # of the pictures, in pixels; None: as the model has it
    height: int | None = None
    steps: int = 1000
    batch: int = 16  # examples a step, over all processes
    max_tokens: int = 2048  # of a packed row
    rows: int = 0  # packed rows that go through the model at once, their gradients summed up; 0: all of a step
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(rate=5e-6, warmup=200, betas=(0.9, 0.95), decay=0.0)
    )
    lora: int = 0  # rank of the adapters that are trained instead of the language model's matrices; 0: none
    augment: bool = False  # change colours and place of the pictures
    checkpointing: bool = False  # of activations: less memory, a third more time
    precision: str = "no"  # no (float32) or bf16
    save_every: int = 500
    log_every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise UnknownNameError("stage", self.stage, nearest_names(self.stage, STAGES))
        for group in self.trains:
            if group not in GROUPS:
                raise UnknownNameError("part of the model", group, nearest_names(group, GROUPS), "trains")
        if not self.trains or min(self.steps, self.batch, self.chunk, self.save_every, self.log_every) < 1:
            raise ValueError("trains must name something; steps, batch, chunk, save_every and log_every begin at 1")


def _recipes() -> dict[str, PostTraining]:
    fast = OptimizerConfig(rate=1e-3, warmup=100, betas=(0.9, 0.95), decay=0.01)
    steady = replace(fast, rate=4e-4, warmup=500)
    paper = OptimizerConfig(rate=5e-6, warmup=200, betas=(0.9, 0.95), decay=0.0)
    seven = PostTraining(
        model="CraftJarvis/JarvisVLA-Qwen2-VL-7B", codec="jarvisvla-v1", optimizer=paper, precision="bf16",
        checkpointing=True, batch=256, max_tokens=4096, rows=1, augment=True, save_every=1600,
    )  # fmt: skip
    return {
        # a laptop: minutes a stage on two cores
        "tiny-language": PostTraining("language", optimizer=fast, batch=64, steps=1500, max_tokens=1024),
        "tiny-vision": PostTraining("vision", optimizer=fast, batch=16, steps=2000, max_tokens=1024),
        "tiny-trajectories": PostTraining("trajectories", optimizer=fast, batch=16, steps=4000, max_tokens=1024),
        # one GPU: hours
        "small-language": PostTraining(
            "language", "small", optimizer=steady, batch=128, steps=5000, rows=4, precision="bf16"
        ),
        "small-vision": PostTraining(
            "vision", "small", optimizer=steady, batch=128, steps=20_000, max_tokens=4096, rows=4, precision="bf16"
        ),
        "small-trajectories": PostTraining(
            "trajectories", "small", optimizer=steady, batch=256, steps=50_000, max_tokens=4096, precision="bf16",
            rows=4, augment=True, history=1,
        ),
        # the paper's: 32 GPUs, one epoch; the vision tower rests but in the second stage
        "7b-language": replace(seven, stage="language", trains=("language",), steps=1080, max_tokens=3584),
        "7b-vision": replace(seven, stage="vision", trains=("vision", "language"), steps=1700),
        "7b-trajectories": replace(seven, stage="trajectories", trains=("language",), steps=14_700),
        "7b-lora": replace(seven, stage="trajectories", trains=("language",), lora=64, steps=14_700, batch=32),
    }  # fmt: skip


RECIPES: tuple[str, ...] = (
    "tiny-language", "tiny-vision", "tiny-trajectories", "small-language", "small-vision", "small-trajectories",
    "7b-language", "7b-vision", "7b-trajectories", "7b-lora",
)  # fmt: skip


def recipe(name: str, settings: Mapping[str, Any] | None = None) -> PostTraining:
    """The recipe of that name, with other settings. UnknownNameError with the nearest names."""
    recipes = _recipes()
    if name not in recipes:
        raise UnknownNameError("recipe", name, nearest_names(name, recipes))
    return training.change(recipes[name], settings or {}, f"recipe {name}")


def begin_with(config: PostTraining) -> Backbone:
    """The model that a run begins with. FormatError for a folder that is none; nothing is downloaded."""
    if config.model in ("tiny", "small"):
        backbone = tiny(seed=config.seed, size=config.model)
    elif config.model.endswith("-tiny"):
        backbone = tiny(config.model.removesuffix("-tiny"), seed=config.seed)
    else:
        from vla.hub import local_folder

        folder = Path(config.model)
        backbone = Backbone.load(folder if folder.is_dir() else local_folder(config.model))
        if config.codec.startswith("jarvisvla"):
            add_action_tokens(backbone)
    agent = {"codec": config.codec, "history": config.history, "chunk": config.chunk}
    sizes = {"width": config.width, "height": config.height}
    return backbone.with_agent(**agent, **{name: size for name, size in sizes.items() if size})


def add_action_tokens(backbone: Backbone) -> int:
    """Appends JARVIS-VLA's special tokens to a tokenizer that lacks them, in their order; returns how many.

    The embeddings are not resized if they have room, as Qwen2-VL's have.
    """
    from vla.action_codecs import action_token_strings, reserved_token

    known = backbone.tokenizer.get_vocab()
    if all(token in known for token in action_token_strings()):
        return 0
    points = ["<|point_start|>", "<|point_end|>", *(f"<|visual_{number}|>" for number in range(10))]
    thoughts = ["<think>", "</think>", "<grounding>", "</grounding>", "<motion>", "</motion>"]
    added = [*points, *thoughts, *map(reserved_token, range(18, 251))]
    count = backbone.tokenizer.add_special_tokens({"additional_special_tokens": added})
    if len(backbone.tokenizer) > backbone.language.get_input_embeddings().num_embeddings:
        backbone.model.resize_token_embeddings(len(backbone.tokenizer), pad_to_multiple_of=64)
    return int(count)


def group_of(name: str) -> str:
    """Which part of the model a parameter belongs to, by its name in any version of transformers."""
    if "merger" in name or "connector" in name:
        return "adapter"
    return "vision" if "visual." in name or "vision_model." in name else "language"


def freeze(model: Any, trains: Sequence[str]) -> dict[str, int]:
    """Lets only these parts change; returns how many parameters of each part do.

    FormatError if a part that is to be trained has none: names that match nothing have frozen whole models before.
    """
    counts = dict.fromkeys(GROUPS, 0)
    for name, parameter in model.named_parameters():
        group = group_of(name)
        parameter.requires_grad_(group in trains)
        counts[group] += parameter.numel() if group in trains else 0
    for group in trains:
        if not counts[group]:
            raise FormatError(f"trains: no parameter of the model belongs to {group!r}")
    return {group: count for group, count in counts.items() if count}


def _learner(backbone: Backbone) -> Any:
    import torch
    from torch import nn

    from vla.packing import attention

    class Learner(nn.Module):
        """Packed examples in, the mean loss of what is learnt out. One module, so that accelerate can wrap it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = backbone.model

        def forward(self, packed: Packed) -> torch.Tensor:
            device = backbone.device
            ids, positions, pictures, segments, targets = (
                torch.from_numpy(part).to(device)
                for part in (packed.ids, packed.positions, packed.pictures, packed.segments, packed.targets)
            )
            seen = backbone.see(packed.frames) if packed.frames else []
            hidden = backbone.read(backbone.embed(ids, pictures, seen), positions, attention(segments))
            learnt = targets != -100
            logits = backbone.logits(hidden[learnt]).float()
            return nn.functional.cross_entropy(logits, targets[learnt])

    return Learner()


def post_train(
    config: PostTraining,
    data: Sequence[str | Path],
    out: str | Path,
    *,
    say: Callable[[str], None] | None = None,
    device: str | None = None,
    stop_after: int | None = None,
) -> Path:
    """Trains, or goes on with, a run; returns the folder of its last checkpoint.

    stop_after: ends after so many steps of this call, without a checkpoint, as a killed process would. FormatError for
    data that is not in the layout, holds nothing to learn, or is longer than a row.
    """
    import torch
    from accelerate.state import AcceleratorState

    out = Path(out)
    backbone = begin_with(config)
    samples = Samples(data)
    examples = Examples(samples, backbone)
    if config.lora:
        from vla.lora import add_lora

        backbone.model.requires_grad_(False)
        trained = {"lora": add_lora(backbone.model, config.lora, config.seed)}
    else:
        trained = freeze(backbone.model, config.trains)
    if config.checkpointing:
        backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
    _claim(out, config, samples, trained)

    AcceleratorState._reset_state()  # NOTE: it remembers the precision of an earlier run in this process
    accelerator = training.accelerator(config.precision, device)
    model = accelerator.prepare(_learner(backbone))
    optimizer = training.Optimizer(model, config.optimizer, config.steps, accelerator)
    batches = training.Batches(
        len(samples), config.batch, config.seed, rank=accelerator.process_index, world=accelerator.num_processes
    )
    parts = {"optimizer": optimizer, "batches": batches}
    start = training.resume(out, model, parts)
    log = training.Log(out / "log.jsonl", start, say, accelerator.is_main_process)
    should_log, should_save = training.every(config.log_every), training.every(config.save_every, last=config.steps)
    backbone.model.train()
    tokens, began = 0, time.perf_counter()
    for step, numbers in zip(range(start, config.steps), batches, strict=False):
        training.seed_step(config.seed, step, accelerator.process_index)
        chosen = []
        for number in numbers.tolist():
            random = generator(config.seed, "augment", step, number) if config.augment else None
            chosen.append(examples.augmented(number, random))
        packed = pack(chosen, config.max_tokens)
        losses: list[float] = []  # of the parts of the batch
        rows, weight = config.rows or len(packed.ids), training.share(accelerator, packed.learnt)
        facts = optimizer.step(_losses(model, packed, rows, weight, accelerator, losses))
        tokens += packed.tokens
        mean = training.averaged(accelerator, sum(losses) / len(losses))
        if should_log(step):
            seconds = time.perf_counter() - began
            log.write(
                step, loss=mean, **facts, tokens=packed.tokens, learnt=packed.learnt / packed.tokens,
                filled=packed.tokens / packed.ids.size, tokens_per_second=tokens / seconds,
            )  # fmt: skip
            tokens, began = 0, time.perf_counter()
        if should_save(step) and accelerator.is_main_process:
            facts_of_run = {"step": step + 1, "loss": mean, "trained": trained}
            training.save(out, step + 1, lambda to, told=facts_of_run: _write(to, backbone, config, samples, told),
                          model, parts)  # fmt: skip
        if stop_after is not None and step + 1 - start >= stop_after:
            break
    accelerator.wait_for_everyone()
    backbone.model.eval()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    last = training.latest(out)
    return last if last is not None else out


def _losses(
    model: Any, packed: Packed, rows: int, weight: float, accelerator: Any, losses: list[float]
) -> Iterator[torch.Tensor]:
    """The loss of so many rows at a time, weighted so that their mean is that of all tokens; told in `losses`, too.

    weight: what these rows count among those of all processes.
    """
    parts = list(packed.parts(rows))
    for part in parts:
        with accelerator.autocast():
            loss = model(part) * (weight * part.learnt * len(parts) / packed.learnt)
        losses.append(loss.item())
        yield loss


def _claim(out: Path, config: PostTraining, samples: Samples, trained: Mapping[str, int]) -> None:
    """Writes what the run is, or makes sure that it is the same. FormatError for another."""
    asked = {"config": training.to_json(config), "samples": len(samples), "trained": dict(trained)}
    path = out / "settings.json"
    if not path.is_file():
        write_json(path, asked)
        return
    there = read_json(path)
    # settings that a later version added have their plain value in an earlier one's run
    there["config"] = training.to_json(PostTraining()) | there.get("config", {})
    if there != asked:
        both = {**asked["config"], "samples": asked["samples"]}
        then = {**there["config"], "samples": there.get("samples")}
        changed = [name for name, value in both.items() if then.get(name) != value]
        raise FormatError(f"{path}: this run was begun with other settings ({', '.join(changed) or 'another model'}); "
                          "give them again, or choose another --out")  # fmt: skip


def _write(folder: Path, backbone: Backbone, config: PostTraining, samples: Samples, facts: Mapping[str, Any]) -> None:
    """The files of a checkpoint that `Backbone.load` takes, and its card."""
    if config.lora:
        from vla.lora import merged

        with merged(backbone.model):
            backbone.save(folder)
    else:
        backbone.save(folder)
    sources = "\n".join(f"- {path}" for path in samples.paths)
    trained = ", ".join(f"{count:,} of {group}" for group, count in facts["trained"].items())
    loss = f"{facts['loss']:.4g}" if math.isfinite(facts["loss"]) else "not a number"
    (folder / "card.md").write_text(
        f"# A vision-language-action model\n\nStage {config.stage}, {facts['step']} of {config.steps} steps of "
        f"{config.batch} samples, loss {loss} at the last.\n"
        f"Began with {config.model}; parameters trained: {trained}.\n"
        f"Codec {config.codec}, history {config.history}, chunk {config.chunk}, seed {config.seed}.\n\n"
        f"Data, {len(samples)} samples:\n{sources}\n\nPlay with: jarvis play --policy FOLDER --task NAME\n",
        encoding="utf-8",
    )  # fmt: skip
