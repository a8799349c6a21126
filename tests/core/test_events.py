from __future__ import annotations

import pytest

from jarvis.core.errors import EpisodeError, UnknownNameError
from jarvis.core.events import EVENT_NAMES, Event, EventCounters, read_events, write_events

EVENTS = [Event(3, "mine_block", "oak_log"), Event(5, "pickup", "oak_log"), Event(5, "craft_item", "oak_planks", 4),
          Event(9, "mine_block", "oak_log", 2)]  # fmt: skip


def test_events_survive_a_file(tmp_path):
    path = tmp_path / "events.jsonl"
    write_events(path, EVENTS)
    assert read_events(path) == EVENTS
    assert path.read_text().splitlines()[0] == '{"tick": 3, "name": "mine_block", "item": "oak_log", "count": 1}'
    path.write_bytes(path.read_bytes()[:-10])
    assert read_events(path) == EVENTS[:3]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"tick": 1, "name": "mined", "item": "stone"}', "line 2: unknown event 'mined'; did you mean mine_block"),
        ('{"tick": 1, "name": "drop"}', "line 2: expected an event"),
        ('{"tick": 1, "name": "drop", "item": "stone", "amount": 2}', "line 2: expected an event"),
        ('{"tick": -1, "name": "drop", "item": "stone"}', "line 2: drop stone: tick is -1"),
        ('{"tick": true, "name": "drop", "item": "stone"}', "tick is True"),
        ('{"tick": 1.5, "name": "drop", "item": "stone"}', "tick is 1.5"),
        ('{"tick": 1, "name": "drop", "item": "stone", "count": 0}', "count is 0"),
        ('{"tick": 1, "name": "drop", "item": ""}', "item is ''"),
        ('{"tick": 0, "name": "drop", "item": "stone"}', "line 2: tick 0 comes after tick 1"),
        ("[]", "line 2: expected an event"),
        ("{", "line 2: "),
    ],
)
def test_bad_events_are_refused_with_their_line(tmp_path, line, words):
    path = tmp_path / "events.jsonl"
    path.write_text('{"tick": 1, "name": "pickup", "item": "stone"}\n' + line + "\n")
    with pytest.raises(ValueError, match=words):
        read_events(path)


def test_events_are_written_in_order(tmp_path):
    with pytest.raises(EpisodeError, match="comes after"):
        write_events(tmp_path / "events.jsonl", EVENTS[::-1])


def test_counters_hold_only_what_happened():
    counters = EventCounters()
    assert counters.to_dict() == {} and counters["drop", "stone"] == 0
    counters.add(*EVENTS)
    assert counters.to_dict() == {
        "mine_block": {"oak_log": 3}, "craft_item": {"oak_planks": 4}, "pickup": {"oak_log": 1},
    }  # fmt: skip
    assert list(counters.to_dict()) == [name for name in EVENT_NAMES if name in ("mine_block", "craft_item", "pickup")]
    assert EventCounters({**counters.to_dict(), "drop": {"stone": 0}}) == counters


def test_events_follow_from_two_totals():
    before, after = EventCounters(), EventCounters()
    before.add(*EVENTS[:2])
    after.add(*EVENTS)
    assert after.events_since(before, 9) == [
        Event(9, "mine_block", "oak_log", 2),
        Event(9, "craft_item", "oak_planks", 4),
    ]
    before.add(*after.events_since(before, 9))
    assert before == after and after.events_since(before, 10) == []
    with pytest.raises(EpisodeError, match="tick 4: mine_block oak_log fell from 3 to 0"):
        EventCounters().events_since(after, 4)
    with pytest.raises(UnknownNameError, match="'mined'"):
        EventCounters({"mined": {"stone": 1}})
    with pytest.raises(EpisodeError, match="never negative"):
        EventCounters({"drop": {"stone": -1}})
