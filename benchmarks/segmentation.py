"""Skill boundaries in the voxel world: python benchmarks/segmentation.py OUT [--minutes 120] [--steps 3000]

Records scripted play (with all traps, and clean), trains an action predictor on part of the skills, scores every
criterion against the player's own log, and writes OUT/table.md and OUT/results.json. Every stage keeps what it
finished: run it again to go on, or with another --only to run one stage.

    record     OUT/recordings/{train,validation,test,held_out}-{traps,clean}/   one-minute episodes
    train      OUT/foundation/            skills of the held-out goals are not in it
    evidence   OUT/evidence/...           losses, hidden states, colours: all that criteria look at
    score      OUT/results.json, OUT/table.md
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_pipelines.recorder import Player, RecordingStyle, record_episode
from data_pipelines.recordings import Recording
from jarvis.core.goals import Goal
from jarvis.core.predicates import Have
from jarvis.core.random_streams import generator, stream_seed
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.scripted.planner import GROUPS
from skill_discovery.clips import PlayClip, find_clips
from skill_discovery.evidence import gather, write_evidence
from skill_discovery.foundation import small, train
from skill_discovery.scorers import load_scorer

SIZE = 128  # pixels: the predictor's picture or twice it
STAGES = ("record", "train", "evidence", "score")

TOOLS = {"wooden_pickaxe": 1, "crafting_table": 1, "oak_log": 4}
STONE_KIT = {"stone_pickaxe": 1, "crafting_table": 1, "oak_planks": 8, "stick": 6}
MAX_TICKS = 1200  # of an episode, in which one goal follows the other
PATIENCE = 700  # ticks after which a goal is left for the next


@dataclass(frozen=True)
class Kind:
    """Which goals are played, and from where."""

    goals: tuple[str, ...]
    starts: tuple[StartState, ...]
    hunts: bool


# What the predictor is trained on: wood, stone, coal, flowers, and what is made of them by hand or at a table.
KNOWN = Kind(
    (
        "stone_pickaxe", "stone_axe", "stone_sword", "stone_shovel", "torch", "chest", "ladder", "oak_fence",
        "wooden_sword", "wooden_axe", "cobblestone_stairs", "#planks", "#logs", "dirt", "cobblestone", "coal",
        "wheat_seeds", "dandelion",
    ),
    (
        StartState(),
        StartState(biome="forest"),
        StartState(biome="forest", inventory=TOOLS),
        StartState(inventory=STONE_KIT),
        StartState(inventory=TOOLS | {"torch": 8}, y=40.0, rarity={"coal": "very common"}),
    ),
    hunts=False,
)  # fmt: skip
# Skills that it never saw: furnaces and smelting, hunting, sand, clay and iron.
HELD_OUT = Kind(
    ("furnace", "charcoal", "beef", "cooked_beef", "white_wool", "porkchop", "iron_ore", "iron_ingot", "sand", "glass"),
    (
        StartState(inventory=STONE_KIT | {"cobblestone": 10, "coal": 4, "oak_log": 3}, mobs={"cow": 3, "sheep": 3}),
        StartState(inventory=STONE_KIT | {"furnace": 1, "coal": 4}, nearby={"sand": 6, "iron_ore": 4}),
        StartState(inventory=STONE_KIT | {"furnace": 1, "coal": 4, "torch": 8}, y=40.0, rarity={"iron": "very common"}),
    ),
    hunts=True,
)
# part -> goals, whether the player has its habits, share of the minutes, where its seeds begin
PARTS: dict[str, tuple[Kind, bool, float, int]] = {
    "test-traps": (KNOWN, True, 0.14, 1 << 30),
    "held_out-traps": (HELD_OUT, True, 0.12, (1 << 30) + (1 << 27)),
    "validation-traps": (KNOWN, True, 0.09, 1 << 29),
    "train-traps": (KNOWN, True, 0.51, 0),
    "test-clean": (KNOWN, False, 0.07, (1 << 30) + (1 << 28)),
    "held_out-clean": (HELD_OUT, False, 0.07, (1 << 30) + (1 << 26)),
}


def scripted(env: Any, kind: Kind, seed: int, human: bool) -> Player:
    """The scripted player with one goal after the other, drawn by the seed."""
    from jarvis.envs.scripted import Habits, ScriptedPlayer

    habits = replace(Habits.human() if human else Habits.clean(), hunts=kind.hunts)
    random = generator(seed, "goals")
    now: dict[str, Any] = {"player": None, "left": 0, "number": 0}

    def act(observation: Any, info: dict[str, Any]) -> Any:
        if now["player"] is None or now["player"].done or not now["left"]:
            item = kind.goals[int(random.integers(len(kind.goals)))]
            names = GROUPS.get(item, (item,))
            carried = sum(info["inventory"].get(name, 0) for name in names)
            count = carried + int(random.integers(1, 4))
            task = Task(item, Goal(item, Have("|".join(names), count)))
            now.update(player=ScriptedPlayer(task, seed + now["number"], habits), left=PATIENCE)
            now["number"] += 1
        now["left"] -= 1
        return now["player"].act(env.world)

    return Player(act, lambda: now["player"].truth.to_json())


def record_part(out: Path, part: str, minutes: float) -> int:
    """Plays until there is enough; goes on where it was cut off. Returns the ticks."""
    from jarvis.envs.voxel import VoxelEnv

    kind, human, share, first_seed = PARTS[part]
    env = VoxelEnv(width=SIZE, height=SIZE, show_cursor=False)
    folder, style = out / "recordings" / part, RecordingStyle(prefix=part)
    wanted, ticks, episode, began = minutes * share * 1200, 0, 0, time.monotonic()
    while ticks < wanted:
        recording = Recording(str(folder / style.name(episode, 0)))
        if not recording.is_finished():
            recording.remove()
            seed = first_seed + stream_seed(0, part, episode) % (1 << 26)
            start = kind.starts[episode % len(kind.starts)]
            task = Task("goals", Goal("one thing after the other"), start, MAX_TICKS)
            record_episode(env, scripted(env, kind, seed, human), task, seed, folder, episode=episode, style=style)
        ticks += (recording.facts() or {})["frames"]
        print(f"{part} {episode}: {ticks} of {wanted:.0f} ticks, {time.monotonic() - began:.0f} s", flush=True)
        episode += 1
    env.close()
    return ticks


def clips_of(out: Path, part: str) -> list[PlayClip]:
    clips, aside = find_clips(out / "recordings" / part)
    assert not aside, aside
    return clips


def train_predictor(out: Path, steps: int, minutes: float | None = None, name: str = "foundation") -> Path:
    """Clones the training part, or its first minutes."""
    clips = clips_of(out, "train-traps")
    if minutes is not None:
        clips = clips[: max(1, round(minutes))]
    config = replace(small(), steps=steps, save_every=max(1, steps // 10), keep=10)
    return train(config, clips, out / name, held_back=clips_of(out, "validation-traps")[:4], say=print)


def gather_evidence(out: Path, checkpoint: Path, parts: Sequence[str], label: str) -> None:
    """Evidence of every clip of the parts, into OUT/evidence/LABEL/PART."""
    scorer = load_scorer(checkpoint)
    for part in parts:
        began, cpu, ticks = time.monotonic(), time.process_time(), 0
        for clip in clips_of(out, part):
            path = out / "evidence" / label / part / f"{clip.name}.safetensors"
            if not path.is_file():
                write_evidence(path, gather(clip, scorer))
                ticks += len(clip)
        if ticks:
            rate = ticks / (time.process_time() - cpu)
            print(
                f"{label} {part}: {ticks} ticks, {rate:.0f} a CPU second, {time.monotonic() - began:.0f} s", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=120, help="of play, all parts together")
    parser.add_argument("--steps", type=int, default=3000, help="of training")
    parser.add_argument("--only", choices=STAGES)
    parser.add_argument("--part", choices=list(PARTS), help="with --only record: one part")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if given.only in (None, "record"):
        for part in [given.part] if given.part else PARTS:
            record_part(given.out, part, given.minutes)
    if given.only in (None, "train"):
        train_predictor(given.out, given.steps)
    if given.only in (None, "evidence"):
        gather_evidence(given.out, given.out / "foundation", [part for part in PARTS if part != "train-traps"], "full")


if __name__ == "__main__":
    main()
