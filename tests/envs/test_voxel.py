"""The voxel world as an environment: its spaces are MineRL's, the same everywhere, and wrong input is refused."""

import hashlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import jarvis.envs.registry  # noqa: F401  makes the environments known to Gymnasium
from jarvis.core.actions import BUTTON_INDEX, BUTTONS, Action
from jarvis.core.errors import ActionError, EpisodeError, StartStateError, UnknownNameError
from jarvis.core.goals import Goal
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.registry import make
from jarvis.envs.voxel import VoxelEnv, vocabulary

GOLDENS = Path(__file__).parents[1] / "goldens"
MINERL = json.loads((GOLDENS / "minerl_human_survival.json").read_text("utf-8"))
KIT = {
    "oak_log": 16,
    "dirt": 64,
    "torch": 16,
    "stone_pickaxe": 1,
    "bread": 8,
    "water_bucket": 1,
    "furnace": 1,
    "bow": 1,
    "arrow": 30,
}


@pytest.fixture(scope="module")
def env():
    made = VoxelEnv(width=64, height=64)
    yield made
    made.close()


def monkey(ticks, seed):
    """Someone who presses anything: [Action], of which every screen, tool and block may be the victim."""
    random = np.random.default_rng(seed)
    often = np.full(len(BUTTONS), 0.04)
    for name, share in {
        "forward": 0.6,
        "attack": 0.5,
        "use": 0.25,
        "jump": 0.2,
        "sprint": 0.3,
        "drop": 0.01,
        "inventory": 0.1,
    }.items():
        often[BUTTON_INDEX[name]] = share
    held = np.zeros(len(BUTTONS), np.uint8)
    actions = []
    for _ in range(ticks):
        held = np.where(random.random(len(BUTTONS)) < 0.2, random.random(len(BUTTONS)) < often, held).astype(np.uint8)
        camera = random.normal(0, 10, 2) if random.random() < 0.5 else np.zeros(2)
        actions.append(Action(held.copy(), np.clip(camera, -180, 180).astype(np.float32)))
    return actions


def digest(value, into=None):
    """A hash of everything in a snapshot, whatever the order of its sets."""
    told = into or hashlib.sha256()
    if isinstance(value, dict):
        for key in sorted(value, key=repr):
            told.update(repr(key).encode())
            digest(value[key], told)
    elif isinstance(value, set):
        told.update(repr(sorted(value)).encode())
    elif isinstance(value, np.ndarray):
        told.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, (list, tuple)):
        for part in value:
            digest(part, told)
    else:
        told.update(repr(value).encode())
    return told.hexdigest()


def play_and_hash(ticks, seed):
    """Hash of every frame of a random episode, and of the world at its end."""
    env = VoxelEnv(width=64, height=64)
    observation, _ = env.reset(
        Task("random", Goal("play"), StartState(inventory=KIT, time=11000), max_ticks=10**6), seed
    )
    frames = hashlib.sha256(observation.pov.tobytes())
    for action in monkey(ticks, seed):
        observation, _, _, _, info = env.step(action)
        frames.update(observation.pov.tobytes())
        frames.update(repr(info["events"]).encode())
    return {"frames": frames.hexdigest(), "world": digest(env.world.snapshot()), "info": digest(info)}


# the interface


def test_gymnasium_finds_nothing_to_complain_about():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        env = gymnasium.make("jarvis/Voxel-v0", width=64, height=64, render_mode="rgb_array")
        check_env(env.unwrapped)
        env.close()
    # Gymnasium prefers cameras between -1 and 1; MineRL's are degrees
    assert [str(w.message) for w in caught if "symmetric and normalized" not in str(w.message)] == []


def test_actions_are_minerls_key_for_key(env):
    theirs = MINERL["action_space"]
    ours = env.action_space.spaces
    assert list(ours) == sorted(theirs) and len(ours) == 24
    for name, space in theirs.items():
        if name == "camera":
            assert isinstance(ours[name], gymnasium.spaces.Box) and ours[name].dtype == np.dtype(space["dtype"])
            assert ours[name].shape == tuple(space["shape"])
            assert ours[name].low.tolist() == [space["low"]] * 2 and ours[name].high.tolist() == [space["high"]] * 2
        else:
            assert ours[name] == gymnasium.spaces.Discrete(space["n"])
    assert set(BUTTONS) | {"camera"} == set(theirs)


def test_observations_hold_the_picture_alone(env):
    theirs = MINERL["pov"]
    space = VoxelEnv().observation_space
    assert list(space) == ["pov"] and space["pov"].shape == tuple(theirs["shape"]) == (360, 640, 3)
    assert space["pov"].dtype == np.dtype(theirs["dtype"]) == np.uint8
    observation, _ = env.reset(seed=1)
    assert env.observation_space.contains(observation)


def test_info_has_minerls_keys_and_values_of_their_kinds(env):
    _, info = env.reset(seed=1)
    info = env.step(env.action_space.sample())[-1]
    assert set(info["location_stats"]) == set(MINERL["location_stats"])
    assert set(info["life_stats"]) == set(MINERL["life_stats"])
    assert set(info["equipped_items"]) == set(MINERL["equipped_items"])
    assert isinstance(info["isGuiOpen"], bool)
    for part in ("location_stats", "life_stats"):
        for name, space in MINERL[part].items():
            value, kind = info[part][name], space["dtype"]
            assert isinstance(value, {"i": int, "f": float, "b": bool}[np.dtype(kind).kind]), name
            if name not in ("biome_temperature",):
                assert space["low"] <= value <= space["high"], name
    assert {name for name in MINERL["counters"] if name in info} <= set(MINERL["counters"])


def test_names_are_minerls():
    names = vocabulary()
    assert names.items <= set(MINERL["items"])
    assert names.blocks <= set(MINERL["blocks"])
    assert names.mobs <= set(MINERL["mobs"])


def test_info_tells_what_the_player_has_and_did(env):
    start = StartState(slots={0: ("iron_axe", 1), 3: ("dirt", 5)}, inventory={"apple": 2}, time=6000)
    _, info = env.reset(Task("t", Goal("play"), start), seed=2)
    assert info["inventory"] == {"iron_axe": 1, "dirt": 5, "apple": 2} and info["tick"] == 0 and info["events"] == []
    assert info["equipped_items"]["mainhand"] == {"type": "iron_axe", "damage": 0, "maxDamage": 250}
    assert info["equipped_items"]["head"] == {"type": "air", "damage": -1, "maxDamage": -1}
    assert info["life_stats"] == {
        "air": 300, "food": 20, "is_alive": True, "life": 20.0, "saturation": 5.0, "score": 0, "xp": 0,
    }  # fmt: skip
    info = env.step(Action.of("drop"))[-1]
    assert info["inventory"] == {"dirt": 5, "apple": 2} and info["drop"] == {"iron_axe": 1} and info["tick"] == 1
    assert [(e.tick, e.name, e.item) for e in info["events"]] == [(0, "drop", "iron_axe")]
    env.step(Action.noop())
    info = env.step(Action.of("inventory"))[-1]
    assert info["isGuiOpen"] and info["drop"] == {"iron_axe": 1} and info["events"] == []
    location = env.reset(Task("t", Goal("play"), StartState(position=(5.5, 40.0, -3.5), time=18000)), seed=2)[1][
        "location_stats"
    ]
    assert (location["xpos"], location["ypos"], location["zpos"]) == (5.5, 40.0, -3.5)
    assert (
        location["can_see_sky"] == 0
        and location["light_level"] < 8
        and location["sun_brightness"] == pytest.approx(0.2)
    )


def test_totals_are_sparse_and_custom_statistics_are_minerls(env):
    env.reset(Task("t", Goal("play"), StartState(inventory=KIT)), seed=3)
    for action in monkey(300, 3):
        info = env.step(action)[-1]
    for name in (*MINERL["counters"], "custom"):
        assert all(count > 0 for count in info.get(name, {}).values())
    told = {item for item in info.get("custom", {}) if not item.startswith("damage_taken.")}
    assert told <= set(MINERL["statistics"])
    assert set(info.get("mine_block", {})) <= set(MINERL["blocks"])


def test_render_is_the_last_picture():
    env = VoxelEnv(width=32, height=32, render_mode="rgb_array")
    observation, _ = env.reset(seed=1)
    assert np.array_equal(env.render(), observation["pov"])
    assert VoxelEnv(width=32, height=32).render() is None
    with pytest.raises(ValueError, match="render_mode"):
        VoxelEnv(render_mode="human")


def test_a_task_of_its_own_and_one_by_option(env):
    task = Task("t", Goal("play"), StartState(biome="desert", time=6000), max_ticks=3)
    observation, info = env.reset(task, seed=4)
    assert not isinstance(observation, dict) and info["location_stats"]["biome_id"] == 2
    steps = [env.step(Action.noop()) for _ in range(3)]
    assert [step.truncated for step in steps] == [False, False, True]
    observation, info = env.reset(seed=4, options={"task": task})
    assert isinstance(observation, dict) and info["location_stats"]["biome_id"] == 2


# pictures of any size


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 16), (16, 33), (65, 37), (128, 128), (322, 180)])
def test_any_size_is_drawn(width, height):
    env = VoxelEnv(width=width, height=height)
    observation, _ = env.reset(seed=6)
    assert observation["pov"].shape == (height, width, 3) and observation["pov"].std() > 5
    env.step({"inventory": 1})
    pov = env.step({})[0]["pov"]
    assert pov.shape == (height, width, 3) and env.observation_space["pov"].contains(pov)


@pytest.mark.parametrize("size", [{"width": 15}, {"height": 0}, {"width": 4096}, {"height": -1}])
def test_sizes_beyond_reason_are_refused(size):
    with pytest.raises(ValueError, match=f"{next(iter(size))}: .* expected 16 to 2048"):
        VoxelEnv(**size)


def test_frames_handed_out_are_never_written_to_again(env):
    first = env.reset(seed=7)[0]["pov"]
    kept = first.copy()
    for action in monkey(5, 1):
        env.step(action)
    assert np.array_equal(first, kept)


# bad input


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"forwards": 1}, "forwards.*forward"),
        ({"hotbar.0": 1}, "hotbar.0"),
        ({"forward": 2}, "forward: 2"),
        ({"jump": -1}, "jump"),
        ({"attack": 0.5}, "attack"),
        ({"use": [1, 0]}, "use: shape"),
        ({"sneak": float("nan")}, "sneak"),
        ({"camera": [1.0]}, r"camera: shape \(1,\)"),
        ({"camera": [float("nan"), 0]}, "camera: pitch is nan"),
        ({"camera": [0, float("inf")]}, "camera: yaw is inf"),
        ({"camera": [0, 181]}, "camera: yaw is 181"),
        ({"camera": "up"}, "camera"),
        ([1, 0], "an action is"),
        (None, "an action is"),
    ],
)
def test_bad_actions_are_refused_by_their_key_and_change_nothing(env, action, message):
    if not env.world.ticks:
        env.reset(seed=1)
    before = env.world.ticks, env.world.player.tobytes()
    with pytest.raises(ActionError, match=message):
        env.step(action)
    assert (env.world.ticks, env.world.player.tobytes()) == before


def test_unknown_names_are_refused_before_the_run_with_the_nearest():
    env = VoxelEnv(width=16, height=16)
    for start, nearest in (
        ({"biome": "dessert"}, "desert"),
        ({"inventory": {"iron_pikaxe": 1}}, "iron_pickaxe"),
        ({"nearby": {"craftingtable": 1}}, "crafting_table"),
        ({"mobs": {"sheeps": 1}}, "sheep"),
        ({"slots": {0: ("torchs", 1)}}, "torch"),
        ({"rarity": {"diamnd": "rare"}}, "diamond"),
    ):
        with pytest.raises(UnknownNameError, match=nearest):
            env.reset(Task("t", Goal("play"), StartState(**start)), seed=0)
    with pytest.raises(UnknownNameError, match="voxel"):
        make("voxels")
    with pytest.raises(StartStateError, match="no room"):
        env.reset(Task("t", Goal("play"), StartState(nearby={"chest": 500}, nearby_radius=2)), seed=0)
    with pytest.raises(EpisodeError, match="reset"):
        env.step({})  # the refused episode did not begin
    env.reset(seed=0)
    env.step({})


def test_common_ways_to_say_a_name_are_understood(env):
    start = StartState(
        inventory={"minecraft:oak_log": 2, "seeds": 3, "planks": 1}, nearby={"workbench": 1}, biome="Forest"
    )
    _, info = env.reset(Task("t", Goal("play"), start), seed=0)
    assert {"oak_log": 2, "wheat_seeds": 3}.items() <= info["inventory"].items() and sum(
        info["inventory"].values()
    ) == 6


# the same everywhere


def elsewhere(ticks, seed, hash_seed):
    """Start `play_and_hash` in a fresh process with another PYTHONHASHSEED."""
    environment = os.environ | {
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    command = [sys.executable, __file__, str(ticks), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def check_processes(ticks, seed):
    processes = [elsewhere(ticks, seed, hash_seed) for hash_seed in (1, 2)]
    told = [process.communicate()[0].splitlines()[-1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert json.loads(told[0]) == json.loads(told[1])
    assert json.loads(told[0])["frames"]
    return json.loads(told[0])


def test_two_processes_with_other_hash_seeds_see_the_same_600_ticks():
    assert check_processes(600, 5) == play_and_hash(600, 5)  # and so does this one


@pytest.mark.slow
def test_two_processes_with_other_hash_seeds_see_the_same_5000_ticks():
    check_processes(5000, 11)


def test_a_snapshot_brings_back_frames_and_state_here_and_elsewhere():
    env = VoxelEnv(width=32, height=32)
    start = StartState(inventory=KIT, mobs={"cow": 3, "zombie": 2}, time=12800, weather="rain")
    env.reset(Task("t", Goal("play"), start, max_ticks=10**6), seed=8)
    actions = monkey(600, 8)
    for action in actions[:100]:
        env.step(action)
    saved = env.snapshot()
    before = digest(saved)

    def follow(player):
        told = []
        for action in actions[100:]:
            observation, _, _, _, info = player.step(action)
            told.append((hashlib.sha256(observation.pov.tobytes()).hexdigest(), digest(info)))
        return told, digest(player.world.snapshot())

    first = follow(env)
    assert len({frame for (frame, _) in first[0]}) > 250  # it is not that nothing happens
    for other in (env, VoxelEnv(width=32, height=32)):
        picture = other.restore(saved)
        assert picture.shape == (32, 32, 3)
        assert follow(other) == first
    assert digest(saved) == before


def test_reset_without_a_seed_goes_on_in_gymnasiums_stream(env):
    env.reset(seed=9)
    one = env.reset()[1]["location_stats"]
    env.reset(seed=9)
    assert env.reset()[1]["location_stats"] == one
    assert env.reset()[1]["location_stats"] != one


def test_2000_ticks_of_anything_raise_nothing():
    env = VoxelEnv(width=16, height=16)
    for seed, biome in ((0, "forest"), (1, "mountains"), (2, "swamp"), (3, None)):
        start = StartState(biome=biome, inventory=KIT, mobs={"creeper": 1, "skeleton": 1, "spider": 1}, time=13000)
        env.reset(Task("t", Goal("play"), start, max_ticks=10**6), seed)
        for action in monkey(500, seed):
            step = env.step(action)
            assert not step.terminated
        assert np.isfinite(env.world.player[0]["x"]) and step.info["life_stats"]["life"] >= 0


if __name__ == "__main__":
    print(json.dumps(play_and_hash(int(sys.argv[1]), int(sys.argv[2]))))
