"""jarvis tasks --json"""

from __future__ import annotations

from typing import Any

from jarvis.app.commands.options import OK, Assignments, Config, Json, Seed, print_json, print_table


def tasks(
    as_json: Json = False,
    seed: Seed = None,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """List what can be played: goals, time limits, starts."""
    from evaluation.tasks import get, names

    every = [get(name) for name in names()]
    if as_json:
        for one in every:
            start = one.start.to_json()
            milestones = list(one.milestones)
            facts = {"name": one.name, "goal": one.goal.text, "max_ticks": one.max_ticks, "start": start}
            print_json(facts | {"milestones": milestones})
        return OK
    rows = [(one.name, one.goal.text, str(one.max_ticks), _start_in_words(one.start)) for one in every]
    print_table(("task", "goal", "ticks", "start"), rows)
    return OK


def _start_in_words(start: Any) -> str:
    parts = []
    for name, value in start.to_json().items():
        if name == "slots":
            value = ", ".join(f"{count} {item}" for item, count in value.values())
        elif isinstance(value, dict):
            value = ", ".join(f"{part} {key}" if name != "rarity" else f"{key} {part}" for key, part in value.items())
        parts.append(str(value) if name in ("inventory", "slots") else f"{name} {value}")
    return "; ".join(parts) or "new world"
