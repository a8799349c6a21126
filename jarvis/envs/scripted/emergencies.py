"""What cannot wait: lava, fire, drowning, being buried, and monsters."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from jarvis.envs.scripted.digging import break_block
from jarvis.envs.scripted.fighting import distance_to, fight, threat
from jarvis.envs.scripted.paths import AT, cell_class
from jarvis.envs.scripted.screens import close
from jarvis.envs.scripted.steering import follow, heading_keys
from jarvis.world.ids import OPAQUE
from jarvis.world.layout import get_block

if TYPE_CHECKING:
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["emergency"]

Skill = Generator[tuple[str, ...], None, Any]


def emergency(me: ScriptedPlayer) -> Skill | None:
    """The skill that has to come first now, if any."""
    p = me.p
    if p["in_lava"] or p["fire_ticks"] > 0:
        return leave_lava(me)
    if p["head_in_water"] and p["air"] < 120:
        return surface_for_air(me)
    if p["hurt_ticks"] and OPAQUE[get_block(me.grid, *head_cell(me))]:
        return dig_out(me)
    index = threat(me)
    if me.world.ticks - me.struck[0] < 3 and (index < 0 or distance_to(me, index) > 4.0):
        return turn_round(me)
    if index >= 0:
        return defend(me, index)
    return None


def turn_round(me: ScriptedPlayer) -> Skill:
    """Look where a blow came from."""
    _, vx, vz = me.struck
    me.do("turn round", "look")
    if me.world.screen.is_open:
        yield from close(me)
    away = math.degrees(math.atan2(vx, -vz)) if math.hypot(vx, vz) > 0.05 else float(me.p["yaw"]) + 180.0
    for turn in (0.0, 90.0, -90.0):
        me.eyes.face(away + turn, 10.0)
        for _ in range(10):
            yield me.afloat()
            index = threat(me)
            if index >= 0 and distance_to(me, index) < 4.0:
                yield from fight(me, index)
                return True
            if max(map(abs, me.eyes.error(me.p))) < 5.0:
                break
    return False


def head_cell(me: ScriptedPlayer) -> tuple[int, int, int]:
    x, y, z = me.eye
    return int(x // 1), int(y // 1), int(z // 1)


def defend(me: ScriptedPlayer, index: int) -> Skill:
    """Close what is open and fight."""
    if me.world.screen.is_open:
        yield from close(me)
    yield from fight(me, index)


def leave_lava(me: ScriptedPlayer) -> Skill:
    """Out of the lava and, if there is water close by, into it."""
    me.do("flee lava", "swim")
    if me.world.screen.is_open:
        yield from close(me)
    for _ in range(200):
        p = me.p
        if not p["in_lava"] and (p["fire_ticks"] == 0 or not me.lava_near(2)):
            break
        goal = me.nearest_dry()
        if goal is None:
            yield ("jump", "back")
            continue
        dx, dz = goal[0] + 0.5 - me.position[0], goal[2] + 0.5 - me.position[2]
        yield (*heading_keys(me, dx, dz), "jump")
    return True


def surface_for_air(me: ScriptedPlayer) -> Skill:
    """Up to where there is air."""
    me.do("surface", "swim")
    if me.world.screen.is_open:
        yield from close(me)
    x, y, z = me.cell()
    for up in range(1, 20):
        kind = cell_class(me.grid, x, y + up, z)
        if kind == 0:
            break
        if kind != 2:
            # a ceiling: to where the search finds air
            for dx, dz in ((6, 0), (-6, 0), (0, 6), (0, -6)):
                path, whole, _ = me.find((x + dx, y + up + 2, z + dz), AT, 3, 3, 2.0, 2500)
                if whole:
                    yield from follow(me, path)
                    break
            break
    for _ in range(120):
        if not me.p["head_in_water"] and me.p["air"] > 200:
            break
        yield ("jump",)
    return True


def dig_out(me: ScriptedPlayer) -> Skill:
    """Break what the head is stuck in."""
    me.do("dig out", "dig")
    if me.world.screen.is_open:
        yield from close(me)
    cell = head_cell(me)
    for _ in range(3):
        if not OPAQUE[get_block(me.grid, *cell)]:
            break
        me.eyes.face(float(me.p["yaw"]), -80.0)
        yield ()
        if not (yield from break_block(me, cell)):
            above = (cell[0], cell[1] + 1, cell[2])
            yield from break_block(me, above)
            yield ("jump", "back")
    return True
