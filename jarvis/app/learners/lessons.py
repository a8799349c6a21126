"""A world in which a pupil may play and a teacher shows what should have been done, tick by tick, for ever.

    lesson = Lesson(tasks, seed=0, number=3, width=252, height=140)
    look = lesson.look()              # the picture, what the guide says, what the teacher would do now
    lesson.step(None)                 # the teacher's action; or lesson.step(action), the pupil's

The lesson is always the teacher's action (DAgger, Ross et al. 2011, arXiv 1011.0686): wherever the pupil goes, it is
shown the way on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evaluation.seeds import SPLITS
from jarvis.app.learners.teacher import Teacher
from jarvis.app.planner.guide import Guide
from jarvis.core.actions import Action
from jarvis.core.errors import StartStateError
from jarvis.core.random_streams import generator, stream_seed
from jarvis.envs.voxel import VoxelEnv
from jarvis.world.menus import LAYOUTS
from vla.action_codecs import get

if TYPE_CHECKING:
    from jarvis.core.tasks import Task

__all__ = ["CODEC", "Lesson", "Look"]

CODEC = "jarvisvla-fixed"
TRAIN, EXAM = SPLITS["train"], SPLITS["validation"]
TRIES = 20  # worlds for one task
LONGEST = 6000  # ticks of one episode
RESTART = 12  # ticks of a pupil's play after which the teacher looks at everything anew
RARE = 0.15  # of ticks that say to wait, and of those in which the teacher does nothing, so many are kept
SAME = 0.4  # of those whose lesson is that of the tick before


class Look(NamedTuple):
    """What there is to see, and the lesson of this tick."""

    frame: np.ndarray  # (height, width, 3) uint8
    text: str  # what the guide says
    shown: Action  # what the teacher would do
    point: tuple[int, int] | None  # where in the picture it is after something, on a grid of 0 to 990
    keep: bool  # whether it is worth remembering
    kind: str  # of what the guide says, in a word


class Lesson:
    """One world after another, in each of which a task is played."""

    def __init__(
        self, tasks: Sequence[Task], seed: int, number: int, *, width: int, height: int, longest: int = LONGEST
    ) -> None:
        """number: of this lesson among those that go on at once, each with its own worlds. longest: ticks in one."""
        self.longest = longest
        self.tasks, self.seed, self.number = list(tasks), seed, number
        self.env = VoxelEnv(width=width, height=height)
        self.teacher = Teacher(stream_seed(seed, "teacher", number) % 2**31)
        self._codec = get(CODEC)
        self._exam = False
        self._episode, self._pupils = -1, 0
        self._results: dict[str, list[int]] = {}
        self._look: Look | None = None
        self._begin()

    @property
    def task(self) -> Task:
        """What is played now."""
        return self._task

    @property
    def exam(self) -> bool:
        """Whether the pupil is alone, in worlds of their own, with nothing kept."""
        return self._exam

    @exam.setter
    def exam(self, value: bool) -> None:
        if value != self._exam:
            self._exam = value
            self._results = {}
            self._begin()

    def look(self) -> Look:
        """The present tick; the same until the next step."""
        if self._look is None:
            world = self.env.world
            directive = self.guide.look(world, self._last)
            # NOTE: in an exam the teacher would only cost time
            shown = Action.noop() if self._exam else self.teacher.show(world, directive)
            spelled = self._codec.encode(shown)
            shown = Action.from_env(self._codec.decode(spelled)[0])
            idle = directive.kind == "wait" or not (shown.pressed or shown.camera.any())
            often = RARE if idle else SAME if (directive.text, spelled) == self._before else 1.0
            keep = not self._exam and bool(self._random.random() < often)
            self._before = (directive.text, spelled)
            point = None if self._exam else self._point(directive)
            self._look = Look(self._frame, directive.text, shown, point, keep, directive.kind)
        return self._look

    def step(self, action: Action | None) -> None:
        """Play a tick: the pupil's action, or None: the teacher's."""
        look = self.look()
        if action is not None:
            self._pupils += 1
            if self._pupils % RESTART == 0 and not self.env.world.screen.is_open:
                self.teacher.restart()
        else:
            if self._pupils:
                self.teacher.restart()
            self._pupils = 0
        self._last = look.shown if action is None else action
        observation, _, terminated, truncated, info = self.env.step(self._last)
        self._frame, self._look = observation.pov, None
        self._ticks += 1
        if terminated or truncated or (self._ticks >= self.longest and not self._exam):
            episodes = self._results.setdefault(self._task.name, [0, 0, 0])
            episodes[0] += 1
            episodes[1] += bool(info["success"])
            episodes[2] += self._ticks
            self._begin()

    def results(self) -> dict[str, list[int]]:
        """{task: [episodes, successes, ticks]} of what was finished since the last call."""
        results, self._results = self._results, {}
        return results

    def _begin(self) -> None:
        self._episode += 1
        name = "exam" if self._exam else "lesson"
        random = generator(self.seed, name, self.number, self._episode)
        self._random = random
        # NOTE: each lesson goes through all tasks, in an order of its own
        turn, place = divmod(self._episode, len(self.tasks))
        order = generator(self.seed, "order", self.number, turn).permutation(len(self.tasks))
        self._task = self.tasks[int(order[place])]
        seeds = EXAM if self._exam else TRAIN
        for attempt in range(TRIES):
            try:
                observation, _ = self.env.reset(self._task, int(random.integers(*seeds)))
                break
            except StartStateError:  # this world has no room for what the task wants at its beginning
                if attempt == TRIES - 1:
                    raise
        self._frame: np.ndarray = observation.pov
        self.guide = Guide(self._task.goal)
        self.teacher.bind(self.env.world)
        self._last: Action | None = None
        self._ticks, self._look = 0, None
        self._before: tuple[str, Sequence[int]] = ("", ())

    def _point(self, directive: object) -> tuple[int, int] | None:
        """Where the teacher's target is in the picture."""
        teacher, screen = self.teacher, self.env.world.screen
        kind = getattr(directive, "kind", "")
        if screen.is_open:
            if kind not in ("click", "swap"):
                return None
            x, y = LAYOUTS[screen.kind].centre(directive.slot)  # type: ignore[attr-defined]
        elif kind in ("gather", "kill", "use", "do") and teacher.truth.point is not None:
            x, y = teacher.truth.point
        else:
            return None
        return round(990 * x / 640), round(990 * y / 360)
