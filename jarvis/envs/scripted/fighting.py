"""Mobs: fighting those that come, hunting those that can be eaten, and eating."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.envs.scripted.digging import break_block
from jarvis.envs.scripted.mining import collect
from jarvis.envs.scripted.paths import AT
from jarvis.envs.scripted.seeking import glance, roam
from jarvis.envs.scripted.steering import NEVER, follow, heading_keys, walk_to
from jarvis.world.combat import HOSTILE
from jarvis.world.layout import get_block
from jarvis.world.minds import FUSE
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["FOODS", "distance_to", "eat", "fight", "hunt", "kill", "threat"]

Skill = Generator[tuple[str, ...], None, Any]
CREEPER, SKELETON, SPIDER = RULES.mob("creeper"), RULES.mob("skeleton"), RULES.mob("spider")
HEIGHT_OF = [0.0] + [RULES.data["mobs"][name]["height"] for name in RULES.mobs]
MEAT = {"cow": "beef", "pig": "porkchop", "sheep": "mutton", "chicken": "chicken"}
FOODS = sorted(
    (name for name in RULES.data["foods"] if name not in ("rotten_flesh", "golden_apple")),
    key=lambda name: -RULES.data["foods"][name]["food"],
)
WEAPONS = ("diamond_sword", "iron_sword", "diamond_axe", "iron_axe", "stone_axe", "stone_sword", "wooden_axe",
           "wooden_sword", "iron_pickaxe", "stone_pickaxe", "wooden_pickaxe")  # fmt: skip


def threat(me: ScriptedPlayer) -> int:
    """Index of the hostile mob in sight that has to be dealt with now, -1 for none."""
    best, best_far = -1, 1e9
    for i in me.mobs_in_sight():
        m = me.world.mobs[i]
        kind = int(m["kind"])
        if not HOSTILE[kind] or m["death_ticks"] or (kind == SPIDER and not m["goal"] == me.CHASE):
            continue
        far = math.dist(me.position, (float(m["x"]), float(m["y"]), float(m["z"])))
        reach = 9.0 if kind == CREEPER else 11.0 if kind == SKELETON else 6.0
        if abs(float(m["y"]) - me.position[1]) > 4 or me.given_up.get(int(m["uid"]), 0) > me.world.ticks:
            continue
        if far < reach and far < best_far:
            best, best_far = i, far
    return best


def distance_to(me: ScriptedPlayer, index: int) -> float:
    """Metres from the feet to a mob's."""
    m = me.world.mobs[index]
    return math.dist(me.position, (float(m["x"]), float(m["y"]), float(m["z"])))


def weapon(me: ScriptedPlayer) -> str | None:
    """The best weapon carried."""
    return next((name for name in WEAPONS if me.count(name)), None)


def speed_of(name: str | None) -> int:
    """Ticks between full blows."""
    speed = RULES.data["items"].get(name or "", {}).get("attack_speed", RULES.player["fist_attack_speed"])
    return math.ceil(20 / float(speed))


def damage_of(name: str | None) -> float:
    """Half hearts of a full blow."""
    return float(RULES.data["items"].get(name or "", {}).get("attack_damage", RULES.player["fist_damage"]))


def fight(me: ScriptedPlayer, index: int) -> Skill:
    """Fight a mob until it is dead or gone: blows at full strength; creepers are left in time, or not begun with."""
    m = me.world.mobs[index]
    uid, kind = int(m["uid"]), int(m["kind"])
    name = RULES.mobs[kind - 1]
    me.do(f"fight {name}", "fight")
    tool = weapon(me)
    if tool is not None:
        yield from me.hold(RULES.item(tool))
        me.do(f"fight {name}", "fight")
    wait = speed_of(tool)
    blows_left = math.ceil(RULES.data["mobs"][name]["hp"] / damage_of(tool))
    lost, blocked, struck = 0, 0, False
    for _ in range(500):
        if int(m["uid"]) != uid or not m["kind"] or m["death_ticks"]:
            break
        x, y, z = float(m["x"]), float(m["y"]), float(m["z"])
        px, py, pz = me.position
        dx, dz = x - px, z - pz
        far = math.hypot(dx, dz)
        visible = bool(me.mob_seen[index])
        lost = 0 if visible else lost + 1
        if lost > 50 or far > 16 or me.p["hp"] <= 0:
            me.given_up[uid] = me.world.ticks + 100
            break
        if far > 4.0 and me.world.ticks - me.struck[0] < 3:
            break  # another one is at one's throat
        me.aim_for_mob(index)
        me.eyes.at(x, y + HEIGHT_OF[kind] * 0.72, z)
        yaw, pitch = me.eyes.error(me.p)
        ready = me.p["attack_ticks"] >= wait - 1
        close = far < (3.2 if kind == CREEPER else 2.9) and abs(yaw) < 14.0 and abs(pitch) < 16.0
        keys: list[str] = []
        # it goes off within FUSE ticks of being lit: time for all blows, or none
        hurry = kind == CREEPER and int(m["fuse"]) + (blows_left - 1) * wait + 2 >= FUSE
        flees = hurry and int(m["fuse"]) > 6 and me.clear_ahead(-dx, -dz)
        if flees:
            me.eyes.face(math.degrees(math.atan2(dx, -dz)), 8.0)  # run
            keys += heading_keys(me, -dx, -dz)
            if keys == ["forward"]:
                keys.append("sprint")
        elif hurry and (int(m["fuse"]) > 6 or (far < 2.6 and not ready)):
            keys += [key for key in heading_keys(me, -dx, -dz) if me.safe_to_stray() or key != "back"]
        elif far > (2.4 if kind != SKELETON else 2.0):
            if abs(y - py) < 2.5 and me.clear_ahead(dx, dz):
                blocked = 0
                keys += heading_keys(me, dx, dz)
                if me.p["collided"] and me.p["on_ground"]:
                    keys.append("jump")
                if far > (6 if kind == CREEPER else 4) and "forward" in keys:
                    keys.append("sprint")
            else:
                blocked += 1
            if blocked > 12:  # round what is in the way
                goal = (math.floor(x), math.floor(y), math.floor(z))
                way, whole, _ = me.find(goal, AT, 1, 1, 1.3, 1500)
                if not whole:
                    me.given_up[uid] = me.world.ticks + 200
                    break
                yield from follow(me, way[:6])
                blocked = 0
        elif far < 1.3 and kind != CREEPER and me.safe_to_stray():
            keys.append("back")
        if close and ready and not struck and not flees:
            keys.append("attack")
            blows_left -= 1
        struck = "attack" in keys
        if me.p["in_water"]:
            keys.append("jump")
        yield tuple(keys)
    return True


def kill(me: ScriptedPlayer, mob: str, item: str, count: int) -> Skill:
    """Hunt mobs of a kind until ``count`` more of what they drop are carried."""
    goal = me.count(item) + count
    kind = RULES.mob(mob)
    for _ in range(30):
        if me.count(item) >= goal:
            return True
        index = prey(me, (kind,), 40.0)
        if index < 0:
            me.do(f"kill {mob}", "explore")
            yield from glance(me)
            if prey(me, (kind,), 40.0) < 0:
                me.memory.watch(("grass_block",))
                yield from wander(me, kind)
            continue
        if item == "white_wool" and me.count("shears"):
            m = me.world.mobs[index]
            yield from hunt(me, index, "shear sheep", "use", "shears", lambda m=m: bool(m["flags"] & 1))
        else:
            yield from hunt(me, index)
    return me.count(item) >= goal


def wander(me: ScriptedPlayer, kind: int) -> Skill:
    """Walk where such mobs may be, until one is in sight."""

    def found() -> bool:
        return prey(me, (kind,), 40.0) >= 0

    others = np.flatnonzero((me.world.mobs["kind"] == kind) & (me.world.mobs["death_ticks"] == 0))
    if len(others) and me.random.random() < me.habits.map_sense:
        m = me.world.mobs[others]
        i = int(np.argmin(np.abs(m["x"] - me.position[0]) + np.abs(m["z"] - me.position[2])))
        x, _, z = me.cell()
        dx, dz = float(m["x"][i]) - x, float(m["z"][i]) - z
        part = min(1.0, 26.0 / max(1.0, math.hypot(dx, dz)))
        goal = (x + round(dx * part), int(m["y"][i]), z + round(dz * part))
        before = me.world.ticks
        arrived = yield from walk_to(me, goal, AT, 3, 8, until=found, most=5000, weight=1.6, tries=1)
        if arrived and me.world.ticks > before:
            return True
    return (yield from roam(me, (), found))


def prey(me: ScriptedPlayer, kinds: tuple[int, ...], radius: float) -> int:
    """Index of the nearest mob of these kinds in sight or seen lately, -1 for none."""
    best, best_far = -1, radius
    for i in me.mobs_in_sight(lately=True):
        m = me.world.mobs[i]
        if int(m["kind"]) not in kinds or m["death_ticks"] or me.given_up.get(int(m["uid"]), 0) > me.world.ticks:
            continue
        far = math.dist(me.position, (float(m["x"]), float(m["y"]), float(m["z"])))
        if far < best_far:
            best, best_far = i, far
    return best


def hunt(
    me: ScriptedPlayer,
    index: int,
    doing: str = "",
    key: str = "attack",
    tool: str | None = None,
    over: Callable[[], bool] = NEVER,
) -> Skill:
    """Run a mob down and kill it, or press another key on it until it is ``over``; pick up what it leaves."""
    m = me.world.mobs[index]
    uid, kind = int(m["uid"]), int(m["kind"])
    doing = doing or f"kill {RULES.mobs[kind - 1]}"
    me.do(doing, "hold")
    tool = tool or weapon(me)
    if tool is not None:
        yield from me.hold(RULES.item(tool))
    me.do(doing, "walk")
    wait = speed_of(tool)
    reach = RULES.player["reach_entity"] - 0.3 + RULES.data["mobs"][RULES.mobs[kind - 1]]["width"] / 2
    last = me.cell()
    for attempt in range(40):
        if over() or int(m["uid"]) != uid or m["death_ticks"] or not m["kind"]:
            break
        x, y, z = float(m["x"]), float(m["y"]), float(m["z"])
        last = (math.floor(x), math.floor(y), math.floor(z))
        far = math.dist(me.position, (x, y, z))
        chest = (x, y + HEIGHT_OF[kind] * 0.6, z)
        hider = me.first_on_the_way(*chest, math.dist(me.eye, chest) - 0.2) if far < 3.0 else None
        if hider is not None and RULES.table.solid[get_block(me.grid, *hider)]:
            me.fine("clear the way")
            if not (yield from break_block(me, hider)):
                break
            continue
        if far > 4.0 or (far > 2.8 and not me.clear_ahead(x - me.position[0], z - me.position[2])):

            def close() -> bool:
                return math.dist(me.position, (float(m["x"]), float(m["y"]), float(m["z"]))) < 3.2

            me.fine("walk")
            me.aim_for_mob(index)
            before = me.world.ticks
            arrived = yield from walk_to(me, last, AT, 1, 1, until=close, most=2500, tries=1)
            if me.world.ticks == before or (not arrived and attempt > 3):
                break
            continue
        me.fine("hit" if key == "attack" else "use")
        for _ in range(12):
            if over() or m["death_ticks"] or int(m["uid"]) != uid:
                break
            x, y, z = float(m["x"]), float(m["y"]), float(m["z"])
            dx, dz = x - me.position[0], z - me.position[2]
            me.aim_for_mob(index)
            me.eyes.at(x, y + HEIGHT_OF[kind] * 0.6, z)
            yaw, pitch = me.eyes.error(me.p)
            keys = list(heading_keys(me, dx, dz)) if math.hypot(dx, dz) > 1.6 and me.clear_ahead(dx, dz) else []
            if keys and me.p["collided"] and me.p["on_ground"]:
                keys.append("jump")
            elif keys and keys[0] == "forward" and math.hypot(dx, dz) > 2.2 and me.may_sprint:
                keys.append("sprint")  # it runs
            if math.hypot(dx, dz) < reach and abs(yaw) < 12 and abs(pitch) < 15 and me.p["attack_ticks"] >= wait - 1:
                keys.append(key)
            yield tuple(keys)
            if key in keys:
                yield tuple(other for other in keys if other != key)
    else:
        me.given_up[uid] = me.world.ticks + 600
        return False
    if over():
        me.given_up[uid] = me.world.ticks + 600
    elif not (m["death_ticks"] and int(m["uid"]) == uid) and int(m["uid"]) == uid:
        me.given_up[uid] = me.world.ticks + 600
        return False
    for _ in range(22):
        yield ()
    yield from collect(me, near=last, radius=5.0)
    return True


def eat(me: ScriptedPlayer) -> Skill:
    """Eat the best food carried until full or out of it."""
    me.do("eat", "hold")
    for _ in range(6):
        name = next(iter(me.meals()), None)
        if name is None and me.p["food"] <= 6 and me.count("rotten_flesh"):
            name = "rotten_flesh"
        if name is None or me.p["food"] > 20 - RULES.data["foods"][name]["food"] * 0.6:
            return True
        me.do(f"eat {name}", "hold")
        if not (yield from me.hold(RULES.item(name))):
            return False
        # not at something that opens
        if me.world.pointed is not None and me.p["pitch"] < 45:
            me.eyes.face(float(me.p["yaw"]), min(60.0, float(me.p["pitch"]) + 30.0))
            for _ in range(4):
                yield ()
        me.fine("eat")
        before = me.count(name)
        for _ in range(40):
            yield ("use",)
            if me.count(name) < before:
                break
        yield ()
    return True
