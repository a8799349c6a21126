"""What to do in one tick, from what stands around and ahead: going, digging, climbing, aiming, without any memory.

A pupil that sees one picture cannot follow a plan; what it can follow is a rule of the moment. Each function here looks
at the blocks next to the player and answers with the keys of this tick, and turns the mouse; asked again a tick later,
from wherever the player then is, it goes on. So a pupil that has strayed is simply told what is right from there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from jarvis.app.planner.guide import AXES, STEEP
from jarvis.envs.scripted.digging import REACH
from jarvis.envs.scripted.looking import angles_to, wrap
from jarvis.envs.scripted.mining import lying
from jarvis.envs.scripted.paths import cell_class
from jarvis.envs.scripted.surroundings import aim_point
from jarvis.world.layout import get_block

if TYPE_CHECKING:
    from jarvis.envs.scripted.memory import Cell
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["MAX_TURN", "advance", "approach", "gather_drops", "go", "look_down", "sink", "turn"]

Keys = tuple[str, ...]
MAX_TURN = 10.0  # degrees a tick
TURN = 7.24  # degrees a tick when looking about
FREE, WATER, LAVA = 0, 2, 3  # of paths.cell_class
DROPS = 6.0  # metres within which things that lie about are fetched
DEEP = 4  # metres that nobody jumps down
FALL = 8  # metres that a shaft may open below
CLOSE = 1.5  # metres from a block at which nobody walks on


def look_at(me: ScriptedPlayer, yaw: float, pitch: float) -> tuple[float, float]:
    """Turn the mouse towards a direction; returns by how many degrees (yaw, pitch) it was off."""
    off = wrap(yaw - float(me.p["yaw"])), min(90.0, max(-90.0, pitch)) - float(me.p["pitch"])
    far = max(map(abs, off))
    share = 1.0 if far < 3.0 else 0.6
    turns = [min(MAX_TURN, max(-MAX_TURN, part * share)) for part in off]
    me.mouse = (turns[1], turns[0])
    return off


def turn(me: ScriptedPlayer) -> Keys:
    """To the right, the eyes a little down."""
    me.mouse = (min(3.0, max(-3.0, (8.0 - float(me.p["pitch"])) * 0.3)), TURN)
    return me.afloat()


def break_it(me: ScriptedPlayer, cell: Cell) -> Keys | None:
    """Aim at a block and dig. None: no point of it can be reached from here, or it must not be opened."""
    if me.digging_price[get_block(me.grid, *cell)] >= 1e8 or me.opens_danger(cell):
        return None
    point = np.empty(3)
    if not aim_point(me.grid, *me.eye, *cell, REACH, -1, point):
        return None
    hit = me.world.pointed
    if hit is not None and (hit.x, hit.y, hit.z) == tuple(cell):
        # NOTE: once it is under the crosshair the hand stays still, as digging begins anew on every other block
        me.mouse = (0.0, 0.0)
        return ("attack", *me.afloat())
    off = look_at(me, *angles_to(*me.eye, *point.tolist()))
    if max(map(abs, off)) < 1.5 and hit is not None:
        other = (hit.x, hit.y, hit.z)  # a leaf before it, say
        if me.digging_price[get_block(me.grid, *other)] < 1e8 and not me.opens_danger(other):
            me.mouse = (0.0, 0.0)
            return ("attack", *me.afloat())
    return me.afloat()


def advance(me: ScriptedPlayer, axis: int, slope: int) -> Keys | None:
    """A step along an axis of the world, down (-1), level (0) or up (1), digging what is in the way.

    None: lava, a deep hole, or what cannot be dug.
    """
    x, y, z = me.cell()
    dx, dz = AXES[axis]
    if me.p["in_water"]:
        return go(me, float(me.p["yaw"]))
    ahead = (x + dx, z + dz)
    heights = {-1: (y + 1, y, y - 1), 0: (y + 1, y), 1: (y + 2, y + 1)}[slope]
    cells = [(ahead[0], height, ahead[1]) for height in heights]
    if slope == 1 and _walls(me, (ahead[0], y, ahead[1])):
        cells = [(x, y + 2, z), *cells]
    elif slope == 1:
        cells = [(ahead[0], y + 1, ahead[1])]  # a step to stand on comes later
    if any(cell_class(me.grid, *cell) == LAVA for cell in [*cells, (ahead[0], min(heights) - 1, ahead[1])]):
        return None
    if all(cell_class(me.grid, ahead[0], y - k, ahead[1]) == FREE for k in range(DEEP)):
        return None
    for cell in cells:
        if _walls(me, cell):
            return break_it(me, cell)
    yaw, _ = look_at(me, axis * 90.0, {-1: 40.0, 0: 20.0, 1: 0.0}[slope])
    if abs(yaw) > 25.0:
        return me.afloat()
    keys = ["forward"]
    if slope == 1 and _walls(me, (ahead[0], y, ahead[1])):
        keys.append("jump")
    if me.p["collided"]:  # it is caught on the side of the way
        aside = _aside(me, axis)
        if abs(aside) > 0.15:
            keys.append("left" if aside > 0 else "right")
    return tuple(keys)


def look_down(me: ScriptedPlayer) -> Keys:
    """The eyes to the feet."""
    me.mouse = (min(MAX_TURN, 90.0 - float(me.p["pitch"])), 0.0)
    return me.afloat()


def sink(me: ScriptedPlayer) -> Keys | None:
    """Straight down, digging what is underfoot. None: lava, a deep hole, water, or what cannot be dug."""
    x, y, z = me.cell()
    kinds = [cell_class(me.grid, x, y - k, z) for k in range(1, FALL + 2)]
    under = kinds[0]
    first = next((kind for kind in kinds[under in (1, 4) :] if kind != FREE), FREE)
    if me.p["in_water"] or first in (FREE, WATER, LAVA):
        return None
    cell = (x, y - 1, z)
    if under in (1, 4) and (me.digging_price[get_block(me.grid, *cell)] >= 1e8 or me.opens_danger(cell)):
        return None
    me.mouse = (0.0, 0.0)
    if me.p["pitch"] < STEEP:
        return look_down(me)
    if under in (1, 4):
        return ("attack",)
    # NOTE: what holds the player is beside the hole; over its middle they fall
    px, _, pz = me.position
    yaw, dx, dz = math.radians(float(me.p["yaw"])), x + 0.5 - px, z + 0.5 - pz
    ahead, right = dz * math.cos(yaw) - dx * math.sin(yaw), -dx * math.cos(yaw) - dz * math.sin(yaw)
    keys = []
    if abs(ahead) > 0.1:
        keys.append("forward" if ahead > 0 else "back")
    if abs(right) > 0.1:
        keys.append("right" if right > 0 else "left")
    return tuple(keys)


def _walls(me: ScriptedPlayer, cell: Cell) -> bool:
    return cell_class(me.grid, *cell) in (1, 4)


def _aside(me: ScriptedPlayer, axis: int) -> float:
    """Metres by which the player stands to the right of the middle of its cell, looking along an axis."""
    px, _, pz = me.position
    ox, oz = px - math.floor(px) - 0.5, pz - math.floor(pz) - 0.5
    dx, dz = AXES[axis]
    return oz * dx - ox * dz


def go(me: ScriptedPlayer, yaw: float, pitch: float = 12.0, far: float = 99.0) -> Keys | None:
    """Over land in a direction: run, jump up a step, dig through what is higher. None: water, lava or a hole ahead."""
    x, y, z = me.cell()
    px, _, pz = me.position
    sx, sz = -math.sin(math.radians(yaw)), math.cos(math.radians(yaw))
    ahead = (math.floor(px + 0.9 * sx), math.floor(pz + 0.9 * sz))
    if me.p["collided"] and not _walls(me, (ahead[0], y, ahead[1])):  # a shoulder is caught on something
        sides = [(math.floor(px + 0.6 * sx + k * sz), math.floor(pz + 0.6 * sz - k * sx)) for k in (-0.29, 0.29)]
        ahead = next((cell for cell in sides if _walls(me, (cell[0], y, cell[1]))), ahead)
    if not me.p["in_water"]:
        kinds = [cell_class(me.grid, ahead[0], y - k, ahead[1]) for k in range(DEEP)]
        first = next((kind for kind in kinds if kind != FREE), FREE)
        if first == FREE or first == LAVA or (first == WATER and far > 6.0):
            return None
    keys = ["forward", *me.afloat()]
    if ahead != (x, z):
        # NOTE: what is possible must not depend on where the player looks, or it turns to and fro
        feet, head = _walls(me, (ahead[0], y, ahead[1])), _walls(me, (ahead[0], y + 1, ahead[1]))
        over = _walls(me, (ahead[0], y + 2, ahead[1])) or _walls(me, (x, y + 2, z))
        if head or (feet and over):
            heights = [(*ahead, y + 1), (x, z, y + 2), (*ahead, y + 2), (*ahead, y)]
            walls = [(a, c, b) for a, b, c in heights if _walls(me, (a, c, b))]
            return next((dug for wall in walls if (dug := break_it(me, wall)) is not None), None)
        if feet:
            keys.append("jump")
    off, _ = look_at(me, yaw, pitch)
    if abs(off) > 35.0:
        return me.afloat()
    if far > 5.0 and abs(off) < 15.0 and len(keys) == 1 and me.may_sprint:
        keys.append("sprint")
    return tuple(dict.fromkeys(keys))


def approach(me: ScriptedPlayer, cell: Cell) -> Keys | None:
    """Towards a block, until it can be dug, and then dig it.

    Who sees no more than a picture cannot tell what is within reach; so the way goes on until the crosshair is there.
    """
    px, py, pz = me.position
    dx, dy, dz = cell[0] + 0.5 - px, cell[1] - py, cell[2] + 0.5 - pz
    far = math.hypot(dx, dz)
    keys = break_it(me, cell)
    if keys is not None:
        if "attack" in keys or far < CLOSE:
            return keys
        aim, (yaw, pitch) = me.mouse, angles_to(*me.eye, cell[0] + 0.5, cell[1] + 0.5, cell[2] + 0.5)
        onward = go(me, yaw, pitch, far)
        me.mouse = aim
        return onward if onward is not None and "forward" in onward else keys
    if me.reach_of(cell) < REACH:
        hider = me.hiding(cell)
        if hider is not None and hider != tuple(cell):
            keys = break_it(me, hider)
            if keys is not None:
                return keys
    yaw, pitch = angles_to(*me.eye, cell[0] + 0.5, cell[1] + 0.5, cell[2] + 0.5)
    if me.covered() and far > 1.0:
        axis = round(yaw / 90.0) % 4
        slope = 0 if abs(dy) < 1.5 else 1 if dy > 0 else -1
        return advance(me, axis, slope)
    if far < 1.0 and dy < 0:
        return advance(me, round(float(me.p["yaw"]) / 90.0) % 4, -1)
    return go(me, yaw, min(30.0, max(-30.0, pitch)), far)


def _covered(me: ScriptedPlayer, drop: np.void) -> bool:
    """Whether something is between a thing that lies lower and the height of the feet."""
    x, low, z = (math.floor(drop[axis]) for axis in "xyz")
    return any(cell_class(me.grid, x, y, z) != FREE for y in range(low, me.cell()[1] + 1))


def gather_drops(me: ScriptedPlayer) -> Keys | None:
    """Towards the nearest thing that lies about and is worth having. None: there is none close by."""
    best: tuple[float, int] | None = None
    for index in lying(me, me.worth_having(), me.position, DROPS):
        drop = me.world.drops[index]
        high = float(drop["y"]) - me.position[1]
        far = math.hypot(float(drop["x"]) - me.position[0], float(drop["z"]) - me.position[2])
        # what is nearer comes by itself, or cannot be had; what is deeper can be jumped down to if nothing is over it
        low = -1.6 if _covered(me, drop) else -0.9 - DEEP
        if not low < high < 1.3 or far < 0.6 or me.drop_tries.get(index, 0) > 100:
            continue
        if best is None or far < best[0]:
            best = (far, index)
    if best is None:
        return None
    far, index = best
    me.drop_tries[index] = me.drop_tries.get(index, 0) + (5 if me.p["collided"] else 1)
    drop = me.world.drops[index]
    yaw, pitch = angles_to(*me.eye, float(drop["x"]), float(drop["y"]), float(drop["z"]))
    return go(me, yaw, min(50.0, pitch), far)
