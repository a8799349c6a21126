import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

pytest.importorskip(
    "crafter", reason='The Crafter environment needs an optional dependency: pip install "jarvis-agent[crafter]"'
)

from jarvis.core.actions import Action
from jarvis.core.environments import Environment
from jarvis.core.errors import (
    ActionError,
    EpisodeError,
    MissingExtraError,
    PredicateError,
    StartStateError,
    UnknownNameError,
)
from jarvis.core.events import Event
from jarvis.core.goals import Goal
from jarvis.core.predicates import parse
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.crafter import ACHIEVEMENTS, CRAFTER_ACTIONS, CrafterEnv, _crafter, env_gen_start

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def env():
    return CrafterEnv()


def playing(text, predicate=None, **start):
    return Task("crafter", Goal(text, None if predicate is None else parse(predicate)), StartState(**start))


def materials(**start):
    game = _crafter().Game(64, 100)
    game.begin(3, StartState(**start))
    return {name: int(game._world.count(name)) for name in ("coal", "iron", "diamond", "tree", "stone", "water")}


def test_its_actions_and_achievements_are_the_packages():
    import crafter

    assert list(CRAFTER_ACTIONS) == crafter.constants.actions and len(CRAFTER_ACTIONS) == 17
    assert list(ACHIEVEMENTS) == crafter.constants.achievements and len(ACHIEVEMENTS) == 22


def test_it_is_an_environment_of_gymnasium_and_of_ours(env):
    assert isinstance(env, Environment)
    check_env(env, skip_render_check=True)


PLAY = textwrap.dedent(
    """
    import hashlib, sys
    import numpy as np
    sys.path.insert(0, {root!r})
    from jarvis.envs.crafter import CrafterEnv
    env, digest, random = CrafterEnv(size=36), hashlib.sha256(), np.random.RandomState(1)
    env.reset(seed=2)
    for tick in range(240):                # into the night, whose noise is drawn with random numbers
        observation, _, terminated, truncated, info = env.step(int(random.randint(17)))
        assert not terminated and not truncated
        if {watched} and tick % 7 == 0:
            env._game.render((90, 90))     # a video beside the game
        digest.update(observation["pov"].tobytes() + repr(sorted(info["inventory"].items())).encode())
    print(digest.hexdigest(), round(env._game._world.daylight, 2))
    """
)


def test_the_same_seed_plays_the_same_game_in_every_process_watched_or_not():
    # PyPI's package differs within 150 steps: it goes through sets of objects by memory address.
    players = [
        subprocess.Popen(
            [sys.executable, "-c", PLAY.format(root=str(ROOT), watched=watched)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed, watched in (("1", False), ("2", True))
    ]
    digests = [player.communicate()[0] for player in players]
    assert [player.returncode for player in players] == [0, 0]
    assert digests[0].endswith(" 0.14\n") and digests[0] == digests[1]


def test_without_knobs_the_map_is_the_packages():
    import crafter

    theirs = crafter.Env(seed=0)
    game = _crafter().Game(64, 10000)
    for seed in (3, 4):
        ours = game.begin(seed, StartState())
        centre = (32, 32)
        theirs._world.reset(seed=seed)
        theirs._step = 0
        theirs._update_time()
        theirs._player = crafter.objects.Player(theirs._world, centre)
        theirs._world.add(theirs._player)
        crafter.worldgen.generate_world(theirs._world, theirs._player)
        assert (theirs._world._mat_map == game._world._mat_map).all()
        assert (theirs.render() == ours).all()
        kinds = [[type(thing).__name__ for thing in world.objects] for world in (theirs._world, game._world)]
        assert kinds[0] == kinds[1] and len(kinds[0]) > 10


def test_env_gens_knobs_change_the_map():
    stock, natural = materials(), materials(biome="natural")
    # Same mountains and water; without the two noise masks there is more coal and much more iron.
    assert natural["water"] == stock["water"] and natural["coal"] > stock["coal"]
    assert natural["iron"] > 3 * stock["iron"]
    rare = materials(rarity={"coal": "rare", "iron": "rare", "tree": "rare"})
    assert (
        rare["coal"] < natural["coal"] / 2 and rare["iron"] < natural["iron"] and rare["tree"] < 0.7 * natural["tree"]
    )
    rich = materials(biome="mountain", rarity={"diamond": "very common"})
    assert rich["diamond"] > 50 and rich["stone"] > 800 and rich["water"] == 0
    grass = materials(biome="grassland")
    assert grass["tree"] > 250 and grass["stone"] == grass["water"] == 0


def test_gifts_are_carried_and_unlock_nothing(env):
    observation, info = env.reset(playing("play", inventory={"wood": 9, "wood_pickaxe": 1}), 7)
    assert observation.pov.shape == (64, 64, 3)
    assert info["inventory"] == {"wood": 9, "wood_pickaxe": 1} and info["achievements"] == {}
    step = env.step("noop")
    assert step.reward == 0 and step.info["events"] == [] and step.info["inventory"]["wood"] == 9


def test_achievements_are_events_and_decide_goals(env):
    goal = {"seq": [
        {"count": {"event": "use_item", "item": "table", "at_least": 1}},
        {"count": {"event": "craft_item", "item": "wood_pickaxe", "at_least": 1}},
    ]}  # fmt: skip
    env.reset(playing("make a pickaxe", goal, inventory={"wood": 9}), 7)
    step = env.step("place_table")
    assert step.info["events"] == [Event(0, "use_item", "table")] and step.reward == 1
    step = env.step("make_wood_pickaxe")
    assert step.info["events"] == [Event(1, "craft_item", "wood_pickaxe")]
    assert step.terminated and step.info["success"] and step.info["inventory"]["wood"] == 6
    assert step.info["craft_item"] == {"wood_pickaxe": 1} and step.info["tick"] == 2
    with pytest.raises(EpisodeError, match="call reset"):
        env.step("noop")


def test_a_keyboard_has_no_meaning_there(env):
    env.reset(seed=1)
    for action in (Action.of("forward"), 17, -1, 0.5, [1]):
        with pytest.raises(ActionError, match="expected a number from 0 to 16"):
            env.step(action)
    with pytest.raises(ActionError, match="unknown crafter action 'make_pickaxe'; did you mean make_wood_pickaxe"):
        env.step("make_pickaxe")
    assert env.step(np.int64(0))[4]["tick"] == 1


def test_what_cannot_be_honoured_or_told_is_refused(env):
    refusals = [
        (dict(biome="desert"), UnknownNameError, "unknown biome 'desert'"),
        (dict(inventory={"bow": 1}), UnknownNameError, "unknown item 'bow'"),
        (dict(inventory={"wood": 64}), StartStateError, "64 wood, but nobody carries more than 9"),
        (dict(rarity={"gold": "rare"}), StartStateError, "unknown rarity 'gold'"),
        (dict(weather="rain"), StartStateError, "cannot honour weather = 'rain'"),
    ]
    for start, error, message in refusals:
        with pytest.raises(error, match=message):
            env.reset(playing("play", **start), 1)
    with pytest.raises(PredicateError, match="cannot tell biome"):
        env.reset(playing("find", {"at": {"biome": "natural"}}), 1)


def test_env_gens_json_is_a_start_state():
    start = env_gen_start({
        "environment_settings": {"target_biome": "mountain", "iron_rarity": "very common"},
        "inventory_settings": {"iron": 2, "wood": 9, "wood_sword": 0},
    })  # fmt: skip
    # Whoever carries iron gets the pickaxe that mines it.
    assert start == StartState(
        biome="mountain", rarity={"iron": "very common"}, inventory={"iron": 2, "wood": 9, "stone_pickaxe": 1}
    )
    wrong = [
        ({"environment_settings": {"cole_rarity": "rare"}}, "unknown setting 'cole_rarity'; did you mean coal_rarity"),
        ({"environment_settings": {"coal_rarity": "very_common"}}, "rarity of coal: 'very_common', expected one of"),
        ({"inventory_settings": {"wood": "3"}}, "wood is '3', expected a whole number from 0 to 9"),
        ({"inventory_settings": {"iron_sword": 2}}, "iron_sword is 2, expected a whole number from 0 to 1"),
        ({"settings": {}}, "unknown part 'settings'"),
    ]
    for config, message in wrong:
        with pytest.raises(StartStateError, match=message):
            env_gen_start(config)


def test_a_missing_package_says_what_to_install(monkeypatch):
    _crafter.cache_clear()
    monkeypatch.setitem(sys.modules, "crafter", None)
    with pytest.raises(MissingExtraError, match=r'pip install "jarvis-agent\[crafter\]"'):
        CrafterEnv()
    monkeypatch.undo()
    _crafter.cache_clear()


def test_pictures_are_drawn_at_any_size():
    env = CrafterEnv(size=128, render_mode="rgb_array")
    observation, _ = env.reset(seed=2)
    assert observation["pov"].shape == (128, 128, 3) and (env.render() == observation["pov"]).all()
    assert observation["pov"].flags.c_contiguous


def test_every_achievement_is_an_event_of_its_own(env):
    env.reset(seed=1)
    told = []
    for name in ACHIEVEMENTS:
        env._game._player.achievements[name] += 1
        told += [(event.name, event.item) for event in env._events()]
    assert len(set(told)) == 22
    assert ("use_item", "plant") in told and ("use_item", "ripe_plant") in told  # placed, eaten


def test_steps_and_pictures_are_the_packages_to_the_last_bit():
    import crafter

    ours, theirs = _crafter().Game(64, 10000), _crafter().Game(64, 10000)
    random = np.random.RandomState(0)
    nights = sleeps = 0
    for seed, start in ((2, StartState()), (5, StartState(biome="mountain"))):
        assert (ours.begin(seed, start) == theirs.begin(seed, start)).all()
        for tick in range(230):
            action = 6 if 150 < tick < 190 else int(random.randint(17))
            mine, theirs_too = ours.step(action), crafter.Env.step(theirs, action)
            assert (mine[0] == theirs_too[0]).all() and mine[1:3] == theirs_too[1:3]
            assert (mine[0] == ours.render((64, 64))).all()  # the package's own drawing
            nights += ours._world.daylight < 0.5
            sleeps += ours._player.sleeping
            if mine[2]:
                break
        assert ours._world.random.get_state()[2] == theirs._world.random.get_state()[2]
    assert nights > 5 and sleeps > 5
