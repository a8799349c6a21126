"""The mouse on an open screen: moving to a slot, clicking, dragging, and what is built from that.

All of it goes through cursor and buttons, with Minecraft's slots (jarvis.world.menus). A hand reaches a slot in a few
smooth ticks, lands a little beside its middle, and sometimes clicks the wrong slot first and puts that right.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from jarvis.envs.scripted.looking import COUNT, smooth
from jarvis.world.menus import LAYOUTS
from jarvis.world.rules import RULES
from jarvis.world.screens import PIXELS_PER_DEGREE

if TYPE_CHECKING:
    from jarvis.envs.scripted.body import Body

__all__ = ["carried", "click", "close", "drag", "move_to", "open_inventory", "put_into", "slot_of", "stack_in", "stow"]

Skill = Generator[tuple[str, ...], None, Any]
OUTSIDE = (560.0, 180.0)  # a point beside every panel


def stack_in(me: Body, slot: int) -> tuple[int, int, int]:
    """(item, count, damage) of a slot of the open screen."""
    return me.world.screen.stacks().item(slot)


def carried(me: Body) -> tuple[int, int, int]:
    """(item, count, damage) on the cursor."""
    return me.world.screen.carried


def point_at(me: Body, x: float, y: float, keys: tuple[str, ...] = ()) -> Skill:
    """Bring the cursor to a pixel of the 640 x 360 picture, along a minimum-jerk path."""
    screen = me.world.screen
    far = math.hypot(x - screen.cursor_x, y - screen.cursor_y)
    ticks = max(1 if far < 8 else 2, round(1.5 + far / 38.0))
    if me.habits.aim_error:
        ticks = max(ticks, round(ticks * math.exp(0.2 * me.random.normal())))
    for tick in range(ticks):
        if not screen.is_open:
            return False
        done, now = smooth(tick / ticks), smooth((tick + 1) / ticks)
        share = (now - done) / max(1e-6, 1.0 - done)
        dx, dy = (x - screen.cursor_x) * share, (y - screen.cursor_y) * share
        most = me.habits.max_turn * PIXELS_PER_DEGREE
        dx, dy = min(most, max(-most, dx)), min(most, max(-most, dy))
        me.mouse = (round(dy / PIXELS_PER_DEGREE / COUNT) * COUNT, round(dx / PIXELS_PER_DEGREE / COUNT) * COUNT)
        yield keys
    return True


def move_to(me: Body, slot: int, keys: tuple[str, ...] = ()) -> Skill:
    """Bring the cursor over a slot."""
    screen = me.world.screen
    for attempt in range(4):
        if not screen.is_open:
            return False
        if screen.hovered == slot:
            return True
        x, y = LAYOUTS[screen.kind].centre(slot)
        me.aim_for_slot(slot, x, y)
        spread = me.habits.cursor_error if attempt == 0 else me.habits.cursor_error * 0.3
        ex, ey = (me.random.normal(size=2) * spread).tolist() if spread else (0.0, 0.0)
        yield from point_at(me, x + ex, y + ey, keys)
    return screen.is_open and screen.hovered == slot


def press(me: Body, button: str, keys: tuple[str, ...] = ()) -> Skill:
    """Push a mouse button down and let go."""
    for _ in range(1 + int(me.habits.aim_error > 0 and me.random.random() < 0.5)):
        yield (button, *keys)
    yield keys
    return True


def click(me: Body, slot: int, right: bool = False, shift: bool = False) -> Skill:
    """Click a slot."""
    screen = me.world.screen
    keys = ("sneak",) if shift else ()
    if not right and not shift and me.last_click == slot:
        # not a double click
        for _ in range(max(0, 6 - (me.world.ticks - me.last_click_tick))):
            yield ()
    if not (yield from move_to(me, slot)):
        return False
    if shift:
        yield keys
    yield from press(me, "use" if right else "attack", keys)
    if shift:
        yield ()
    me.last_click, me.last_click_tick = slot, me.world.ticks
    yield from me.react(0.5)
    return screen.is_open


def drag(me: Body, slots: Sequence[int]) -> Skill:
    """Hold the right button over several slots: one of what is carried goes to each."""
    if not (yield from move_to(me, slots[0])):
        return False
    yield ("use",)
    for slot in slots[1:]:
        if not (yield from move_to(me, slot, ("use",))):
            return False
    yield ()
    return True


def slot_of(me: Body, items: Sequence[int], least: int = 1) -> int | None:
    """The slot of the open screen's inventory part that holds one of these items, the fullest first."""
    screen = me.world.screen
    stacks = screen.stacks()
    first = LAYOUTS[screen.kind].main
    best = None
    for slot in range(first, first + 36):
        item, count, _ = stacks.item(slot)
        if item in items and count >= least and (best is None or count > best[0]):
            best = (count, slot)
    return None if best is None else best[1]


def empty_slot(me: Body, item: int = 0) -> int | None:
    """Where a carried stack can be put down: a stack like it with room, else an empty slot, hotbar first."""
    screen = me.world.screen
    stacks = screen.stacks()
    layout = LAYOUTS[screen.kind]
    order = [*range(layout.hotbar, layout.hotbar + 9), *range(layout.main, layout.main + 27)]
    for slot in order:
        there, count, _ = stacks.item(slot)
        if item and there == item and count + carried(me)[1] <= RULES.stack_size[item]:
            return slot
    return next((slot for slot in order if not stacks.item(slot)[0]), None)


def stow(me: Body, home: int | None = None) -> Skill:
    """Put down what is on the cursor."""
    for _ in range(4):
        item = carried(me)[0]
        if not item:
            return True
        slot = home if home is not None and stack_in(me, home)[0] in (0, item) else empty_slot(me, item)
        if slot is None:
            yield from point_at(me, *OUTSIDE)
            yield from press(me, "attack")
            continue
        yield from click(me, slot)
        home = None
    return not carried(me)[0]


def put_into(me: Body, items: Sequence[int], slots: Sequence[int], each: int) -> Skill:
    """Lay ``each`` of one of the items into every one of the slots."""
    need = each * len(slots)
    source = slot_of(me, items, need)
    if source is None:
        source = slot_of(me, items)
    if source is None:
        return False
    if (yield from wrong_first(me, source)) is False:
        return False
    if not (yield from click(me, source)):
        return False
    have = carried(me)
    if have[0] not in items:
        yield from stow(me)
        return False
    if len(slots) == 1 and have[1] == each:
        yield from click(me, slots[0])
    elif len(slots) > 1 and have[1] >= len(slots):
        for run in runs(me, slots):
            for _ in range(each if len(run) > 1 else 0):
                if carried(me)[1] < len(run) or not (yield from drag(me, run)):
                    break
        yield from finish(me, items, slots, each)
    else:
        yield from finish(me, items, slots, each)
    if carried(me)[0]:
        yield from stow(me, source)
    return all(stack_in(me, slot)[0] in items and stack_in(me, slot)[1] >= each for slot in slots)


def runs(me: Body, slots: Sequence[int]) -> list[list[int]]:
    """The slots in chains of direct neighbours, so that a drag along a chain touches no other slot."""
    layout = LAYOUTS[me.world.screen.kind]
    left, chains = list(slots), []
    while left:
        chain = [left.pop(0)]
        while True:
            x, y = layout.centre(chain[-1])
            beside = [s for s in left if abs(layout.centre(s)[0] - x) + abs(layout.centre(s)[1] - y) == 18]
            if not beside:
                break
            chain.append(beside[0])
            left.remove(beside[0])
        chains.append(chain)
    return chains


def finish(me: Body, items: Sequence[int], slots: Sequence[int], each: int) -> Skill:
    """Right-click the slots that have not got enough yet."""
    for slot in slots:
        for _ in range(each):
            if stack_in(me, slot)[1] >= each and stack_in(me, slot)[0] in items:
                break
            if not carried(me)[0] and not (yield from more(me, items)):
                return False
            yield from click(me, slot, right=True)
    return True


def more(me: Body, items: Sequence[int]) -> Skill:
    """Pick up another stack of the items."""
    source = slot_of(me, items)
    return source is not None and (yield from click(me, source))


def wrong_first(me: Body, slot: int) -> Skill:
    """Now and then, pick up the neighbour by mistake and put it back."""
    if me.random.random() >= me.habits.wrong_click:
        return True
    first = LAYOUTS[me.world.screen.kind].main
    other = slot + (1 if (slot - first) % 9 < 8 else -1)
    me.mistake("wrong_click")
    if not (yield from click(me, other)):
        return False
    for _ in range(int(me.random.integers(3, 9))):
        yield ()
    if carried(me)[0]:
        yield from stow(me, other)
    return True


def open_inventory(me: Body) -> Skill:
    """Press E."""
    if me.world.screen.is_open:
        if me.world.screen.kind == "player":
            return True
        yield from close(me)
    for _ in range(3):
        yield ("inventory",)
        yield ()
        if me.world.screen.is_open:
            yield from me.react()
            return True
    return False


def close(me: Body) -> Skill:
    """Put down what is carried and close the screen."""
    if me.world.screen.is_open and carried(me)[0]:
        yield from stow(me)
    for _ in range(4):
        if not me.world.screen.is_open:
            return True
        yield ("inventory",)
        yield ()
    return not me.world.screen.is_open
