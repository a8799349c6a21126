"""Who proposes what to learn, and what all of them share.

    view = View(place, book.report(), book.goals, cycle=3, seed=0)
    proposals = proposer.propose(view)
    for goal in proposals.goals: book.admit(goal)
    for lesson in proposals.lessons: book.admit_lesson(lesson)
    book.propose(proposals.record)

    techtree    the frontier of the tech tree, with start kits that leave the last step, then the last two; no model
    uniform     control: the whole tree at once, chosen from alike
    random      control: start states drawn from the same schema as EnvGen's, with nobody designing them
    envgen      a language model designs start states from the success report, anew each cycle
    fixed       control: EnvGen's first answer for all cycles
    lma3        a language model chains mastered goals to new ones, and says what was achieved in what was played
    webrl       a language model varies what failed; kept is what should succeed sometimes

A proposer sees rates and texts, never the book. What it proposes must be admitted; success is none of its business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from jarvis.app.curriculum.backends import Backend
from jarvis.app.curriculum.book import Row
from jarvis.app.curriculum.lessons import Lesson, plain_text
from jarvis.app.curriculum.llm import LLM, Refused
from jarvis.app.curriculum.prompts import ask_again
from jarvis.app.curriculum.replies import read_items
from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.goals import Goal

__all__ = ["PROPOSERS", "Answer", "Proposals", "Proposer", "View", "ask_items", "make_proposer"]

PROPOSERS = {
    "techtree": "jarvis.app.curriculum.techtree:TechTree",
    "uniform": "jarvis.app.curriculum.techtree:WholeTree",
    "random": "jarvis.app.curriculum.techtree:RandomStarts",
    "envgen": "jarvis.app.curriculum.envgen:EnvGen",
    "fixed": "jarvis.app.curriculum.envgen:FixedEnvGen",
    "lma3": "jarvis.app.curriculum.lma3:GoalGenerator",
    "webrl": "jarvis.app.curriculum.lma3:FailureBreeder",
}


@dataclass(frozen=True)
class View:
    """What a proposer is told."""

    place: Backend
    report: Sequence[Row]
    goals: Mapping[str, Goal]  # by id
    cycle: int
    seed: int
    happened: Sequence[Mapping[str, Any]] = ()  # what came about in recent episodes: {event: {item: count}}

    @property
    def names(self) -> dict[str, str]:
        """{id or text: id} of the goals, for answers that name them."""
        return {row.text: row.id for row in self.report} | {row.id: row.id for row in self.report}


@dataclass
class Proposals:
    """What a proposer has to say. `record` is kept in the book."""

    goals: list[Goal] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)


class Proposer(Protocol):
    """See the top of the module."""

    def propose(self, view: View) -> Proposals:
        """New goals and lessons; the same for the same view and transcript."""
        ...


@dataclass
class Answer:
    """What came of asking a model for items: what passed its check, and the record of how."""

    items: list[Any]
    keys: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    refused: str = ""

    def record(self) -> dict[str, Any]:
        """For the book: requests, errors, repairs, refusal."""
        return {
            "requests": list(self.keys), "errors": [plain_text(error, 200) for error in self.errors[:20]],
            "repairs": dict(sorted(self.repairs.items())), "refused": plain_text(self.refused, 200),
        }  # fmt: skip


def ask_items(
    llm: LLM, messages: Sequence[Mapping[str, str]], check: Callable[[Any], Any], *, purpose: str,
    schema: Mapping[str, Any], draw: int, wanted: int,
) -> Answer:  # fmt: skip
    """Asks once, and once more with the errors if fewer than `wanted` items pass. Never raises for a bad answer."""
    answer = Answer([])
    errors: list[str] = []
    for turn in range(2):
        told = llm.complete(messages, purpose=purpose, schema=schema, draw=draw)
        if isinstance(told, Refused):
            answer.refused = f"{told.kind}: {told.reason}"
            break
        reading = read_items(told.text, check)
        answer.keys.append(told.key)
        answer.items.extend(reading.items)
        answer.repairs.update(reading.repairs)
        errors = reading.errors
        answer.errors.extend(errors)
        if told.structured:
            answer.repairs["held to the schema"] += 1
        if len(answer.items) >= wanted or not errors or turn == 1:
            break
        answer.repairs["asked again"] += 1
        messages = ask_again(messages, told.text, errors)
    del answer.items[wanted:]
    return answer


def make_proposer(name: str, llm: LLM | None = None, **options: Any) -> Proposer:
    """The proposer of that name. UnknownNameError with the nearest names."""
    if name not in PROPOSERS:
        raise UnknownNameError("curriculum", name, nearest_names(name, PROPOSERS))
    module, _, attribute = PROPOSERS[name].partition(":")
    proposer: Proposer = getattr(import_module(module), attribute)(llm or LLM(), **options)
    return proposer
