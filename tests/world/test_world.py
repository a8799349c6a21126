"""Ticks of a whole world: time, death, sleep, throwing, screens, memory. Blocks and hands are tested next door."""

import hashlib

import numpy as np
import pytest
from stage import FLOOR, Stage

from jarvis.core.actions import BUTTON_INDEX, BUTTONS
from jarvis.core.start_states import StartState
from jarvis.world.inventory import HOTBAR, MAIN, OFFHAND
from jarvis.world.rules import RULES
from jarvis.world.screens import LAYOUTS
from jarvis.world.world import RESPAWN_TICKS, SLEEP_TICKS, World


@pytest.fixture(scope="module")
def plain():
    return Stage()


@pytest.fixture
def stage(plain):
    return plain.begin()


def monkey(ticks, seed=0, screens=True):
    """(buttons, camera) of someone who presses anything for a while: (n, 23) uint8 and (n, 2) float32."""
    random = np.random.default_rng(seed)
    buttons = np.zeros((ticks, len(BUTTONS)), np.uint8)
    often = np.full(len(BUTTONS), 0.02)
    for name, share in {"forward": 0.7, "attack": 0.5, "use": 0.1, "jump": 0.2, "sprint": 0.3, "sneak": 0.05}.items():
        often[BUTTON_INDEX[name]] = share
    if not screens:
        often[BUTTON_INDEX["inventory"]] = 0
    held = np.zeros(len(BUTTONS), np.uint8)
    for t in range(ticks):
        anew = random.random(len(BUTTONS)) < 0.15
        held = np.where(anew, random.random(len(BUTTONS)) < often, held).astype(np.uint8)
        buttons[t] = held
    camera = np.where(random.random((ticks, 1)) < 0.4, random.normal(0, 8, (ticks, 2)), 0).astype(np.float32)
    return buttons, camera


def fingerprint(world, land=True):
    """A hash of everything that a world is."""
    digest = hashlib.sha256()
    for name in World._ARRAYS:
        digest.update(getattr(world, name).tobytes())
    digest.update(repr([getattr(world, name) for name in World._PLAIN]).encode())
    digest.update(world.schedule.pending[: world.schedule.count[0]].tobytes())
    state = world.screen.state() | world.containers.state() | {"peopled": sorted(world.peopled)}
    state |= {str(at): waiting for at, waiting in sorted(world.absent.items())}
    digest.update(repr([(k, v.tobytes() if isinstance(v, np.ndarray) else v) for k, v in state.items()]).encode())
    if land:
        for array in world.grid:
            digest.update(array.tobytes())
    return digest.hexdigest()


def play(world, actions, start=0, stop=None):
    """(fingerprint without the land, events) of each tick."""
    told = []
    for buttons, camera in list(zip(*actions, strict=True))[start:stop]:
        events = world.tick(buttons, camera)
        told.append((fingerprint(world, land=False), [str(event) for event in events]))
    return told


# time


def test_a_day_is_24000_ticks_and_events_carry_their_tick(stage):
    assert stage.world.time == 6000 and stage.world.ticks == 0
    stage.tick(ticks=9)
    stage.hold("dirt").tick("drop")
    assert stage.world.time == 6010 and stage.world.ticks == 10
    assert [(event.tick, event.name, event.item, event.count) for event in stage.events] == [(9, "drop", "dirt", 1)]


def test_weather_changes_after_its_time_and_stays_dry_for_at_least_ten_minutes(stage):
    assert not stage.world.raining and stage.world.weather_ticks >= 12000
    stage.world.weather_ticks = 1
    stage.tick()
    assert stage.world.raining and 12000 <= stage.world.weather_ticks <= 24000
    stage.world.weather_ticks = 1
    stage.tick()
    assert not stage.world.raining and 12000 <= stage.world.weather_ticks <= 180000


def test_the_look_turns_by_the_camera_and_stops_straight_up_and_down(stage):
    stage.tick(camera=(10, 170))
    stage.tick(camera=(10, 20))
    assert (stage.p["pitch"], stage.p["yaw"]) == (20, -170)
    stage.tick(camera=(180, 0))
    assert stage.p["pitch"] == 90
    stage.tick(camera=(-180, 0)), stage.tick(camera=(-180, 0))
    assert stage.p["pitch"] == -90


# death


def test_death_spills_everything_and_the_player_returns_to_the_place_of_spawning(stage):
    stage.hold("diamond", 3).hold("stone_pickaxe", damage=7, slot=1)
    stage.world.slots[5], stage.world.slots[OFFHAND] = (RULES.item("iron_helmet"), 1, 9), (RULES.item("torch"), 5, 0)
    stage.stand(x=8.5, z=8.5)
    stage.p["hp"], stage.p["xp"] = 0.5, 30
    stage.p["food"], stage.p["fire_ticks"] = 3, 21
    stage.tick(ticks=3)
    assert stage.p["dead"] and [e.item for e in stage.events if e.name == "custom"][-1] == "deaths"
    assert stage.inventory == {} and not stage.world.slots["item"].any()
    assert stage.drops == {"diamond": 3, "stone_pickaxe": 1, "iron_helmet": 1, "torch": 5}
    assert sorted(stage.world.drops["damage"][stage.world.drops["item"] > 0].tolist()) == [0, 0, 7, 9]
    z = float(stage.p["z"])
    stage.tick("forward", "attack", "inventory", ticks=RESPAWN_TICKS - 3)
    assert stage.p["dead"] and stage.p["z"] == pytest.approx(z, abs=0.01) and not stage.world.screen.is_open
    stage.tick(ticks=4)
    p = stage.p
    assert not p["dead"] and (p["x"], p["y"], p["z"]) == (0.5, FLOOR, 0.5)
    assert (p["hp"], p["food"], p["xp"], p["fire_ticks"]) == (20, 20, 0, 0)
    assert sum(stage.drops.values()) == 10  # the dead pick nothing up
    stage.stand(x=8.5, z=8.5).tick(ticks=2)
    assert stage.inventory == {"diamond": 3, "stone_pickaxe": 1, "iron_helmet": 1, "torch": 5}
    assert ("pickup", "diamond", 3) in {(e.name, e.item, e.count) for e in stage.events}


def test_death_closes_a_screen_and_drops_what_the_cursor_carries(stage):
    stage.hold("coal", 9).press("inventory")
    stage.click(HOTBAR)
    assert stage.world.screen.carried == (RULES.item("coal"), 9, 0)
    stage.p["hp"], stage.p["fire_ticks"] = 0.5, 20
    stage.tick(ticks=2)
    assert not stage.world.screen.is_open and stage.drops == {"coal": 9}


def test_falling_out_of_the_world_kills(stage):
    stage.stand(y=-70.0).tick(ticks=2)
    assert stage.p["dead"] and stage.p["hp"] == 0
    stage.tick(ticks=30)
    assert not stage.p["dead"] and stage.p["y"] == FLOOR


def test_who_has_died_hits_nobody_and_is_hit_by_nobody(stage):
    stage.p["hp"], stage.p["fire_ticks"] = 0.5, 20
    stage.tick(ticks=2)
    zombie = stage.mob("zombie", 1.5, FLOOR, 0.5)
    stage.tick("attack", ticks=10)
    assert stage.p["dead"] and stage.world.mobs["hp"][zombie] == 20


# sleep


def bed(stage):
    """A bed two steps south, the player's look on it."""
    stage.put(0, 64, 2, "white_bed", 0).put(0, 64, 3, "white_bed", 4)
    return stage


def test_a_bed_at_night_leads_to_the_morning_after_five_seconds(stage):
    stage.world.time = 14000
    stage.world.raining = True
    bed(stage).hold(None)
    events = stage.use(0.5, 64.3, 2.5)
    assert ("custom", "sleep_in_bed", 1) in events and stage.p["sleeping"]
    where = float(stage.p["x"]), float(stage.p["z"])
    stage.tick("forward", ticks=SLEEP_TICKS - 10)
    assert stage.p["sleeping"] and (stage.p["x"], stage.p["z"]) == where
    stage.tick(ticks=12)
    assert not stage.p["sleeping"] and 24000 <= stage.world.time <= 24010 and not stage.world.raining


def test_a_bed_by_day_only_sets_where_one_returns_to(stage):
    bed(stage).hold(None).use(0.5, 64.3, 2.5)
    assert not stage.p["sleeping"] and stage.world.time < 6010
    stage.stand(x=10.5, z=10.5)
    stage.p["hp"], stage.p["fire_ticks"] = 0.5, 20
    stage.tick(ticks=RESPAWN_TICKS + 4)
    assert (stage.p["x"], stage.p["z"]) == (0.5, 2.5) and stage.p["y"] == pytest.approx(64 + 9 / 16, abs=0.5)


def test_nobody_sleeps_near_a_monster_and_sneaking_or_a_blow_gets_one_up(stage):
    stage.world.time = 14000
    bed(stage).hold(None)
    zombie = stage.mob("zombie", 4.5, FLOOR, 4.5)
    stage.use(0.5, 64.3, 2.5)
    assert not stage.p["sleeping"]
    stage.world.mobs["kind"][zombie] = 0
    stage.use(0.5, 64.3, 2.5)
    assert stage.p["sleeping"]
    stage.tick("sneak")
    assert not stage.p["sleeping"]
    stage.tick()
    stage.use(0.5, 64.3, 2.5)
    stage.p["fire_ticks"] = 20
    stage.tick()
    assert not stage.p["sleeping"] and stage.world.time < 14100


# throwing and picking up


def test_q_throws_one_and_control_q_the_whole_stack(stage):
    stage.hold("cobblestone", 10)
    assert ("drop", "cobblestone", 1) in stage.press("drop")
    assert stage.held() == ("cobblestone", 9, 0) and stage.drops == {"cobblestone": 1}
    assert ("drop", "cobblestone", 9) in stage.press("drop", "sprint")
    assert stage.held() is None and stage.drops == {"cobblestone": 10}
    assert stage.press("drop") == []


def test_holding_q_throws_one_only(stage):
    stage.hold("cobblestone", 10).tick("drop", ticks=10)
    assert stage.held() == ("cobblestone", 9, 0)


def test_a_throw_lands_two_steps_ahead_and_comes_back_after_two_seconds_at_the_earliest(stage):
    stage.hold("iron_axe", damage=17).press("drop")
    stage.tick(ticks=30)
    drop = stage.world.drops[0]
    assert 2 < drop["z"] < 5 and drop["y"] == FLOOR and drop["on_ground"]
    stage.stand(z=float(drop["z"])).tick(ticks=6)
    assert stage.inventory == {}
    events = stage.tick(ticks=4)
    assert ("pickup", "iron_axe", 1) in events and stage.held() == ("iron_axe", 1, 17)


def test_what_has_no_room_stays_lying(stage):
    stage.world.slots[MAIN:OFFHAND] = (RULES.item("dirt"), 64, 0)
    stage.hold("dirt", 60).world.spill((RULES.item("dirt"), 10, 0), 0.5, FLOOR, 0.5)
    stage.world.spill((RULES.item("coal"), 1, 0), 0.5, FLOOR, 0.5)
    events = stage.tick(ticks=15)
    assert [event for event in events if event[0] == "pickup"] == [("pickup", "dirt", 4)]
    assert stage.drops == {"dirt": 6, "coal": 1}


def test_drops_join_and_are_gone_after_five_minutes(stage):
    for x in (4.4, 4.6):
        stage.world.spill((RULES.item("coal"), 3, 0), x, FLOOR, 4.5)
    stage.tick(ticks=60)
    assert stage.world.drops["count"][stage.world.drops["item"] > 0].tolist() == [6]
    stage.world.drops["age"] = 5990
    stage.tick(ticks=20)
    assert stage.drops == {}


# keys


def test_number_keys_choose_the_slot(stage):
    for number in (3, 9, 1):
        stage.tick(f"hotbar.{number}")
        assert stage.p["selected"] == number - 1


def test_f_exchanges_the_hands(stage):
    stage.hold("torch", 7)
    stage.world.slots[OFFHAND] = (RULES.item("shield"), 1, 3)
    stage.press("swapHands")
    assert stage.held() == ("shield", 1, 3) and stage.world.slots[OFFHAND].tolist() == (RULES.item("torch"), 7, 0)
    stage.press("swapHands")
    assert stage.held() == ("torch", 7, 0)


def test_the_middle_button_brings_the_block_pointed_at_into_the_hand(stage):
    stage.put(0, 65, 2, "oak_log").look_at(0.5, 65.5, 2.5)
    stage.hold("oak_log", 5, slot=4).press("pickItem")
    assert stage.p["selected"] == 4
    stage.hold(None, slot=4).hold("dirt", slot=4)
    stage.world.slots[MAIN + 3] = (RULES.item("oak_log"), 2, 0)
    stage.press("pickItem")
    assert stage.held(4) == ("oak_log", 2, 0) and stage.world.slots[MAIN + 3].tolist() == (RULES.item("dirt"), 1, 0)
    before = stage.world.slots.tobytes()
    stage.put(0, 65, 2, "stone").press("pickItem")
    assert stage.world.slots.tobytes() == before and stage.p["selected"] == 4  # nothing from nothing


# screens


def test_the_mouse_moves_the_cursor_and_not_the_head_while_a_screen_is_open(stage):
    stage.put(0, 65, 2, "dirt").look_at(0.5, 65.5, 2.5).tick("attack", ticks=5)
    assert stage.p["mine_progress"] > 0
    stage.tick("inventory", "attack")
    assert stage.world.screen.kind == "player" and stage.p["mine_progress"] == 0
    yaw, pitch, z = float(stage.p["yaw"]), float(stage.p["pitch"]), float(stage.p["z"])
    stage.tick("forward", "jump", "attack", camera=(5, 9), ticks=3)
    assert (stage.p["yaw"], stage.p["pitch"], stage.p["z"], stage.p["y"]) == (yaw, pitch, z, FLOOR)
    assert stage.world.screen.cursor_x == pytest.approx(320 + 27 * 2400 / 360)
    assert stage.at(0, 65, 2) == "dirt"


@pytest.mark.parametrize("key", ["inventory", "ESC"])
def test_a_screen_closes_by_its_key_or_escape_and_time_went_on(stage, key):
    stage.tick("inventory")
    stage.tick("inventory", ticks=5)
    assert stage.world.screen.is_open and stage.world.time == 6006  # still held: no new press
    stage.tick()
    stage.tick(key)
    assert not stage.world.screen.is_open
    stage.tick(key)
    assert not stage.world.screen.is_open


def test_escape_outside_a_screen_does_nothing(stage):
    stage.press("ESC")
    assert not stage.world.screen.is_open


def test_closing_a_table_gives_back_what_lay_in_it_and_throws_what_has_no_room(stage):
    stage.put(0, 64, 2, "crafting_table").hold("oak_planks", 4).hold("coal", 2, slot=1)
    stage.tick("hotbar.9")
    stage.use(0.5, 64.5, 2.5)
    layout = LAYOUTS["crafting_table"]
    stage.click(layout.from_inventory(HOTBAR)), stage.click(5)  # the planks into the grid
    stage.click(layout.from_inventory(HOTBAR + 1))  # the coal onto the cursor
    stage.world.slots[MAIN:OFFHAND] = (RULES.item("dirt"), 64, 0)
    events = stage.press("inventory")
    assert ("drop", "oak_planks", 4) in events and ("drop", "coal", 2) in events
    assert stage.drops == {"oak_planks": 4, "coal": 2}


def test_a_screen_closes_when_its_block_is_gone(stage):
    for kind, slot in (("chest", 0), ("furnace", 0), ("crafting_table", 5)):
        stage.begin().put(0, 64, 2, kind)
        stage.world.slots[MAIN] = (RULES.item("coal"), 8, 0)
        stage.hold(None).use(0.5, 64.5, 2.5)
        assert stage.world.screen.kind == kind
        stage.click(LAYOUTS[kind].from_inventory(MAIN)), stage.click(slot)
        stage.world.change(0, 64, 2, 0, 0)
        for stack in stage.world.containers.remove(0, 64, 2):
            stage.world.spill(stack, 0.5, 64.5, 2.5)
        stage.tick(ticks=20)
        assert not stage.world.screen.is_open
        stage.stand(z=2.5).tick(ticks=20)
        assert stage.inventory == {"coal": 8}  # once, not twice and not never


def test_a_broken_chest_and_a_broken_furnace_spill_what_they_hold(stage):
    stage.put(0, 64, 2, "chest").put(2, 64, 2, "furnace")
    stage.world.containers.chest(0, 64, 2)[5] = (RULES.item("diamond"), 4, 0)
    stage.world.containers.furnace(2, 64, 2)["stacks"][0, 1] = (RULES.item("coal"), 3, 0)
    stage.hold("stone_axe").look_at(0.5, 64.5, 2.5).tick("attack", ticks=20)
    assert stage.drops == {"chest": 1, "diamond": 4}
    stage.clear_drops()
    stage.hold("stone_pickaxe").look_at(2.5, 64.5, 2.5).tick("attack", ticks=45)
    assert stage.drops == {"furnace": 1, "coal": 3}


def test_a_furnace_far_away_waits_and_touches_nothing(stage):
    stage.put(0, 64, 2, "furnace")
    furnace = stage.world.containers.furnace(0, 64, 2)
    furnace["stacks"][0, :2] = [(RULES.item("sand"), 8, 0), (RULES.item("stick"), 1, 0)]
    stage.tick(ticks=50)
    assert stage.meta(0, 64, 2) & 4
    left = int(furnace["burn_left"][0])
    stage.stand(x=256.5).tick(ticks=120)  # a whole window further: the same place in the arrays
    assert stage.at(256, 64, 2) == "air" and furnace["burn_left"] == pytest.approx(left, abs=3)
    stage.stand().tick(ticks=100)
    assert stage.at(0, 64, 2) == "furnace" and stage.world.chunks.holds(0, 0)
    stage.tick(ticks=100)
    assert furnace["burn_left"] == 0 and not stage.meta(0, 64, 2) & 4


# memory


def test_changed_land_is_remembered_when_the_player_comes_back(stage):
    stage.put(3, 64, 3, "gold_ore").put(3, 65, 3, "torch")
    bright = int(stage.world.grid.light[3, 4, 65])
    stage.stand(x=300.5).tick(ticks=100)
    assert not stage.world.chunks.holds(0, 0)
    stage.stand().tick(ticks=100)
    assert stage.at(3, 64, 3) == "gold_ore" and stage.at(3, 65, 3) == "torch"
    assert stage.world.grid.light[3, 4, 65] == bright


def test_herds_do_not_fill_the_world_when_one_walks_far():
    world = World()
    world.reset(5, StartState(biome="plains", rarity={"animals": "very common"}, time=1000))
    near = np.count_nonzero(world.mobs["kind"])
    assert near >= 8
    for step in range(1, 12):
        world.player["x"], world.player["y"] = 60.0 * step, 120.0
        for _ in range(60):
            world.player["vy"] = world.player["fall_distance"] = 0
            world.tick(np.zeros(23, np.uint8), np.zeros(2, np.float32))
        x = world.mobs["x"][world.mobs["kind"] > 0]
        assert (np.abs(x - 60.0 * step) < 130).sum() >= 4, step


def test_the_same_seed_and_actions_give_the_same_world():
    actions = monkey(150)
    worlds = [World(), World()]
    for world in worlds:
        world.reset(11, StartState(biome="forest", inventory={"oak_log": 8, "torch": 5}))
    first, second = (play(world, actions) for world in worlds)
    assert first == second
    assert fingerprint(worlds[0]) == fingerprint(worlds[1])
    worlds[0].reset(12)
    assert fingerprint(worlds[0]) != fingerprint(worlds[1])


def test_a_world_can_be_used_again_for_the_same_and_for_another_seed():
    world = World()
    world.reset(3)
    fresh = fingerprint(world)
    play(world, monkey(100, seed=4))
    world.reset(3)
    assert fingerprint(world) == fresh


def test_500_ticks_after_a_snapshot_are_the_same_again_here_and_elsewhere():
    actions = monkey(700, seed=2)
    world = World()
    kit = {"dirt": 64, "oak_log": 9, "bread": 5}
    world.reset(21, StartState(biome="plains", inventory=kit, mobs={"zombie": 2, "cow": 3}, time=13000))
    play(world, actions, 0, 200)
    saved = world.snapshot()
    told = play(world, actions, 200)
    land = fingerprint(world)
    assert len({state for state, _ in told}) == 500  # it is not that nothing happens
    world.restore(saved)
    assert play(world, actions, 200) == told and fingerprint(world) == land
    other = World()  # never reset
    other.restore(saved)
    assert play(other, actions, 200) == told and fingerprint(other) == land
    used = World()
    used.reset(99, flat=True)
    play(used, monkey(30), 0, 30)
    used.restore(saved)
    assert play(used, actions, 200) == told and fingerprint(used) == land


def test_a_snapshot_holds_open_screens_furnaces_flowing_water_and_falling_sand(stage):
    stage.put(0, 64, 2, "furnace").put(3, 64, 3, "water").wake(3, 64, 3)
    stage.put(-3, 70, 3, "sand").wake(-3, 70, 3)
    stage.hold(None).use(0.5, 64.5, 2.5)
    stage.world.slots[MAIN], stage.world.slots[MAIN + 1] = (RULES.item("sand"), 9, 0), (RULES.item("coal"), 1, 0)
    layout = LAYOUTS["furnace"]
    stage.click(layout.from_inventory(MAIN), "attack", "sneak")
    stage.click(layout.from_inventory(MAIN + 1), "attack", "sneak")
    stage.click(layout.from_inventory(MAIN + 2))
    saved = stage.world.snapshot()
    idle = np.zeros((260, 23), np.uint8), np.zeros((260, 2), np.float32)
    told = play(stage.world, idle)
    land = fingerprint(stage.world)
    assert stage.world.containers.furnace(0, 64, 2)["stacks"][0, 2]["count"] == 1
    assert stage.at(3, 64, 6) == "water" and stage.at(-3, 64, 3) == "sand"
    other = World()
    other.restore(saved)
    assert play(other, idle) == told and fingerprint(other) == land
    assert other.screen.kind == "furnace"


def test_a_snapshot_is_not_changed_by_what_follows(stage):
    saved = stage.world.snapshot()
    fresh = fingerprint(stage.world)
    stage.put(1, 64, 1, "stone").hold("stone").stand(x=4.0).tick("forward", ticks=5)
    stage.world.restore(saved)
    assert fingerprint(stage.world) == fresh
    stage.put(1, 64, 1, "stone").tick("forward", ticks=5)
    stage.world.restore(saved)
    assert fingerprint(stage.world) == fresh


def test_animals_wait_in_land_that_is_left_and_are_there_again(stage):
    cow = stage.mob("cow", 4.5, FLOOR, 4.5)
    stage.world.mobs["hp"][cow] = 7
    stage.stand(x=300.5).tick(ticks=100)
    assert not stage.world.mobs["kind"].any()
    saved = stage.world.snapshot()
    for world in (stage.world, World()):
        world.restore(saved)
        world.player["x"] = 0.5
        for _ in range(100):
            world.tick(np.zeros(23, np.uint8), np.zeros(2, np.float32))
        (cow,) = np.flatnonzero(world.mobs["kind"])
        assert world.mobs["hp"][cow] == 7 and abs(world.mobs["x"][cow] - 4.5) < 8
