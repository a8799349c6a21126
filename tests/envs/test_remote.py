import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from jarvis.core.actions import Action
from jarvis.core.errors import EnvironmentFailure, EpisodeError
from jarvis.envs.remote import RemoteConfig, RemoteFailure, RemoteSimulator
from jarvis.envs.remote_worker import descendants
from jarvis.envs.voxel import VoxelEnv

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
from stand_in_simulators import write_packages  # noqa: E402

DEADLINE = 0.5  # seconds a step may take below


def children():
    """Every process below this one."""
    return set(descendants(os.getpid()))


@pytest.fixture
def strangers():
    """What earlier tests left running: trackers, decoders that rest. A test here answers for its own."""
    return children()


def counting(**config):
    return RemoteSimulator(
        "gymnasium", {"factory": "stand_in_simulators:Count"}, RemoteConfig(python_path=(str(HERE),), **config)
    )


@pytest.fixture
def game(tmp_path, strangers):
    """game(fault, ...): MineRL's stand-in with a fault; closed at the end, with nothing of it left."""
    folder, simulators = write_packages(tmp_path / "packages"), []

    def start(fault="none:none:0", once=False, **config):
        environment = {"JARVIS_STAND_IN_FAULT": fault, "JARVIS_STAND_IN_PIDS": str(tmp_path / "pids")}
        if once:
            environment["JARVIS_STAND_IN_ONCE"] = str(tmp_path / "once")
        config = {"step_seconds": DEADLINE, "reset_attempts": 1, **config}
        config = RemoteConfig(python_path=(folder,), environment=environment, **config)
        simulators.append(RemoteSimulator("minerl", {"resolution": [64, 36]}, config))
        return simulators[-1]

    start.orphans = lambda: [int(line) for line in (tmp_path / "pids").read_text().split()]
    yield start
    for simulator in simulators:
        simulator.close()
    assert children() <= strangers


NOOP = {
    name: 0
    for name in "ESC attack back drop forward inventory jump left pickItem right sneak sprint swapHands use".split()
} | {f"hotbar.{slot}": 0 for slot in range(1, 10)} | {"camera": [0.0, 0.0]}  # fmt: skip


def resources():
    """(descriptors, threads, mappings of frames, children) of this process."""
    maps = Path("/proc/self/maps").read_text().count("jarvis-frames")
    return (
        len(os.listdir("/proc/self/fd")),
        len(os.listdir("/proc/self/task")),
        maps,
        len(children()),
    )


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_an_episode_goes_through_the_pipe():
    simulator = counting()
    frame, info = simulator.reset(7, {"biome": "plains"})
    assert frame.shape == (4, 6, 3) and frame.dtype == np.uint8 and (frame == 7).all()
    assert info == {"options": {"biome": "plains"}, "small": 0.5}
    frames = [simulator.step(name) for name in ("first", "second")]
    assert [int(result[0][0, 0, 0]) for result in frames] == [8, 9], "each picture is a copy"
    assert frames[0][1:] == (0.5, False, False, {"action": "first"})
    assert simulator.step("third")[2:4] == (False, True)
    with pytest.raises(EpisodeError, match="call reset"):
        simulator.step("fourth")
    simulator.close()
    simulator.close()
    assert simulator.process is None


def test_the_voxel_world_plays_the_same_from_behind_the_pipe():
    size = {"width": 64, "height": 36}
    near = VoxelEnv(**size)
    served = {"factory": "jarvis.envs.voxel:VoxelEnv", "arguments": size}
    far = RemoteSimulator("gymnasium", served, RemoteConfig(python_path=(str(ROOT),)))
    frame, info = far.reset(3)
    observation, own = near.reset(seed=3)
    assert (frame == observation["pov"]).all() and info["location_stats"] == own["location_stats"]
    for tick in range(20):
        action = Action.of("forward", "attack", "jump", camera=(1, tick / 3)).to_env()
        observation, _, _, _, own = near.step(action)
        frame, _, _, _, info = far.step({**action, "camera": action["camera"].tolist()})
        assert (frame == observation["pov"]).all()
    assert info["location_stats"] == own["location_stats"] and info["tick"] == 20
    assert info["events"] == [event.to_json() for event in own["events"]]
    far.close()


def test_a_step_before_the_first_reset_starts_nothing():
    simulator = counting()
    with pytest.raises(EpisodeError, match="call reset"):
        simulator.step("first")
    assert simulator.process is None


def test_an_error_of_the_simulator_is_told_with_its_last_words():
    simulator = counting()
    simulator.reset(0)
    with pytest.raises(EnvironmentFailure, match="step: ValueError: this action is not for me") as caught:
        simulator.step("fail")
    assert "stand_in_simulators.py" in caught.value.log  # the traceback, from the other process
    with pytest.raises(EpisodeError):
        simulator.step("again")
    assert simulator.reset(0)[0].max() == 0
    simulator.close()


def test_noise_on_the_pipe_is_not_a_reply():
    simulator = counting()
    simulator.reset(0)
    with pytest.raises(RemoteFailure, match="talks nonsense: a reply of 4294967295 bytes"):
        simulator.step("nonsense")
    assert simulator.process is None


def test_a_missing_interpreter_is_named():
    simulator = counting(python="/nowhere/python", reset_attempts=1)
    before = resources()
    with pytest.raises(RemoteFailure, match="launch: cannot run /nowhere/python"):
        simulator.reset(0)
    assert resources() == before


def test_a_config_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="step_seconds: 0"):
        RemoteConfig(step_seconds=0)
    with pytest.raises(ValueError, match="reset_attempts: 0, expected at least 1"):
        RemoteConfig(reset_attempts=0)


@pytest.mark.parametrize("kind", ["hang", "stop", "flood", "orphans"])
def test_a_step_that_hangs_is_ended_with_everything_below_it(game, kind):
    simulator = game(f"{kind}:step:2", once=True)
    first, _ = simulator.reset(5)
    after_one = simulator.step(NOOP)[0]
    guard = simulator.process.pid
    below = descendants(guard)
    assert len(below) == 1

    began = time.monotonic()
    with pytest.raises(RemoteFailure, match=f"step: no answer within {DEADLINE}") as caught:
        simulator.step(NOOP)
    assert time.monotonic() - began < DEADLINE + 20
    left = [guard, *below, *(game.orphans() if kind == "orphans" else [])]
    assert len(left) == (4 if kind == "orphans" else 2)
    assert [pid for pid in left if alive(pid)] == []
    assert ("JAVA_TOOL_OPTIONS" in str(caught.value)) == (kind == "flood")

    # The same seed plays the same episode in a new process.
    again, _ = simulator.reset(5)
    assert (again == first).all() and (simulator.step(NOOP)[0] == after_one).all()
    assert simulator.restarts == 1


@pytest.mark.parametrize("stage", ["launch", "reset"])
def test_a_launch_or_reset_that_hangs_is_ended(game, strangers, stage):
    # The game itself starts with the first reset, which therefore has the launch's deadline.
    simulator = game(f"hang:{stage}:1", launch_seconds=1.2, reset_seconds=100)
    began = time.monotonic()
    with pytest.raises(RemoteFailure, match=f"{stage}: no answer within 1.2 s"):
        simulator.reset(5)
    assert time.monotonic() - began < 20
    assert children() <= strangers


def test_a_later_reset_has_its_own_deadline_and_is_tried_again_with_the_same_seed(game):
    simulator = game("hang:reset:2", once=True, reset_seconds=DEADLINE, reset_attempts=2)
    first, _ = simulator.reset(5)
    again, _ = simulator.reset(5)
    assert (first == again).all() and simulator.restarts == 1


def test_a_death_is_told_by_its_cause(game):
    simulator = game("die:step:1")
    simulator.reset(5)
    with pytest.raises(RemoteFailure, match=r"step: the simulator's process died \(exit code 3\)"):
        simulator.step(NOOP)
    simulator.reset(5)
    os.kill(descendants(simulator.process.pid)[0], signal.SIGKILL)
    with pytest.raises(RemoteFailure, match=r"died \(signal 9\)"):
        simulator.step(NOOP)


def test_a_killed_guard_leaves_nothing_behind(game):
    simulator = game()
    simulator.reset(5)
    below = descendants(simulator.process.pid)
    os.kill(simulator.process.pid, signal.SIGKILL)
    began = time.monotonic()
    while any(alive(pid) for pid in below) and time.monotonic() - began < 20:
        time.sleep(0.01)  # or it might still answer
    assert [pid for pid in below if alive(pid)] == []
    with pytest.raises(RemoteFailure, match="died"):
        simulator.step(NOOP)


def test_a_talkative_game_is_never_blocked(game):
    simulator = game("chatter:step:1", step_seconds=20)
    simulator.reset(5)
    for _ in range(3):
        simulator.step(NOOP)  # a megabyte each
    assert "Loading for game Minecraft" in simulator.process.log_tail
    assert len(simulator.process.log_tail) <= 64 << 10


def test_restarts_have_a_budget(game):
    simulator = game("die:reset:1", restarts_per_hour=2, reset_attempts=5)
    with pytest.raises(RemoteFailure, match="died"):
        simulator.reset(5)
    assert simulator.restarts == 2
    with pytest.raises(RemoteFailure, match="failed more than 2 times within an hour"):
        simulator.reset(5)
    assert simulator.restarts == 2


def test_a_process_is_replaced_after_its_share_of_episodes():
    simulator = counting(episodes_per_process=2)
    guards = []
    for seed in range(4):
        simulator.reset(seed)
        guards.append(simulator.process.pid)
    assert guards[0] == guards[1] != guards[2] == guards[3]
    assert simulator.restarts == 0  # nothing had failed
    simulator.close()


def test_other_launch_options_start_another_process():
    simulator = counting()
    simulator.reset(0)
    first = simulator.process.pid
    same = dict(simulator.options)
    simulator.reset(0, options=same)
    assert simulator.process.pid == first
    simulator.reset(0, options=same | {"arguments": {}})
    assert simulator.process.pid != first
    simulator.close()


def test_an_interrupted_request_leaves_no_half_message(game, strangers, monkeypatch):
    simulator = game()
    simulator.reset(5)
    handles = simulator.process._handles

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(handles, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        simulator.step(NOOP)
    assert simulator.process is None and children() <= strangers


def test_nothing_is_left_after_many_hangs(game):
    hang_and_count(game, rounds=4)


@pytest.mark.slow
def test_nothing_is_left_after_a_hundred_hangs(game):
    hang_and_count(game, rounds=100)


def hang_and_count(game, rounds):
    simulator = game("orphans:step:1", step_seconds=0.2, restarts_per_hour=1000)
    before = resources()
    for _ in range(rounds):
        simulator.reset(5)
        with pytest.raises(RemoteFailure, match="no answer"):
            simulator.step(NOOP)
    assert resources() == before
    orphans = game.orphans()
    assert len(orphans) == 2 * rounds
    assert [pid for pid in orphans if alive(pid)] == []


def test_a_forgotten_simulator_is_ended_by_the_garbage_collector():
    simulator = counting()
    simulator.reset(0)
    guard = simulator.process.pid
    del simulator
    assert not alive(guard)


@pytest.mark.parametrize("ending", ["return", "SIGKILL", "SIGTERM"])
def test_no_process_outlives_its_player(tmp_path, ending):
    script = tmp_path / "player.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, sys, time
        sys.path[:0] = [{str(ROOT)!r}, {str(HERE)!r}]
        import test_remote
        from jarvis.envs.remote_worker import descendants
        simulator = test_remote.counting()
        simulator.reset(0)
        print(*descendants(os.getpid()), flush=True)
        if {ending!r} != "return":
            time.sleep(1000)
        """)
    )
    player = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in player.stdout.readline().split()]
    assert len(pids) == 2  # the guard and the worker
    if ending != "return":
        player.send_signal(getattr(signal, ending))
    player.wait()
    player.stdout.close()
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if alive(pid)] == []


def test_the_worker_runs_on_other_pythons():
    pythons = os.environ.get("JARVIS_TEST_PYTHONS", "").split(":")
    if pythons == [""]:
        pytest.skip("JARVIS_TEST_PYTHONS=/path/python3.8:/path/python3.12 names interpreters with numpy")
    for python in pythons:
        simulator = RemoteSimulator(
            "gymnasium", {"factory": "stand_in_simulators:Count"}, RemoteConfig(python=python, python_path=(str(HERE),))
        )
        frame, _ = simulator.reset(3)
        assert frame.shape == (4, 6, 3)
        assert simulator.process.facts["python"] in subprocess.check_output([python, "-V"], text=True)
        simulator.close()
