"""Crafting and smelting by cursor: which screen, what goes where, and the table and furnace that are carried along."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from jarvis.envs.scripted.digging import FACES, break_block, place_block, use_block
from jarvis.envs.scripted.mining import collect
from jarvis.envs.scripted.paths import AT, cell_class
from jarvis.envs.scripted.paths import REACH as IN_REACH
from jarvis.envs.scripted.planner import GROUPS, Step, recipe_for
from jarvis.envs.scripted.screens import (
    carried,
    click,
    close,
    move_to,
    open_inventory,
    put_into,
    slot_of,
    stack_in,
    stow,
)
from jarvis.envs.scripted.steering import ashore, walk_to
from jarvis.world.layout import get_block
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.memory import Cell
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["craft_steps", "pick_up_station", "smelt", "station_near"]

Skill = Generator[tuple[str, ...], None, Any]
NEAR = 14.0  # metres to a table or furnace worth walking back to
FUELS = ("coal", "charcoal", *GROUPS["#planks"], "stick", *GROUPS["#logs"])


def ids_of(name: str) -> tuple[int, ...]:
    """Item ids of an item, #group of ours or #tag of a recipe."""
    return tuple(sorted(RULES.items_of(name)))


def station_near(me: ScriptedPlayer, name: str) -> Cell | None:
    """A known table or furnace close by."""
    return me.memory.nearest(me.grid, (name,), *me.position, me.world.ticks, NEAR)


def craft_steps(me: ScriptedPlayer, steps: list[Step]) -> Skill:
    """Craft several things in one go at one screen; True if the first was made."""
    grid = max(recipe_of(GROUPS.get(step.item, (step.item,))[0])["grid"] for step in steps)
    me.do(f"craft {steps[0].item.lstrip('#')}", "open")
    if grid == 3:
        if not (yield from open_station(me, "crafting_table")):
            return False
    elif not (yield from open_inventory(me)):
        return False
    made = False
    for number, step in enumerate(steps):
        me.do(f"craft {step.item.lstrip('#')}", "arrange")
        ok = yield from craft(me, step.item, step.count)
        made = made or (ok and number == 0)
        if not ok:
            break
        yield from me.react()
    yield from close(me)
    return made


def recipe_of(item: str) -> dict[str, Any]:
    """The recipe of an item that a plan says is crafted."""
    recipe = recipe_for(item)
    assert recipe is not None, item
    return recipe


def choices(me: ScriptedPlayer, item: str) -> list[str]:
    """The items to craft for a #group, most promising first."""
    if item == "#planks":
        order = sorted(GROUPS["#logs"], key=lambda log: -me.count(log))
        return [log.replace("_log", "_planks") for log in order if me.count(log)]
    return [item]


def craft(me: ScriptedPlayer, item: str, count: int) -> Skill:
    """Make ``count`` of an item at the open screen."""
    goal = me.count(item) + count
    for name in choices(me, item):
        recipe = recipe_of(name)
        for _ in range(6):
            left = goal - me.count(item)
            if left <= 0:
                return True
            times = -(-left // recipe["count"])
            made = yield from craft_once(me, name, recipe, times)
            if not made:
                break
    return me.count(item) >= goal


def craft_once(me: ScriptedPlayer, name: str, recipe: dict, times: int) -> Skill:
    """Lay a recipe out up to ``times`` deep and take the result; whether anything came."""
    screen = me.world.screen
    width = 3 if screen.kind == "crafting_table" else 2
    if screen.kind not in ("player", "crafting_table"):
        return False
    rows = recipe["shape"] if recipe["type"] == "shaped" else [[c] for c in recipe["ingredients"]]
    if recipe["type"] != "shaped" and len(rows) > width:
        rows = [recipe["ingredients"][k : k + width] for k in range(0, len(rows), width)]
    places: dict[str, list[int]] = {}
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            if cell:
                places.setdefault(cell, []).append(1 + r * width + c)
    limit = min(
        [times, 16]
        + [sum(me.count(RULES.items[i]) for i in ids_of(cell)) // len(slots) for cell, slots in places.items()]
    )
    if limit < 1:
        return False
    result_item = RULES.item(name)
    limit = min(limit, max(1, 64 // recipe["count"]), int(RULES.stack_size[result_item]) if recipe["grid"] == 3 else 64)
    for cell, slots in places.items():
        if not (yield from put_into(me, ids_of(cell), slots, limit)):
            yield from clear_grid(me, width)
            return False
    if stack_in(me, 0)[0] != result_item:
        yield from clear_grid(me, width)
        return False
    me.fine("take")
    before = me.count(name)
    if limit > 1 or me.random.random() < 0.6:
        yield from click(me, 0, shift=True)
    else:
        yield from click(me, 0)
        yield from stow(me)
    yield from clear_grid(me, width)
    return me.count(name) > before


def clear_grid(me: ScriptedPlayer, width: int) -> Skill:
    """Take what is left in the grid back."""
    if not me.world.screen.is_open:
        return False
    if carried(me)[0]:
        yield from stow(me)
    for slot in range(1, 1 + width * width):
        if me.world.screen.is_open and stack_in(me, slot)[0]:
            yield from click(me, slot, shift=True)
    return True


# tables and furnaces


def open_station(me: ScriptedPlayer, name: str) -> Skill:
    """Go to a known table or furnace, or put down the one that is carried, and open it."""
    if me.world.screen.is_open:
        if me.world.screen.kind == name:
            return True
        yield from close(me)
    if me.p["in_water"]:
        yield from ashore(me)
    for attempt in range(3):
        cell = station_near(me, name)
        if cell is None:
            if not me.count(name):
                return False
            me.fine("place")
            cell = yield from put_down(me, name)
            if cell is None:
                if not (yield from make_room(me, attempt)):
                    return False
                continue
        me.fine("walk")
        if not (yield from approach(me, cell)):
            me.memory.refuse(cell, me.world.ticks)
            continue
        me.fine("open")
        if (yield from use_block(me, cell)):
            return True
        me.memory.refuse(cell, me.world.ticks)
    return False


def approach(me: ScriptedPlayer, cell: Cell) -> Skill:
    """Go to where a block can be pointed at."""
    if not (yield from walk_to(me, cell, IN_REACH, most=3000)):
        return False
    if not me.can_point_at(cell):
        yield from walk_to(me, cell, AT, 1, 1, most=3000, tries=1)
    return True


def spots(me: ScriptedPlayer) -> list[Cell]:
    """Free cells with a floor around the player where something can be put, nearest to the view first."""
    x, y, z = me.cell()
    found = []
    for dx in range(-2, 3):
        for dz in range(-2, 3):
            for dy in (0, 1, -1):
                cell = (x + dx, y + dy, z + dz)
                if (dx == 0 and dz == 0) or cell_class(me.grid, *cell) != 0:
                    continue
                if cell_class(me.grid, cell[0], cell[1] - 1, cell[2]) != 1:
                    continue
                ahead = me.ahead(cell)
                found.append((abs(dy) * 2.0 + abs(abs(dx) + abs(dz) - 2) - 1.5 * ahead, cell))
    return [cell for _, cell in sorted(found)]


def put_down(me: ScriptedPlayer, name: str) -> Skill:
    """Place a carried table or furnace; its cell, or None."""
    item = RULES.item(name)
    for cell in spots(me)[:8]:
        if (yield from place_block(me, item, cell)):
            me.memory.note([[*cell, RULES.block(name)]], me.world.ticks)
            me.own.add(cell)
            return cell
    return None


def make_room(me: ScriptedPlayer, attempt: int) -> Skill:
    """Dig out a niche beside the player when there is no room to put anything."""
    x, y, z = me.cell()
    for turn in range(4):
        dx, _, dz = (FACES[0], FACES[1], FACES[4], FACES[5])[(turn + attempt) % 4]
        cell = (x + dx, y, z + dz)
        if cell_class(me.grid, x + dx, y - 1, z + dz) == 1 and not me.opens_danger(cell):
            if (yield from break_block(me, (x + dx, y + 1, z + dz))) and (yield from break_block(me, cell)):
                return True
    return False


def pick_up_station(me: ScriptedPlayer, name: str) -> Skill:
    """Take a table or furnace of one's own along again."""
    cell = station_near(me, name)
    if cell is None:
        return False
    me.do(f"pick up {name}", "walk")
    if not (yield from walk_to(me, cell, IN_REACH, most=2000)):
        return False
    me.fine("dig")
    if get_block(me.grid, *cell) != RULES.block(name):
        me.memory.forget(cell)
        return False
    me.digging_price[RULES.block(name)] = 60.0
    broken = yield from break_block(me, cell)
    me.digging_price[RULES.block(name)] = 1e9
    if not broken:
        return False
    me.own.discard(cell)
    me.memory.forget(cell)
    yield from collect(me, near=cell)
    return bool(me.count(name))


# smelting


def smelt(me: ScriptedPlayer, item: str, source: str, count: int) -> Skill:
    """Smelt ``count`` of something: load the furnace, wait, take it out."""
    goal = me.count(item) + count
    me.do(f"smelt {item}", "open")
    if not (yield from open_station(me, "furnace")):
        return False
    me.do(f"smelt {item}", "load")
    result = RULES.item(item)
    if stack_in(me, 2)[0]:
        yield from click(me, 2, shift=True)
    inside = stack_in(me, 0)
    if inside[0] and inside[0] not in ids_of(source):
        yield from click(me, 0, shift=True)
        inside = stack_in(me, 0)
    missing = goal - me.count(item) - (inside[1] if inside[0] else 0)
    if missing > 0 and not (yield from put_into(me, ids_of(source), (0,), inside[1] + missing)):
        if not stack_in(me, 0)[0]:
            yield from close(me)
            return False
    furnace = me.world.screen.furnace
    if furnace is None:
        return False
    if not (yield from add_fuel(me, stack_in(me, 0)[1] * 200 - int(furnace["burn_left"][0]))):
        yield from close(me)
        return False
    me.fine("wait")
    waited = 0
    while me.world.screen.is_open and waited < 220 * count + 100:
        out, inside = stack_in(me, 2), stack_in(me, 0)
        if out[0] == result and (me.count(item) + out[1] >= goal or not inside[0]):
            break
        if not inside[0] and not out[0]:
            break
        if waited % 40 == 39 and not stack_in(me, 1)[0] and not furnace["burn_left"][0] and inside[0]:
            if not (yield from add_fuel(me, inside[1] * 200)):
                break
        if me.habits.tremor and me.random.random() < 0.01:
            yield from move_to(me, int(me.random.integers(3, 38)))
        waited += 1
        yield ()
    me.fine("take")
    if me.world.screen.is_open and stack_in(me, 2)[0]:
        yield from click(me, 2, shift=True)
    yield from close(me)
    return me.count(item) >= goal


def add_fuel(me: ScriptedPlayer, ticks: int) -> Skill:
    """Put enough of the cheapest fuel into the furnace."""
    item, count, _ = stack_in(me, 1)
    if item:
        ticks -= int(RULES.fuel_ticks[item]) * count
    if ticks <= 0:
        return True
    order = [RULES.items[item]] if item else [name for name in FUELS if me.count(name)]
    for name in order:
        fuel = RULES.item(name)
        want = -(-ticks // int(RULES.fuel_ticks[fuel]))
        have = me.count(name)
        if have < want and name != order[-1]:
            continue
        want = min(want, have)
        if want and slot_of(me, (fuel,)) is not None:
            yield from put_into(me, (fuel,), (1,), (count if item else 0) + want)
            if not me.world.screen.is_open:
                return False
            # a cold furnace swallows the first piece at once
            furnace = me.world.screen.furnace
            return bool(stack_in(me, 1)[0]) or (furnace is not None and bool(furnace["burn_left"][0]))
    return False
