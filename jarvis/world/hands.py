"""What the player's hands do in a tick: mine, hit, place, use, throw, and open things.

Every function takes the ``World`` (world.py) and changes it. Buttons are (23,) arrays: ``held`` of this tick,
``pressed`` those that were up a tick ago.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from jarvis.core.actions import BUTTON_INDEX
from jarvis.world import ids, mobs, updates
from jarvis.world.inventory import ARMOUR_SLOT, HOTBAR, OFFHAND, count_item, give, remove, take, wear
from jarvis.world.layout import FACING_DX, FACING_DZ, HEIGHT, MASK, get_block
from jarvis.world.loot import HARVESTS, MINING_PROGRESS, block_xp
from jarvis.world.picking import FACE_DX, FACE_DY, FACE_DZ, Hit, pick_block
from jarvis.world.rules import RULES
from jarvis.world.shapes import collision_boxes

if TYPE_CHECKING:
    from jarvis.world.world import World

ATTACK, USE, DROP, SWAP, PICK, SPRINT, SNEAK = (
    BUTTON_INDEX[name] for name in ("attack", "use", "drop", "swapHands", "pickItem", "sprint", "sneak")
)
REACH = RULES.player["reach_block"]
BREAK_COOLDOWN = 6  # ticks between one block and the next
USE_COOLDOWN = 4  # ticks between uses while the button is held
SWING_TICKS = 6
EAT_TICKS = 32
BOW_FULL = 20  # ticks to draw a bow
PICKUP_DELAY_THROWN = 40  # ticks before one's own throw can be picked up again

I = RULES.item_id  # noqa: E741
FOODS = {RULES.item(name): facts for name, facts in RULES.data["foods"].items()}
FACING_ITEMS = {I["furnace"], I["chest"]}
LOGS = frozenset(RULES.item(name) for name in RULES.tags["logs"])
LEAVES = frozenset(RULES.item(name) for name in RULES.tags["leaves"])
SLABS = {I["oak_slab"], I["cobblestone_slab"]}
STAIRS = {I["oak_stairs"], I["cobblestone_stairs"]}
HOES = frozenset(i for name, i in I.items() if name.endswith("_hoe"))
DRINKS = {I["milk_bucket"]}
SCREENS = {ids.CRAFTING_TABLE: "crafting_table", ids.FURNACE: "furnace", ids.CHEST: "chest"}
SCREEN_STATISTICS = {
    "crafting_table": "interact_with_crafting_table",
    "furnace": "interact_with_furnace",
    "chest": "open_chest",
}


def held_item(world: World) -> int:
    """Item id in the main hand, 0 for none."""
    return int(world.slots["item"][HOTBAR + int(world.player["selected"][0])])


def facing_of(yaw: float) -> int:
    """The side (layout.SOUTH ...) that a yaw looks towards."""
    return round(yaw / 90.0) & 3


# attack


def attack(world: World, held: np.ndarray, pressed: np.ndarray) -> None:
    """Mine the block pointed at while attack is held; hit the mob pointed at when it is pressed."""
    p = world.player[0]
    resting = p["mine_cooldown"] > 0
    if resting:
        p["mine_cooldown"] -= 1
    if not held[ATTACK]:
        p["mining"], p["mine_progress"] = 0, 0.0
        return
    hit = world.pointed
    if pressed[ATTACK]:
        p["swing_ticks"] = SWING_TICKS
        mob = mobs.pick_mob(
            world.mobs, *world.eye(), *world.look(), min(RULES.player["reach_entity"], hit.distance if hit else 1e9)
        )
        if mob >= 0:
            strike(world, mob)
            p["mining"] = 0
            return
        if hit is None:
            p["attack_ticks"] = 0
    if hit is None:
        p["mining"], p["mine_progress"] = 0, 0.0
        return
    p["swing_ticks"] = p["swing_ticks"] or SWING_TICKS
    cell, tool = (hit.x, hit.y, hit.z), held_item(world)
    block = get_block(world.grid, *cell)
    if not p["mining"] or (p["mine_x"], p["mine_y"], p["mine_z"]) != cell or world.mining_tool != tool:
        p["mining"], p["mine_x"], p["mine_y"], p["mine_z"] = 1, *cell
        p["mine_progress"], world.mining_tool = 0.0, tool
    progress = MINING_PROGRESS[block, tool]
    if math.isinf(progress):
        if pressed[ATTACK] or not resting:
            break_block(world, *cell, tool)
            p["mining"] = 0
        return
    if resting:
        return
    progress /= (5 if p["head_in_water"] else 1) * (1 if p["on_ground"] else 5)
    p["mine_progress"] += progress
    if p["mine_progress"] >= 1 - 1e-9:
        break_block(world, *cell, tool)
        p["mining"], p["mine_progress"], p["mine_cooldown"] = 0, 0.0, 0 if progress >= 1 else BREAK_COOLDOWN


def break_block(world: World, x: int, y: int, z: int, tool: int) -> None:
    """Take a block out of the world by the player's hand: statistics, drops, experience, wear and hunger."""
    block = get_block(world.grid, x, y, z)
    meta = int(world.grid.meta[x & MASK, z & MASK, y])
    name = RULES.blocks[block]
    world.emit("mine_block", name)
    world.player["exhaustion"][0] += RULES.player["exhaustion"]["break_block"]
    harvests = bool(HARVESTS[block, tool])
    contents = world.containers.remove(x, y, z) if block in (ids.FURNACE, ids.CHEST) else []
    # ice on ground or water leaves water behind
    leaves_water = block == ids.ICE and get_block(world.grid, x, y - 1, z) != ids.AIR
    world.change(x, y, z, ids.WATER if leaves_water else ids.AIR, 0)
    if harvests:
        world.drop_loot(block, meta, tool, x + 0.5, y + 0.5, z + 0.5)
        world.player["xp"][0] += block_xp(block, world.seed, world.next_draw())
    for stack in contents:
        world.spill(stack, x + 0.5, y + 0.5, z + 0.5)
    kind = RULES.data["items"].get(RULES.items[tool], {}).get("tool")
    if kind or RULES.items[tool] == "shears":
        world.emit("use_item", RULES.items[tool])
        costs = RULES.data["mining"]["durability_cost"]
        hard = RULES.data["blocks"][name]["hardness"] > 0
        cost = 0 if kind == "hoe" and not hard else costs["sword_breaking_block"] if kind == "sword" else 1
        wear_held(world, cost if hard or RULES.items[tool] == "shears" else 0)


def strike(world: World, mob: int) -> None:
    """Hit a mob with what is in hand."""
    tool = held_item(world)
    facts = RULES.data["items"].get(RULES.items[tool], {})
    damage = facts.get("attack_damage", RULES.player["fist_damage"])
    speed = facts.get("attack_speed", RULES.player["fist_attack_speed"])
    mobs.attack_mob(world.mobs, mob, world.player[0], float(damage), float(speed), world.notes)
    kind = facts.get("tool")
    if kind:
        world.emit("use_item", RULES.items[tool])
        costs = RULES.data["mining"]["durability_cost"]
        wear_held(world, costs["sword_hit"] if kind == "sword" else costs["tool_as_weapon"] if kind != "hoe" else 1)


def wear_held(world: World, amount: int) -> None:
    """Use up the held tool."""
    wear_slot(world, HOTBAR + int(world.player["selected"][0]), amount)


def wear_slot(world: World, slot: int, amount: int) -> None:
    """Use up what is in a slot; when it breaks, say so."""
    broken = wear(world.slots, slot, amount, RULES.durability)
    if broken:
        world.emit("break_item", RULES.items[broken])


# use


def use(world: World, held: np.ndarray, pressed: np.ndarray) -> None:
    """The use button: continue eating or drawing, else act on what is pointed at, else use what is in hand."""
    p = world.player[0]
    if p["use_cooldown"] > 0:
        p["use_cooldown"] -= 1
    item = held_item(world)
    if p["use_ticks"] > 0:
        if held[USE] and item == world.using_item:
            continue_using(world, item)
        else:
            release(world, item)
        return
    if not held[USE] or (p["use_cooldown"] > 0 and not pressed[USE]):
        return
    p["use_cooldown"] = USE_COOLDOWN
    hit = world.pointed
    mob = mobs.pick_mob(
        world.mobs, *world.eye(), *world.look(), min(RULES.player["reach_entity"], hit.distance if hit else 1e9)
    )
    if mob >= 0:  # whoever stands in front of a block keeps it from being used
        hit = None
    done = (mob >= 0 and use_on_mob(world, mob, item)) or (hit is not None and use_on_block(world, hit, item, held))
    if done or use_in_air(world, item):
        return
    off = int(world.slots["item"][OFFHAND])
    if off and RULES.places[off] and hit is not None and not RULES.places[item]:
        place(world, hit, off, OFFHAND)


def use_on_mob(world: World, mob: int, item: int) -> bool:
    """Shear sheep, milk cows."""
    kind, flags = RULES.mobs[int(world.mobs["kind"][mob]) - 1], int(world.mobs["flags"][mob])
    where = [float(world.mobs[axis][mob]) for axis in "xyz"]
    if kind == "sheep" and item == I["shears"] and not flags & 1:
        world.mobs["flags"][mob] = flags | 1
        count = 1 + int(world.random() * 3)
        world.spill((I["white_wool"], count, 0), where[0], where[1] + 1.0, where[2])
        wear_held(world, 1)
    elif kind == "cow" and item == I["bucket"]:
        exchange(world, I["milk_bucket"])
    else:
        return False
    world.player["swing_ticks"][0] = SWING_TICKS
    world.emit("use_item", RULES.items[item])
    return True


def use_on_block(world: World, hit: Hit, item: int, held: np.ndarray) -> bool:
    """Open, toggle, sleep in or till the block pointed at, or place the held block against it."""
    block = get_block(world.grid, hit.x, hit.y, hit.z)
    meta = int(world.grid.meta[hit.x & MASK, hit.z & MASK, hit.y])
    if not held[SNEAK] or item == 0:
        if block in SCREENS:
            kind = SCREENS[block]
            if kind == "chest" and RULES.table.opaque[get_block(world.grid, hit.x, hit.y + 1, hit.z)]:
                return True
            world.open_screen(kind, (hit.x, hit.y, hit.z))
            world.emit("custom", SCREEN_STATISTICS[kind])
            return True
        if block == ids.OAK_DOOR:
            other = hit.y + (-1 if meta & 8 else 1)
            world.change(hit.x, hit.y, hit.z, block, meta ^ 4)
            if get_block(world.grid, hit.x, other, hit.z) == block:
                world.change(hit.x, other, hit.z, block, int(world.grid.meta[hit.x & MASK, hit.z & MASK, other]) ^ 4)
            world.player["swing_ticks"][0] = SWING_TICKS
            return True
        if block == ids.OAK_FENCE_GATE:
            world.change(hit.x, hit.y, hit.z, block, meta ^ 4)
            world.player["swing_ticks"][0] = SWING_TICKS
            return True
        if block == ids.WHITE_BED:
            world.lie_down(hit.x, hit.y, hit.z)
            return True
    if item in HOES and block in (ids.DIRT, ids.GRASS_BLOCK) and hit.face != 2:
        if get_block(world.grid, hit.x, hit.y + 1, hit.z) == ids.AIR:
            world.change(hit.x, hit.y, hit.z, ids.FARMLAND, 0)
            world.emit("use_item", RULES.items[item])
            wear_held(world, 1)
            world.player["swing_ticks"][0] = SWING_TICKS
            return True
    return bool(RULES.places[item]) and place(world, hit, item, HOTBAR + int(world.player["selected"][0]))


def place(world: World, hit: Hit, item: int, slot: int) -> bool:
    """Put a block down against the block pointed at; whether it went."""
    grid, block = world.grid, int(RULES.places[item])
    x, y, z = hit.x, hit.y, hit.z
    target, target_meta = get_block(grid, x, y, z), int(grid.meta[x & MASK, z & MASK, y])
    joins_slab = (
        item in SLABS and target == block and (target_meta, hit.face) in ((0, 3), (1, 2))
    )  # the missing half of the slab pointed at
    if not joins_slab and not (RULES.table.replaceable[target] and target != block):
        x, y, z = x + FACE_DX[hit.face], y + FACE_DY[hit.face], z + FACE_DZ[hit.face]
    if not 0 <= y < HEIGHT:
        return False
    there, there_meta = get_block(grid, x, y, z), int(grid.meta[x & MASK, z & MASK, y])
    if item in SLABS and there == block and there_meta < 2:
        joins_slab = True
    if not joins_slab and not RULES.table.replaceable[there]:
        return False
    meta = 2 if joins_slab else placed_meta(world, hit, item, x, y, z)
    if meta < 0 or not updates.supported(grid, x, y, z, block, 8 if block == ids.OAK_DOOR else meta & 15):
        # NOTE: doors and beds ask for their other half, which is not there yet; their own checks are below
        if meta < 0 or block not in (ids.OAK_DOOR, ids.WHITE_BED):
            return False
    cells = [(x, y, z, meta)]
    if block == ids.OAK_DOOR:
        if y + 1 >= HEIGHT or not RULES.table.replaceable[get_block(grid, x, y + 1, z)]:
            return False
        if not RULES.table.opaque[get_block(grid, x, y - 1, z)]:
            return False
        cells.append((x, y + 1, z, meta | 8))
    elif block == ids.WHITE_BED:
        hx, hz = x + int(FACING_DX[meta]), z + int(FACING_DZ[meta])
        if not RULES.table.replaceable[get_block(grid, hx, y, hz)]:
            return False
        cells.append((hx, y, hz, meta | 4))
    for cx, cy, cz, cell_meta in cells:
        for x0, y0, z0, x1, y1, z1 in collision_boxes(RULES.blocks[block], cell_meta & 15):
            if world.body_in(cx + x0, cy + y0, cz + z0, cx + x1, cy + y1, cz + z1):
                return False
    # the far half first: the near one asks for it when its neighbours are woken
    for cx, cy, cz, cell_meta in reversed(cells):
        world.change(cx, cy, cz, block, cell_meta)
    take(world.slots, slot, 1)
    world.emit("use_item", RULES.items[item])
    world.player["swing_ticks"][0] = SWING_TICKS
    return True


def placed_meta(world: World, hit: Hit, item: int, x: int, y: int, z: int) -> int:
    """The meta a block gets from how it is placed; -1 if it cannot be placed like that."""
    block = int(RULES.places[item])
    look = facing_of(float(world.player["yaw"][0]))
    side = {0: 3, 1: 1, 4: 0, 5: 2}.get(hit.face, -1)  # towards the wall, from the face of it that was hit
    if item in LOGS:
        return {0: 1, 1: 1, 2: 0, 3: 0, 4: 2, 5: 2}[hit.face]
    if item in LEAVES:
        return 1
    if item in FACING_ITEMS:
        return look ^ 2
    if block in (ids.TORCH, ids.LADDER):
        walls = ([side + 1] if side >= 0 else []) + ([0] if block == ids.TORCH else [])
        walls += [1 + (look + turn) % 4 for turn in range(4)]
        return next((m for m in walls if updates.supported(world.grid, x, y, z, block, m)), -1)
    if block in (ids.OAK_FENCE, ids.GLASS_PANE):
        return int(updates.joins(world.grid, x, y, z, block))
    if item in SLABS:
        return int(hit.face == 2 or (hit.face != 3 and hit.py - math.floor(hit.py) >= 0.5))
    if item in STAIRS:
        upside = hit.face == 2 or (hit.face != 3 and hit.py - math.floor(hit.py) >= 0.5)
        return look | (4 if upside else 0)
    if block in (ids.OAK_FENCE_GATE, ids.WHITE_BED):
        return look
    if block == ids.OAK_DOOR:
        return look ^ 2  # the panel stands on the side the player comes from
    return 0


def use_in_air(world: World, item: int) -> bool:
    """Start eating or drawing, throw, wear, fill or empty; whether something was done."""
    p = world.player[0]
    name = RULES.items[item]
    if item in FOODS and (p["food"] < 20 or name == "golden_apple"):
        p["use_ticks"], world.using_item = 1, item
    elif item in DRINKS or (item == I["bow"] and count_item(world.slots, I["arrow"])) or name == "shield":
        p["use_ticks"], world.using_item = 1, item
    elif name in ("snowball", "egg"):
        take(world.slots, HOTBAR + int(p["selected"]), 1)
        world.shoot(name, 1.5)
        world.emit("use_item", name)
        p["swing_ticks"] = SWING_TICKS
    elif item and ARMOUR_SLOT[item] >= 0 and not world.slots["item"][ARMOUR_SLOT[item]]:
        hand = HOTBAR + int(p["selected"])
        world.slots[ARMOUR_SLOT[item]] = world.slots[hand]
        world.slots[hand] = (0, 0, 0)
    elif name.endswith("bucket"):
        return use_bucket(world, name)
    else:
        return False
    return True


def use_bucket(world: World, name: str) -> bool:
    """Scoop up a source, or pour one out."""
    if name == "bucket":
        for liquid, filled in ((ids.WATER, "water_bucket"), (ids.LAVA, "lava_bucket")):
            hit = pick_block(world.grid, world.eye(), world.look(), REACH, liquid)
            if hit is not None and get_block(world.grid, hit.x, hit.y, hit.z) == liquid:
                world.change(hit.x, hit.y, hit.z, ids.AIR, 0)
                exchange(world, I[filled])
                world.emit("use_item", name)
                return True
        return False
    hit = world.pointed
    if hit is None:
        return False
    x, y, z = hit.x, hit.y, hit.z
    if not RULES.table.replaceable[get_block(world.grid, x, y, z)]:
        x, y, z = x + FACE_DX[hit.face], y + FACE_DY[hit.face], z + FACE_DZ[hit.face]
    there = get_block(world.grid, x, y, z)
    if not 0 <= y < HEIGHT or (RULES.table.solid[there] and there != ids.SNOW):
        return False
    washed = int(world.grid.meta[x & MASK, z & MASK, y])
    world.change(x, y, z, ids.WATER if name == "water_bucket" else ids.LAVA, 0)
    if HARVESTS[there, 0]:
        world.drop_loot(there, washed, 0, x + 0.5, y + 0.5, z + 0.5)
    exchange(world, I["bucket"])
    world.emit("use_item", name)
    return True


def exchange(world: World, item: int) -> None:
    """Turn one of the held stack into another item; what has no room falls at the player's feet."""
    hand = HOTBAR + int(world.player["selected"][0])
    take(world.slots, hand, 1)
    if not world.slots["item"][hand]:
        world.slots[hand] = (item, 1, 0)
    elif give(world.slots, RULES.stack_size, item, 1, 0):
        world.throw((item, 1, 0))


def continue_using(world: World, item: int) -> None:
    """One more tick of eating or drawing."""
    p = world.player[0]
    p["use_ticks"] = min(int(p["use_ticks"]) + 1, 32000)
    if p["use_ticks"] < EAT_TICKS or (item not in FOODS and item not in DRINKS):
        return
    p["use_ticks"] = 0
    name = RULES.items[item]
    world.emit("use_item", name)
    if item in DRINKS:
        p["hunger_effect"] = 0
        exchange(world, I["bucket"])
        return
    facts = FOODS[item]
    p["food"] = min(20.0, float(p["food"]) + facts["food"])
    p["saturation"] = min(float(p["food"]), float(p["saturation"]) + facts["saturation"])
    if (name == "rotten_flesh" and world.random() < 0.8) or (name == "chicken" and world.random() < 0.3):
        p["hunger_effect"] = 600
    take(world.slots, HOTBAR + int(p["selected"]), 1)


def release(world: World, item: int) -> None:
    """Let go of the use button: a drawn bow shoots."""
    p = world.player[0]
    drawn = int(p["use_ticks"])
    p["use_ticks"] = 0
    if item != I["bow"] or item != world.using_item:
        return
    power = drawn / BOW_FULL
    power = min(1.0, (power * power + 2 * power) / 3)
    if power < 0.1 or not remove(world.slots, I["arrow"], 1):
        return
    world.shoot("arrow", 3.0 * power)
    world.emit("use_item", "bow")
    wear_held(world, 1)


# the other keys


def hotbar_keys(world: World, pressed: np.ndarray) -> None:
    """Number keys choose the held slot, f swaps hands, q throws, the middle button fetches the block pointed at."""
    p = world.player[0]
    numbers = pressed[BUTTON_INDEX["hotbar.1"] : BUTTON_INDEX["hotbar.1"] + 9]
    if numbers.any():
        p["selected"] = int(np.flatnonzero(numbers)[-1])
        p["attack_ticks"] = 0
    hand = HOTBAR + int(p["selected"])
    if pressed[SWAP]:
        held, off = world.slots[hand].copy(), world.slots[OFFHAND].copy()
        world.slots[hand], world.slots[OFFHAND] = off, held
    if pressed[PICK] and world.pointed is not None:
        pick_item(world, RULES.item_id.get(RULES.blocks[get_block(world.grid, *world.pointed[:3])], 0))


def throw_held(world: World, held: np.ndarray) -> None:
    """Throw one of the held stack, all of it with sprint (control) down."""
    slot = HOTBAR + int(world.player["selected"][0])
    item, count, damage = world.slots[slot].tolist()
    if item:
        count = take(world.slots, slot, count if held[SPRINT] else 1)
        world.throw((item, count, damage))
        world.emit("drop", RULES.items[item], count)


def pick_item(world: World, item: int) -> None:
    """Bring an item that the player carries into the hand."""
    p = world.player[0]
    where = np.flatnonzero(world.slots["item"][9:45] == item) + 9 if item else []
    if not len(where):
        return
    hotbar = [index for index in where if index >= HOTBAR]
    if hotbar:
        p["selected"] = int(hotbar[0]) - HOTBAR
    else:
        hand = HOTBAR + int(p["selected"])
        carried, fetched = world.slots[hand].copy(), world.slots[where[0]].copy()
        world.slots[hand], world.slots[where[0]] = fetched, carried
