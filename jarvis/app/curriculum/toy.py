"""A toy student, to hold selectors against: Crafter's 22 skills, among goals that teach nothing.

    student = ToyStudent(generator(seed, "toy"), useless=20)
    student.attempt("make_stone_pickaxe")        # True or False; practice changes the student
    student.mastered                             # of the 22 real skills

A skill grows by success, a little by near misses, and fades slowly. An attempt needs the skill itself and, less
sharply, those before it. Beside the real ones there are impossible goals (never), coins (half the time) and trivial
ones (98 %).
It is a regression test for selectors and no evidence about any game.
"""

from __future__ import annotations

import numpy as np

from jarvis.app.curriculum.backends import backend
from jarvis.app.curriculum.selectors import Selector, choose
from jarvis.core.random_streams import generator

__all__ = ["ToyStudent", "study"]

CHANCE = {"impossible": 0.0, "coin": 0.5, "trivial": 0.98}


class ToyStudent:
    """See the top of the module."""

    def __init__(self, random: np.random.Generator, useless: int = 20) -> None:
        self.random = random
        tree = backend("crafter").tree
        self.parents = {name: node.parents for name, node in tree.items()}
        self.skill = dict.fromkeys(tree, 0.03)
        self.goals = [*tree, *(f"{kind}_{number}" for kind in CHANCE for number in range(useless))]

    def _ready(self, goal: str) -> float:
        return float(np.prod([self.skill[parent] for parent in self.parents[goal]]))

    def attempt(self, goal: str) -> bool:
        """Tries, and learns from it."""
        if goal not in self.skill:
            return bool(self.random.random() < CHANCE[goal.rpartition("_")[0]])
        ready = self._ready(goal)
        success = bool(self.random.random() < self.skill[goal] * ready**0.5)
        self.skill[goal] += (0.04 if success else 0.004 * ready) * (1 - self.skill[goal])
        if success:
            for parent in self.parents[goal]:
                self.skill[parent] += 0.01 * (1 - self.skill[parent])
        return success

    def fade(self, attempts: int) -> None:
        """What a while of other practice does to every skill."""
        for name in self.skill:
            self.skill[name] *= (1 - 2e-5) ** attempts

    @property
    def mastered(self) -> int:
        """Real skills above 0.8."""
        return sum(skill > 0.8 for skill in self.skill.values())


def study(
    selector: Selector, student: ToyStudent, seed: int, attempts: int = 12000, group: int = 8
) -> dict[str, float]:
    """Practises by the selector. Returns how many skills are mastered, when all were, and the share of useless work."""
    random = generator(seed, "toy", "choice")
    wasted, complete = 0, float("nan")
    for done in range(0, attempts, group):
        goal = choose(selector, student.goals, random)
        selector.update(goal, [student.attempt(goal) for _ in range(group)])
        student.fade(group)
        wasted += group * (goal not in student.skill)
        if complete != complete and student.mastered == len(student.skill):
            complete = float(done + group)
    return {"mastered": student.mastered, "all_mastered_at": complete, "useless_share": wasted / attempts}
