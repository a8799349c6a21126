"""What the player's body needs and suffers each tick: food, breath, fire, lava, cactus, walls and the void.

Facts of the game: at 4 exhaustion a point of saturation (then food) goes; food >= 18 heals 1 hp every 80 ticks for 6
exhaustion, full food with saturation heals every 10 ticks; with no food 1 hp goes every 80 ticks, down to 1; breath
lasts 300 ticks and then 2 hp go every second; lava does 4 and sets on fire for 15 s, fire does 1 every second.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.bodies import PLAYER_HALF, Cells, cell_shape
from jarvis.world.combat import (
    BY_CACTUS,
    BY_DROWNING,
    BY_FIRE,
    BY_LAVA,
    BY_STARVING,
    BY_SUFFOCATING,
    BY_VOID,
    hurt_player,
)
from jarvis.world.ids import CACTUS, OPAQUE
from jarvis.world.layout import HEIGHT, MASK, Grid, Notes
from jarvis.world.rules import RULES

MAX_HP = float(RULES.player["hp"])
MAX_FOOD = float(RULES.player["food"])
THRESHOLD = float(RULES.player["exhaustion"]["threshold"])
REGENERATION_COST = float(RULES.player["exhaustion"]["regen_1hp"])
FULL_AIR = 300
LAVA_FIRE = 300  # ticks of burning after lava
VOID = -64.0


@njit(cache=True, nogil=True)
def feed(p: np.void, notes: Notes) -> None:
    """Hunger and what food does to health."""
    if p.hunger_effect > 0:
        p.hunger_effect -= 1
        p.exhaustion += 0.005
    if p.exhaustion > THRESHOLD:
        p.exhaustion -= THRESHOLD
        if p.saturation > 0.0:
            p.saturation = max(0.0, p.saturation - 1.0)
        else:
            p.food = max(0.0, p.food - 1.0)
    hurt = 0.0 < p.hp < MAX_HP
    if p.saturation > 0.0 and hurt and p.food >= MAX_FOOD:
        p.food_timer += 1
        if p.food_timer >= 10:
            spent = min(6.0, p.saturation)
            p.hp = min(MAX_HP, p.hp + spent / 6.0)
            p.exhaustion += spent
            p.food_timer = 0
    elif p.food >= 18.0 and hurt:
        p.food_timer += 1
        if p.food_timer >= 80:
            p.hp = min(MAX_HP, p.hp + 1.0)
            p.exhaustion += REGENERATION_COST
            p.food_timer = 0
    elif p.food <= 0.0:
        p.food_timer += 1
        if p.food_timer >= 80:
            if p.hp > 1.0:
                hurt_player(p, 0.0, 1.0, notes, BY_STARVING)
            p.food_timer = 0
    else:
        p.food_timer = 0


@njit(cache=True, nogil=True)
def endure(
    blocks: Cells, meta: Cells, light: np.ndarray, p: np.void, armour: float, raining: bool, notes: Notes
) -> None:
    """One tick of the player's needs and of the harm of the place, after it has moved."""
    if p.dead:
        return
    if p.hurt_ticks > 0:
        p.hurt_ticks -= 1
    if p.y < VOID:
        hurt_player(p, 0.0, 1000.0, notes, BY_VOID)
    ix, iy, iz = math.floor(p.x), math.floor(p.y + p.eye_height), math.floor(p.z)
    if p.in_lava:
        p.fire_ticks = LAVA_FIRE
        hurt_player(p, armour, 4.0, notes, BY_LAVA)
    if p.fire_ticks > 0:
        wet = p.in_water or (raining and 0 <= iy < HEIGHT and light[ix & MASK, iz & MASK, iy] >> 4 == 15)
        if wet:
            p.fire_ticks = 0
        else:
            if p.fire_ticks % 20 == 0 and not p.in_lava:
                hurt_player(p, 0.0, 1.0, notes, BY_FIRE)
            p.fire_ticks -= 1
    if p.head_in_water:
        p.air -= 1
        if p.air <= -20:
            p.air = 0
            hurt_player(p, 0.0, 2.0, notes, BY_DROWNING)
    else:
        p.air = min(FULL_AIR, p.air + 4)
    if OPAQUE[cell_shape(blocks, meta, ix, iy, iz) >> 4]:
        hurt_player(p, 0.0, 1.0, notes, BY_SUFFOCATING)
    low = math.floor(p.y - 0.05)  # a cactus pricks whoever stands on it, too
    for cx in range(math.floor(p.x - PLAYER_HALF), math.floor(p.x + PLAYER_HALF) + 1):
        for cz in range(math.floor(p.z - PLAYER_HALF), math.floor(p.z + PLAYER_HALF) + 1):
            for cy in range(low, math.floor(p.y + p.height) + 1):
                if cell_shape(blocks, meta, cx, cy, cz) >> 4 == CACTUS:
                    hurt_player(p, armour, 1.0, notes, BY_CACTUS)
    feed(p, notes)


@njit(cache=True, nogil=True)
def tick_survival(grid: Grid, players: np.ndarray, armour: float, raining: bool, notes: Notes) -> None:
    """``endure`` for the (1,) PLAYER array. NOTE: mobs.tick_bodies already calls it once a tick."""
    endure(grid.blocks, grid.meta, grid.light, players[0], armour, raining, notes)
