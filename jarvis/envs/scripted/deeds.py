"""What is done with things rather than made of them: put down, eaten, poured, thrown, sown, opened, slept in, milked.

Each skill goes for one more of a want (goals.py) and returns whether it came about; ``perform`` finds the skill.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.envs.scripted.crafting import approach, make_room, put_down, spots
from jarvis.envs.scripted.digging import break_block, look_at_block, place_block, use_block
from jarvis.envs.scripted.fighting import hunt, prey, wander
from jarvis.envs.scripted.goals import FILLED, HOES, OPENED, Want
from jarvis.envs.scripted.mining import take_block
from jarvis.envs.scripted.paths import AT
from jarvis.envs.scripted.screens import close
from jarvis.envs.scripted.seeking import glance, seek
from jarvis.envs.scripted.steering import ashore, walk_to
from jarvis.world.hands import BOW_FULL, EAT_TICKS, facing_of
from jarvis.world.layout import FACING_DX, FACING_DZ, MASK, get_block
from jarvis.world.picking import pick_block
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.memory import Cell
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["perform"]

Skill = Generator[tuple[str, ...], None, Any]
TOP = 3  # face of a block
FARMLAND = RULES.block("farmland")
OPENS = ("crafting_table", "furnace", "chest", "white_bed", "oak_door", "oak_fence_gate")


def perform(me: ScriptedPlayer, want: Want) -> Skill:
    """Go for one more of what is wanted; True if it came about."""
    before = me.progress(want)
    yield from SKILLS[want.how](me, want)
    return me.progress(want) > before


def break_some(me: ScriptedPlayer, want: Want) -> Skill:
    """Find and break a block of a kind."""
    me.memory.watch(want.names)
    me.do(f"mine {want.name}", "search")
    cell = me.nearest(want.names)
    if cell is None:
        yield from seek(me, ITEM_OF.get(want.name, want.name), want.names)
    elif not (yield from take_block(me, cell)):
        me.memory.refuse(cell, me.world.ticks)
    return True


ITEM_OF = {"coal_ore": "coal", "lapis_ore": "lapis_lazuli", "redstone_ore": "redstone", "diamond_ore": "diamond",
           "stone": "cobblestone"}  # fmt: skip


# mobs


def slay(me: ScriptedPlayer, want: Want) -> Skill:
    """Find and kill a mob of a kind."""
    me.do(f"kill {want.name}", "search")
    index = yield from find_mob(me, want.names)
    if index >= 0:
        yield from hunt(me, index)
    return True


def shear(me: ScriptedPlayer, want: Want) -> Skill:
    """Use shears on a sheep that has its wool, and take the wool."""
    return (yield from use_on(me, "shear sheep", "sheep", "shears", lambda m: bool(m["flags"] & 1)))


def milk(me: ScriptedPlayer, want: Want) -> Skill:
    """Use a bucket on a cow."""
    return (yield from use_on(me, "milk cow", "cow", "bucket", lambda m: bool(me.count("milk_bucket"))))


def use_on(me: ScriptedPlayer, doing: str, mob: str, item: str, over: Callable[[np.void], bool]) -> Skill:
    """Find a mob and use an item on it; ``over`` is asked of its MOB record."""
    me.do(doing, "hold")
    if not (yield from me.hold(RULES.item(item))):
        return False
    index = yield from find_mob(me, (mob,))
    if index < 0:
        return False
    m = me.world.mobs[index]
    return (yield from hunt(me, index, doing=doing, key="use", tool=item, over=lambda: over(m)))


def find_mob(me: ScriptedPlayer, mobs: tuple[str, ...]) -> Skill:
    """Index of the nearest mob in sight, after looking and walking about for it; -1 if none turned up."""
    kinds = tuple(RULES.mob(name) for name in mobs)
    for attempt in range(3):
        index = prey(me, kinds, 40.0)
        if index >= 0:
            return index
        me.fine("explore")
        if attempt:
            yield from wander(me, kinds[0])
        else:
            yield from glance(me)
    return prey(me, kinds, 40.0)


# blocks


def place(me: ScriptedPlayer, want: Want) -> Skill:
    """Put a block down where there is room for it."""
    me.do(f"place {want.name}", "hold")
    if me.p["in_water"]:
        yield from ashore(me)
    item, before = RULES.item(want.name), me.progress(want)
    if not (yield from me.hold(item)):
        return False
    me.fine("place")
    for attempt in range(4):
        for cell in spots(me)[:8]:
            if not room_for(me, want.name, cell):
                continue
            yield from place_block(me, item, cell)
            if me.progress(want) > before:
                return True
        weed = next((cell for cell in spots(me) if get_block(me.grid, *cell)), None)
        if weed is not None:
            yield from break_block(me, weed)
        elif not (yield from make_room(me, attempt)):
            return False
    return False


def room_for(me: ScriptedPlayer, name: str, cell: Cell) -> bool:
    """Whether a block can stand in a cell, and its other half behind or over it."""
    x, y, z = cell
    if get_block(me.grid, x, y, z):
        return False  # plants would have to be aimed past
    below = get_block(me.grid, x, y - 1, z)
    if name == "oak_door":
        return get_block(me.grid, x, y + 1, z) == 0 and bool(RULES.table.opaque[below])
    if name == "white_bed":
        px, _, pz = me.position
        look = facing_of(math.degrees(math.atan2(-(x + 0.5 - px), z + 0.5 - pz)))
        return get_block(me.grid, x + int(FACING_DX[look]), y, z + int(FACING_DZ[look])) == 0
    return bool(RULES.table.solid[below])


def pour(me: ScriptedPlayer, want: Want) -> Skill:
    """Empty a bucket onto the ground."""
    me.do(f"pour {want.name}", "hold")
    if not (yield from me.hold(RULES.item(want.name))):
        return False
    for cell in spots(me)[:6]:
        ground = (cell[0], cell[1] - 1, cell[2])
        me.aim_for(RULES.blocks[get_block(me.grid, *ground)], ground)
        if get_block(me.grid, *cell) == 0 and (yield from look_at_block(me, ground, TOP)):
            return (yield from press_until(me, lambda: not me.count(want.name)))
    return False


def sow(me: ScriptedPlayer, want: Want) -> Skill:
    """Till a piece of ground and put seeds into it."""
    hoe = next((name for name in HOES if me.count(name)), None)
    me.do(f"sow {want.name}", "till")
    if hoe is None:
        return False
    before = me.count(want.name)
    for cell in spots(me)[:10]:
        ground = (cell[0], cell[1] - 1, cell[2])
        if RULES.blocks[get_block(me.grid, *ground)] not in ("dirt", "grass_block", "farmland"):
            continue
        if get_block(me.grid, *cell) and not (yield from break_block(me, cell)):
            continue
        me.aim_for("farmland", ground)
        if not (yield from me.hold(RULES.item(hoe))) or not (yield from look_at_block(me, ground, TOP)):
            continue
        yield from press_until(me, lambda ground=ground: get_block(me.grid, *ground) == FARMLAND)
        me.fine("sow")
        if not (yield from me.hold(RULES.item(want.name))) or not (yield from look_at_block(me, ground, TOP)):
            continue
        if (yield from press_until(me, lambda: me.count(want.name) < before)):
            return True
    return False


def fill(me: ScriptedPlayer, want: Want) -> Skill:
    """Scoop up water or lava."""
    liquid = FILLED[want.name]
    me.memory.watch((liquid,))
    me.do(f"scoop {liquid}", "search")
    cell = me.memory.nearest(me.grid, (liquid,), *me.position, me.world.ticks)
    if cell is None or me.grid.meta[cell[0] & MASK, cell[2] & MASK, cell[1]] & 15:
        if cell is not None:
            me.memory.refuse(cell, me.world.ticks)  # it flows
        return (yield from seek(me, liquid, (liquid,)))
    me.fine("walk")
    me.aim_for(liquid, cell)
    above = (cell[0], cell[1] + 1, cell[2])
    for slack in (2, 1):
        if liquid_point(me, cell) is None:
            yield from walk_to(me, above, AT, slack, 0, until=lambda: liquid_point(me, cell) is not None, most=4000)
    for _ in range(3):
        hider = me.hiding(cell, 0.95) if liquid_point(me, cell) is None else None
        if hider is None or RULES.table.solid[get_block(me.grid, *hider)]:
            break
        if not (yield from break_block(me, hider)):
            break
        me.aim_for(liquid, cell)
    point = liquid_point(me, cell)
    if point is None or not (yield from me.hold(RULES.item("bucket"))):
        me.memory.refuse(cell, me.world.ticks)
        return False
    me.fine("scoop")
    for _ in range(30):
        me.eyes.at(*point)
        yaw, pitch = me.eyes.error(me.p)
        if abs(yaw) + abs(pitch) < 3.0:
            break
        yield ()
    return (yield from press_until(me, lambda: bool(me.count(want.name))))


def liquid_point(me: ScriptedPlayer, cell: Cell) -> tuple[float, float, float] | None:
    """A point of a liquid's cell that a bucket pointed at it from here would find."""
    block = get_block(me.grid, *cell)
    for across, along in ((0.5, 0.5), (0.2, 0.5), (0.8, 0.5), (0.5, 0.2), (0.5, 0.8)):
        point = (cell[0] + across, cell[1] + 0.95, cell[2] + along)
        far = math.dist(me.eye, point)
        look = tuple((p - e) / far for p, e in zip(point, me.eye, strict=True))
        hit = pick_block(me.grid, me.eye, look, 4.4, block)
        if hit is not None and (hit.x, hit.y, hit.z) == cell:
            return point
    return None


def open_one(me: ScriptedPlayer, want: Want) -> Skill:
    """Go to a chest, furnace or table and open it."""
    name = OPENED[want.name]
    me.memory.watch((name,))
    me.do(f"open {name}", "search")
    cell = me.memory.nearest(me.grid, (name,), *me.position, me.world.ticks)
    if cell is None and me.count(name):
        me.fine("place")
        cell = yield from put_down(me, name)
    if cell is None:
        return (yield from seek(me, name, (name,)))
    me.fine("walk")
    if not (yield from approach(me, cell)):
        me.memory.refuse(cell, me.world.ticks)
        return False
    lid = (cell[0], cell[1] + 1, cell[2])
    if name == "chest" and RULES.table.opaque[get_block(me.grid, *lid)]:
        me.fine("free the lid")
        yield from break_block(me, lid)
        me.aim_for(name, cell)
    me.fine("open")
    if (yield from use_block(me, cell)):
        me.fine("look")
        yield from me.react(4.0)
        yield from close(me)
        return True
    me.memory.refuse(cell, me.world.ticks)
    return False


def sleep(me: ScriptedPlayer, want: Want) -> Skill:
    """Go to a bed and lie down."""
    me.memory.watch(("white_bed",))
    me.do("sleep", "search")
    cell = me.memory.nearest(me.grid, ("white_bed",), *me.position, me.world.ticks)
    if cell is None:
        return (yield from seek(me, "white_bed", ("white_bed",)))
    me.fine("walk")
    me.aim_for("white_bed", cell)
    if not (yield from approach(me, cell)):
        me.memory.refuse(cell, me.world.ticks)
        return False
    me.fine("lie down")
    for _ in range(4):
        if not (yield from look_at_block(me, cell)):
            break
        if (yield from press_until(me, lambda: bool(me.p["sleeping"]))):
            me.fine("sleep")
            while me.p["sleeping"]:
                yield ()
            return True
        yield from glance(me, 1)  # not while monsters are near
    return False


# in the hand


def consume(me: ScriptedPlayer, want: Want) -> Skill:
    """Eat or drink what is asked for."""
    me.do(f"{want.how} {want.name}", "hold")
    if not (yield from me.hold(RULES.item(want.name))):
        return False
    yield from look_away(me)
    me.fine(want.how)
    before = me.progress(want)
    for _ in range(EAT_TICKS + 8):
        yield ("use",)
        if me.progress(want) > before:
            break
    yield ()
    return me.progress(want) > before


def shoot(me: ScriptedPlayer, want: Want) -> Skill:
    """Draw the bow and let go."""
    me.do("shoot bow", "hold")
    if not (yield from me.hold(RULES.item("bow"))):
        return False
    yield from look_away(me, up=True)
    me.fine("shoot")
    for _ in range(BOW_FULL + 2):
        yield ("use",)
    yield ()
    yield ()
    return True


def throw(me: ScriptedPlayer, want: Want) -> Skill:
    """Throw one of something."""
    me.do(f"throw {want.name}", "hold")
    if not (yield from me.hold(RULES.item(want.name))):
        return False
    yield from look_away(me, up=True)
    me.fine("throw")
    before = me.progress(want)
    return (yield from press_until(me, lambda: me.progress(want) > before))


def look_away(me: ScriptedPlayer, up: bool = False) -> Skill:
    """Turn the eyes from what using would open, or above all that is close by."""
    for turn in range(4):
        hit = me.world.pointed
        opens = hit is not None and RULES.blocks[get_block(me.grid, hit.x, hit.y, hit.z)] in OPENS
        if not (opens or (up and (hit is not None or me.p["pitch"] > 5))):
            return True
        yaw = float(me.p["yaw"]) + (70.0 if turn else 0.0)
        me.eyes.face(yaw, -18.0 - 10.0 * turn)
        for _ in range(12):
            yield ()
            if max(map(abs, me.eyes.error(me.p))) < 3.0:
                break
    return True


def press_until(me: ScriptedPlayer, done: Callable[[], bool]) -> Skill:
    """Press use, a few times if need be, until something has happened."""
    for tick in range(16):
        if done():
            break
        yield ("use",) if tick % 5 < 2 else ()
    yield ()
    return done()


SKILLS: dict[str, Callable[[ScriptedPlayer, Want], Skill]] = {
    "mine": break_some, "kill": slay, "shear": shear, "milk": milk, "place": place, "pour": pour, "sow": sow,
    "fill": fill, "open": open_one, "sleep": sleep, "eat": consume, "drink": consume, "shoot": shoot, "throw": throw,
}  # fmt: skip
