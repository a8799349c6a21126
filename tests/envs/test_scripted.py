"""The scripted player: goals reached through keys and mouse alone, the same way each time, with a log that is true."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from jarvis.core.actions import BUTTON_INDEX
from jarvis.core.errors import UnknownNameError
from jarvis.core.goals import At, Count, Evaluator, Goal, Have, Moment, Without
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.scripted import Habits, ScriptedPlayer
from jarvis.envs.scripted.goals import Want, wants_of
from jarvis.envs.scripted.looking import COUNT, Eyes, wrap
from jarvis.envs.scripted.planner import GROUPS, plan
from jarvis.envs.scripted.truth import project
from jarvis.envs.voxel import VoxelEnv
from jarvis.world.layout import PLAYER
from jarvis.world.world import World

ATTACK = BUTTON_INDEX["attack"]


def play(player, world, ticks):
    """Play until the goal is reached or the ticks are over; the actions, events and log of it."""
    actions, events, log = [], [], []
    for _ in range(ticks):
        action = player.act(world)
        if player.done:
            break
        actions.append(action)
        log.append(player.truth)
        events += world.tick(action.buttons, action.camera)
    return actions, events, log


def new_world(seed, start=None, flat=False):
    world = World()
    world.reset(seed, start, flat)
    return world


# plans


def test_a_plan_gathers_all_the_wood_first():
    steps = plan([("wooden_pickaxe", 1)], {})
    # 4 planks for the table, 3 for the head, 2 for the sticks: 9 planks are 3 logs
    assert [(step.kind, step.item, step.count) for step in steps[:2]] == [
        ("mine", "#logs", 3),
        ("craft", "#planks", 12),
    ]
    assert steps[-1].item == "wooden_pickaxe"


def test_a_plan_uses_what_is_there():
    carried = {"iron_ingot": 3, "stick": 2, "crafting_table": 1}
    assert [(step.kind, step.item) for step in plan([("iron_pickaxe", 1)], carried)] == [("craft", "iron_pickaxe")]
    assert plan([("iron_pickaxe", 1)], {"iron_pickaxe": 1}) == []


def test_ores_wait_for_their_pickaxe():
    order = [step.item for step in plan([("diamond", 1)], {})]
    assert order.index("wooden_pickaxe") < order.index("stone_pickaxe") < order.index("iron_ore")
    assert order.index("iron_ore") < order.index("iron_pickaxe") < order.index("diamond")


@pytest.mark.parametrize("goal", ["diamond_pickax", "elytra"])
def test_unknown_goals_are_refused_with_the_nearest(goal):
    with pytest.raises(UnknownNameError):
        ScriptedPlayer(goal, 1)


def test_goals_without_a_way_are_refused_at_the_first_tick():
    player = ScriptedPlayer("baked_potato", 1)
    with pytest.raises(ValueError, match="potato"):
        player.act(new_world(1, flat=True))


@pytest.mark.parametrize(
    ("predicate", "want"),
    [
        (Count("craft_item", "chest", 2), Want("make", ("chest",), 2, "craft_item")),
        (Count("pickup", "coal", 4), Want("gather", ("coal",), 4, "pickup")),
        (Count("mine_block", "obsidian"), Want("mine", ("obsidian",), 1, "mine_block")),
        (Count("kill_entity", "cow", 2), Want("kill", ("cow",), 2, "kill_entity")),
        (Count("use_item", "torch"), Want("place", ("torch",), 1, "use_item")),
        (Count("use_item", "bread"), Want("eat", ("bread",), 1, "use_item")),
        (Have("birch_log|oak_log|spruce_log", 3), Want("have", ("#logs",), 3)),
        (Have("lava_bucket", 1), Want("fill", ("lava_bucket",), 1)),
    ],
)
def test_a_predicate_is_a_want(predicate, want):
    assert wants_of(predicate) == wants_of(Task("t", Goal("words", predicate))) == (want,)


def test_wool_without_killing_is_shorn():
    wool = Without(Count("pickup", "white_wool", 1), Count("kill_entity", "sheep", 1))
    assert [want.how for want in wants_of(wool)] == ["shear"]


def test_what_must_not_be_used_is_known():
    goal = Goal("place a torch", Without(Count("use_item", "torch", 1), Count("use_item", "dirt|gravel", 1)))
    assert ScriptedPlayer(goal, 1).banned == {"dirt", "gravel"}


def test_goals_that_are_no_play_are_refused():
    with pytest.raises(ValueError, match="y_below"):
        ScriptedPlayer(Goal("go down", At(y_below=20)), 1)


def test_habits_are_checked():
    with pytest.raises(ValueError, match="idle_share"):
        Habits(idle_share=1.5)


# the camera


def test_a_look_is_smooth_counted_and_arrives():
    record = np.zeros(1, PLAYER)
    p = record[0]
    p["eye_height"] = 1.62
    eyes = Eyes(Habits.clean(), np.random.default_rng(1))
    eyes.face(90.0, 30.0)
    turns = []
    for _ in range(20):
        pitch, yaw = eyes.step(p)
        p["yaw"], p["pitch"] = wrap(float(p["yaw"]) + yaw), float(p["pitch"]) + pitch
        turns.append(math.hypot(pitch, yaw))
        assert abs(yaw / COUNT - round(yaw / COUNT)) < 1e-6
    assert abs(p["yaw"] - 90) < 0.2 and abs(p["pitch"] - 30) < 0.2
    # it speeds up, then slows down, and is never faster than a hand
    peak = int(np.argmax(turns))
    assert 0 < peak < 8 and max(turns) <= 25.3
    assert turns[0] < turns[peak] / 2


def test_a_new_target_in_mid_turn_is_no_jolt():
    p = np.zeros(1, PLAYER)[0]
    eyes = Eyes(Habits.clean(), np.random.default_rng(1))
    turns = []
    for tick in range(24):
        eyes.face(60.0 if tick < 6 else -100.0, 0.0)
        turns.append(eyes.step(p)[1])
        p["yaw"] = wrap(float(p["yaw"]) + turns[-1])
    # at the sixth tick the first turn is nearly done; the second begins as slowly as the first did
    assert abs(turns[6]) < 4.0 and abs(wrap(float(p["yaw"]) + 100.0)) < 0.3
    assert max(abs(b - a) for a, b in pairwise(turns)) < 13.0


def test_a_point_ahead_is_in_the_middle_of_the_picture():
    p = np.zeros(1, PLAYER)[0]
    p["eye_height"] = 1.62
    assert project(p, 0.0, 1.62, 5.0) == (320.0, 180.0)
    # 35 degrees up is the upper edge; yaw 0 looks along +z, so -x is to the right
    assert project(p, 0.0, 1.62 + 5 * math.tan(math.radians(34.9)), 5.0)[1] < 1.5
    assert project(p, -1.0, 1.62, 5.0)[0] > 320
    assert project(p, 0.0, 1.62, -5.0) is None


# play


def test_a_log_becomes_planks_by_cursor():
    world = new_world(1, StartState(inventory={"oak_log": 2}), flat=True)
    player = ScriptedPlayer("#planks", 1, Habits.clean())
    _, events, log = play(player, world, 200)
    assert player.done and world.inventory()["oak_planks"] == 4
    assert [event.item for event in events if event.name == "craft_item"] == ["oak_planks"]
    assert all(entry.coarse.startswith(("craft", "rest", "begin")) for entry in log)


@pytest.mark.parametrize("habits", [Habits.clean(), Habits.human()], ids=["clean", "human"])
def test_a_wooden_pickaxe_from_nothing(habits):
    world = new_world(3)
    player = ScriptedPlayer("wooden_pickaxe", 5, habits)
    actions, events, log = play(player, world, 3000)
    assert player.done and world.inventory()["wooden_pickaxe"] == 1
    made = [event.item for event in events if event.name == "craft_item"]
    assert {"stick", "crafting_table", "wooden_pickaxe"} <= set(made)
    assert max(np.hypot(*action.camera) for action in actions) <= 67 * COUNT * 3  # no jump of the view
    assert len({entry.coarse for entry in log}) >= 4
    if habits == Habits.clean():
        assert not any(entry.habit for entry in log)
    else:
        assert any(entry.habit for entry in log)


def test_an_iron_pickaxe_from_a_kit_of_stone():
    kit = {"stone_pickaxe": 2, "cobblestone": 11, "crafting_table": 1, "coal": 2, "stick": 4}
    world = new_world(11, StartState(inventory=kit, nearby={"iron_ore": 5}, nearby_radius=6), flat=True)
    player = ScriptedPlayer("iron_pickaxe", 2)
    _, events, log = play(player, world, 4000)
    assert player.done and world.inventory()["iron_pickaxe"] == 1
    smelted = sum(event.count for event in events if (event.name, event.item) == ("craft_item", "iron_ingot"))
    assert smelted == 3
    assert {"mine iron_ore", "craft furnace", "smelt iron_ingot", "craft iron_pickaxe"} <= {e.coarse for e in log}


def test_the_same_seed_plays_the_same_and_only_through_its_actions():
    recorded = []
    for seed in (7, 7, 8):
        world = new_world(21)
        actions, _, log = play(ScriptedPlayer("wooden_pickaxe", seed), world, 260)
        recorded.append((actions, log, world))
    assert recorded[0][0] == recorded[1][0] and recorded[0][1] == recorded[1][1]
    assert recorded[0][0] != recorded[2][0]
    # a world that gets the same actions from nobody ends up in the same state
    copy = new_world(21)
    for action in recorded[0][0]:
        copy.tick(action.buttons, action.camera)
    for name in ("slots", "player", "mobs", "drops"):
        assert getattr(copy, name).tobytes() == getattr(recorded[0][2], name).tobytes()
    assert np.array_equal(copy.grid.blocks, recorded[0][2].grid.blocks)


def test_the_log_points_at_what_is_mined():
    world = new_world(3)
    player = ScriptedPlayer("#logs", 4)
    near_middle = ticks = 0
    for _ in range(400):
        action = player.act(world)
        truth, hit = player.truth, world.pointed
        if action.buttons[ATTACK] and truth.fine == "dig" and truth.cell is not None and hit is not None:
            if truth.cell == tuple(hit[:3]):
                ticks += 1
                near_middle += truth.point is not None and math.dist(truth.point, (320, 180)) < 200
                assert truth.target.endswith(("_log", "_leaves", "grass"))
        world.tick(action.buttons, action.camera)
    assert ticks > 30 and near_middle > 0.9 * ticks


def test_it_walks_to_what_it_has_seen():
    world = new_world(3)
    player = ScriptedPlayer("#logs", 4, Habits.clean())
    for _ in range(300):
        action = player.act(world)
        if player.truth.fine == "dig" and player.truth.target.endswith("_log"):
            assert any(player.truth.cell in cells for cells in player.memory.seen.values())
        world.tick(action.buttons, action.camera)
        if player.done:
            break


# every kind of goal

NOT_DIRT = Count("use_item", "dirt|gravel|rotten_flesh", 1)
DEEDS = {
    "place": (Without(Count("use_item", "torch", 1), NOT_DIRT), {"slots": {0: ("dirt", 1), 20: ("torch", 1)}}),
    "eat": (
        Without(Count("use_item", "bread", 1), NOT_DIRT),
        {"slots": {1: ("gravel", 1), 3: ("bread", 1)}, "food": 8},
    ),
    "mine": (Count("mine_block", "obsidian", 1), {"inventory": {"diamond_pickaxe": 1}, "nearby": {"obsidian": 2}}),
    "kill": (Count("kill_entity", "pig", 1), {"slots": {30: ("iron_sword", 1)}, "mobs": {"pig": 2}}),
    "shear": (
        Without(Count("pickup", "white_wool", 1), Count("kill_entity", "sheep", 1)),
        {"inventory": {"shears": 1}, "mobs": {"sheep": 2}},
    ),
    "milk": (Have("milk_bucket", 1), {"inventory": {"bucket": 1}, "mobs": {"cow": 2}}),
    "drink": (Count("use_item", "milk_bucket", 1), {"inventory": {"milk_bucket": 1}}),
    "fill": (Have("lava_bucket", 1), {"inventory": {"bucket": 1}, "nearby": {"lava": 1}}),
    "pour": (Count("use_item", "water_bucket", 1), {"inventory": {"water_bucket": 1}}),
    "sow": (Count("use_item", "wheat_seeds", 1), {"inventory": {"stone_hoe": 1, "wheat_seeds": 1}}),
    "shoot": (Count("use_item", "bow", 2), {"inventory": {"bow": 1, "arrow": 2}}),
    "throw": (Count("use_item", "snowball", 2), {"inventory": {"snowball": 2}}),
    "open": (Count("custom", "open_chest", 1), {"nearby": {"chest": 1}}),
    "sleep": (Count("custom", "sleep_in_bed", 1), {"nearby": {"white_bed": 1}, "time": 14000}),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_it_does_what_it_is_asked(deed):
    predicate, start = DEEDS[deed]
    world = new_world(2, StartState(**({"time": 1000, "nearby_radius": 5, "weather": "clear"} | start)), flat=True)
    player, judge = ScriptedPlayer(Goal(deed, predicate), 1, Habits.clean()), Evaluator(predicate)
    assert player.want.how == deed
    for tick in range(500):
        action = player.act(world)
        judge.update(Moment(tick, tuple(world.tick(action.buttons, action.camera)), world.inventory()))
        if judge.satisfied:
            return
    pytest.fail(f"not in {tick + 1} ticks; it was at {player.truth}")


# the traps of skill detection: each on alone shows, and off does not


def staged(habits, ticks=500, goal="#logs", count=6, **start):
    """The log, actions and views of ``ticks`` of gathering on a plain with trunks."""
    start = {"nearby": {"oak_log": 12}, "nearby_radius": 10, "time": 1000, "weather": "clear"} | start
    world = new_world(5, StartState(**start), flat=True)
    player = ScriptedPlayer(Goal("gather", Have("|".join(GROUPS.get(goal, (goal,))), count)), 3, habits)
    log, actions, views = [], [], []
    for _ in range(ticks):
        action = player.act(world)
        if player.done:
            break
        log.append(player.truth)
        actions.append(action)
        views.append((float(player.p["yaw"]), float(player.p["pitch"])))
        world.tick(action.buttons, action.camera)
    return log, actions, views


def runs(values):
    """Values without their repetitions, in order, with how often each came."""
    found = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return found


def test_without_habits_there_is_no_trap():
    log, _, _ = staged(Habits.clean())
    assert not any(entry.habit for entry in log)
    assert {entry.coarse for entry in log} <= {"begin", "mine logs"}


def test_a_new_target_is_a_fine_boundary_and_not_a_coarse_one():
    log, _, _ = staged(Habits.clean())
    dug = [cell for cell, _ in runs([entry.cell for entry in log if entry.fine == "dig"])]
    assert len(set(dug)) >= 6 and [name for name, _ in runs([entry.coarse for entry in log])][-1:] == ["mine logs"]
    assert len(runs([entry.coarse for entry in log])) <= 2


def test_a_hole_is_filled_and_dug_again_without_a_change_of_view():
    kit = {"dirt": 8, "wooden_pickaxe": 1}
    habits = Habits(put_back=1.0, torches=False)
    log, _, views = staged(habits, 300, "cobblestone", 4, inventory=kit, nearby={})
    names = [name for name, _ in runs([entry.coarse for entry in log])]
    assert "place dirt" in names and names[names.index("place dirt") + 1] == "dig dirt"
    change = next(t for t in range(1, len(log)) if log[t].coarse == "dig dirt" and log[t - 1].coarse == "place dirt")
    turned = math.dist(views[change - 3], views[change + 3])
    assert turned < 20 and log[change].cell == log[change - 1].cell
    without, _, _ = staged(Habits(torches=False), 300, "cobblestone", 4, inventory=kit, nearby={})
    assert not any(entry.coarse == "place dirt" for entry in without)


def test_the_view_turns_while_the_skill_goes_on():
    log, _, views = staged(Habits(glances=40.0), nearby_radius=24)
    turns = [
        abs(wrap(views[t + 1][0] - views[t][0]))
        for t in range(len(log) - 1)
        if log[t].habit == log[t + 1].habit == "glance" and log[t].coarse == log[t + 1].coarse
    ]
    assert sum(turns) > 60
    assert {entry.coarse for entry in log} <= {"begin", "mine logs"}


@pytest.mark.parametrize(
    ("habit", "habits", "shortest", "longest"),
    [
        ("misstep", Habits(missteps=40.0), 3, 6),
        ("key_slip", Habits(key_slips=60.0), 1, 3),
        ("hop", Habits(hops=40.0), 2, 2),
        ("idle", Habits(idle_share=0.7), 3, 400),
    ],
)
def test_a_slip_is_short_and_put_right(habit, habits, shortest, longest):
    log, actions, _ = staged(habits)
    lengths = [count for name, count in runs([entry.habit for entry in log])[:-1] if name == habit]
    assert len(lengths) >= 3
    # two in a row may touch
    assert min(lengths) >= shortest and sorted(lengths)[len(lengths) // 2] <= longest
    assert {entry.habit for entry in log} == {"", habit}
    if habit in ("key_slip", "idle"):
        assert not any(a.buttons.any() for a, entry in zip(actions, log, strict=True) if entry.habit == habit)


def test_the_wrong_slot_is_pressed_and_corrected():
    kit = {0: ("dirt", 1), 4: ("stone_axe", 1)}
    log, actions, _ = staged(Habits(wrong_slot=1.0), 300, slots=kit)
    slip = next(t for t, entry in enumerate(log) if entry.habit == "wrong_slot")
    pressed = [key for action in actions[slip : slip + 12] for key in action.pressed if key.startswith("hotbar.")]
    assert pressed[0] != "hotbar.5" and pressed[-1] == "hotbar.5"
    clean, _, _ = staged(Habits(), 300, slots=kit)
    assert not any(entry.habit for entry in clean)


def test_the_wrong_stack_is_picked_up_and_put_back():
    habits = Habits(wrong_click=1.0)
    kit = {"inventory": {"oak_log": 2, "dirt": 3}, "nearby": {}}
    log, _, _ = staged(habits, 400, "#planks", 8, **kit)
    assert any(entry.habit == "wrong_click" for entry in log)
    assert log[-1].coarse == "craft planks" and len(log) < 400  # and yet it is done


def test_tremor_moves_the_mouse_and_the_look_arrives_all_the_same():
    def looks(habits):
        p = np.zeros(1, PLAYER)[0]
        eyes = Eyes(habits, np.random.default_rng(1))
        turns = []
        for _ in range(30):
            eyes.face(120.0, 20.0)
            pitch, yaw = eyes.step(p)
            p["yaw"], p["pitch"] = p["yaw"] + yaw, p["pitch"] + pitch
            turns.append((pitch, yaw))
        return np.array(turns), (float(p["yaw"]), float(p["pitch"]))

    steady, _ = looks(Habits())
    shaken, end = looks(Habits(tremor=0.5))
    assert 0.1 < np.std(shaken[:8] - steady[:8]) < 1.0
    assert math.dist(end, (120.0, 20.0)) < 1.0


def test_a_mind_changes_without_an_event():
    log, _, _ = staged(Habits(abandon=12.0), 900, count=40)
    names = [name for name, _ in runs([entry.coarse for entry in log])]
    elsewhere = {"check inventory", "wander", "look around"} & set(names)
    assert len(elsewhere) >= 2 and names.count("mine logs") >= 3


def test_skills_can_be_held_out():
    held = ("check inventory", "wander", "scratch")
    log, _, _ = staged(Habits(abandon=12.0, left_out=held), 600, count=40)
    names = {entry.coarse for entry in log}
    assert "look around" in names and not names & set(held)
    with pytest.raises(UnknownNameError, match="check inventory"):
        Habits(left_out=("check inventry",))


def test_two_skills_begin_alike():
    log, _, _ = staged(Habits(pass_by=1.0))
    past = [t for t in range(1, len(log)) if log[t].coarse == "walk past" != log[t - 1].coarse]
    assert past and all(log[t].target == "oak_log" and log[t].fine == "walk" for t in past)
    assert not any(entry.fine == "dig" for entry in log if entry.coarse == "walk past")


def test_pauses_have_a_long_tail():
    player = ScriptedPlayer("#logs", 1)
    pauses = np.array([player._overlays._pause() for _ in range(4000)])
    assert 22 <= np.median(pauses) <= 26 and pauses.min() >= 3 and 200 < pauses.max() <= 400
    assert abs(np.std(np.log(pauses)) - 0.9) < 0.1


def test_a_world_that_is_not_drawn_plays_the_same():
    task = Task("t", Goal("chop", Have("oak_log", 3)), StartState(nearby={"oak_log": 4}, nearby_radius=4, time=1000))
    told = []
    for draw in (True, False):
        env = VoxelEnv(width=32, height=32, draw=draw)
        observation, _ = env.reset(task, 5)
        player = ScriptedPlayer(task, 5)
        for _ in range(60):
            observation, *_, info = env.step(player.act(env.world))
        told.append((info["inventory"], info["location_stats"], info["life_stats"]))
        assert observation.pov.any() == draw
    assert told[0] == told[1]
