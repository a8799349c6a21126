"""A bare plain to try the world's rules on: everything happens through World.tick, scenes are set by hand."""

import math
from functools import partial
from unittest.mock import patch

import numpy as np

from jarvis.core.actions import BUTTON_INDEX, BUTTONS
from jarvis.core.start_states import StartState
from jarvis.world.chunks import Chunks
from jarvis.world.inventory import HOTBAR
from jarvis.world.layout import MASK, get_block
from jarvis.world.rules import RULES
from jarvis.world.screens import PIXELS_PER_DEGREE
from jarvis.world.world import World

FLOOR = 64.0  # height of the plain: grass at y 63


class Stage:
    """One world and its player, who stands at (0.5, 64, 0.5) and looks south. Coordinates are cells."""

    def __init__(self):
        self.world = World()

    def begin(self, seed=0, time=6000):
        with patch("jarvis.world.world.Chunks", partial(Chunks, load_radius=2)):  # a stage is small, and soon set
            self.world.reset(seed, StartState(time=time, weather="clear"), flat=True)
        self.events = []
        return self

    @property
    def p(self):
        return self.world.player[0]

    # scenes

    def put(self, x, y, z, name, meta=0):
        self.world.set_block(x, y, z, RULES.block(name), meta)
        return self

    def fill(self, xs, ys, zs, name, meta=0):
        for x in xs:
            for y in ys:
                for z in zs:
                    self.put(x, y, z, name, meta)
        return self

    def wake(self, x, y, z):
        """Write a cell again as a change of play, so that it and its neighbours act."""
        self.world.change(x, y, z, get_block(self.world.grid, x, y, z), self.meta(x, y, z))
        return self

    def at(self, x, y, z):
        return RULES.blocks[get_block(self.world.grid, x, y, z)]

    def meta(self, x, y, z):
        return int(self.world.grid.meta[x & MASK, z & MASK, y])

    def count(self, name, xs, ys, zs):
        return sum(self.at(x, y, z) == name for x in xs for y in ys for z in zs)

    def stand(self, x=0.5, y=FLOOR, z=0.5, yaw=0.0, pitch=0.0):
        p = self.p
        p["x"], p["y"], p["z"], p["yaw"], p["pitch"] = x, y, z, yaw, pitch
        p["vx"] = p["vz"] = p["fall_distance"] = 0
        p["vy"] = -0.0784  # a standing body's, whom gravity pulls against the ground
        return self

    def look_at(self, x, y, z):
        ex, ey, ez = self.world.eye()
        self.p["yaw"] = math.degrees(math.atan2(-(x - ex), z - ez))
        self.p["pitch"] = math.degrees(math.atan2(ey - y, math.hypot(x - ex, z - ez)))
        return self

    def hold(self, name, count=1, damage=0, slot=0):
        self.world.slots[HOTBAR + slot] = (RULES.item(name), count, damage) if name else (0, 0, 0)
        return self

    # play

    def tick(self, *pressed, camera=(0.0, 0.0), ticks=1):
        """Hold these buttons for some ticks; the events of all of them as (name, item, count)."""
        buttons = np.zeros(len(BUTTONS), np.uint8)
        for name in pressed:
            buttons[BUTTON_INDEX[name]] = 1
        heard = []
        for _ in range(ticks):
            heard += self.world.tick(buttons, np.array(camera, np.float32))
        self.events += heard
        return [(event.name, event.item, event.count) for event in heard]

    def press(self, *buttons):
        """A tick with the buttons down and one without."""
        return self.tick(*buttons) + self.tick()

    def use(self, x, y, z, *also):
        """Look at a point and press use."""
        self.look_at(x, y, z)
        return self.press("use", *also)

    # what there is

    @property
    def inventory(self):
        return self.world.inventory()

    @property
    def drops(self):
        lying = {}
        for drop in self.world.drops[self.world.drops["item"] > 0]:
            name = RULES.items[drop["item"]]
            lying[name] = lying.get(name, 0) + int(drop["count"])
        return lying

    def clear_drops(self):
        self.world.drops["item"] = 0

    def held(self, slot=0):
        item, count, damage = self.world.slots[HOTBAR + slot].tolist()
        return (RULES.items[item], count, damage) if item else None

    def mob(self, kind, x, y, z):
        from jarvis.world import mobs

        return mobs.spawn(self.world.mobs, RULES.mob(kind), x, y, z, self.world.seed, self.world.next_draw())

    # screens

    def click(self, slot, button="attack", *also):
        """Move the cursor to a slot of the open screen, press and release, and wait out a double click."""
        screen = self.world.screen
        x, y = screen.layout.centre(slot)
        for _ in range(2):  # the second removes what float32 degrees rounded off
            yaw, pitch = (x - screen.cursor_x) / PIXELS_PER_DEGREE, (y - screen.cursor_y) / PIXELS_PER_DEGREE
            self.tick(*also, camera=(pitch, yaw))
        return self.tick(button, *also) + self.tick(*also) + self.tick(ticks=4)
