"""One game of Luanti, in the worker process of `jarvis.envs.remote` that `LuantiEnv` starts.

    game = LuantiGame("/tmp/home", width=640, height=360)
    picture, info = game.reset(seed=3, options={"slots": {"1": "default:pick_wood 1"}})
    picture, _, _, _, info = game.step({"forward": 1, "camera": [0, 5]})

A new seed starts a new program. The same one again is a soft reset: the mod takes back what was changed, unless
something happened that it cannot take back (a tree grew, the player died).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.errors import EnvironmentFailure
from jarvis.envs.luanti.keys import Hands
from jarvis.envs.luanti.library import make_library
from jarvis.envs.luanti.link import FrameLink
from jarvis.envs.luanti.log import LogReader, told_info
from jarvis.envs.luanti.screen import Screen
from jarvis.envs.luanti.settings import game_settings, lay_out, log_path, send_command

__all__ = ["LuantiGame", "luanti_program"]

WINDOW = (640, 360)  # the smallest: the game's screens do not fit into less, pictures are made smaller afterwards
FRAME_SECONDS = 60.0  # of wall clock, for one frame; the deadlines of a step are shorter and belong to the player
JOIN_FRAMES = 2000  # before which the player must be in the world
NEW_DAY = 0.3  # of a day since midnight: when a world begins
LOAD_FRAMES = 25  # in which what lies ahead comes in
SKY_FRAMES = 160  # in which the sky takes on its colour, by 2 % a frame; the player looks up, so that they cost little
ALIGNED_FRAMES = 40  # an episode begins at a multiple of them, so that water moves alike in all of them


def luanti_program() -> str | None:
    """The game's path: JARVIS_LUANTI, or minetest on the PATH or where Debian has its games."""
    asked = os.environ.get("JARVIS_LUANTI")
    return shutil.which(asked or "minetest") or (None if asked else shutil.which("/usr/games/minetest"))


class LuantiGame:
    """A game that plays a frame when it is told to. Raises EnvironmentFailure or GameLostError for one that broke."""

    def __init__(
        self, home: str, width: int = 640, height: int = 360, view_range: int = 48, show_cursor: bool = True
    ) -> None:
        """home: a folder that is made anew for each program. width, height: of the picture."""
        self.home, self.size, self.view_range, self.show_cursor = Path(home), (width, height), view_range, show_cursor
        self.window = (max(width, WINDOW[0]), max(height, WINDOW[1]))
        self._screen: Screen | None = None
        self._link: FrameLink | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._seed: int | None = None
        self._serial = 0
        self._last: dict[str, Any] = {}
        self._restless = 0

    # Gymnasium's interface, which the worker knows

    def reset(self, seed: int, options: Mapping[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode in the map of `seed`. options: what the mod's command.json may hold (data/mod/init.lua)."""
        options = dict(options or {})
        fresh = self._seed != seed or self._last.get("unsure") or self._link is None
        if fresh:
            self._begin_program(seed, options.get("time", NEW_DAY))
        else:
            self._let_go()
        self._serial += 1
        send_command(self.home, {**options, "time": options.get("time", NEW_DAY), "serial": self._serial})
        self._log = LogReader(log_path(self.home, self._serial))
        self._wait(1)  # one command a tick
        for yaw in range(0, 360, 90) if fresh else ():
            self._look(0, yaw, LOAD_FRAMES)
        self._look(-90, 0, SKY_FRAMES)
        self._look(0, 0, LOAD_FRAMES)
        self._wait(-self._facts["frames"] % ALIGNED_FRAMES)
        send_command(self.home, {"begin": True})
        self._wait(1)
        if self._last.get("serial") != self._serial:
            raise EnvironmentFailure(f"the mod did not set the scene: {self._words()}")
        self._hands.begin()
        return self._picture(), self._info()

    def step(self, action: Mapping[str, Any]) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Plays one tick of a MineRL action."""
        self._press(Action.from_env(action))
        return self._picture(), 0.0, False, False, self._info()

    def close(self) -> None:
        """Ends the game and its display. May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._link is not None:
            self._link.close()
        if self._screen is not None:
            self._screen.close()
        self._process = self._link = self._screen = self._seed = None

    # the program

    def _begin_program(self, seed: int, time_of_day: float) -> None:
        self.close()
        program = luanti_program()
        if program is None:
            raise EnvironmentFailure("Luanti is not installed: jarvis doctor --setup luanti")
        library = make_library()
        width, height = self.window
        self._screen = Screen(width, height)
        self._hands = Hands(width, height)
        self._log = LogReader(log_path(self.home, 0))
        settings = game_settings(width, height, seed, time_of_day, self.view_range)
        arguments = lay_out(self.home, settings)
        self._link = link = FrameLink(width * height)
        with (self.home / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [program, *arguments],
                env={
                    **{name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"},
                    "DISPLAY": self._screen.name,
                    "HOME": str(self.home),
                    "MINETEST_USER_PATH": str(self.home),
                    "LIBGL_ALWAYS_SOFTWARE": "1",  # the same pixels on every machine
                    "LANG": "C",
                    **link.variables(library),
                },
                pass_fds=link.theirs,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        link.begun()
        self._seed, self._serial, self._last = seed, 0, {}
        focused = False
        for _ in range(JOIN_FRAMES):
            self._tick()
            focused = focused or self._screen.find_window("Minetest")
            if self._last:
                break
            time.sleep(0.005)  # the handshake waits for the wall clock
        if not self._last or not focused:
            raise EnvironmentFailure(f"no player joined within {JOIN_FRAMES} frames: {self._words()}")

    def _words(self) -> str:
        return (self.home / "output.txt").read_text(errors="replace")[-1500:]

    def _tick(self) -> None:
        assert self._link is not None
        if self._link.facts()["frames"]:
            self._link.go()
        self._link.wait(FRAME_SECONDS)
        steps = self._log.read()
        if steps:
            self._last = steps[-1]
        self._facts = self._link.facts()

    def _let_go(self) -> None:
        """What a person would do before the next game: lift all fingers, close what is open, take the first slot."""
        self._press(*[Action.noop()] * 10)  # the game works off one hotbar key a frame
        for _ in range(3):
            if self._screen_open():
                self._press(Action.of("ESC"), Action.noop(), Action.noop())
        self._press(Action.of("hotbar.1"), Action.noop())

    def _press(self, *actions: Action) -> None:
        assert self._screen is not None
        for action in actions:
            self._screen.send(self._hands.play(action, self._screen_open()))
            self._tick()

    def _look(self, pitch: float, yaw: float, frames: int) -> None:
        send_command(self.home, {"look": [pitch, yaw]})
        self._wait(frames)

    def _wait(self, frames: int) -> None:
        for _ in range(frames):
            self._tick()

    # what is told

    def _screen_open(self) -> bool:
        return bool(self._facts["cursor_shown"])

    def _info(self) -> dict[str, Any]:
        info = told_info(self._last, self._screen_open())
        return {**info, "undelivered": dict(self._hands.undelivered), "restless": self._facts["restless"]}

    def _picture(self) -> np.ndarray:
        assert self._link is not None
        picture = self._link.picture()
        if self.show_cursor and self._screen_open():
            _draw_cursor(picture, *self._hands.cursor)
        if (picture.shape[1], picture.shape[0]) == self.size:
            return picture
        import cv2

        return cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA)


def _draw_cursor(picture: np.ndarray, x: int, y: int) -> None:
    """The pointer with its tip at (x, y), which X draws on a layer of its own."""
    from jarvis.world.sprites import build_sprites

    cursor = build_sprites().cursor
    part = picture[y : y + cursor.shape[0], x : x + cursor.shape[1]]
    shown = cursor[: part.shape[0], : part.shape[1]]
    part[...] = np.where(shown[..., 3:] > 0, shown[..., :3], part)
