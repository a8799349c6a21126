"""A virtual X display, and a keyboard and a mouse on it (XTEST).

with Screen(640, 360) as screen:
    window = screen.find_window("Minetest")   # of a program started with DISPLAY=screen.name
    screen.send([Input("key", "w", True)])
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from jarvis.core.errors import EnvironmentFailure, MissingExtraError
from jarvis.envs.luanti.keys import Input

__all__ = ["Screen"]

_TURN = 1280  # pixels beside the window, so that a turn of 180 degrees in one tick has room


class Screen:
    """Xvfb with room for one window in its middle, whose coordinates the mouse is moved in."""

    def __init__(self, width: int, height: int) -> None:
        """Of the window. Raises MissingExtraError without python-xlib, EnvironmentFailure without Xvfb."""
        try:
            from Xlib import XK, X, display
        except ImportError as error:
            raise MissingExtraError("luanti", "The Luanti environment") from error
        program = shutil.which("Xvfb")
        if not program:
            raise EnvironmentFailure("Xvfb is not installed: sudo apt-get install -y xvfb")
        self.width, self.height = width, height
        self._x, self._keysym = X, XK.string_to_keysym
        told, number = os.pipe()
        size = f"{width + 2 * _TURN}x{height + 2 * _TURN}x24"
        # NOTE: -r, because a held key that repeats would do so by the wall clock.
        command = [program, "-displayfd", str(number), "-screen", "0", size, "-nolisten", "tcp", "-r", "-noreset"]
        self.process = subprocess.Popen(command, pass_fds=[number], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        os.close(number)
        with os.fdopen(told) as file:
            answer = file.readline().strip()
        if not answer:
            raise EnvironmentFailure(f"{program} did not start (exit code {self.process.wait()})")
        self.name = f":{answer}"
        self._display = display.Display(self.name)
        self._root = self._display.screen().root
        self._codes: dict[str, int] = {}
        self._origin = (0, 0)

    def find_window(self, title: str) -> bool:
        """Whether a window of that title is there; if so it is moved to its place and gets the keyboard."""
        for window in self._root.query_tree().children:
            name = window.get_wm_name()
            if isinstance(name, str) and name.startswith(title):
                window.configure(x=_TURN, y=_TURN)
                window.set_input_focus(self._x.RevertToParent, self._x.CurrentTime)
                self._origin = (_TURN, _TURN)
                self._display.sync()
                return True
        return False

    def send(self, events: Iterable[Input]) -> None:
        """Returns when the X server has taken them all."""
        for event in events:
            self._send(event)
        self._display.sync()

    def _send(self, event: Input) -> None:
        from Xlib.ext import xtest

        x = self._x
        if event.kind == "move":
            assert isinstance(event.what, tuple)
            at_x, at_y = (start + part for start, part in zip(self._origin, event.what, strict=True))
            xtest.fake_input(self._display, x.MotionNotify, root=self._root, x=at_x, y=at_y)
        elif event.kind == "button":
            xtest.fake_input(self._display, x.ButtonPress if event.down else x.ButtonRelease, event.what)
        else:
            code = self._code(str(event.what))
            xtest.fake_input(self._display, x.KeyPress if event.down else x.KeyRelease, code)

    def _code(self, keysym: str) -> int:
        if keysym not in self._codes:
            self._codes[keysym] = self._display.keysym_to_keycode(self._keysym(keysym))
        return self._codes[keysym]

    def close(self) -> None:
        """Ends the X server, and so whatever draws on it. May be called twice."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
