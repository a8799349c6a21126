"""A lesson: which goals to practise, from which start. EnvGen's "environment" is one, and so is a start kit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jarvis.core.errors import FormatError
from jarvis.core.goals import Moment
from jarvis.core.start_states import StartState

__all__ = ["Episode", "Lesson", "plain_text"]

TEXT_LENGTH = 160


def plain_text(text: str, length: int = TEXT_LENGTH) -> str:
    """One line of printable characters: what may be shown, stored and told to a policy of a sentence from outside."""
    kept = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(kept.split())[:length].strip()


@dataclass(frozen=True)
class Lesson:
    """A start, and the goals that are practised from it; the first is what the policy is told."""

    goals: tuple[str, ...]  # ids in the book; none means whatever the game rewards
    start: StartState = field(default_factory=StartState)
    source: str = "techtree"  # who proposed it
    purpose: str = ""  # in the proposer's words
    id: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "goals", tuple(self.goals))
        object.__setattr__(self, "purpose", plain_text(self.purpose))
        meaning = json.dumps([self.goals, self.start.to_json()], sort_keys=True)
        object.__setattr__(self, "id", hashlib.blake2b(meaning.encode()).hexdigest()[:16])

    def to_json(self) -> dict[str, Any]:
        """Every field, and `id` for whoever reads the file."""
        return {
            "id": self.id, "goals": list(self.goals), "start": self.start.to_json(), "source": self.source,
            "purpose": self.purpose,
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Any) -> Lesson:
        """The inverse of `to_json`. FormatError if a given id is not the lesson's."""
        if not isinstance(value, Mapping) or not {"goals", "start"} <= set(value):
            raise FormatError(f"expected a lesson with goals and a start, got {value!r:.100}")
        lesson = cls(
            tuple(value["goals"]), StartState.from_json(value["start"]), value.get("source", "techtree"),
            value.get("purpose", ""),
        )  # fmt: skip
        if value.get("id", lesson.id) != lesson.id:
            raise FormatError(f"lesson {value['id']!r} is {lesson.id!r} by its goals and start")
        return lesson


@dataclass(frozen=True)
class Episode:
    """What came of a lesson: evidence for each of its goals, no verdicts."""

    lesson: Lesson | None  # None: the original world
    goals: tuple[str, ...]  # that were tried; what the evidence was kept for
    seed: int
    policy: str  # which policy played: a hash or a name
    ticks: int
    evidence: Sequence[Any]  # jarvis.app.curriculum.evidence
    moments: tuple[Moment, ...] = ()  # more of it, for relabelling; never stored as such
    reward: float = 0.0  # the game's own, summed
