"""How a voxel world lies in memory: the block window, the records of bodies, and hashes that replace random numbers.

Axes: x east, y up, z south, in metres. A cell is addressed as ``array[x & 255, z & 255, y]``: the world is unbounded
in x and z, and the 256 x 256 columns around the player are kept in arrays that wrap round. Yaw 0 looks south (+z), yaw
90 looks west (-x), pitch 90 looks straight down, as in Minecraft:

    look = (-sin(yaw) cos(pitch), -sin(pitch), cos(yaw) cos(pitch))

Light packs two levels into a byte: ``sky << 4 | block``, each 0..15.

What the meta byte of a cell means:

    log                 0 along y, 1 along x, 2 along z
    furnace, chest      bits 0-1 the side its front faces (0 south +z, 1 west -x, 2 north -z, 3 east +x); bit 2 lit
    torch, ladder       0 standing (torch only), 1..4 fixed to the wall at south, west, north, east of the cell
    oak_door            bits 0-1 the side it faces when closed, bit 2 open, bit 3 upper half
    oak_fence_gate      bits 0-1 facing, bit 2 open
    oak_fence, glass_pane  bit 0 joined to -x, bit 1 +x, bit 2 -z, bit 3 +z
    slabs               0 bottom, 1 top, 2 both
    stairs              bits 0-1 the side of the high half, bit 2 upside down
    wheat               age 0..7
    farmland            0 dry, 1 wet
    water, lava         0 source, 1..7 flowing (larger is lower), 8 falling
    leaves              bit 0 placed by the player (never decays)
    white_bed           bits 0-1 from foot to head, bit 2 head half
    grass_block         bit 0 covered by snow
    redstone_ore        bit 0 lit
    saplings            bit 0 ready to grow
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import boolean, float64, int64, njit, typeof, uint64, void

from jarvis.world import kernel_cache
from jarvis.world.rules import RULES

kernel_cache.settle()

WINDOW = 256  # columns kept along x and along z
MASK = WINDOW - 1
HEIGHT = 128  # cells along y
CHUNK = 16  # columns generated together, along x and along z
WINDOW_CHUNKS = WINDOW // CHUNK
BRICK = 8  # cells along each side of a brick; a ray crosses an empty brick in one step
SEA_LEVEL = 63
UNLOADED = np.iinfo(np.int32).min  # chunk coordinate of a slot that holds no chunk

SOUTH, WEST, NORTH, EAST = range(4)
FACING_DX = np.array([0, -1, 0, 1], np.int64)
FACING_DZ = np.array([1, 0, -1, 0], np.int64)


# Blocks that random ticks can change (updates.py), by id. Natural leaves are not: they are marked when a log goes.
LIVELY = np.array(
    [
        name in ("grass_block", "farmland", "wheat", "ice", "cactus", "redstone_ore") or name.endswith("_sapling")
        for name in RULES.blocks
    ]
)


class Grid(NamedTuple):
    """The block window. Numba kernels take it whole."""

    blocks: np.ndarray  # (256, 256, 128) uint8 block ids
    meta: np.ndarray  # (256, 256, 128) uint8, meaning by block (see the module)
    light: np.ndarray  # (256, 256, 128) uint8, sky << 4 | block
    bricks: np.ndarray  # (32, 32, 16) uint16, cells of a brick that are not air
    top: np.ndarray  # (256, 256) uint8, 1 + the highest cell that is not air; 0 for an empty column
    biome: np.ndarray  # (256, 256) uint8 biome ids (terrain.BIOMES)
    lively: np.ndarray  # (16, 16) uint8 by chunk slot, bit y // 16: something there may change by itself (see LIVELY)
    chunk_at: np.ndarray  # (16, 16, 2) int32, chunk coordinates (cx, cz) held by each slot, or UNLOADED


def empty_grid() -> Grid:
    """A window with no chunk loaded; its pages cost memory only once they are written."""
    shape = (WINDOW, WINDOW, HEIGHT)
    return Grid(
        blocks=np.zeros(shape, np.uint8),
        meta=np.zeros(shape, np.uint8),
        light=np.zeros(shape, np.uint8),
        bricks=np.zeros((WINDOW // BRICK, WINDOW // BRICK, HEIGHT // BRICK), np.uint16),
        top=np.zeros((WINDOW, WINDOW), np.uint8),
        biome=np.zeros((WINDOW, WINDOW), np.uint8),
        lively=np.zeros((WINDOW_CHUNKS, WINDOW_CHUNKS), np.uint8),
        chunk_at=np.full((WINDOW_CHUNKS, WINDOW_CHUNKS, 2), UNLOADED, np.int32),
    )


GRID = typeof(empty_grid())  # the numba type, for kernels whose signature is written down


@njit(int64(GRID, int64, int64, int64), cache=True, nogil=True)
def get_block(grid: Grid, x: int, y: int, z: int) -> int:
    """Block id at integer cell (x, y, z); air above the world, bedrock (1) below it."""
    if y >= HEIGHT:
        return 0
    if y < 0:
        return 1
    return grid.blocks[x & MASK, z & MASK, y]


@njit(void(GRID, int64, int64, int64, int64, int64), cache=True, nogil=True)
def put_block(grid: Grid, x: int, y: int, z: int, block: int, meta: int) -> None:
    """Write a cell and keep bricks and column tops true. Light is the caller's (light.relight)."""
    if y < 0 or y >= HEIGHT:
        return
    i, k = x & MASK, z & MASK
    old = grid.blocks[i, k, y]
    grid.blocks[i, k, y] = block
    grid.meta[i, k, y] = meta
    if LIVELY[block]:
        grid.lively[i >> 4, k >> 4] |= 1 << (y >> 4)
    if old == 0 and block != 0:
        grid.bricks[i >> 3, k >> 3, y >> 3] += 1
        if y >= grid.top[i, k]:
            grid.top[i, k] = y + 1
    elif old != 0 and block == 0:
        grid.bricks[i >> 3, k >> 3, y >> 3] -= 1
        if y + 1 == grid.top[i, k]:
            above = y
            while above > 0 and grid.blocks[i, k, above - 1] == 0:
                above -= 1
            grid.top[i, k] = above


@njit(boolean(GRID, int64, int64), cache=True, nogil=True)
def chunk_loaded(grid: Grid, cx: int, cz: int) -> bool:
    """Whether chunk (cx, cz) is the one its slot holds now."""
    slot = grid.chunk_at[cx & (WINDOW_CHUNKS - 1), cz & (WINDOW_CHUNKS - 1)]
    return slot[0] == cx and slot[1] == cz


# Random numbers are hashes of what they are for, so that no order of evaluation can change them.
#
# NOTE: what kernels call with integers of many widths has its signature written down. Without it numba compiles the
# function anew for every combination: forty times for hash3, a third of the wait before the first frame.


@njit(uint64(uint64), cache=True, nogil=True)
def mix64(value: np.uint64) -> np.uint64:
    """The finaliser of splitmix64."""
    value = np.uint64(value)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(uint64(uint64, int64, int64, int64), cache=True, nogil=True)
def hash3(seed: np.uint64, a: int, b: int, c: int) -> np.uint64:
    """64 random bits that depend on the seed and three integers only."""
    value = mix64(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    value = mix64(value ^ (np.uint64(np.int64(a)) * np.uint64(0x9E3779B97F4A7C15)))
    value = mix64(value + np.uint64(np.int64(b)) * np.uint64(0xC2B2AE3D27D4EB4F))
    return mix64(value ^ (np.uint64(np.int64(c)) * np.uint64(0x165667B19E3779F9)))


@njit(float64(uint64, int64, int64, int64), cache=True, nogil=True)
def uniform3(seed: np.uint64, a: int, b: int, c: int) -> float:
    """A float64 in [0, 1) that depends on the seed and three integers only."""
    return float(hash3(seed, a, b, c) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


# Bodies are records, so that kernels run over arrays of them and a snapshot is a copy.

PLAYER = np.dtype(
    [
        ("x", "f8"), ("y", "f8"), ("z", "f8"),  # metres, middle of the feet
        ("vx", "f8"), ("vy", "f8"), ("vz", "f8"),  # metres per tick
        ("yaw", "f4"), ("pitch", "f4"),  # degrees
        ("eye_height", "f4"), ("height", "f4"),  # metres, smaller when sneaking
        ("fall_distance", "f4"),
        ("hp", "f4"), ("food", "f4"), ("saturation", "f4"), ("exhaustion", "f4"),
        ("air", "i2"),  # ticks of breath, 300 full
        ("xp", "i4"),
        ("hurt_ticks", "i2"), ("fire_ticks", "i2"), ("hunger_effect", "i2"),
        ("food_timer", "i2"),
        ("attack_ticks", "i2"),  # since the last swing: how far the attack has recharged
        ("swing_ticks", "i2"),  # 6 .. 0 while the arm swings
        ("use_ticks", "i2"),  # how long the held item has been used (eating, drawing a bow)
        ("use_cooldown", "i2"),
        ("jump_cooldown", "i2"), ("last_damage", "i2"),
        ("mining", "i1"), ("mine_x", "i4"), ("mine_y", "i4"), ("mine_z", "i4"),
        ("mine_progress", "f8"),  # 0 .. 1; thousands of small steps must add up
        ("mine_cooldown", "i2"),
        ("selected", "i1"),  # hotbar slot 0..8
        ("on_ground", "i1"), ("in_water", "i1"), ("head_in_water", "i1"), ("in_lava", "i1"), ("climbing", "i1"),
        ("sneaking", "i1"), ("sprinting", "i1"), ("collided", "i1"),
        ("dead", "i1"), ("sleeping", "i2"),
        ("walk_phase", "f4"), ("walk_speed", "f4"),  # for the swaying of the view model
        ("spawn_x", "f8"), ("spawn_y", "f8"), ("spawn_z", "f8"),
    ]
)  # fmt: skip

MOB = np.dtype(
    [
        ("kind", "u1"),  # 0 free slot, else 1 + index in Rules.mobs
        ("uid", "i4"),
        ("x", "f8"), ("y", "f8"), ("z", "f8"),
        ("vx", "f8"), ("vy", "f8"), ("vz", "f8"),
        ("yaw", "f4"), ("pitch", "f4"), ("head_yaw", "f4"),  # degrees; yaw is the body's
        ("on_ground", "i1"), ("in_water", "i1"), ("collided", "i1"),
        ("fall_distance", "f4"),
        ("hp", "f4"), ("hurt_ticks", "i2"), ("fire_ticks", "i2"),
        ("death_ticks", "i2"),  # 0 alive, 1..20 falling over
        ("cooldown", "i2"),  # attack, shot
        ("fuse", "i2"),  # creeper, 0..30
        ("goal", "u1"), ("goal_ticks", "i2"), ("goal_x", "f4"), ("goal_z", "f4"),
        ("walk_phase", "f4"), ("walk_speed", "f4"),  # legs
        ("age", "i4"), ("flags", "u1"),  # flags: 1 sheared, 2 hit by the player lately, 4 never despawns
        ("timer", "i4"),  # eggs, wool
    ]
)  # fmt: skip

DROP = np.dtype(  # an item lying in the world
    [
        ("item", "u2"), ("count", "u2"), ("damage", "u2"),  # item 0: free slot
        ("x", "f8"), ("y", "f8"), ("z", "f8"),
        ("vx", "f8"), ("vy", "f8"), ("vz", "f8"),
        ("age", "i2"), ("delay", "i2"), ("on_ground", "i1"),
    ]
)  # fmt: skip

MISSILE = np.dtype(  # arrows, thrown eggs and snowballs, falling blocks
    [
        ("kind", "u1"),  # 0 free, 1 arrow, 2 snowball, 3 egg, 4 falling block
        ("block", "u1"), ("owner", "u1"),  # owner: 1 player, 2 mob
        ("x", "f8"), ("y", "f8"), ("z", "f8"),
        ("vx", "f8"), ("vy", "f8"), ("vz", "f8"),
        ("yaw", "f4"), ("pitch", "f4"),
        ("age", "i2"), ("stuck", "i1"), ("damage", "f4"),
    ]
)  # fmt: skip

STACK = np.dtype([("item", "u2"), ("count", "u2"), ("damage", "u2")])  # one inventory slot; item 0 is empty

MAX_MOBS = 64
MAX_DROPS = 192
MAX_MISSILES = 64

# Happenings inside kernels, drained into events once a tick: (what, id, count, extra) rows.
MAX_NOTES = 256
NOTE_PICKUP, NOTE_KILL, NOTE_HURT_PLAYER, NOTE_EXPLODE, NOTE_MOB_DROP, NOTE_LAND, NOTE_BREAK, NOTE_DAMAGE_DEALT = range(
    1, 9
)
NOTE_FALL, NOTE_GROW = 9, 10  # a block starts to fall (id block), a sapling wants to become a tree (id block)


class Notes(NamedTuple):
    """What kernels report: ``rows[:count[0]]`` are (what, id, amount, extra) with positions in ``where``."""

    rows: np.ndarray  # (256, 4) int32; amounts of damage are in hundredths of a health point
    where: np.ndarray  # (256, 3) float64, metres
    count: np.ndarray  # (1,) int64


def empty_notes() -> Notes:
    """A buffer with nothing in it."""
    return Notes(np.zeros((MAX_NOTES, 4), np.int32), np.zeros((MAX_NOTES, 3)), np.zeros(1, np.int64))


@njit(void(typeof(empty_notes()), int64, int64, int64, int64, float64, float64, float64), cache=True, nogil=True)
def note(notes: Notes, what: int, ident: int, amount: int, extra: int, x: float, y: float, z: float) -> None:
    """Add a row; rows beyond the buffer are dropped, which 256 a tick never reach in play."""
    n = notes.count[0]
    if n < MAX_NOTES:
        notes.rows[n, 0] = what
        notes.rows[n, 1] = ident
        notes.rows[n, 2] = amount
        notes.rows[n, 3] = extra
        notes.where[n, 0] = x
        notes.where[n, 1] = y
        notes.where[n, 2] = z
        notes.count[0] = n + 1
