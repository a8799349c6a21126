"""Who hurts whom: damage to the player and to mobs, blows and explosions.

Rules of damage (public facts of the game): a hit makes its victim proof against further hits for ten ticks, but a
harder one still takes the difference; armour takes ``min(20, points) / 25`` of what weapons, arrows, explosions and
contact do; hunger is paid through exhaustion.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.ids import AIR, BEDROCK, CHEST, FURNACE, LIQUID, SOLID
from jarvis.world.layout import (
    HEIGHT,
    MASK,
    NOTE_BREAK,
    NOTE_DAMAGE_DEALT,
    NOTE_HURT_PLAYER,
    Grid,
    Notes,
    chunk_loaded,
    note,
    uniform3,
)
from jarvis.world.rules import RULES
from jarvis.world.updates import Schedule, change

DAMAGE_CAUSES = (
    "nothing", "fall", "drown", "lava", "fire", "starve", "cactus", "suffocate", "void",
    "cow", "pig", "sheep", "chicken", "zombie", "skeleton", "creeper", "spider", "arrow", "explosion", "kill",
)  # fmt: skip
(
    BY_NOTHING, BY_FALL, BY_DROWNING, BY_LAVA, BY_FIRE, BY_STARVING, BY_CACTUS, BY_SUFFOCATING, BY_VOID,
    BY_COW, BY_PIG, BY_SHEEP, BY_CHICKEN, BY_ZOMBIE, BY_SKELETON, BY_CREEPER, BY_SPIDER, BY_ARROW, BY_EXPLOSION,
    BY_KILL,
) = np.arange(len(DAMAGE_CAUSES))  # fmt: skip
# NOTE: numba compiles a function anew for every literal integer it is called with; numpy's integers are no literals
ARMOUR_APPLIES = np.ones(len(DAMAGE_CAUSES), np.uint8)
ARMOUR_APPLIES[[BY_FALL, BY_DROWNING, BY_FIRE, BY_STARVING, BY_SUFFOCATING, BY_VOID, BY_KILL]] = 0
HURT_TICKS = 10  # a body hurt is proof against equal hits for this long


@njit(cache=True, nogil=True)
def hurt_player(player: np.void, armour_points: float, amount: float, notes: Notes, kind: int) -> float:
    """Hurt the player record by ``amount`` health points; ``kind`` indexes DAMAGE_CAUSES.

    Returns the points taken after invulnerability and armour, 0.0 where nothing happened. Adds NOTE_HURT_PLAYER
    (kind, hundredths of a point taken, 1 if it killed) and sets ``dead``.
    """
    if player.dead or amount <= 0.0:
        return 0.0
    # NOTE: last_damage holds the last damage in hundredths while hurt_ticks runs
    taken = amount
    if kind == BY_VOID or kind == BY_KILL:
        player.hurt_ticks = HURT_TICKS
    elif player.hurt_ticks > 0:
        last = player.last_damage * 0.01
        if amount <= last:
            return 0.0
        taken = amount - last
        player.last_damage = min(32000, int(amount * 100.0))
    else:
        player.hurt_ticks = HURT_TICKS
        player.last_damage = min(32000, int(amount * 100.0))
    if ARMOUR_APPLIES[kind]:
        taken *= 1.0 - min(20.0, armour_points) / 25.0
    player.hp = player.hp - taken
    player.exhaustion = player.exhaustion + 0.1
    player.sleeping = 0
    if player.hp <= 0.0:
        player.hp = 0.0
        player.dead = 1
    note(notes, NOTE_HURT_PLAYER, kind, round(taken * 100.0), np.int64(player.dead), player.x, player.y, player.z)
    return taken


# mobs

HIT_BY_PLAYER, NEVER_DESPAWNS = 2, 4  # MOB.flags
GOAL_IDLE, GOAL_WANDER, GOAL_PANIC, GOAL_LURED, GOAL_CHASE = range(5)  # MOB.goal
HOSTILE = np.array([0] + [facts["kind"] == "hostile" for facts in RULES.data["mobs"].values()], np.bool_)  # by kind
MOB_HEIGHT = np.array([0.0] + [facts["height"] for facts in RULES.data["mobs"].values()])
MOB_HALF = np.array([0.0] + [facts["width"] / 2 for facts in RULES.data["mobs"].values()])


@njit(cache=True, nogil=True)
def knock(body: np.void, strength: float, dx: float, dz: float) -> None:
    """Throw a mob or the player back along (dx, dz), which need not be a unit vector."""
    length = math.sqrt(dx * dx + dz * dz)
    if length < 1e-4:
        return
    body.vx = body.vx * 0.5 + dx / length * strength
    body.vz = body.vz * 0.5 + dz / length * strength
    if body.on_ground:
        body.vy = min(0.4, body.vy * 0.5 + strength)


@njit(cache=True, nogil=True)
def hurt_mob(mob: np.void, amount: float, by_player: bool, notes: Notes) -> float:
    """Hurt a mob; the points taken, 0.0 while it is proof against hits. A mob at 0 hp dies in its next tick."""
    if mob.death_ticks > 0 or mob.hurt_ticks > 0:
        return 0.0
    mob.hurt_ticks = HURT_TICKS
    taken = min(amount, mob.hp)
    mob.hp -= amount
    if HOSTILE[mob.kind]:
        if by_player:
            mob.goal, mob.goal_ticks = GOAL_CHASE, 200
    else:
        mob.goal, mob.goal_ticks = GOAL_PANIC, 100
    if by_player:
        mob.flags |= HIT_BY_PLAYER
        note(notes, NOTE_DAMAGE_DEALT, np.int64(mob.kind), round(taken * 100.0), np.int64(0), mob.x, mob.y, mob.z)
    return taken


@njit(cache=True, nogil=True)
def attack_mob(mobs: np.ndarray, index: int, player: np.void, damage: float, speed: float, notes: Notes) -> float:
    """The player's blow on a mob with a weapon of ``damage`` points and ``speed`` attacks a second; the points taken.

    A blow before the weapon has recharged (20 / speed ticks) does 20 % to 100 % of its damage; falling makes it
    critical (x 1.5), sprinting throws the mob back further. Adds NOTE_DAMAGE_DEALT (kind, hundredths of a point).
    """
    mob = mobs[index]
    charge = min(1.0, max(0.0, (player.attack_ticks + 0.5) * speed / 20.0))
    player.attack_ticks = 0
    damage *= 0.2 + charge * charge * 0.8
    strong = charge > 0.9
    falls = player.fall_distance > 0.0 and not player.on_ground and not player.climbing and not player.in_water
    if strong and falls and not player.sprinting:
        damage *= 1.5
    taken = hurt_mob(mob, damage, True, notes)
    if taken > 0.0:
        player.exhaustion += 0.1
        knock(mob, 0.4, mob.x - player.x, mob.z - player.z)
        if strong and player.sprinting:
            angle = math.radians(player.yaw)
            knock(mob, 0.5, -math.sin(angle), math.cos(angle))
            player.vx, player.vz = player.vx * 0.6, player.vz * 0.6
            player.sprinting = 0
    return taken


# explosions

RESISTANCE = np.array([RULES.data["blocks"][name]["resistance"] for name in RULES.blocks], np.float64)
EXPLOSION_RAYS = 16  # per edge of a cube; rays go through its surface


@njit(cache=True, nogil=True)
def explode(
    grid: Grid,
    schedule: Schedule,
    players: np.ndarray,
    mobs: np.ndarray,
    drops: np.ndarray,
    notes: Notes,
    armour: float,
    seed: np.uint64,
    tick: int,
    x: float,
    y: float,
    z: float,
    power: float,
) -> int:
    """Blow up what is around a point (metres): blocks by their resistance, mobs, drops and the player.

    Returns how many cells went.

    Rays lose strength to the blocks they cross, 0.3 * (resistance + 0.3) every 0.3 m. A third (1 / power) of the blocks
    leave their drops: NOTE_BREAK (block, meta). Changed cells are listed in ``schedule`` for relighting.
    """
    size = 2 * math.ceil(power * 1.3 + 1.5) + 3
    gone = np.zeros((size, size, size), np.uint8)
    ox, oy, oz = math.floor(x) - size // 2, math.floor(y) - size // 2, math.floor(z) - size // 2
    last = EXPLOSION_RAYS - 1
    for i in range(EXPLOSION_RAYS):
        for k in range(EXPLOSION_RAYS):
            for n in range(EXPLOSION_RAYS):
                if not (i == 0 or i == last or k == 0 or k == last or n == 0 or n == last):
                    continue
                dx, dy, dz = i / last * 2.0 - 1.0, k / last * 2.0 - 1.0, n / last * 2.0 - 1.0
                length = math.sqrt(dx * dx + dy * dy + dz * dz)
                strength = power * (0.7 + 0.6 * uniform3(seed, tick, np.int64(7), (i * 16 + k) * 16 + n))
                rx, ry, rz = x, y, z
                while strength > 0.0:
                    ix, iy, iz = math.floor(rx), math.floor(ry), math.floor(rz)
                    if iy < 0 or iy >= HEIGHT or not chunk_loaded(grid, ix >> 4, iz >> 4):
                        break
                    block = grid.blocks[ix & MASK, iz & MASK, iy]
                    if block != AIR:
                        strength -= (RESISTANCE[block] + 0.3) * 0.3
                        if strength > 0.0 and block != BEDROCK and LIQUID[block] == 0:
                            gone[ix - ox, iy - oy, iz - oz] = 1
                    rx, ry, rz = rx + dx / length * 0.3, ry + dy / length * 0.3, rz + dz / length * 0.3
                    strength -= 0.225
    reach = power * 2.0
    for i in range(len(mobs)):
        mob = mobs[i]
        if mob.kind == 0 or mob.death_ticks > 0:
            continue
        dx, dy, dz = mob.x - x, mob.y + MOB_HEIGHT[mob.kind] * 0.5 - y, mob.z - z
        far = math.sqrt((mob.x - x) ** 2 + (mob.y - y) ** 2 + (mob.z - z) ** 2) / reach
        if far <= 1.0:
            impact = (1.0 - far) * exposure(
                grid, x, y, z, mob.x, mob.y, mob.z, MOB_HALF[mob.kind], MOB_HEIGHT[mob.kind]
            )
            blast(mob, impact, dx, dy, dz)
            if impact > 0.0:
                hurt_mob(mob, math.floor((impact * impact + impact) * 0.5 * 7.0 * reach + 1.0), False, notes)
    p = players[0]
    dx, dy, dz = p.x - x, p.y + p.eye_height - y, p.z - z
    far = math.sqrt((p.x - x) ** 2 + (p.y - y) ** 2 + (p.z - z) ** 2) / reach
    if far <= 1.0:
        impact = (1.0 - far) * exposure(grid, x, y, z, p.x, p.y, p.z, 0.3, p.height)
        blast(p, impact, dx, dy, dz)
        if impact > 0.0:
            amount = math.floor((impact * impact + impact) * 0.5 * 7.0 * reach + 1.0)
            hurt_player(p, armour, amount, notes, BY_EXPLOSION)
    for i in range(len(drops)):
        drop = drops[i]
        if drop.item and (drop.x - x) ** 2 + (drop.y - y) ** 2 + (drop.z - z) ** 2 < power * power:
            drop.item = 0
    count = 0
    for i in range(size):
        for k in range(size):
            for n in range(size):
                if gone[i, k, n]:
                    ix, iy, iz = ox + i, oy + k, oz + n
                    block = grid.blocks[ix & MASK, iz & MASK, iy]
                    kept = uniform3(seed, tick, np.int64(8), (i * 64 + k) * 64 + n) * power < 1.0
                    if kept or block == FURNACE or block == CHEST:
                        old = grid.meta[ix & MASK, iz & MASK, iy]
                        note(
                            notes, NOTE_BREAK, np.int64(block), np.int64(old), np.int64(0), ix + 0.5, iy + 0.5, iz + 0.5
                        )
                    change(grid, schedule, tick, ix, iy, iz, AIR, 0)
                    count += 1
    return count


@njit(cache=True, nogil=True)
def exposure(
    grid: Grid, x: float, y: float, z: float, bx: float, by: float, bz: float, half: float, height: float
) -> float:
    """Share of a body (feet at bx, by, bz) that an explosion at (x, y, z) sees, from 27 of its points."""
    seen = 0
    for i in range(3):
        for k in range(3):
            for n in range(3):
                tx, ty, tz = bx + (i - 1) * half, by + k * 0.5 * height, bz + (n - 1) * half
                if sees(grid.blocks, x, y, z, tx, ty, tz):
                    seen += 1
    return seen / 27.0


@njit(cache=True, nogil=True)
def blast(body: np.void, impact: float, dx: float, dy: float, dz: float) -> None:
    """Throw a body away from an explosion."""
    length = max(1e-4, math.sqrt(dx * dx + dy * dy + dz * dz))
    body.vx += dx / length * impact
    body.vy += dy / length * impact
    body.vz += dz / length * impact


@njit(cache=True, nogil=True)
def sees(blocks: np.ndarray, x: float, y: float, z: float, tx: float, ty: float, tz: float) -> bool:
    """Whether no solid block lies between two points (looked up every 0.25 m)."""
    dx, dy, dz = tx - x, ty - y, tz - z
    steps = math.ceil(math.sqrt(dx * dx + dy * dy + dz * dz) * 4.0)
    for s in range(1, steps):
        t = s / steps
        iy = math.floor(y + dy * t)
        if 0 <= iy < HEIGHT and SOLID[blocks[math.floor(x + dx * t) & MASK, math.floor(z + dz * t) & MASK, iy]]:
            return False
    return True
