"""What skill boundaries are worth to a policy: python benchmarks/downstream.py OUT [--minutes 120] [--steps 4000]

The scripted player, with its habits, mines logs, flowers, coal and sand that lie around it, one after the other. That
play is cut in several ways, each segment is named by its own events as `jarvis segment` names them, and the same small
policy is cloned from (picture, name) -> action: same recordings, steps, seeds; only the cuts differ. Then it is told
"mine coal_ore" in unseen worlds where all four are at hand.

    record      OUT/recordings/{fit,tune,learn}/    one-minute episodes
    train       OUT/foundation/                     the action predictor, on `learn`, without any truth
    evidence    OUT/evidence/full/{fit,tune,learn}/
    cut         OUT/cuts/ARM.json                   segments and names of `learn`
    clone       OUT/policies/ARM-SEED.safetensors
    judge       OUT/judged/ARM-SEED/                `evaluate`'s files
    report      OUT/table.md, OUT/results.json

`best` is whichever criterion has the best F1 at half a second on `tune`; what criteria learn from is `fit`. A stage
goes on where it was cut off; --only runs one stage, --arm one way of cutting.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from segmentation import Kind, clips_of, corpus, gather_evidence, learned_entries, record_until
from torch import Tensor, nn
from torch.nn import functional

# NOTE: vla.py beside this file has the name of a package
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]

from evaluation.runs import evaluate  # noqa: E402
from evaluation.statistics import Interval, student, wilson  # noqa: E402
from evaluation.suites import Suite  # noqa: E402
from jarvis.app.policies import RandomPolicy  # noqa: E402
from jarvis.core.actions import BUTTONS, POLICY_BUTTONS, VPT_CAMERA, Action, JointActions  # noqa: E402
from jarvis.core.files import atomic_write, is_done, read_json, write_json  # noqa: E402
from jarvis.core.goals import Count, Goal  # noqa: E402
from jarvis.core.observations import Observation  # noqa: E402
from jarvis.core.random_streams import generator  # noqa: E402
from jarvis.core.rows import Rows  # noqa: E402
from jarvis.core.segments import Segment  # noqa: E402
from jarvis.core.start_states import StartState  # noqa: E402
from jarvis.core.tasks import Task  # noqa: E402
from jarvis.vpt.sampling import sample  # noqa: E402
from skill_discovery.comparison import ENTRIES, judge, tune  # noqa: E402
from skill_discovery.foundation import small, train  # noqa: E402
from skill_discovery.naming import name_by_events  # noqa: E402
from skill_discovery.segments import build_segments  # noqa: E402
from skill_discovery.thresholds import Threshold  # noqa: E402

SIZE = 64  # pixels
START = StartState(
    slots={0: ("stone_pickaxe", 1)},
    nearby={"oak_log": 8, "dandelion": 6, "coal_ore": 6, "sand": 6},
    nearby_radius=8,
    weather="clear",
)
KIND = Kind(("oak_log", "dandelion", "coal", "sand"), (START,), hunts=False)
BLOCKS = tuple(START.nearby)  # what is asked for: to break one
TICKS = 400  # of a judged episode
PARTS: dict[str, tuple[float, int]] = {"fit": (16, 1 << 28), "tune": (12, 1 << 29), "learn": (120, 0)}  # minutes, seed
ARMS = ("best", "true", "fixed-128", "random", "sbd-published")
FLOOR = "random-play"  # of a policy that knows nothing
STAGES = ("record", "train", "evidence", "cut", "clone", "judge", "report")
PAST = (0, 2, 6)  # ticks ago, of the pictures that the policy sees
TEMPERATURE = 0.5

JOINT = JointActions(VPT_CAMERA)


# the cuts


def chosen_criterion(out: Path, arm: str) -> tuple[str, Threshold]:
    """The name and the threshold of the one with the best F1 on `tune`, or of the published rule."""
    fitted, tuning = corpus(out, "fit", "full"), corpus(out, "tune", "full")
    assert fitted is not None and tuning is not None, "no evidence: run with --only evidence"
    entries = [*learned_entries(fitted), *(entry for entry in ENTRIES if entry.kind != "nothing")]
    if arm != "best":
        entries = [entry for entry in entries if entry.name == arm]
    tuned = [(entry.name, tune(entry, tuning)) for entry in entries]
    for name, threshold in tuned:
        print(f"{name}: F1 {threshold.f1 or 0:.3f} on tune", flush=True)
    return max(tuned, key=lambda pair: pair[1].f1 or 0)


def cut_all(out: Path, arm: str) -> None:
    """Segments and names of all that is learnt from, with the F1 of the cuts against the truth."""
    clips = clips_of(out, "learn")
    told: dict[str, Any] = {"criterion": arm}
    if arm in ("best", "sbd-published"):
        name, threshold = chosen_criterion(out, arm)
        seen = corpus(out, "learn", "full")
        assert seen is not None
        criterion = threshold.make()
        told = {"criterion": name, "threshold": threshold.value}
        told["at_10"] = judge(name, threshold, seen, draws=200).values["at_10"]
        segments = [build_segments(criterion.cuts(one, threshold.value), len(one)) for one in seen.evidences]
    elif arm == "true":
        segments = [[Segment(one.start, one.stop) for one in clip.truth] for clip in clips]
    elif arm == "fixed-128":
        segments = [build_segments(np.arange(128, len(clip), 128), len(clip)) for clip in clips]
    else:
        lengths = [len(one) for clip in clips_of(out, "tune") for one in clip.truth]
        random = generator(0, "random cuts")
        segments = []
        for clip in clips:
            stops = np.cumsum(random.choice(lengths, size=len(clip)))
            segments.append(build_segments(stops[stops < len(clip)], len(clip)))
    named = [name_by_events(some, clip.events) for some, clip in zip(segments, clips, strict=True)]
    told["segments"] = {clip.name: [one.to_json() for one in some] for clip, some in zip(clips, named, strict=True)}
    write_json(out / "cuts" / f"{arm}.json", told)


# the policy


@dataclass(frozen=True)
class ClonerConfig:
    """Sizes of the policy and of its training."""

    channels: tuple[int, int, int] = (32, 64, 64)
    width: int = 256
    buttons: tuple[int, ...] = ()  # the joint classes that occur
    goals: tuple[str, ...] = ()  # after number 0, which is no name


class Cloner(nn.Module):
    """Pictures and a goal's number -> the two heads of VPT; the goal scales and shifts what is seen (FiLM)."""

    def __init__(self, config: ClonerConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.channels
        self.see = nn.Sequential(
            nn.Conv2d(3 * len(PAST), first, 8, 4), nn.ReLU(), nn.Conv2d(first, second, 4, 2), nn.ReLU()
        )
        self.goal = nn.Embedding(len(config.goals) + 1, 2 * second)
        self.look = nn.Sequential(nn.Conv2d(second, third, 3), nn.ReLU(), nn.Flatten())
        self.join = nn.Sequential(nn.Linear(16 * third, config.width), nn.ReLU())
        self.buttons = nn.Linear(config.width, len(config.buttons))
        self.camera = nn.Linear(config.width, JOINT.num_camera)

    def forward(self, frames: Tensor, goals: Tensor) -> dict[str, Tensor]:
        """frames: (batch, 3 * past, 64, 64) uint8; goals: (batch,). Logits (batch, classes) of each head."""
        seen = self.see(frames.float() / 255 - 0.5)
        scale, shift = self.goal(goals)[:, :, None, None].chunk(2, dim=1)
        joined = self.join(self.look(functional.relu(seen * (1 + scale) + shift)))
        return {"buttons_logp": self.buttons(joined), "camera_logp": self.camera(joined)}


@dataclass
class Played:
    """All ticks of `learn`, one clip after the other."""

    frames: np.ndarray  # (n, 64, 64, 3) uint8
    first: np.ndarray  # (n,) the number of the clip's first tick
    classes: np.ndarray  # (n, 2) joint classes
    active: np.ndarray  # (n,) bool: something is pressed or moved
    names: list[str] = field(default_factory=list)  # of the clips
    starts: dict[str, int] = field(default_factory=dict)  # of each clip


def played(out: Path) -> Played:
    """Decodes once; later calls map the file."""
    clips = clips_of(out, "learn")
    starts = np.cumsum([0, *map(len, clips)])
    path = out / "frames.npy"
    if not path.is_file():
        kept = np.lib.format.open_memmap(path.with_suffix(".part"), "w+", np.uint8, (int(starts[-1]), SIZE, SIZE, 3))
        for clip, start in zip(clips, starts, strict=False):
            kept[start : start + len(clip)] = np.concatenate(list(clip.frames(SIZE)))
        kept.flush()
        path.with_suffix(".part").rename(path)
    classes = np.concatenate(
        [
            np.stack(JOINT.encode(clip.buttons[:, : len(POLICY_BUTTONS)], VPT_CAMERA.to_bins(clip.camera)), axis=1)
            for clip in clips
        ]
    )
    active = (classes != (JOINT.null_buttons, JOINT.null_camera)).any(axis=1)
    first = np.repeat(starts[:-1], list(map(len, clips)))
    names = [clip.name for clip in clips]
    return Played(
        np.load(path, mmap_mode="r"), first, classes, active, names, dict(zip(names, starts.tolist(), strict=False))
    )


def clone(out: Path, arm: str, seed: int, steps: int, batch: int = 128, rate: float = 1e-3) -> None:
    """The last weights go to OUT/policies/ARM-SEED.safetensors with their config beside them."""
    play, cuts = played(out), read_json(out / "cuts" / f"{arm}.json")["segments"]
    common = Counter(play.classes[play.active, 0].tolist())
    buttons = tuple(sorted(one for one, count in common.items() if count >= 20))
    config = ClonerConfig(buttons=buttons, goals=tuple(f"mine {block}" for block in BLOCKS))
    numbers = {name: number for number, name in enumerate(config.goals, start=1)}
    goals = np.zeros(len(play.frames), np.int64)
    for name, segments in cuts.items():
        for one in segments:
            goals[play.starts[name] + one["start"] : play.starts[name] + one["stop"]] = numbers.get(one["skill"], 0)
    place = np.full(JOINT.num_buttons, -1)
    place[list(buttons)] = np.arange(len(buttons))
    usable = np.flatnonzero(play.active & (place[play.classes[:, 0]] >= 0))
    torch.manual_seed(seed)
    random = generator(seed, "cloning")  # the same ticks in the same order whatever the cuts
    model = Cloner(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for step in range(steps):
        ticks = np.sort(random.choice(usable, batch, replace=False))
        frames = np.concatenate([play.frames[np.maximum(ticks - ago, play.first[ticks])] for ago in PAST], axis=3)
        output = model(torch.from_numpy(frames).permute(0, 3, 1, 2), torch.from_numpy(goals[ticks]))
        button = functional.cross_entropy(output["buttons_logp"], torch.from_numpy(place[play.classes[ticks, 0]]))
        camera = functional.cross_entropy(output["camera_logp"], torch.from_numpy(play.classes[ticks, 1]))
        optimizer.zero_grad()
        (button + camera).backward()
        optimizer.step()
        schedule.step()
        if step % 500 == 499:
            print(f"{arm}-{seed} step {step + 1}: buttons {button:.3f} camera {camera:.3f}", flush=True)
    path = out / "policies" / f"{arm}-{seed}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path.with_suffix(".json"), asdict(config))
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


class ClonedPolicy(Rows):
    """Plays a policy of `clone`."""

    def __init__(self, path: Path, temperature: float = TEMPERATURE) -> None:
        super().__init__()
        told = read_json(path.with_suffix(".json"))
        self.model = Cloner(ClonerConfig(**{key: tuple(v) if isinstance(v, list) else v for key, v in told.items()}))
        self.model.load_state_dict(load_file(path))
        self.temperature = temperature

    def begin(self, goal: Goal | None, seed: int) -> dict[str, Any]:
        """The goal's number, the pictures so far, and a stream of random numbers."""
        assert goal is not None
        number = self.model.config.goals.index(goal.text) + 1
        return {"goal": number, "seen": [], "random": torch.Generator().manual_seed(seed % (1 << 62))}

    @torch.no_grad()
    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action a row."""
        self.check(observations)
        stacks = []
        for row, observation in zip(self._rows, observations, strict=True):
            row["seen"] = [*row["seen"][-max(PAST) :], observation.pov]
            seen = row["seen"]
            stacks.append(np.concatenate([seen[max(len(seen) - 1 - ago, 0)] for ago in PAST], axis=2))
        frames = torch.from_numpy(np.stack(stacks)).permute(0, 3, 1, 2)
        output = self.model(frames, torch.tensor([row["goal"] for row in self._rows]))
        actions = []
        for number, row in enumerate(self._rows):
            logits = {key: value[number] / self.temperature for key, value in output.items()}
            chosen = sample(logits, row["random"])
            button_class = self.model.config.buttons[int(chosen["buttons"])]
            pressed, bins = JOINT.decode(button_class, int(chosen["camera"]))
            pressed = np.pad(pressed, (0, len(BUTTONS) - len(pressed)))
            actions.append(Action(pressed, VPT_CAMERA.to_degrees(bins).astype(np.float32)))
        return actions


def suite(count: int = 1) -> Suite:
    """One of the four things is asked for; all are at hand."""
    tasks = {
        f"mine_{block}": Task(
            f"mine_{block}", Goal(f"mine {block}", Count("mine_block", block, count)), START, max_ticks=TICKS
        )
        for block in BLOCKS
    }
    return Suite("downstream", tasks, 100)


def judged(out: Path, name: str, episodes: int, split: str = "test") -> dict[str, Any]:
    """`evaluate`'s summary of ARM-SEED, or of random play. All play the same worlds."""
    folder = out / "judged" / name
    if not is_done(folder):
        policy = RandomPolicy() if name == FLOOR else ClonedPolicy(out / "policies" / f"{name}.safetensors")
        evaluate(
            suite(), policy, folder, policy_name=name, split=split, episodes_each=episodes,
            env_options={"width": SIZE, "height": SIZE}, videos=False, report=False, rows=8,
        )  # fmt: skip
    return dict(read_json(folder / "summary.json"))


def won_by(out: Path, name: str, episodes: int, split: str) -> list[int]:
    """Episodes won of each thing to mine."""
    tasks = judged(out, name, episodes, split)["per_task"]
    return [tasks[f"mine_{block}"]["success"] for block in BLOCKS]


# the table


def _range(interval: Interval) -> str:
    return f"({interval.low:.2f} to {interval.high:.2f})"


def _cells(won: Sequence[int], episodes: int) -> tuple[list[str], str]:
    """What was won of each thing, of so many episodes, and the share of all."""
    share = wilson(sum(won), episodes * len(won))
    return [
        f"{count}/{episodes} {_range(wilson(count, episodes))}" for count in won
    ], f"{share.value:.3f} {_range(share)}"


def labels(out: Path, arm: str) -> dict[str, list[str | None]]:
    """The name of each tick's segment, clip by clip."""
    cuts = read_json(out / "cuts" / f"{arm}.json")["segments"]
    return {
        name: [one["skill"] for one in some for _ in range(one["start"], one["stop"])] for name, some in cuts.items()
    }


def report(out: Path, arms: Sequence[str], seeds: int, episodes: int, split: str) -> None:
    """Writes OUT/table.md and OUT/results.json."""
    true = labels(out, "true")
    lines = [
        f"| cuts | segments | ticks named as by the true cuts | {' | '.join(f'mine {block}' for block in BLOCKS)} | "
        "all | best minus this |",
        "|" + "---|" * (5 + len(BLOCKS)),
    ]
    won: dict[str, np.ndarray] = {}
    for arm in arms:
        won[arm] = np.array([won_by(out, f"{arm}-{seed}", episodes, split) for seed in range(seeds)])
    results = []
    for arm in arms:
        told = read_json(out / "cuts" / f"{arm}.json")
        mine = labels(out, arm)
        same = np.mean([a == b for name in true for a, b in zip(true[name], mine[name], strict=True)])
        count = sum(map(len, told["segments"].values()))
        rates = won[arm].sum(axis=1) / (episodes * len(BLOCKS))
        gap = (won[arms[0]] - won[arm]).sum(axis=1) / (episodes * len(BLOCKS))
        cells, everything = _cells(won[arm].sum(axis=0).tolist(), seeds * episodes)
        named = arm if told["criterion"] == arm else f"{arm}: {told['criterion']}"
        less = "" if arm == arms[0] else f"{gap.mean():+.3f} {_range(student(gap.tolist()))}"
        lines.append(f"| {named} | {count} | {same:.2f} | {' | '.join(cells)} | {everything} | {less} |")
        results.append(
            {"arm": arm, "segments": count, "named_as_true": float(same), "won": won[arm].tolist(),
             "rates": rates.tolist(), "criterion": told["criterion"], "at_10": told.get("at_10")}
        )  # fmt: skip
    cells, everything = _cells(won_by(out, FLOOR, episodes, split), episodes)
    lines.append(f"| {FLOOR} | | | {' | '.join(cells)} | {everything} | |")
    text = "\n".join(lines) + "\n"
    atomic_write(out / "table.md", text)
    write_json(out / "results.json", results)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=PARTS["learn"][0], help="of play that is learnt from")
    parser.add_argument("--predictor-steps", type=int, default=700)
    parser.add_argument("--steps", type=int, default=4000, help="of cloning")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=34, help="of a task and a training seed")
    parser.add_argument("--split", default="test")
    parser.add_argument("--only", choices=STAGES, action="append")
    parser.add_argument("--arm", choices=ARMS, action="append")
    given = parser.parse_args()
    out, arms, stages = given.out, given.arm or ARMS, given.only or STAGES
    if "record" in stages:
        for part, (minutes, seed) in PARTS.items():
            wanted = given.minutes if part == "learn" else minutes
            record_until(out / "recordings" / part, KIND, wanted * 1200, seed, size=SIZE)
    if "train" in stages:
        config = replace(small(), steps=given.predictor_steps, save_every=100)
        train(config, clips_of(out, "learn"), out / "foundation", held_back=clips_of(out, "tune")[:4], say=print)
    if "evidence" in stages:
        gather_evidence(out, out / "foundation", list(PARTS), "full")
    for arm in arms:
        if "cut" in stages and not (out / "cuts" / f"{arm}.json").is_file():
            cut_all(out, arm)
        for seed in range(given.seeds):
            if "clone" in stages and not (out / "policies" / f"{arm}-{seed}.safetensors").is_file():
                clone(out, arm, seed, given.steps)
            if "judge" in stages:
                judged(out, f"{arm}-{seed}", given.episodes, given.split)
    if "report" in stages:
        report(out, arms, given.seeds, given.episodes, given.split)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
