"""Who can be hurt by what: damage to the player and its survival.

Rules of damage (public facts of the game): a hit makes its victim proof against further hits for ten ticks, but a
harder one still takes the difference; armour takes ``min(20, points) / 25`` of what weapons, arrows, explosions and
contact do; hunger is paid through exhaustion.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jarvis.world.layout import NOTE_HURT_PLAYER, Notes, note

DAMAGE_CAUSES = (
    "nothing", "fall", "drown", "lava", "fire", "starve", "cactus", "suffocate", "void",
    "cow", "pig", "sheep", "chicken", "zombie", "skeleton", "creeper", "spider", "arrow", "explosion", "kill",
)  # fmt: skip
(
    BY_NOTHING, BY_FALL, BY_DROWNING, BY_LAVA, BY_FIRE, BY_STARVING, BY_CACTUS, BY_SUFFOCATING, BY_VOID,
    BY_COW, BY_PIG, BY_SHEEP, BY_CHICKEN, BY_ZOMBIE, BY_SKELETON, BY_CREEPER, BY_SPIDER, BY_ARROW, BY_EXPLOSION,
    BY_KILL,
) = range(len(DAMAGE_CAUSES))  # fmt: skip
HURT_TICKS = 10  # a body hurt is proof against equal hits for this long


@njit(cache=True, nogil=True)
def armour_applies(kind: int) -> bool:
    """Whether armour softens damage of this cause."""
    return not (
        kind == BY_FALL
        or kind == BY_DROWNING
        or kind == BY_STARVING
        or kind == BY_SUFFOCATING
        or kind == BY_VOID
        or kind == BY_KILL
        or kind == BY_FIRE  # burning; standing in lava does count
    )


@njit(cache=True, nogil=True)
def hurt_player(player: np.void, armour_points: float, amount: float, notes: Notes, kind: int) -> float:
    """Hurt the player record by ``amount`` health points; ``kind`` indexes DAMAGE_CAUSES.

    Returns the points taken after invulnerability and armour, 0.0 where nothing happened. Adds NOTE_HURT_PLAYER
    (kind, hundredths of a point taken, 1 if it killed) and sets ``dead``.
    """
    if player.dead or amount <= 0.0:
        return 0.0
    # NOTE: sprint_tap holds the last damage in hundredths while hurt_ticks runs
    taken = amount
    if kind == BY_VOID or kind == BY_KILL:
        player.hurt_ticks = HURT_TICKS
    elif player.hurt_ticks > 0:
        last = player.sprint_tap * 0.01
        if amount <= last:
            return 0.0
        taken = amount - last
        player.sprint_tap = min(32000, int(amount * 100.0))
    else:
        player.hurt_ticks = HURT_TICKS
        player.sprint_tap = min(32000, int(amount * 100.0))
    if armour_applies(kind):
        taken *= 1.0 - min(20.0, armour_points) / 25.0
    player.hp = player.hp - taken
    player.exhaustion = player.exhaustion + 0.1
    player.sleeping = 0
    if player.hp <= 0.0:
        player.hp = 0.0
        player.dead = 1
    note(notes, NOTE_HURT_PLAYER, kind, round(taken * 100.0), player.dead, player.x, player.y, player.z)
    return taken
