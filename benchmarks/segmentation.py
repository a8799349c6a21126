"""Skill boundaries in the voxel world: python benchmarks/segmentation.py OUT [--minutes 72] [--steps 250]

Records scripted play (with all traps, and clean), trains an action predictor on part of the skills, scores every
criterion against the player's own log, and writes OUT/table.md and OUT/results.json. Every stage keeps what it
finished: run it again to go on, or with another --only to run one stage.

    record     OUT/recordings/{train,validation,test,held_out}-{traps,clean}/   one-minute episodes
    train      OUT/foundation/            skills of the held-out goals are not in it
    evidence   OUT/evidence/...           losses, hidden states, colours: all that criteria look at
    score      OUT/results.json, OUT/table.md, OUT/thresholds/: what `jarvis segment --threshold` takes
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.recorder import Player, RecordingStyle, record_episode
from data_pipelines.recordings import Recording
from jarvis.core.files import atomic_write, write_json
from jarvis.core.goals import Goal
from jarvis.core.predicates import Have
from jarvis.core.random_streams import generator, stream_seed
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.scripted.planner import GROUPS
from jarvis.training import checkpoints
from skill_discovery.clips import PlayClip, find_clips
from skill_discovery.comparison import ENTRIES, Corpus, Entry, difference, judge, markdown, tune, untuned
from skill_discovery.evidence import gather, read_evidence, write_evidence
from skill_discovery.foundation import small, train
from skill_discovery.learned import fit
from skill_discovery.sbd import SBDOptions, without_one
from skill_discovery.scorers import load_scorer

SIZE = 128  # pixels: the predictor's picture or twice it
STAGES = ("record", "train", "evidence", "score")

TOOLS = {"wooden_pickaxe": 1, "crafting_table": 1, "oak_log": 4}
STONE_KIT = {"stone_pickaxe": 1, "crafting_table": 1, "oak_planks": 8, "stick": 6}
TESTS = ("test-traps", "held_out-traps", "test-clean", "held_out-clean")
FITTED = 16  # clips of the training part on which criteria are learnt
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
    kind, human, share, first_seed = PARTS[part]
    return record_until(out / "recordings" / part, kind, minutes * share * 1200, first_seed, human=human)


def record_until(
    folder: Path, kind: Kind, wanted: float, first_seed: int, *, human: bool = True, size: int = SIZE
) -> int:
    """Episodes named after the folder until there are so many ticks; goes on where it was cut off."""
    from jarvis.envs.voxel import VoxelEnv

    part = folder.name
    env = VoxelEnv(width=size, height=size, show_cursor=False)
    style = RecordingStyle(prefix=part)
    ticks, episode, began = 0, 0, time.monotonic()
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


def gather_evidence(
    out: Path, checkpoint: Path, parts: Sequence[str], label: str, change: Callable[[PlayClip], PlayClip] = lambda c: c
) -> None:
    """Evidence of every clip of the parts, into OUT/evidence/LABEL/PART. change: what is done to the labels first."""
    scorer = load_scorer(checkpoint)
    for part in parts:
        began, cpu, ticks = time.monotonic(), time.process_time(), 0
        for clip in clips_of(out, part)[: FITTED if part == "train-traps" else None]:
            path = out / "evidence" / label / part / f"{clip.name}.safetensors"
            if not path.is_file():
                write_evidence(path, gather(change(clip), scorer))
                ticks += len(clip)
        if ticks:
            rate = ticks / (time.process_time() - cpu)
            print(
                f"{label} {part}: {ticks} ticks, {rate:.0f} a CPU second, {time.monotonic() - began:.0f} s", flush=True
            )


def with_noise(share: float) -> Callable[[PlayClip], PlayClip]:
    """Labels of which so large a share is that of another tick of the clip, as a poor labeller would have it."""

    def change(clip: PlayClip) -> PlayClip:
        random = generator(0, "label noise", zlib.crc32(clip.name.encode()))
        wrong = random.random(len(clip)) < share
        other = np.where(wrong, random.integers(len(clip), size=len(clip)), np.arange(len(clip)))
        return replace(clip, buttons=clip.buttons[other], camera=clip.camera[other], source="idm")

    return change


def labelled_by(spec: str) -> Callable[[PlayClip], PlayClip]:
    """The labels of an inverse dynamics model in place of the recorded ones."""
    # NOTE: the folder of this program comes first in the search, and it holds a program called idm.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    sys.modules.pop("idm", None)
    from idm.loading import load

    labeler = load(spec)

    def change(clip: PlayClip) -> PlayClip:
        labels = list(labeler.label(clip.frames(labeler.size[0])))
        buttons, camera = (np.concatenate([getattr(one, name) for one in labels]) for name in ("buttons", "camera"))
        return replace(clip, buttons=buttons, camera=camera, source="idm")

    return change


# the table


def corpus(out: Path, part: str, label: str) -> Corpus | None:
    """The clips whose evidence was gathered; None if there is none."""
    clips = {clip.name: clip for clip in clips_of(out, part)}
    found = [read_evidence(path) for path in sorted((out / "evidence" / label / part).glob("*.safetensors"))]
    if not found:
        return None
    return Corpus(f"{part}, {label}", tuple(found), tuple(clips[evidence.name].truth for evidence in found))


def learned_entries(fitted: Corpus) -> list[Entry]:
    """Criteria learnt on the training part: with everything, and with some of it left out."""
    predictor = ("likelihood-ratio", "hidden-change", "sbd+nms")
    others = ("action-change", "frame-difference")
    entries = []
    for name, curves, events in (
        ("learned: everything", (*predictor, *others), True),
        ("learned: without the predictor", others, True),
        ("learned: without events", (*predictor, *others), False),
        ("learned: losses, states, screens", predictor, False),
    ):
        options = fit(fitted.evidences, fitted.truths, curves, events)
        choices = {key: (value,) for key, value in options.items()} | {"distance": (10, 20)}
        entries.append(Entry(name, "learned", "predictor", choices))
    return entries


def compare(out: Path, label: str, tests: Sequence[str], entries: Sequence[Entry]) -> tuple[list[str], list[Any]]:
    """Tunes on the validation part's recorded labels, scores on each of the others: Markdown and JSON."""
    validation = corpus(out, "validation-traps", "full")
    assert validation is not None, "no evidence: run with --only evidence"
    tuned = [(entry, tune(entry, validation)) for entry in entries]
    chosen, _ = max(
        ((entry, threshold) for entry, threshold in tuned if entry.kind == "predictor"),
        key=lambda pair: pair[1].f1 or 0,
    )
    for entry, threshold in tuned:
        threshold.save(
            out / "thresholds" / label / f"{entry.name.replace(':', '').replace(',', '').replace(' ', '-')}.json"
        )
    text, results = [], []
    for part in tests:
        found = corpus(out, part, label)
        if found is None:
            continue
        rows = [judge(entry.name, threshold, found) for entry, threshold in tuned]
        best = next(row for row in rows if row.name == chosen.name)
        minutes = sum(map(len, found.evidences)) / 1200
        text += [
            f"### {found.name}: {len(found.evidences)} clips, {minutes:.0f} minutes; best on validation: {best.name}\n"
        ]
        text += [markdown(rows, best)]
        results += [row.to_json() | {"best_minus_this": difference(best, row)} for row in rows]
    return text, results


def compare_by_length(out: Path, part: str, mean_ticks: float = 100.0) -> str:
    """Thresholds that no label chose: segments of five seconds on average, decided before anything was scored."""
    validation, found = corpus(out, "validation-traps", "full"), corpus(out, part, "full")
    assert validation is not None and found is not None
    chosen = ("sbd-published", "sbd, mended", "sbd+nms", "likelihood-ratio", "hidden-change", "action-cpd",
              "action-change", "colour-cpd", "frame-difference", "uniform, true mean")  # fmt: skip
    entries = [entry for entry in ENTRIES if entry.name in chosen]
    return markdown([judge(entry.name, untuned(entry, validation, mean_ticks), found) for entry in entries])


def ablate(out: Path, part: str) -> str:
    """One change at a time, each tuned anew on validation: F1 at half a second."""
    lines = ["| what | criterion | F1 at 0.5 s | 95 % | cuts / boundaries |", "|---|---|---|---|---|"]
    full = corpus(out, "validation-traps", "full"), corpus(out, part, "full")

    def line(what: str, entry: Entry, validation: Corpus | None, test: Corpus | None) -> None:
        if validation is not None and test is not None:
            row = judge(entry.name, tune(entry, validation), test)
            main = row.values["at_10"]
            low, high = main["f1_interval"]
            lines.append(
                f"| {what} | {entry.criterion} | {main['f1']:.2f} | {low:.2f} to {high:.2f} | "
                f"{main['cuts']} / {main['boundaries']} |"
            )

    for reset in (False, True):
        line(f"memory {'reset at cuts' if reset else 'kept'}", Entry("", "sbd", "", {"reset": (reset,)}), *full)
    for heads in ("both", "buttons", "camera"):
        for name in ("sbd+nms", "likelihood-ratio"):
            line(f"losses of {heads}", Entry("", name, "", {"heads": (heads,)}), *full)
    line("losses less what was expected", Entry("", "sbd+nms", "", {"entropy": (True,)}), *full)
    for ticks in (1, 4, 11):
        short = [None if one is None else with_context(one, ticks) for one in full]
        line(f"context of {ticks} ticks before", Entry("", "sbd+nms", ""), short[0], short[1])
    for name, options in without_one(SBDOptions()).items():
        line(f"defect put back: {name}", Entry("", "sbd", "", _single(options)), *full)
    for label in ("trained 40 %", "noise 5 %", "noise 10 %", "noise 20 %"):
        some = corpus(out, "validation-traps", label), corpus(out, part, label)
        for name in ("sbd+nms", "likelihood-ratio", "hidden-change", "action-change"):
            line(label, Entry("", name, ""), *some)
    return "\n".join(lines) + "\n"


def _single(options: SBDOptions) -> dict[str, tuple[Any, ...]]:
    usual = SBDOptions()
    return {name: (value,) for name, value in vars(options).items() if value != getattr(usual, name)}


def with_context(found: Corpus, ticks: int) -> Corpus:
    """The losses of a predictor that sees so many ticks before the present one and no more."""
    evidences = []
    for evidence in found.evidences:
        scores = evidence.need("scores")
        late = np.arange(ticks, len(evidence))
        buttons, camera = scores.buttons.copy(), scores.camera.copy()
        buttons[late], camera[late] = (
            scores.fresh_buttons[late - ticks, ticks],
            scores.fresh_camera[late - ticks, ticks],
        )
        evidences.append(replace(evidence, scores=replace(scores, buttons=buttons, camera=camera)))
    return replace(found, evidences=tuple(evidences))


def score_all(out: Path) -> None:
    """Writes OUT/table.md and OUT/results.json."""
    fitted = corpus(out, "train-traps", "full")
    learned = [] if fitted is None else learned_entries(fitted)
    text, results = [], []
    for label in ("full", "idm"):
        if (out / "evidence" / label).is_dir():
            more, values = compare(out, label, TESTS, [*learned, *ENTRIES])
            text, results = text + more, results + values
    text += ["### Thresholds by length, test-traps\n", compare_by_length(out, "test-traps")]
    text += ["### Ablations, test-traps\n", ablate(out, "test-traps")]
    atomic_write(out / "table.md", "\n".join(text))
    write_json(out / "results.json", results)
    print("\n".join(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=72, help="of play, all parts together")
    parser.add_argument("--steps", type=int, default=250, help="of training")
    parser.add_argument("--idm", metavar="SPEC", help="also score with this model's labels in place of the recorded")
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
        foundation = given.out / "foundation"
        gather_evidence(given.out, foundation, ["validation-traps", *TESTS, "train-traps"], "full")
        tuning = ["validation-traps", "test-traps"]
        for share in (5, 10, 20):
            gather_evidence(given.out, foundation, tuning, f"noise {share} %", with_noise(share / 100))
        early = checkpoints(foundation)[:-1]
        if early:
            gather_evidence(
                given.out, min(early, key=lambda one: abs(one[0] - 0.4 * given.steps))[1], tuning, "trained 40 %"
            )
        if given.idm:
            gather_evidence(given.out, foundation, TESTS, "idm", labelled_by(given.idm))
    if given.only in (None, "score"):
        score_all(given.out)


if __name__ == "__main__":
    main()
