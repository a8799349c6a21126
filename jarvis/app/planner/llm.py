"""A language model that says what comes next, among what the rules allow.

    planner = LLMPlanner(task.goal, LLM(parse_llm("http://127.0.0.1:8000/v1")))
    planner.next({"oak_log": 3})

Its answer is one step as JSON, held to a schema; a step that is unknown, or that cannot be begun with what is carried,
is not taken, and the rules say what comes next, as they do when the model is silent or its budget is spent. The same
question is asked once: the model's transcript remembers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from jarvis.app.curriculum.llm import LLM, Completion
from jarvis.app.planner.rules import Instruction, RulePlanner
from jarvis.core.errors import FormatError
from jarvis.core.files import parse_json
from jarvis.core.goals import Goal
from jarvis.envs.scripted.planner import Step

__all__ = ["LLMPlanner"]

KINDS = ("mine", "craft", "smelt", "kill")
MOST = 64
_SYSTEM = (
    "You plan for a Minecraft player. Answer with one JSON object and nothing else: the next step, as kind (mine, "
    "craft, smelt or kill), item (its registry name, or #logs, #planks) and count (how many more to have)."
)


class LLMPlanner(RulePlanner):
    """The rules' planner, with a language model's say in what comes first."""

    def __init__(self, goal: Goal, llm: LLM) -> None:
        super().__init__(goal)
        self.llm = llm
        self.counts: Counter[str] = Counter()  # taken, refused, invalid

    def next(self, inventory: Mapping[str, int], stations: Iterable[str] = ()) -> Instruction | None:
        """As of the rules, where the model's own step is not one that can be begun."""
        stations = list(stations)
        known = self.steps(inventory, stations)
        if not known:
            return super().next(inventory, stations)
        items = sorted({step.item for step in known})
        schema = {
            "type": "object",
            "properties": {
                "kind": {"enum": list(KINDS)},
                "item": {"enum": items},
                "count": {"type": "integer", "minimum": 1, "maximum": MOST},
            },
            "required": ["kind", "item", "count"],
            "additionalProperties": False,
        }
        asked = {"goal": self.goal.text, "carried": dict(sorted(inventory.items())), "placed": sorted(stations),
                 "items": items}  # fmt: skip
        messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": json.dumps(asked)}]
        answer = self.llm.complete(messages, purpose="plan", schema=schema)
        if not isinstance(answer, Completion):
            self.counts["refused"] += 1
            return super().next(inventory, stations)
        instruction = self._read(answer.text, known, inventory)
        if instruction is None or self.missing(instruction, inventory, stations):
            self.counts["invalid"] += 1
            return super().next(inventory, stations)
        self.counts["taken"] += 1
        return instruction

    def _read(self, text: str, known: list[Step], inventory: Mapping[str, int]) -> Instruction | None:
        """The step of an answer, if it is one of the kinds and items that lead to the goal."""
        try:
            value: Any = parse_json(text, "plan")
        except FormatError:
            return None
        if not isinstance(value, dict) or type(value.get("count")) is not int or not 1 <= value["count"] <= MOST:
            return None
        step = next((s for s in known if s.kind == value.get("kind") and s.item == value.get("item")), None)
        if step is None:
            return None
        return self.instruction(Step(step.kind, step.item, value["count"], step.source), inventory)
