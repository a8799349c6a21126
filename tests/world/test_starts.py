"""A StartState is honoured completely or refused: every field on its own, and together."""

import math
from functools import partial

import numpy as np
import pytest

from jarvis.core.errors import StartStateError, UnknownNameError
from jarvis.core.start_states import StartState
from jarvis.world.bodies import box_free
from jarvis.world.chunks import Chunks
from jarvis.world.inventory import HOTBAR
from jarvis.world.layout import HEIGHT, MASK, get_block
from jarvis.world.rules import RULES
from jarvis.world.terrain import BIOMES, RARITIES
from jarvis.world.world import World


@pytest.fixture(scope="module")
def world():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jarvis.world.world.Chunks", partial(Chunks, load_radius=3))  # less land, sooner there
        yield World()


def idle(world, ticks):
    for _ in range(ticks):
        world.tick(np.zeros(23, np.uint8), np.zeros(2, np.float32))


def blocks_near(world, name, radius):
    """[(dx, dy, dz)] from the player's feet to the cells of a block, as far as a StartState may put them."""
    x, y, z = (math.floor(world.player[0][axis]) for axis in "xyz")
    sides, low, high = np.arange(-radius - 2, radius + 3), max(0, y - radius - 4), min(HEIGHT, y + radius + 5)
    cells = world.grid.blocks[np.ix_((x + sides) & MASK, (z + sides) & MASK, np.arange(low, high))]
    found = np.argwhere(cells == RULES.block(name)) + np.array([sides[0], sides[0], low - y])
    return [(dx, dy, dz) for dx, dz, dy in found.tolist()]


def fits(world):
    """Whether the player stands freely."""
    p = world.player[0]
    return box_free(world.grid, p["x"] - 0.3, p["y"], p["z"] - 0.3, p["x"] + 0.3, p["y"] + 1.8, p["z"] + 0.3)


# the player


def test_nothing_asked_is_a_new_player_on_dry_ground_in_the_morning(world):
    for seed in range(4):
        world.reset(seed)
        p = world.player[0]
        assert (p["hp"], p["food"], p["saturation"], p["air"], p["xp"]) == (20, 20, 5, 300, 0)
        assert world.time == 0 and not world.raining and world.inventory() == {} and world.events == []
        assert fits(world)
        below = RULES.blocks[get_block(world.grid, math.floor(p["x"]), math.floor(p["y"]) - 1, math.floor(p["z"]))]
        assert below in ("grass_block", "sand", "snow_block", "dirt"), (seed, below)
        idle(world, 5)
        assert p["on_ground"] and p["hp"] == 20 and not p["in_water"]


def test_health_food_time_and_weather(world):
    world.reset(0, StartState(health=7.5, food=3, time=18000, weather="rain"), flat=True)
    p = world.player[0]
    assert (p["hp"], p["food"], p["saturation"]) == (7.5, 3, 3) and world.time == 18000 and world.raining
    world.reset(0, StartState(weather="clear"), flat=True)
    assert not world.raining
    idle(world, 50)
    assert world.time == 50


def test_slots_and_inventory_are_exactly_what_was_asked(world):
    start = StartState(
        slots={0: ("iron_pickaxe", 1), 8: ("torch", 32), 35: ("diamond", 3)},
        inventory={"dirt": 130, "torch": 40, "bow": 2},
    )
    world.reset(0, start, flat=True)
    assert world.inventory() == {"iron_pickaxe": 1, "torch": 72, "diamond": 3, "dirt": 130, "bow": 2}
    assert world.slots[HOTBAR].tolist() == (RULES.item("iron_pickaxe"), 1, 0)
    assert world.slots[HOTBAR + 8].tolist() == (RULES.item("torch"), 64, 0)  # filled up to a stack by the 40
    assert world.slots[35].tolist() == (RULES.item("diamond"), 3, 0)


def test_thirty_six_stacks_fit_and_thirty_seven_do_not(world):
    world.reset(0, StartState(inventory={"bucket": 16 * 35, "iron_sword": 1}), flat=True)
    assert world.inventory() == {"bucket": 560, "iron_sword": 1}
    with pytest.raises(StartStateError, match="37 stacks"):
        world.reset(0, StartState(inventory={"iron_sword": 37}), flat=True)
    with pytest.raises(StartStateError, match="at most 16 stack"):
        world.reset(0, StartState(slots={0: ("bucket", 17)}), flat=True)


# the place


def near_top(world, name, radius=36):
    """Share of the columns around the player that have a block among their highest ten cells."""
    p = world.player[0]
    x, z = math.floor(p["x"]), math.floor(p["z"])
    found = []
    for dx in range(-radius, radius, 3):
        for dz in range(-radius, radius, 3):
            i, k = x + dx & 255, z + dz & 255
            top = int(world.grid.top[i, k])
            found.append((world.grid.blocks[i, k, max(0, top - 10) : top] == RULES.block(name)).any())
    return np.mean(found)


KNOWN_FOR = {
    "ocean": ("water", 0.9), "plains": ("grass_block", 0.8), "desert": ("sand", 0.9), "mountains": ("stone", 0.5),
    "forest": ("oak_leaves", 0.3), "taiga": ("spruce_leaves", 0.2), "swamp": ("water", 0.1), "river": ("water", 0.15),
    "snowy_tundra": ("snow", 0.7), "beach": ("sand", 0.45), "birch_forest": ("birch_leaves", 0.3),
    "snowy_taiga": ("spruce_leaves", 0.2),
}  # fmt: skip


@pytest.mark.parametrize("biome", BIOMES)
def test_the_player_begins_in_the_biome_that_was_asked(world, biome):
    world.reset(1, StartState(biome=biome))
    assert BIOMES[world.biome()] == biome
    around = [world.grid.biome[cx * 16 & 255, cz * 16 & 255] for cx, cz in world.chunks.loaded()]
    assert set(around) == {BIOMES.index(biome)} and len(around) >= 37
    block, share = KNOWN_FOR[biome]
    assert near_top(world, block) >= share
    assert fits(world)
    idle(world, 20)
    assert world.player[0]["hp"] == 20


@pytest.mark.parametrize("y", [11.0, 30.0, 45.5, 55.25])
def test_a_height_inside_the_ground_is_a_room_there(world, y):
    world.reset(5, StartState(y=y))
    p = world.player[0]
    assert p["y"] == y and fits(world)
    idle(world, 40)
    assert p["hp"] == 20 and y - 1 <= p["y"] <= y


@pytest.mark.parametrize("position", [(0.5, 20.0, 0.5), (100.1, 30.0, -40.95), (-7.0, 12.5, 7.0), (3.3, 80.0, 4.4)])
def test_a_position_is_where_the_player_stands(world, position):
    world.reset(4, StartState(position=position))
    p = world.player[0]
    assert (p["x"], p["y"], p["z"]) == position and fits(world)
    assert world.chunks.holds(math.floor(position[0]) >> 4, math.floor(position[2]) >> 4)


def test_the_seed_of_a_start_decides_the_world_and_not_the_episodes(world):
    def land(seed, start):
        world.reset(seed, start)
        p = world.player[0]
        return float(p["x"]), float(p["y"]), world.grid.blocks.sum(dtype=np.int64)

    assert land(1, StartState(seed=9)) == land(2, StartState(seed=9)) == land(9, StartState())
    assert land(1, StartState()) != land(2, StartState())


# what is near


@pytest.mark.parametrize("block", [name for name in RULES.blocks if name not in ("air", "bedrock")])
def test_every_block_can_be_asked_for(world, block):
    world.reset(5, StartState(nearby={block: 3}, nearby_radius=6), flat=True)
    near = blocks_near(world, block, 6)
    assert len(near) >= 3
    assert fits(world)
    idle(world, 3)
    assert len(blocks_near(world, block, 6)) >= min(3, len(near)), "it was gone at once"


@pytest.mark.parametrize("radius", [2, 4, 8, 16])
def test_blocks_and_mobs_are_there_within_the_radius(world, radius):
    asked = {"crafting_table": 2, "furnace": 1, "chest": 1, "oak_log": 3}
    if radius > 2:
        asked |= {"white_bed": 1, "oak_door": 1}
    mobs = {"cow": 2, "sheep": 1} if radius > 2 else {"chicken": 1}
    for seed in range(2):
        world.reset(
            seed, StartState(biome="plains", nearby=asked, nearby_radius=radius, mobs=mobs, rarity={"animals": "rare"})
        )
        for name, count in asked.items():
            near = blocks_near(world, name, radius)
            within = [at for at in near if math.hypot(at[0], at[2]) <= radius + 1 and abs(at[1]) <= radius]
            whole = 2 if name in ("white_bed", "oak_door") else 1
            assert len(within) >= count * whole, (seed, name)
        p = world.player[0]
        for name, count in mobs.items():
            m = world.mobs[world.mobs["kind"] == RULES.mob(name)]
            away = np.hypot(m["x"] - p["x"], m["z"] - p["z"])
            assert (away <= max(radius, 3) + 1).sum() >= count, (seed, name)
            assert all(
                box_free(world.grid, x - 0.2, y, z - 0.2, x + 0.2, y + 0.5, z + 0.2)
                for x, y, z in m[["x", "y", "z"]].tolist()
            )
        assert fits(world)


def test_blocks_and_ores_are_really_there_underground(world):
    asked = {"diamond_ore": 8, "iron_ore": 6, "crafting_table": 1, "coal_ore": 6, "chest": 1}
    for seed in range(2):
        world.reset(seed, StartState(y=12, nearby=asked, nearby_radius=6, mobs={"zombie": 2}))
        for name, count in asked.items():
            assert len(blocks_near(world, name, 6)) >= count, name
        assert np.count_nonzero(world.mobs["kind"] == RULES.mob("zombie")) == 2
        assert fits(world)


def test_many_of_one_kind_are_counted_once_each(world):
    world.reset(2, StartState(y=20, nearby={"gold_ore": 40}, nearby_radius=5))
    assert len(blocks_near(world, "gold_ore", 6)) >= 40
    world.reset(
        2, StartState(biome="plains", nearby={"torch": 30, "oak_log": 30, "crafting_table": 5}, nearby_radius=6)
    )
    assert len(blocks_near(world, "torch", 6)) >= 30 and len(blocks_near(world, "oak_log", 6)) >= 30
    assert len(blocks_near(world, "crafting_table", 6)) >= 5


def test_doors_and_beds_are_whole_and_nobody_stands_in_them(world):
    for seed in range(3):
        world.reset(seed, StartState(biome="forest", nearby={"oak_door": 2, "white_bed": 2}, nearby_radius=5))
        doors, beds = blocks_near(world, "oak_door", 5), blocks_near(world, "white_bed", 5)
        assert len(doors) == 4 and len(beds) == 4
        assert fits(world)
        idle(world, 10)
        assert len(blocks_near(world, "oak_door", 5)) == 4 and len(blocks_near(world, "white_bed", 5)) == 4


def test_what_was_asked_for_lasts(world):
    world.reset(
        7,
        StartState(biome="plains", nearby={"water": 3, "lava": 2, "wheat": 3, "torch": 4, "sand": 3}, nearby_radius=7),
    )
    idle(world, 100)
    for name, count in {"water": 3, "lava": 2, "torch": 4, "sand": 3}.items():
        assert len(blocks_near(world, name, 7)) >= count, name


@pytest.mark.parametrize("mob", RULES.mobs)
def test_every_mob_can_be_asked_for_and_is_there(world, mob):
    world.reset(6, StartState(mobs={mob: 4}, nearby_radius=8, time=18000), flat=True)
    kind = RULES.mob(mob)
    assert np.count_nonzero(world.mobs["kind"] == kind) >= 4
    idle(world, 5)
    assert np.count_nonzero(world.mobs["kind"] == kind) >= 4


# rarity


def count(world, name):
    held = np.zeros((256, 256), bool)
    for cx, cz in world.chunks.loaded():
        held[cx * 16 & 255 : (cx * 16 & 255) + 16, cz * 16 & 255 : (cz * 16 & 255) + 16] = True
    return int((world.grid.blocks[held] == RULES.block(name)).sum())


def test_rarity_changes_the_number_of_every_thing(world):
    ores = ("coal", "iron", "gold", "redstone", "diamond", "lapis")
    things = {f"{ore}_ore": ore for ore in ores} | {"oak_log": "trees", "grass": "grass"}
    counts = {}
    for level in ("rare", "common", "very common"):
        world.reset(8, StartState(biome="forest", rarity=dict.fromkeys((*ores, "trees", "grass"), level)))
        counts[level] = {name: count(world, name) for name in things}
    world.reset(8, StartState(biome="forest"))
    assert {name: count(world, name) for name in things} == counts["common"]
    for name in things:
        rare, common, very = (counts[level][name] for level in ("rare", "common", "very common"))
        assert rare / common == pytest.approx(0.35, abs=0.2), name
        if name.endswith("_ore"):
            assert very / common == pytest.approx(3.0, rel=0.3), name
        else:
            assert very > 1.5 * common, name


def test_rarity_of_animals(world):
    def herds(level):
        total = 0
        for seed in range(3):
            world.reset(seed, StartState(biome="plains", rarity={"animals": level}))
            total += np.count_nonzero(world.mobs["kind"])
        return total

    assert herds("rare") < herds("common") < herds("very common")


# what is refused


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ({"biome": "forrest"}, "forest"),
        ({"inventory": {"oak_logs": 1}}, "oak_log"),
        ({"slots": {0: ("iron_pikaxe", 1)}}, "iron_pickaxe"),
        ({"nearby": {"craftingtable": 1}}, "crafting_table"),
        ({"mobs": {"zombi": 1}}, "zombie"),
        ({"rarity": {"diamonds": "rare"}}, "diamond"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(world, asked, nearest):
    with pytest.raises(UnknownNameError, match=nearest):
        world.reset(0, StartState(**asked))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"mobs": {"cow": 65}}, "at most 64"),
        ({"nearby": {"air": 1}}, "air cannot be asked for"),
        ({"nearby": {"bedrock": 1}}, "bedrock cannot"),
        ({"y": 0.0}, "expected 1 to 125"),
        ({"y": 126.0}, "expected 1 to 125"),
        ({"position": (0.0, 300.0, 0.0)}, "expected 1 to 125"),
        ({"nearby": {"stone": 2000}, "nearby_radius": 2}, "no room for 19.. of 2000 stone within 2"),
        ({"mobs": {"cow": 60}, "nearby_radius": 1, "y": 20.0}, "no room for"),
    ],
)
def test_the_impossible_is_refused(world, asked, message):
    with pytest.raises(StartStateError, match=message):
        world.reset(0, StartState(**asked))


def test_every_rarity_is_a_name_of_the_land():
    assert set(RARITIES) == {
        "trees", "animals", "coal", "iron", "gold", "redstone", "diamond", "lapis", "gravel", "dirt", "grass",
    }  # fmt: skip


def test_a_refused_start_leaves_the_world_usable(world):
    with pytest.raises(StartStateError):
        world.reset(0, StartState(nearby={"stone": 2000}, nearby_radius=2))
    world.reset(0)
    idle(world, 3)
    assert world.ticks == 3


def test_every_mob_has_a_number_of_its_own(world):
    for seed in (1, 2):
        world.reset(seed, StartState(mobs={"creeper": 2, "sheep": 2}, nearby_radius=12))
        numbers = world.mobs["uid"][world.mobs["kind"] > 0].tolist()
        assert len(numbers) >= 4 and len(set(numbers)) == len(numbers)


def test_no_plant_is_left_above_a_pool(world):
    for seed in range(4):
        world.reset(seed, StartState(biome="plains", nearby={"water": 6}, nearby_radius=8))
        x, y, z = (math.floor(world.player[0][axis]) for axis in "xyz")
        for dx in range(-10, 11):
            for dz in range(-10, 11):
                for cy in range(y - 6, y + 6):
                    if get_block(world.grid, x + dx, cy, z + dz) == RULES.block("water"):
                        above = RULES.blocks[get_block(world.grid, x + dx, cy + 1, z + dz)]
                        assert above in ("air", "water"), (seed, dx, cy, dz)
