"""Compile the world's kernels once, on several cores, before play needs them: ``python -m jarvis.world.warm``.

numba compiles a kernel when it is first called, on one core, and keeps the result in a cache beside the code. On a new
machine that is a wait of minutes, spread over the first picture and the first ticks. ``prepare`` lets processes compile
the parts side by side into the same cache, the longest first. It does nothing when the cache is warm; whatever fails
here is left to numba's own way.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from jarvis.world.kernel_cache import mark

if TYPE_CHECKING:
    from jarvis.world.world import World

LONGEST = 300  # seconds for a group; what takes longer is left to numba's own way
ORDER = ("picture", "bodies", "blocks", "land")  # the longest first


def is_warm() -> bool:
    """Whether every kernel is in the cache, or nothing can be done about it."""
    stamp = mark("warm")
    return stamp is None or stamp.exists()


def prepare() -> bool:
    """Compile whatever is missing, as many groups at once as there are cores; whether there was anything to do."""
    if is_warm():
        return False
    stamp = mark("warm")
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        good = list(pool.map(_compile, ORDER))
    if all(good) and stamp is not None:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
    return True


def _compile(group: str) -> bool:
    """Compile a group in a process of its own."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    command = [sys.executable, "-m", "jarvis.world.warm", group]
    environment = os.environ | {"PYTHONPATH": path}
    try:
        return subprocess.run(command, env=environment, capture_output=True, timeout=LONGEST).returncode == 0
    except subprocess.TimeoutExpired:
        return False


# what each process compiles: every kernel that Python calls is called once


def _little_world() -> World:
    """A world with a player in the empty air, without the kernels that make land."""
    from jarvis.world.layout import empty_grid
    from jarvis.world.world import World

    world = World()
    world.grid, world.seed, world.ticks, world.time = empty_grid(), np.uint64(1), 5, 0
    world.grid.chunk_at[0, 0] = 0, 0
    world.raining, world.draws, world.mining_tool = False, 0, 0
    world.events, world.pointed = [], None
    world.player["y"], world.player["height"], world.player["hp"] = 64.0, 1.8, 20.0
    return world


def _land() -> None:
    from jarvis.world import light
    from jarvis.world.chunks import Chunks, generate_chunk
    from jarvis.world.terrain import TerrainConfig

    chunks = Chunks(TerrainConfig(seed=1), load_radius=1)
    chunks.ensure(*chunks.find_spawn()[::2])
    chunks.put(0, 100, 0, 2, 0)
    generate_chunk(TerrainConfig(seed=1, flat=True), 0, 0)
    light.relight(chunks.grid, 0, 100, 0)
    chunks.ensure(4000.0, 4000.0)


def _picture() -> None:
    from jarvis.world.hud import Hud
    from jarvis.world.inventory import empty_slots
    from jarvis.world.layout import DROP, MISSILE, MOB, PLAYER, empty_grid, put_block
    from jarvis.world.render import Renderer
    from jarvis.world.rules import RULES
    from jarvis.world.screens import HudView, Screen
    from jarvis.world.view import View

    grid = empty_grid()
    for cx in range(-3, 4):
        for cz in range(-3, 4):
            grid.chunk_at[cx & 15, cz & 15] = cx, cz
    for x in range(-16, 17):
        for z in range(-16, 17):
            for y, block in ((60, "stone"), (61, "water"), (62, "air"), (63, "oak_leaves" if x == z else "torch")):
                put_block(grid, x, y, z, RULES.block(block), 0)
    grid.light[:] = 0xF0
    mobs, drops, missiles = np.zeros(64, MOB), np.zeros(192, DROP), np.zeros(64, MISSILE)
    mobs["kind"][0], mobs["z"][0], mobs["y"][0], mobs["hp"][0] = 1, 4.0, 64.0, 10
    drops["item"][0], drops["count"][0], drops["z"][0], drops["y"][0] = RULES.item("stick"), 1, 3.0, 64.0
    missiles["kind"][0], missiles["z"][0], missiles["y"][0] = 1, 3.0, 65.0
    view = View(
        x=0.5,
        y=65.62,
        z=0.5,
        mobs=mobs,
        drops=drops,
        missiles=missiles,
        pointed=(0, 60, 3),
        cracked=(0, 60, 3),
        crack_stage=4,
    )
    slots, player = empty_slots(), np.zeros(1, PLAYER)
    slots[36] = RULES.item("wooden_pickaxe"), 1, 5
    player["hp"], player["food"] = 20, 20
    for width, height in ((64, 64), (640, 360)):
        renderer, hud, screen = Renderer(width, height), Hud(width, height), Screen(slots)
        frame = np.empty((height, width, 3), np.uint8)
        for held, burning in ((0, True), (RULES.item("stone"), False), (RULES.item("stick"), False)):
            look = view._replace(held=held, burning=burning, hurt=0.5, rain=float(burning), time=18000 * burning)
            renderer.render(grid, look, frame)
        hud.draw(frame, HudView(player, slots, screen, 0))
        screen.open("player")
        hud.draw(frame, HudView(player, slots, screen, 1))
        player["sleeping"] = 5
        hud.draw(frame, HudView(player, slots, screen, 2))
        player["sleeping"] = 0


def _bodies() -> None:
    from jarvis.core.actions import BUTTONS
    from jarvis.world import combat, drops, hands, missiles, mobs
    from jarvis.world.bodies import box_free, move_player
    from jarvis.world.layout import put_block

    world = _little_world()
    for x in range(-4, 5):
        for z in range(-4, 5):
            put_block(world.grid, x, 63, z, 2, 0)
    box_free(world.grid, 0.0, 64.0, 0.0, 1.0, 65.0, 1.0)
    mobs.spawn(world.mobs, 5, 2.5, 64.0, 2.5, world.seed, 1)
    move_player(world.grid, world.player, 1.0, 0.0, True, False, False, False, world.notes)
    drops.add_drop(world.drops, 1, 1, 0, 0.0, 64.0, 0.0, 0.0, 0.2, 0.0, 10)
    missiles.add_missile(world.missiles, 1, 0, 1, 0.0, 66.0, 0.0, 0.1, 0.1, 0.1)
    world.spill((1, 1, 0), 0.5, 64.0, 0.5)
    world.throw((1, 1, 0))
    mobs.tick_bodies(world)
    mobs.pick_mob(world.mobs, 0.0, 65.0, 0.0, 0.0, 0.0, 1.0, 3.0)
    mobs.mob_in(world.mobs, 0.0, 64.0, 0.0, 1.0, 65.0, 1.0)
    mobs.attack_mob(world.mobs, 0, world.player[0], 1.0, 4.0, world.notes)
    combat.hurt_player(world.player[0], 0.0, 1.0, world.notes, combat.BY_FALL)
    hands.attack(world, np.zeros(len(BUTTONS), np.uint8), np.zeros(len(BUTTONS), bool))


def _blocks() -> None:
    from jarvis.world import describe, ids, inventory, updates
    from jarvis.world.picking import pick_block
    from jarvis.world.rules import RULES

    world = _little_world()
    updates.change(world.grid, world.schedule, 0, 0, 63, 0, ids.WATER, 0)
    updates.tick_updates(world.grid, world.schedule, world.notes, world.seed, 6, 0.0, 0.0)
    updates.supported(world.grid, 0, 64, 0, ids.TORCH, 0)
    updates.joins(world.grid, 0, 64, 0, ids.OAK_FENCE)
    updates.is_plant(ids.GRASS)
    pick_block(world.grid, (0.5, 66.0, 0.5), (0.0, -1.0, 0.0), 4.5)
    describe._nearest(world.grid, np.zeros(len(RULES.blocks), np.bool_), 0.0, 64.0, 0.0, 4.0)
    world.containers.furnace(0, 64, 0)
    world.containers.tick()
    slots = inventory.empty_slots()
    inventory.give(slots, RULES.stack_size, 1, 3, 0)
    inventory.wear(slots, 36, 1, RULES.durability)
    inventory.take(slots, 36, 1)
    inventory.remove(slots, 1, 1)


GROUPS: dict[str, Callable[[], None]] = {"land": _land, "picture": _picture, "bodies": _bodies, "blocks": _blocks}


def main() -> None:
    """Compile one group, or without an argument everything that is missing."""
    if len(sys.argv) > 1:
        GROUPS[sys.argv[1]]()
    else:
        prepare()


if __name__ == "__main__":
    main()
