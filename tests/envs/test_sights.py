"""The truth about a picture: what is where, checked against the picture itself."""

from __future__ import annotations

import numpy as np
import pytest

from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.sights import look
from jarvis.envs.voxel import VoxelEnv


@pytest.fixture(scope="module")
def env():
    env = VoxelEnv(width=320, height=180)
    yield env
    env.close()


def begin(env, **start):
    env.reset(Task("look", Goal("look"), StartState(weather="clear", time=6000, **start)), 5)
    env.step(Action.noop())
    return look(env)


def test_hands_and_body(env):
    sight = begin(env, slots={0: ("oak_log", 3), 4: ("torch", 16)})
    assert sight.hotbar == (("oak_log", 3), ("", 0), ("", 0), ("", 0), ("torch", 16), *[("", 0)] * 4)
    assert (sight.selected, sight.health, sight.food, sight.is_day, sight.screen) == (1, 20.0, 20, True, False)
    env.step(Action.of("hotbar.5"))
    assert look(env).selected == 5
    env.step(Action.of("inventory"))
    opened = look(env)
    assert opened.screen and opened.crosshair is None and opened.spots == ()


def test_the_block_under_the_crosshair_is_the_one_that_breaks(env):
    begin(env)
    for _ in range(9):
        env.step(Action.of(camera=(10, 0)))
    under = look(env).crosshair
    assert under is not None
    broken = []
    for _ in range(120):
        broken += [event.item for event in env.step(Action.of("attack")).info["events"] if event.name == "mine_block"]
        if broken:
            break
    assert broken == [under]


def test_a_spot_is_where_it_is_after_turning_to_it(env):
    sight = begin(env, nearby={"diamond_ore": 6}, nearby_radius=5)
    half_high, half_wide = np.tan(np.radians(35)), np.tan(np.radians(35)) * 320 / 180
    found = 0
    for _ in range(12):
        spots = [spot for spot in look(env).spots if spot.name == "diamond_ore"]
        if spots and 0.25 < spots[0].x < 0.75 and 0.25 < spots[0].y < 0.75:
            spot = spots[0]
            yaw = float(np.degrees(np.arctan((2 * spot.x - 1) * half_wide)))
            pitch = float(np.degrees(np.arctan((2 * spot.y - 1) * half_high)))
            env.step(Action.of(camera=(pitch, yaw)))
            after = min((s for s in look(env).spots if s.name == "diamond_ore"), key=lambda s: abs(s.x - 0.5))
            assert abs(after.x - 0.5) < 0.09 and abs(after.y - 0.5) < 0.13
            found += 1
            break
        env.step(Action.of(camera=(0, 30)))
    assert sight.spots
    assert found


def test_an_animal_in_view_is_told_and_one_behind_is_not(env):
    begin(env, mobs={"cow": 3}, nearby_radius=4)
    seen = []
    for _ in range(12):
        seen.append(sum(spot.name == "cow" for spot in look(env).spots))
        env.step(Action.of(camera=(0, 30)))
    assert max(seen) >= 1
    assert min(seen) == 0
