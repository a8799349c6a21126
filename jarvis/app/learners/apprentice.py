"""An agent learns at a teacher's side: DAgger (Ross et al., 2011), online, in many worlds at once.

    folder = apprentice(recipe("tiny"), [get("craft_oak_planks")], "runs/agent")
    jarvis train agent --recipe tiny --task craft_oak_planks --out runs/agent

In each world a guide says every tick what to do now, in a few words, and a teacher shows the right action for it.
Either the teacher's or the pupil's action is played; the teacher's is always the lesson, so that the pupil learns to
mend what it spoils. Workers play, the lessons stream into a memory on the device, and the learner draws from it all the
while. At the end the pupil plays alone, on worlds that nobody learnt from.

    RUN/settings.json          the config and the tasks
    RUN/log.jsonl              loss, rate, gradient norm, examples and lessons a second, where the time goes
    RUN/step_00001200/         config.json *.safetensors tokenizer card.md done; the last two are kept
    RUN/results.json           of the exam: each task's episodes, successes and Wilson interval

With workers every run is another one: what is learnt when depends on who is faster. With `workers=0` all happens in
turn in this process, and on a CPU the same settings give the same weights.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvis import training
from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.files import atomic_folder, atomic_write, is_done, write_json
from jarvis.core.random_streams import stream_seed
from jarvis.training.optimizers import OptimizerConfig

if TYPE_CHECKING:
    from jarvis.app.learners.apprentice_buffer import Batch
    from jarvis.core.tasks import Task
    from vla.backbone import Backbone

__all__ = ["RECIPES", "Apprenticeship", "Trained", "apprentice", "recipe"]


@dataclass(frozen=True)
class Apprenticeship:
    """How an agent is trained. At least one of seconds and steps must be given; what is reached first ends the run."""

    model: str = "tiny"  # where it begins: a size of model, or a checkpoint folder
    codec: str = "jarvisvla-fixed"
    width: int | None = None  # of the pictures, in pixels; None: as the model has it
    height: int | None = None
    lesson: str = "jarvis.app.learners.lessons:Lesson"  # module:class, of what a world teaches
    # how long
    seconds: float | None = 540.0  # from the call until the last step
    steps: int | None = None
    exam_seconds: float = 0.0  # after it
    # who plays
    workers: int = 0  # processes with worlds; 0: all in turn, in this one
    worlds: int = 4  # of each worker
    pupil_after: float = 0.1  # share of the run in which the teacher alone plays
    pupil_full: float = 0.5  # share of the run after which the pupil plays as much as ever
    pupil_most: float = 0.8  # of the ticks
    stretch: tuple[int, int] = (10, 40)  # ticks for which the same one plays
    temperature: float = 0.7  # of the pupil's choices
    refresh_seconds: float = 5.0  # between two sets of weights that the pupil plays with
    # what is learnt from
    minimum: int = 1000  # lessons before the first step
    capacity: int | None = None  # lessons that are remembered; None: as many as fit into `memory_gb`
    memory_gb: float = 2.0
    point_share: float = 0.2  # of the lessons with a thing to point to, how many ask where it is, too
    balance: float = 0.5  # kinds of words are drawn by their count to this power: 1 as they come, 0 each as often
    colours: float = 0.15  # brightness, contrast and saturation change by up to this share; 0: they do not
    # how it learns
    batch: int = 64
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(rate=1e-3, warmup=100, betas=(0.9, 0.95), decay=0.01)
    )
    average: float = 0.999  # decay of the weights' average, which is what plays and is saved; 0: the last weights do
    precision: str = "no"  # no (float32) or bf16
    compile: bool = False  # the model, by torch.compile
    # what is written
    half: bool = False  # weights as bfloat16
    shard: str = "50GB"  # a file of weights at most, as "15MB"
    save_seconds: float = 120.0  # between two checkpoints
    log_every: int = 20  # steps
    say_seconds: float = 10.0  # between two lines for whoever waits
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seconds is None and self.steps is None:
            raise ValueError("seconds and steps: give at least one, or the run never ends")
        if not 0 <= self.pupil_after <= self.pupil_full <= 1 or not 0 <= self.pupil_most <= 1:
            raise ValueError(
                "pupil_after, pupil_full and pupil_most: expected 0 <= after <= full <= 1 and 0 <= most <= 1"
            )
        if not 0 < self.stretch[0] <= self.stretch[1] or self.precision not in ("no", "bf16"):
            raise ValueError("stretch: expected 0 < shortest <= longest; precision: expected no or bf16")
        if min(self.worlds, self.minimum, self.batch, self.log_every) < 1 or self.workers < 0:
            raise ValueError("worlds, minimum, batch and log_every begin at 1, workers at 0")


def _recipes() -> dict[str, Apprenticeship]:
    steady = OptimizerConfig(rate=8e-4, warmup=300, betas=(0.9, 0.95), decay=0.02, clip=1.0)
    return {
        # two cores: to see that it works
        "tiny": Apprenticeship(width=224, height=112, seconds=600.0, workers=1, exam_seconds=30.0),
        # an H100 or H200 with 16 cores: nine minutes
        "gpu": Apprenticeship(
            model="agent", seconds=505.0, workers=15, worlds=20,
            minimum=4000, memory_gb=60.0, pupil_after=0.08, pupil_full=0.35, point_share=0.3, colours=0.2,
            temperature=0.6, refresh_seconds=12.0, batch=768,
            optimizer=steady, precision="bf16", half=True, shard="15MB", log_every=50, save_seconds=150.0,
        ),
    }  # fmt: skip


RECIPES: tuple[str, ...] = ("tiny", "gpu")


def recipe(name: str, settings: Mapping[str, Any] | None = None) -> Apprenticeship:
    """The recipe of that name, with other settings. UnknownNameError with the nearest names."""
    recipes = _recipes()
    if name not in recipes:
        raise UnknownNameError("recipe", name, nearest_names(name, recipes))
    return training.change(recipes[name], settings or {}, f"recipe {name}")


class _Budget:
    """How much of a run is over, by seconds, by steps, or by whichever is further."""

    def __init__(self, config: Apprenticeship) -> None:
        self.config, self.start, self.step = config, time.monotonic(), 0
        self._begun: float | None = None  # when the first step was taken

    def begin(self) -> None:
        """The first step is about to be taken."""
        if self._begun is None:
            self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the call."""
        return time.monotonic() - self.start

    @property
    def share(self) -> float:
        """0 at the first step, 1 when the run is over."""
        shares = [0.0]
        if self.config.steps is not None:
            shares.append(self.step / self.config.steps)
        if self.config.seconds is not None and self._begun is not None:
            left = self.start + self.config.seconds - self._begun
            shares.append((time.monotonic() - self._begun) / left if left > 0 else 1.0)
        return min(1.0, max(shares))

    @property
    def over(self) -> bool:
        """Whether no step is left."""
        late = self.config.seconds is not None and self.seconds >= self.config.seconds
        return late or (self.config.steps is not None and self.step >= self.config.steps)

    def pupil(self) -> float:
        """Share of the ticks that the pupil plays now."""
        config, share = self.config, self.share
        rise = (share - config.pupil_after) / max(config.pupil_full - config.pupil_after, 1e-9)
        return config.pupil_most * min(1.0, max(0.0, rise))


class _Learner:
    """Weights, their average, and one step after the other; nothing of a step waits for the device."""

    def __init__(self, backbone: Backbone, config: Apprenticeship) -> None:
        import torch

        self.backbone, self.config = backbone, config
        self.device = backbone.device
        model = backbone.model
        matrices = [p for p in model.parameters() if p.ndim > 1]
        vectors = [p for p in model.parameters() if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": config.optimizer.decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        asked = config.optimizer
        self._adam = torch.optim.AdamW(groups, lr=asked.rate, betas=asked.betas, eps=asked.epsilon, fused=True)
        self._parameters = [*matrices, *vectors]
        self.average = training.Average(model, config.average) if config.average else None
        self._losses = torch.compile(backbone.losses, dynamic=False) if config.compile else backbone.losses
        self._colours = torch.Generator(self.device).manual_seed(stream_seed(config.seed, "colours") % 2**63)
        self._sum = torch.zeros(3, device=self.device)  # of losses, gradient norms, steps that changed nothing
        self._taken = self._summed = 0
        model.train()

    def step(self, batch: Batch, share: float) -> None:
        """One update. A gradient that is not finite changes nothing."""
        import torch

        from jarvis.app.learners.apprentice_buffer import coloured

        config = self.config
        frames = coloured(batch.frames, config.colours, self._colours) if config.colours else batch.frames
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            losses = self._losses(batch.ids, batch.positions, batch.pictures, frames, batch.targets)
        loss = losses.sum() / (batch.targets != -100).sum()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, config.optimizer.clip or math.inf)
        bad = (~torch.isfinite(norm)).float()
        self._adam.found_inf = bad  # NOTE: how torch's GradScaler tells a fused optimizer to skip a step
        for group in self._adam.param_groups:
            group["lr"] = self.rate(share)
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.backbone.model)
        self._sum += torch.stack([loss.detach().float(), norm.float(), bad]).nan_to_num(posinf=0.0)
        self._taken += 1
        self._summed += 1

    def rate(self, share: float) -> float:
        """The learning rate when so much of the run is over: how many steps it will have is known from that."""
        steps = math.ceil(self._taken / share) if share > 0 and self._taken else 1 << 30
        return training.rate_at(self.config.optimizer, self._taken, steps)

    def facts(self) -> dict[str, float]:
        """Means since the last call. This waits for the device."""
        loss, norm, bad = self._sum.tolist()
        count = max(1, self._summed - bad)
        self._sum.zero_()
        self._summed = 0
        return {"loss": loss / count, "norm": norm / count, "skipped": bad}

    @contextmanager
    def shown(self) -> Iterator[Backbone]:
        """The model as it plays and is saved: with the average of its weights."""
        if self.average is not None:
            self.average.swap(self.backbone.model)
        self.backbone.model.eval()
        try:
            yield self.backbone
        finally:
            self.backbone.model.train()
            if self.average is not None:
                self.average.swap(self.backbone.model)


class _Clock:
    """Where the time goes, and how fast things are counted."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._since = time.perf_counter()

    @contextmanager
    def spent(self, name: str) -> Iterator[None]:
        """Counts the block to this name."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._spent[name] = self._spent.get(name, 0.0) + time.perf_counter() - begun

    def round(self, counts: Mapping[str, int]) -> dict[str, Any]:
        """Since the last call: how many of each a second, and what share of the time went where."""
        passed = time.perf_counter() - self._since
        rates: dict[str, Any] = {
            f"{name}_a_second": round((count - self._counts.get(name, 0)) / passed, 1) for name, count in counts.items()
        }
        rates["time"] = {name: round(spent / passed, 3) for name, spent in self._spent.items()}
        self._spent, self._counts, self._since = {}, dict(counts), time.perf_counter()
        return rates


class _Timer:
    """True once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._last = seconds, time.monotonic()

    def __call__(self) -> bool:
        due = time.monotonic() - self._last >= self.seconds
        if due:
            self._last = time.monotonic()
        return due


@contextmanager
def _stopping() -> Iterator[Callable[[], int]]:
    """Tells which signal asked to stop, 0 for none. A second Ctrl-C stops at once."""
    told = [0]

    def hear(number: int, _: Any) -> None:
        if told[0] and number == signal.SIGINT:
            raise KeyboardInterrupt
        told[0] = number

    if threading.current_thread() is not threading.main_thread():  # only that one hears signals
        yield lambda: 0
        return
    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: told[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Trained:
    """What came of a run."""

    folder: Path  # of its last checkpoint
    steps: int
    stopped: bool  # by a signal, before its time
    results: Mapping[str, Any] | None  # of the exam, as in results.json


def apprentice(
    config: Apprenticeship,
    tasks: Sequence[Task],
    out: str | Path,
    *,
    say: Callable[[str], None] = print,
    device: str | None = None,
) -> Trained:
    """Trains an agent on these tasks.

    device: None takes a GPU if there is one. SIGTERM and Ctrl-C end the training early: it is saved, and not examined.
    FileExistsError for a folder with an earlier run; EnvironmentFailure, after a checkpoint, when the last worker is
    gone.
    """
    from jarvis.app.learners.apprentice_buffer import Memory
    from jarvis.app.learners.apprentice_crew import Alone, Crew
    from jarvis.app.learners.apprentice_worlds import Plan
    from jarvis.app.runs import compile_kernels

    out, budget = Path(out), _Budget(config)
    if (out / "settings.json").exists():
        raise FileExistsError(f"{out}: holds an earlier run; choose another --out, and --set model={out}/step_... "
                              "to begin with what it learnt")  # fmt: skip
    if not tasks:
        raise ValueError("tasks: there is none to learn; name some with --task")
    backbone = _begin(config, device)
    agent = backbone.agent
    plan = Plan(
        tuple(task.to_json() for task in tasks), config.lesson, config.workers, config.worlds, config.stretch,
        agent.width, agent.height, config.seed,
    )  # fmt: skip
    capacity = config.capacity or int(config.memory_gb * 1e9 / (agent.width * agent.height * 3))
    memory = Memory(backbone, capacity, point_share=config.point_share, balance=config.balance, seed=config.seed)
    learner = _Learner(backbone, config)
    write_json(out / "settings.json", {"config": training.to_json(config), "tasks": [task.name for task in tasks]})
    say(f"{backbone.num_parameters:,} parameters on {backbone.device}, which remembers {capacity:,} lessons")
    compile_kernels(say)
    crew: Any = (
        Crew(plan, backbone, config.temperature, say) if config.workers else Alone(plan, backbone, config.temperature)
    )
    results = None
    try:
        with _stopping() as stopped:
            try:
                _learn(config, tasks, budget, crew, memory, learner, out, stopped, say)
            finally:
                folder = _save(out, budget.step, learner, config, tasks)
            if config.exam_seconds and not stopped():
                say(f"{budget.step} steps; the exam takes {config.exam_seconds:g} seconds")
                with learner.shown() as shown:
                    crew.publish(shown)
                    results = _results(crew.exam(config.exam_seconds, stopped), config)
                for place in (out, folder):
                    write_json(place / "results.json", results)
                atomic_write(folder / "card.md", _card(budget.step, config, tasks, results))
            return Trained(folder, budget.step, bool(stopped()), results)
    finally:
        crew.close()


def _begin(config: Apprenticeship, device: str | None) -> Backbone:
    """The model that the run begins with, float32, where it learns."""
    import torch

    from vla.backbone import SIZES, tiny
    from vla.post_train import PostTraining, begin_with

    if config.model in SIZES:
        sizes = {"width": config.width, "height": config.height}
        backbone = tiny(size=config.model, seed=config.seed)
        backbone = backbone.with_agent(codec=config.codec, **{name: size for name, size in sizes.items() if size})
    else:
        asked = PostTraining(model=config.model, codec=config.codec, width=config.width, height=config.height)
        backbone = begin_with(asked)
    backbone.model.float().to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return backbone


def _learn(
    config: Apprenticeship,
    tasks: Sequence[Task],
    budget: _Budget,
    crew: Any,
    memory: Any,
    learner: _Learner,
    out: Path,
    stopped: Callable[[], int],
    say: Callable[[str], None],
) -> None:
    """The loop: take what was taught, learn from what is remembered, now and then tell, publish and save."""
    log, clock = training.Log(out / "log.jsonl"), _Clock()
    should_log = training.every(config.log_every, last=config.steps)
    should_say, should_publish, should_save = map(
        _Timer, (config.say_seconds, config.refresh_seconds, config.save_seconds)
    )
    facts: dict[str, Any] = {}
    while not budget.over and not stopped():
        with clock.spent("gather"):
            new = crew.gather(memory)
        if memory.added < config.minimum:
            if not new:
                time.sleep(0.01)
            if should_say():
                say(f"{budget.seconds:.0f} s: {memory.added} of {config.minimum} lessons before the first step")
            continue
        budget.begin()
        crew.share = budget.pupil()
        with clock.spent("draw"):
            batch = memory.sample(config.batch)
        with clock.spent("learn"):
            learner.step(batch, budget.share)
        budget.step += 1
        if should_log(budget.step - 1):
            with clock.spent("wait"):
                facts = learner.facts()
            crews = crew.facts()
            counts = {"examples": budget.step * config.batch, "lessons": memory.added}
            facts |= {"rate": learner.rate(budget.share), "share": crew.share, "remembered": len(memory), **counts}
            facts |= clock.round(counts | {name: crews[name] for name in ("ticks", "pupil")})
            log.write(budget.step, **facts, crew=crews, kinds=memory.counts(), played=_totals(crew.results))
        if should_say() and facts:
            say(_line(budget, facts))
        if should_publish():
            with clock.spent("publish"), learner.shown() as shown:
                crew.publish(shown)
        if should_save():
            with clock.spent("save"):
                _save(out, budget.step, learner, config, tasks)
    log.write(budget.step, played=crew.results)


def _totals(results: Mapping[str, Sequence[int]]) -> list[int]:
    """[episodes, successes] of all tasks."""
    return [sum(counts[part] for counts in results.values()) for part in (0, 1)]


def _line(budget: _Budget, facts: Mapping[str, Any]) -> str:
    return (
        f"{budget.seconds:.0f} s, step {budget.step}: loss {facts['loss']:.4f}, {facts['remembered']} lessons, "
        f"pupil {facts['share']:.0%}; a second: {facts['examples_a_second']:.0f} examples, "
        f"{facts['lessons_a_second']:.0f} lessons, {facts['ticks_a_second']:.0f} ticks, "
        f"{facts['pupil_a_second']:.0f} of the pupil"
    )


def _save(out: Path, step: int, learner: _Learner, config: Apprenticeship, tasks: Sequence[Task]) -> Path:
    """A checkpoint of the model as it plays. The last two are kept."""
    import torch

    folder = out / training.name(step)
    if not is_done(folder):
        with learner.shown() as shown, atomic_folder(folder) as temporary:
            shown.save(temporary, dtype=torch.bfloat16 if config.half else None, max_shard_size=config.shard)
            (temporary / "card.md").write_text(_card(step, config, tasks, None), encoding="utf-8")
        training.prune(out, keep=2)
    return folder


def _results(found: Mapping[str, Sequence[int]], config: Apprenticeship) -> dict[str, Any]:
    """What results.json holds.

    NOTE: failures take longest, so that the end of an exam cuts off more of them than of successes: the more episodes
    are unfinished, the more the rates flatter. `jarvis evaluate` plays every episode to its end.
    """
    from evaluation.statistics import wilson

    def told(counts: Sequence[int]) -> dict[str, Any]:
        episodes, successes, ticks, unfinished = counts
        rate = wilson(successes, episodes).to_json() if episodes else None
        return {"episodes": episodes, "successes": successes, "rate": rate, "ticks": ticks, "unfinished": unfinished}

    total = [sum(counts[part] for counts in found.values()) for part in range(4)]
    tasks = {name: told(found[name]) for name in sorted(found)}
    return {"seconds": config.exam_seconds, "total": told(total), "tasks": tasks}


def _card(step: int, config: Apprenticeship, tasks: Sequence[Task], results: Mapping[str, Any] | None) -> str:
    """What a checkpoint is, for whoever finds it."""
    counts = Counter(task.name for task in tasks)  # what is named twice is played twice as often
    names = [name if count == 1 else f"{name} x {count}" for name, count in counts.items()]
    shown = ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
    average = f"average of the weights by {config.average}" if config.average else "last weights"
    text = (
        f"# An agent that learnt at a teacher's side\n\nDAgger, online: {step} steps of {config.batch} examples, "
        f"{average}. Began with {config.model}; codec {config.codec}; seed {config.seed}.\n"
        f"{max(1, config.workers) * config.worlds} voxel worlds, the pupil played up to {config.pupil_most:.0%} of the "
        f"ticks.\n\nTasks: {shown}.\n"
    )
    if results is not None:
        total = results["total"]
        text += (
            f"\nExam, {results['seconds']:g} seconds of the pupil alone on validation seeds: {total['successes']} of "
            f"{total['episodes']} episodes succeeded, {total['unfinished']} were not finished.\n\n"
            "| task | episodes | successes | 95 % | unfinished |\n|---|---|---|---|---|\n"
        )
        for name, task in results["tasks"].items():
            low, high = task["rate"][1:] if task["rate"] else (0.0, 1.0)
            text += f"| {name} | {task['episodes']} | {task['successes']} | {low:.0%} to {high:.0%} "
            text += f"| {task['unfinished']} |\n"
    return f"{text}\nScores are of the voxel world. Play with: jarvis play --policy FOLDER --task NAME\n"
