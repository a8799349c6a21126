"""Does an agent's hand find every slot? python benchmarks/clicks.py [AGENT] [--ticks 600] [--rows 8]

Plays `ScreenLesson`s, screens full of odds and ends with one click asked for after another, by the agent alone, and
counts for each slot: clicked; another clicked first; given up after 20 ticks. AGENT is a checkpoint folder, by default
the agent that ships; `--model` lets its large part click though it has a hand. Prints a table by group of slots, and
JSON by slot.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

# NOTE: vla.py beside this file has the name of a package
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]

from evaluation.statistics import wilson  # noqa: E402
from jarvis.app.learners.screen_lessons import ScreenLesson  # noqa: E402
from jarvis.app.planner.guided import AGENT, HAND, TEMPERATURE  # noqa: E402
from jarvis.app.planner.slots import name_of  # noqa: E402
from jarvis.core.goals import Goal  # noqa: E402
from jarvis.core.observations import Observation  # noqa: E402
from vla.hand import Hand  # noqa: E402
from vla.policy import VlaPolicy  # noqa: E402

BUTTONS = {"left": "attack", "shift": "attack", "right": "use"}


def group_of(screen: str, slot: str) -> str:
    """hotbar 1-4, hotbar 5-9, bag columns 1-4, bag columns 5-9, or what belongs to the screen."""
    if slot.startswith("hotbar"):
        return "hotbar 1-4" if int(slot[-1]) < 5 else "hotbar 5-9"
    if slot.startswith("row"):
        return "bag columns 1-4" if int(slot[-1]) < 5 else "bag columns 5-9"
    return f"{screen}'s own"


def clicked(agent: Path, ticks: int, rows: int, seed: int, model: bool) -> dict[tuple[str, str], Counter[str]]:
    """{(screen, slot): {"clicked", "another", "given up"}}."""
    policy = VlaPolicy(agent, temperature=TEMPERATURE, freeze_limit=10**9)
    width, height = policy.picture_size
    lessons = [ScreenLesson(seed, row, width=width, height=height) for row in range(rows)]
    policy.reset([Goal("click")] * rows, seeds=list(range(rows)))
    hand = None if model or not (agent / HAND).is_file() else Hand.load(agent / HAND)
    randoms = [np.random.default_rng((seed, row)) for row in range(rows)]
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    asked: list[tuple[int, tuple[str, str]] | None] = [None] * rows  # number of the directive, what it asks for
    for _ in range(ticks):
        looks = [lesson.look() for lesson in lessons]
        for row, (lesson, look) in enumerate(zip(lessons, looks, strict=True)):
            policy.tell(row, look.text)
            directive = lesson.guide.directive
            open_one = asked[row]
            if open_one is not None and open_one[0] != id(directive):
                counts[open_one[1]]["given up"] += 1
                asked[row] = None
            if look.kind == "click" and asked[row] is None:
                screen = lesson.env.world.screen.kind
                asked[row] = id(directive), (screen, name_of(screen, directive.slot))
        if hand is None:
            actions = policy.act([Observation(look.frame) for look in looks])
        else:
            frames, texts = np.stack([look.frame for look in looks]), [look.text for look in looks]
            actions = hand.act(frames, texts, randoms, TEMPERATURE)
        for row, (lesson, action) in enumerate(zip(lessons, actions, strict=True)):
            open_one, directive = asked[row], lesson.guide.directive
            hovered = lesson.env.world.screen.hovered if lesson.env.world.screen.is_open else None
            if open_one is not None and looks[row].kind == "click" and (action["attack"] or action["use"]):
                right = hovered == directive.slot and action[BUTTONS[directive.args[1]]]
                counts[open_one[1]]["clicked" if right else "another"] += 1
                lesson.guide.left = 0  # another screen
                asked[row] = None
            lesson.step(action)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent", nargs="?", type=Path, default=AGENT)
    parser.add_argument("--ticks", type=int, default=600)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", action="store_true", help="the large part, though there is a hand")
    given = parser.parse_args()
    counts = clicked(given.agent, given.ticks, given.rows, given.seed, given.model)
    if not counts:
        raise SystemExit("no click was finished: give more --ticks")
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for (screen, slot), some in counts.items():
        groups[group_of(screen, slot)].update(some)
    groups["all"] = sum(groups.values(), Counter())
    print("| slots | asked | clicked | 95 % | another first | given up |\n|---|---|---|---|---|---|")
    for name, some in sorted(groups.items()):
        total = some.total()
        share = some["clicked"] / total
        low, high = wilson(some["clicked"], total)[1:]
        print(f"| {name} | {total} | {share:.2f} | {low:.2f} to {high:.2f} | {some['another']} | {some['given up']} |")
    print(json.dumps({f"{screen}: {slot}": dict(some) for (screen, slot), some in sorted(counts.items())}))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
