"""Mobs, drops and missiles on small worlds without terrain."""

import numpy as np
import pytest

from jarvis.world import ids
from jarvis.world.combat import BY_ARROW, BY_EXPLOSION, BY_ZOMBIE, GOAL_LURED, GOAL_PANIC, HOSTILE, NEVER_DESPAWNS
from jarvis.world.drops import add_drop
from jarvis.world.inventory import HOTBAR, count_item, empty_slots
from jarvis.world.layout import (
    DROP,
    MASK,
    MAX_DROPS,
    MAX_MISSILES,
    MAX_MOBS,
    MISSILE,
    MOB,
    NOTE_BREAK,
    NOTE_DAMAGE_DEALT,
    NOTE_EXPLODE,
    NOTE_HURT_PLAYER,
    NOTE_KILL,
    NOTE_PICKUP,
    PLAYER,
    empty_grid,
    empty_notes,
    put_block,
)
from jarvis.world.missiles import ARROW, BY_THE_PLAYER, FALLING, add_missile
from jarvis.world.mobs import attack_mob, mob_in, pick_mob, tick_bodies
from jarvis.world.rules import RULES
from jarvis.world.spawning import sky_darkening, spawn
from jarvis.world.updates import empty_schedule

FLOOR = 64.0
NOON, MIDNIGHT = 6000, 18000
SEED = np.uint64(11)


class Meadow:
    """What tick_bodies asks of a world: a floor of grass under the open sky, and a player in the middle."""

    def __init__(self):
        self.grid = empty_grid()
        chunks = np.arange(-8, 8)
        self.grid.chunk_at[chunks & 15, :, 0] = chunks[:, None]
        self.grid.chunk_at[:, chunks & 15, 1] = chunks[None, :]
        self.player, self.slots = np.zeros(1, PLAYER), empty_slots()
        self.mobs, self.drops = np.zeros(MAX_MOBS, MOB), np.zeros(MAX_DROPS, DROP)
        self.missiles, self.notes, self.schedule = np.zeros(MAX_MISSILES, MISSILE), empty_notes(), empty_schedule()
        self.seed = SEED
        self.lost = []
        self.clear()

    def clear(self):
        self.grid.blocks[:, :, :63], self.grid.blocks[:, :, 63], self.grid.blocks[:, :, 64:80] = (
            ids.STONE,
            ids.GRASS_BLOCK,
            0,
        )
        self.grid.meta[:, :, 55:80] = 0
        self.grid.light[:, :, 55:64], self.grid.light[:, :, 64:] = 0, 0xF0
        self.grid.top[:] = 64
        for records in (self.player, self.slots, self.mobs, self.drops, self.missiles):
            records[:] = np.zeros(1, records.dtype)
        self.schedule.count[:] = 0
        p = self.player[0]
        p["y"], p["on_ground"], p["hp"], p["food"], p["air"], p["height"], p["eye_height"] = (
            FLOOR,
            1,
            20,
            17,
            300,
            1.8,
            1.62,
        )
        self.ticks, self.time, self.raining, self.happened = 0, NOON, False, []

    def drop_loot(self, block, meta, tool, x, y, z):
        self.lost.append(block)

    def spawn(self, name, x, z, y=FLOOR):
        index = spawn(self.mobs, RULES.mob(name), float(x), float(y), float(z), SEED, self.ticks + 1)
        self.mobs["flags"][index] = NEVER_DESPAWNS
        return self.mobs[index]

    def tick(self, ticks=1, until=None):
        """Ticks that it took."""
        for n in range(ticks):
            self.notes.count[0] = 0
            tick_bodies(self)
            self.ticks += 1
            count = self.notes.count[0]
            self.happened += [(self.ticks, *row) for row in self.notes.rows[:count].tolist()]
            if until is not None and self.said(until):
                return n + 1
        return ticks

    def said(self, what):
        return [list(row[2:]) for row in self.happened if row[1] == what]

    def put(self, x, y, z, block, meta=0):
        put_block(self.grid, x, y, z, block, meta)


@pytest.fixture(scope="module")
def stage():
    return Meadow()


@pytest.fixture
def meadow(stage):
    stage.clear()
    stage.lost.clear()
    return stage


def distance(meadow, mob):
    p = meadow.player[0]
    return float(np.hypot(mob["x"] - p["x"], mob["z"] - p["z"]))


# monsters


def test_a_zombie_comes_and_hits_for_3(meadow):
    meadow.time = MIDNIGHT
    zombie = meadow.spawn("zombie", 0.5, 12.5)
    ticks = meadow.tick(300, until=NOTE_HURT_PLAYER)
    # 11 m at 0.23 * 0.23 * 0.98 / (1 - 0.546) = 0.114 m a tick
    assert 90 < ticks < 130
    assert meadow.said(NOTE_HURT_PLAYER) == [[BY_ZOMBIE, 300, 0]] and meadow.player["hp"][0] == 17
    assert meadow.player["vz"][0] < -0.3 and meadow.player["vy"][0] == pytest.approx(0.4)
    meadow.player["vz"] = meadow.player["vy"] = 0
    meadow.tick(60)
    assert len(meadow.said(NOTE_HURT_PLAYER)) in (3, 4)  # every 20 ticks
    assert zombie["kind"]


def test_a_zombie_climbs_a_block_and_goes_round_a_wall(meadow):
    meadow.time = MIDNIGHT
    for x in range(-40, 40):
        meadow.put(x, 64, 6, ids.STONE)
    for x in range(-2, 3):
        meadow.put(x, 64, 3, ids.OAK_FENCE, 0b0011)
    meadow.spawn("zombie", 0.5, 10.5)
    assert meadow.tick(600, until=NOTE_HURT_PLAYER) < 600


def test_armour_softens_a_zombies_hit(meadow):
    meadow.time = MIDNIGHT
    for slot, name in enumerate(("diamond_helmet", "diamond_chestplate", "diamond_leggings", "diamond_boots")):
        meadow.slots[5 + slot] = (RULES.item(name), 1, 0)
    meadow.spawn("zombie", 0.5, 3.5)
    meadow.tick(200, until=NOTE_HURT_PLAYER)
    assert meadow.said(NOTE_HURT_PLAYER) == [[BY_ZOMBIE, 60, 0]]  # 20 points: a fifth of 3


def test_monsters_do_not_see_through_walls(meadow):
    meadow.time = MIDNIGHT
    for x in range(-30, 31):
        for y in range(64, 68):
            meadow.put(x, y, 4, ids.STONE)
    creeper = meadow.spawn("creeper", 0.5, 7.5)
    meadow.tick(100)
    assert creeper["goal"] != 4 and creeper["fuse"] == 0


def test_a_creeper_explodes_after_30_ticks_nearby(meadow):
    meadow.put(3, 64, 4, ids.OBSIDIAN)
    creeper = meadow.spawn("creeper", 0.5, 2.0)
    meadow.tick(6)  # it looks round every five ticks
    lit = int(creeper["fuse"])
    assert 1 <= lit <= 6
    assert meadow.tick(100, until=NOTE_EXPLODE) == 30 - lit
    assert meadow.said(NOTE_HURT_PLAYER)[-1][0] == BY_EXPLOSION and meadow.player["hp"][0] < 5
    assert creeper["kind"] == 0
    cells = meadow.schedule.changes[: meadow.schedule.count[1]]
    assert 15 < len(cells) < 120 and (cells[:, 1] >= 59).all()
    blocks = meadow.grid.blocks
    assert blocks[0, 2, 63] == ids.AIR and blocks[3, 4, 64] == ids.OBSIDIAN
    assert 0.15 < len(meadow.said(NOTE_BREAK)) / len(cells) < 0.55  # a third leave drops


def test_a_creeper_gives_up_when_the_player_leaves(meadow):
    creeper = meadow.spawn("creeper", 0.5, 2.0)
    meadow.tick(20)
    assert 10 < creeper["fuse"] < 30
    meadow.player["z"] = -12.0
    meadow.tick(30)
    assert creeper["fuse"] == 0 and not meadow.said(NOTE_EXPLODE)


def test_skeletons_shoot_and_hit(meadow):
    meadow.time = MIDNIGHT
    skeleton = meadow.spawn("skeleton", 0.5, 9.5)
    meadow.tick(400)
    hits = meadow.said(NOTE_HURT_PLAYER)
    assert 2 <= len(hits) <= 7 and {hit[0] for hit in hits} == {BY_ARROW}
    assert all(100 <= hit[1] <= 400 for hit in hits)
    assert 5.0 < distance(meadow, skeleton) < 16.0


def test_spiders_attack_by_night_only(meadow):
    meadow.spawn("spider", 0.5, 6.5)
    meadow.tick(100)
    assert not meadow.said(NOTE_HURT_PLAYER)
    meadow.time = MIDNIGHT
    assert meadow.tick(200, until=NOTE_HURT_PLAYER) < 200
    assert meadow.said(NOTE_HURT_PLAYER)[0][1] == 200


def test_zombies_and_skeletons_burn_by_day_and_not_in_the_shade(meadow):
    meadow.player["x"] = 100.0
    burning, shaded = meadow.spawn("zombie", 0.5, 0.5), meadow.spawn("zombie", 20.5, 0.5)
    meadow.grid.light[10:30, :, 64:80] = 0xA0
    meadow.grid.light[10:30, -20 & MASK :, 64:80] = 0xA0
    meadow.tick(600)
    assert burning["kind"] == 0 and meadow.said(NOTE_KILL) == [[RULES.mob("zombie"), 1, 0]]
    assert shaded["kind"] and shaded["hp"] == 20


def test_darkness_of_the_sky():
    assert [sky_darkening(t, False) for t in (NOON, MIDNIGHT)] == [0, 11]
    assert sky_darkening(12542, False) >= 4 > sky_darkening(12000, False) and sky_darkening(NOON, True) == 3


# animals


def test_hurt_animals_flee_and_die_with_loot(meadow):
    cow = meadow.spawn("cow", 0.5, 2.0)
    p = meadow.player[0]
    p["attack_ticks"] = 100
    assert pick_mob(meadow.mobs, 0.5, 65.0, 0.0, 0.0, 0.0, 1.0, 3.0) == 0
    assert pick_mob(meadow.mobs, 0.5, 65.0, 0.0, 0.0, 0.0, -1.0, 3.0) == -1
    assert mob_in(meadow.mobs, 0.0, 64.0, 1.0, 1.0, 65.0, 2.0)
    meadow.notes.count[0] = 0
    assert attack_mob(meadow.mobs, 0, p, 4.0, 1.6, meadow.notes) == 4.0
    assert meadow.notes.rows[0].tolist() == [NOTE_DAMAGE_DEALT, RULES.mob("cow"), 400, 0]
    assert cow["goal"] == GOAL_PANIC and cow["hp"] == 6 and cow["vz"] > 0.3
    assert attack_mob(meadow.mobs, 0, p, 4.0, 1.6, meadow.notes) == 0.0  # proof for ten ticks
    meadow.tick(40)
    assert distance(meadow, cow) > 5.0
    p["attack_ticks"] = 100
    assert attack_mob(meadow.mobs, 0, p, 9.0, 1.6, meadow.notes) == 6.0
    meadow.tick(1)
    assert meadow.said(NOTE_KILL) == [[RULES.mob("cow"), 1, 1]] and 1 <= p["xp"] <= 3
    loot = {RULES.items[d["item"]]: int(d["count"]) for d in meadow.drops if d["item"]}
    assert 1 <= loot["beef"] <= 3 and loot.get("leather", 1) <= 2
    meadow.tick(20)
    assert cow["kind"] == 0


def test_meat_is_cooked_when_the_animal_burns(meadow):
    pig = meadow.spawn("pig", 10.5, 10.5)
    pig["fire_ticks"], pig["hp"] = 100, 0.5
    meadow.tick(30)
    assert {RULES.items[d["item"]] for d in meadow.drops if d["item"]} == {"cooked_porkchop"}


def test_an_early_blow_is_weak_and_a_falling_one_critical(meadow):
    meadow.spawn("cow", 0.5, 2.0)
    p = meadow.player[0]
    p["attack_ticks"] = 0  # 0.5 of 12.5 ticks
    assert attack_mob(meadow.mobs, 0, p, 4.0, 1.6, meadow.notes) == pytest.approx(4 * (0.2 + 0.8 * 0.04**2))
    meadow.mobs["hurt_ticks"] = 0
    p["attack_ticks"], p["fall_distance"], p["on_ground"] = 100, 0.5, 0
    assert attack_mob(meadow.mobs, 0, p, 4.0, 1.6, meadow.notes) == pytest.approx(6.0)


@pytest.mark.parametrize(("name", "food"), [("cow", "wheat"), ("pig", "carrot"), ("chicken", "wheat_seeds")])
def test_animals_follow_their_food(meadow, name, food):
    mob = meadow.spawn(name, 0.5, 9.0)
    meadow.slots[HOTBAR] = (RULES.item(food), 1, 0)
    meadow.tick(150)
    assert mob["goal"] == GOAL_LURED and distance(meadow, mob) < 3.0


def test_animals_stroll_but_not_over_cliffs_or_into_water(meadow):
    meadow.grid.blocks[:, 6:, 50:64] = ids.AIR  # a drop to the south
    meadow.grid.blocks[:, 128:250, 50:64] = ids.WATER  # water to the north, where z < -6
    cows = [meadow.spawn("cow", 3.0 * i - 6.0, 0.5) for i in range(5)]
    start = [(float(cow["x"]), float(cow["z"])) for cow in cows]
    meadow.tick(1500)
    assert all(cow["y"] == FLOOR for cow in cows)
    moved = [np.hypot(cow["x"] - x, cow["z"] - z) for cow, (x, z) in zip(cows, start, strict=True)]
    assert max(moved) > 3.0


def test_chickens_fall_softly_and_cows_do_not(meadow):
    chicken, cow = meadow.spawn("chicken", 5.5, 5.5, y=76.0), meadow.spawn("cow", 9.5, 9.5, y=74.0)
    meadow.tick(200)
    assert chicken["hp"] == 4 and chicken["y"] == FLOOR
    assert cow["hp"] == 3  # ten metres: 7


def test_animals_swim(meadow):
    meadow.grid.blocks[:, :, 54:64] = ids.WATER
    pig = meadow.spawn("pig", 0.5, 5.5, y=60.0)
    meadow.tick(200)
    assert pig["y"] > 62.5


# spawning


def test_monsters_come_in_the_dark_on_solid_ground_away_from_the_player(meadow):
    meadow.tick(200)
    assert not meadow.mobs["kind"].any() or not HOSTILE[meadow.mobs["kind"]].any()  # no monster by day
    meadow.time = MIDNIGHT
    meadow.grid.light[:128, :, 64] = 0xFE  # torch light in the east, where x >= 0
    meadow.player["x"] = -0.5
    born = []
    for _ in range(300):
        before = meadow.mobs["kind"] > 0
        meadow.tick()
        born += [meadow.mobs[i].copy() for i in np.flatnonzero((meadow.mobs["kind"] > 0) & ~before)]
    monsters = [m for m in born if HOSTILE[m["kind"]]]
    assert 8 <= len(monsters)
    assert all(m["x"] < 0 and m["y"] == FLOOR and 22.0 < distance(meadow, m) < 82.0 for m in monsters)
    assert len({int(m["kind"]) for m in monsters}) >= 3
    assert HOSTILE[meadow.mobs["kind"]].sum() <= 24
    meadow.player["y"] = 300.0
    meadow.tick()
    assert not HOSTILE[meadow.mobs["kind"]].any()  # forgotten beyond 96 m


# things


def test_drops_fall_wait_and_are_picked_up(meadow):
    diamond = RULES.item("diamond")
    add_drop(meadow.drops, diamond, 2, 0, 0.5, 66.0, 0.5, 0.0, 0.0, 0.0, 10)
    meadow.tick(9)
    assert count_item(meadow.slots, diamond) == 0
    meadow.tick(1)
    assert count_item(meadow.slots, diamond) == 2 and meadow.said(NOTE_PICKUP) == [[diamond, 2, 0]]
    add_drop(meadow.drops, diamond, 1, 0, 9.5, 70.0, 9.5, 0.0, 0.0, 0.0, 10)
    meadow.tick(60)
    drop = meadow.drops[meadow.drops["item"] == diamond][0]
    assert drop["y"] == FLOOR and drop["on_ground"]


def test_drops_of_a_kind_join_up_to_a_stack_and_end_after_5_minutes(meadow):
    dirt = RULES.item("dirt")
    for count, x in ((40, 9.4), (20, 9.5), (30, 9.6)):
        add_drop(meadow.drops, dirt, count, 0, x, 64.5, 9.5, 0.0, 0.0, 0.0, 10)
    meadow.tick(100)
    assert sorted(meadow.drops["count"][meadow.drops["item"] == dirt].tolist()) in ([30, 60], [40, 50])
    meadow.drops["age"] = 5990
    meadow.tick(20)
    assert not meadow.drops["item"].any()


def test_drops_stay_when_the_inventory_is_full_and_burn_in_lava(meadow):
    meadow.slots[9:45] = (RULES.item("dirt"), 64, 0)
    add_drop(meadow.drops, RULES.item("diamond"), 1, 0, 0.5, 64.5, 0.5, 0.0, 0.0, 0.0, 0)
    meadow.put(9, 64, 9, ids.LAVA)
    add_drop(meadow.drops, RULES.item("diamond"), 1, 0, 9.5, 65.0, 9.5, 0.0, 0.0, 0.0, 0)
    meadow.tick(40)
    assert meadow.drops["item"].tolist().count(RULES.item("diamond")) == 1 and not meadow.said(NOTE_PICKUP)


def test_the_players_arrows_hit_mobs_stick_and_come_back(meadow):
    zombie = meadow.spawn("zombie", 0.5, 12.0)
    zombie["cooldown"] = 1000
    add_missile(meadow.missiles, ARROW, 0, BY_THE_PLAYER, 0.0, 65.5, 0.5, 0.0, 0.1, 2.5)
    meadow.tick(8)
    assert zombie["hp"] <= 15 and meadow.said(NOTE_DAMAGE_DEALT)[0][1] == 500  # 2 x 2.5
    meadow.mobs["kind"] = 0
    add_missile(meadow.missiles, ARROW, 0, BY_THE_PLAYER, 0.0, 65.5, 0.5, 0.0, 0.0, 0.5)
    meadow.tick(40)
    arrow = meadow.missiles[0]
    assert arrow["stuck"] and 64.0 <= arrow["y"] < 64.2
    meadow.player["z"] = arrow["z"]
    meadow.tick(2)
    assert count_item(meadow.slots, RULES.item("arrow")) == 1 and arrow["kind"] == 0


def test_falling_blocks_land_as_blocks_or_break(meadow):
    add_missile(meadow.missiles, FALLING, ids.SAND, 0, 5.5, 75.0, 5.5, 0.0, 0.0, 0.0)
    meadow.put(9, 64, 9, ids.TORCH)
    add_missile(meadow.missiles, FALLING, ids.SAND, 0, 9.5, 75.0, 9.5, 0.0, 0.0, 0.0)
    meadow.tick(60)
    assert meadow.grid.blocks[5, 5, 64] == ids.SAND and meadow.grid.blocks[9, 9, 64] == ids.TORCH
    assert meadow.lost == [ids.SAND] and not meadow.missiles["kind"].any()
