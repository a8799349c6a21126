"""What every skill of the scripted player uses: its senses, its memory of the place, its hands' small moves.

Everything here reads the world and answers; only the keys and mouse movements that skills yield change anything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator
from typing import Any

import numpy as np

from jarvis.envs.scripted.digging import TOOL_IDS, place_block
from jarvis.envs.scripted.habits import Habits
from jarvis.envs.scripted.looking import Eyes, wrap
from jarvis.envs.scripted.memory import SIX, Cell, Memory
from jarvis.envs.scripted.paths import Finder, cell_class
from jarvis.envs.scripted.planner import GROUPS, PICKAXES, gathered_from, tool_tier
from jarvis.envs.scripted.screens import click, close, move_to, open_inventory, slot_of
from jarvis.envs.scripted.surroundings import FOUND, aim_point, brightness, look_around
from jarvis.envs.scripted.truth import Truth, project
from jarvis.world.combat import GOAL_CHASE, MOB_HEIGHT
from jarvis.world.inventory import HOTBAR
from jarvis.world.layout import MASK, MAX_MOBS, get_block
from jarvis.world.loot import MINING_PROGRESS
from jarvis.world.picking import pick_block
from jarvis.world.rules import RULES
from jarvis.world.spawning import sky_darkening
from jarvis.world.world import World

__all__ = ["Body"]

Skill = Generator[tuple[str, ...], None, Any]
SCAN_TICKS = 4  # between two looks at the picture
LATELY = 100  # ticks for which a mob out of sight is remembered
FILLERS = ("cobblestone", "dirt", "andesite", "diorite", "granite", "sandstone")
NEVER_DUG = ("crafting_table", "furnace", "chest", "bedrock", "obsidian", "water", "lava", "white_bed", "oak_door")
WATERY = {RULES.block("sand"), RULES.block("clay"), RULES.block("gravel"), RULES.block("dirt")}
KEPT = ("coal", "iron_ore", "gold_ore", "diamond", "redstone", "lapis_lazuli", "stick", "apple", "iron_ingot",
        "crafting_table", "furnace", "torch", "charcoal", "string", "arrow", "flint")  # fmt: skip


class Body:
    """Senses, memory and small moves. ``world``, ``p`` (the PLAYER record) and ``grid`` are bound with ``bind``."""

    CHASE = GOAL_CHASE

    def __init__(self, habits: Habits, random: np.random.Generator, fov: float = 70.0) -> None:
        self.habits, self.random, self.fov = habits, random, fov
        self.world: World = None  # type: ignore[assignment]  # bound by the first act
        self.eyes = Eyes(habits, random)
        self.memory = Memory()
        self.finder = Finder()
        self.mouse: tuple[float, float] | None = None  # (pitch, yaw) of this tick, if a skill moves the mouse itself
        self.heading: float | None = None  # radians, where exploration goes
        self.gaze = 0.0  # degrees added to the pitch of walking
        self.reserved: frozenset[str] = frozenset()  # what the goal is about, and what it is made of
        self.banned: frozenset[str] = frozenset()  # what must not be used
        self.struck = (-1000, 0.0, 0.0)  # the tick of the last blow and where it pushed the player
        self.lost: frozenset[str] = frozenset()  # what was carried at the last death
        self.mined: frozenset[str] = frozenset()  # blocks that the goal is to break
        self.last_click, self.last_click_tick = -1, -100
        self.forget_place()
        self._found = np.zeros((FOUND, 4), np.int32)
        self.mob_seen = np.zeros(MAX_MOBS, np.uint8)
        self._mob_last = np.full(MAX_MOBS, -(10**6), np.int64)
        self._mob_uid = np.zeros(MAX_MOBS, np.int64)
        self._scans, self._tan_up = 0, math.tan(math.radians(fov / 2))
        self._held_bytes = b""
        self._counts: dict[str, int] = {}
        self.carried_ids: list[int] = []
        self.digging_price = np.full(len(RULES.blocks), 1e9, np.float32)
        self._coarse = self._fine = "begin"
        self._target: tuple[str, Cell | None, int | None, tuple[float, float, float] | None] = ("", None, None, None)
        self._slot_point: tuple[float, float] | None = None
        self._slip = ""

    def forget_place(self) -> None:
        """After a death: nothing that was seen is near any more."""
        self.memory = Memory()
        self.given_up: dict[int, int] = {}  # mob uid -> until which tick
        self.drop_tries: dict[int, int] = {}
        self.own: set[Cell] = set()  # tables and furnaces of one's own
        self.glanced: Cell | None = None  # where the player last looked about
        self._torch_tick = -1000
        self._eye_buffer = np.zeros(3)

    def bind(self, world: World) -> None:
        """Play this world from now on."""
        self.world = world
        self.p = world.player[0]
        self.forget_place()
        self._mob_last[:] = -(10**6)

    # senses

    @property
    def grid(self):  # noqa: ANN201 - Grid
        """The block window."""
        return self.world.grid

    @property
    def position(self) -> tuple[float, float, float]:
        """Feet, metres."""
        p = self.p
        return float(p["x"]), float(p["y"]), float(p["z"])

    @property
    def eye(self) -> tuple[float, float, float]:
        """Eye, metres."""
        return self.world.eye()

    def cell(self) -> Cell:
        """The cell of the feet."""
        x, y, z = self.position
        return math.floor(x), math.floor(y + 0.4), math.floor(z)

    def sense(self) -> None:
        """Take in the picture and the inventory before a tick."""
        world = self.world
        held = world.slots.tobytes()
        if held != self._held_bytes:
            self._held_bytes = held
            self._take_stock()
        if world.ticks % SCAN_TICKS == 0 and not world.screen.is_open and not world.dead_ticks:
            self._scans += 1
            self._eye_buffer[:] = world.eye()
            dark = sky_darkening(world.time, world.raining)
            count = look_around(
                world.grid, self._eye_buffer, float(self.p["yaw"]), float(self.p["pitch"]), dark, self.memory.want,
                world.mobs, self._scans, self._tan_up, self._found, self.mob_seen,
            )  # fmt: skip
            if count:
                self.memory.note(self._found[:count].tolist(), world.ticks)
            self._mob_last[(self._mob_uid != world.mobs["uid"])] = -(10**6)
            self._mob_uid[:] = world.mobs["uid"]
            self._mob_last[self.mob_seen != 0] = world.ticks
        if world.ticks % 64 == 0:
            self.drop_tries.clear()
            if self.habits.tremor:
                self.gaze = float(self.random.normal()) * 3.0

    def _take_stock(self) -> None:
        counts: Counter[str] = Counter()
        ids = []
        for item, count, _ in self.world.slots[9:46].tolist():
            if item:
                counts[RULES.items[item]] += count
                ids.append(item)
        tools_before = [item for item in self.carried_ids if item in TOOL_IDS]
        self._counts, self.carried_ids = dict(counts), sorted(set(ids))
        if tools_before != [i for i in self.carried_ids if i in TOOL_IDS] or self.digging_price[2] >= 1e8:
            self._price_digging()

    def _price_digging(self) -> None:
        price = self.digging_price
        for block, name in enumerate(RULES.blocks):
            progress = float(MINING_PROGRESS[block, 0])
            for item in self.carried_ids:
                if item in TOOL_IDS:
                    progress = max(progress, float(MINING_PROGRESS[block, item]))
            spared = name in NEVER_DUG and name not in self.mined
            price[block] = 1e9 if progress <= 0 or spared else 7.0 + (0.0 if math.isinf(progress) else 1.0 / progress)

    def mobs_in_sight(self, lately: bool = False) -> list[int]:
        """Indices of mobs in view, or seen in the last seconds."""
        if lately:
            ok = (self.world.ticks - self._mob_last < LATELY) & (self._mob_uid == self.world.mobs["uid"])
            return np.flatnonzero(ok & (self.world.mobs["kind"] > 0)).tolist()
        return np.flatnonzero(self.mob_seen).tolist() if self.mob_seen.any() else []

    def nearest(self, blocks: tuple[str, ...]) -> Cell | None:
        """The nearest seen block of these that may be taken."""
        own = [cell for cell in self.own]
        for _ in range(20):
            cell = self.memory.nearest(self.grid, blocks, *self.position, self.world.ticks)
            if cell is None or (cell not in own and not self.opens_danger(cell) and not self.drowned(cell)):
                return cell
            self.memory.refuse(cell, self.world.ticks)
        return None

    def covered(self) -> bool:
        """Whether the sky is out of sight here."""
        x, y, z = self.cell()
        return (
            brightness(self.grid, x, y + 1, z, 0) < 10
            or (self.grid.light[x & MASK, z & MASK, min(y + 1, 127)] >> 4) < 9
        )

    def hiding(self, cell: Cell, height: float = 0.5) -> Cell | None:
        """The block between the eye and a cell's middle, or another height of it; the cell itself if nothing is."""
        return self.first_on_the_way(cell[0] + 0.5, cell[1] + height, cell[2] + 0.5, 4.4)

    def first_on_the_way(self, x: float, y: float, z: float, reach: float) -> Cell | None:
        """The first block from the eye towards a point, within so many metres."""
        ex, ey, ez = self.eye
        far = math.dist((ex, ey, ez), (x, y, z))
        hit = pick_block(self.grid, (ex, ey, ez), ((x - ex) / far, (y - ey) / far, (z - ez) / far), reach)
        return None if hit is None else (hit.x, hit.y, hit.z)

    def can_point_at(self, cell: Cell, reach: float = 4.4) -> bool:
        """Whether some point of a block can be pointed at from here."""
        return aim_point(self.grid, *self.eye, *cell, reach, -1, self._eye_buffer)

    def opens_danger(self, cell: Cell) -> bool:
        """Whether lava lies against a cell."""
        x, y, z = cell
        return any(cell_class(self.grid, x + dx, y + dy, z + dz) == 3 for dx, dy, dz in SIX)

    def drowned(self, cell: Cell) -> bool:
        """Whether a cell lies under water: it takes five times as long to dig there as there is air for."""
        x, y, z = cell
        if self.grid.blocks[x & MASK, z & MASK, min(y, 127)] in WATERY:
            return False
        wet = sum(cell_class(self.grid, x + dx, y + dy, z + dz) == 2 for dx, dy, dz in SIX)
        return wet >= 2 or cell_class(self.grid, x, y + 1, z) == 2

    def near_lava(self, row: list[int]) -> bool:
        """Whether lava touches a cell or one of its neighbours' sides."""
        return self.opens_danger((row[0], row[1], row[2]))

    def lava_near(self, radius: int) -> bool:
        """Whether there is lava within some cells of the feet."""
        x, y, z = self.cell()
        span = range(-radius, radius + 1)
        return any(
            cell_class(self.grid, x + dx, y + dy, z + dz) == 3 for dx in span for dz in span for dy in (-1, 0, 1)
        )

    def nearest_dry(self) -> Cell | None:
        """The nearest place to stand that is out of lava."""
        x, y, z = self.cell()
        best, best_far = None, 1e9
        for dx in range(-6, 7):
            for dz in range(-6, 7):
                for dy in (0, 1, -1, 2):
                    cx, cy, cz = x + dx, y + dy, z + dz
                    far = math.hypot(dx, dz) + abs(dy)
                    if far >= best_far or cell_class(self.grid, cx, cy, cz) not in (0, 2):
                        continue
                    if cell_class(self.grid, cx, cy + 1, cz) == 0 and (
                        cell_class(self.grid, cx, cy - 1, cz) == 1 or cell_class(self.grid, cx, cy, cz) == 2
                    ):
                        best, best_far = (cx, cy, cz), far
        return best

    def safe_to_stray(self) -> bool:
        """Whether a step in any direction leads neither into lava nor down a deep hole."""
        x, y, z = self.cell()
        for dx in (-1, 0, 1):
            for dz in (-1, 0, 1):
                for dy in (0, -1, -2, -3):
                    kind = cell_class(self.grid, x + dx, y + dy, z + dz)
                    if kind == 3:
                        return False
                    if kind in (1, 2, 4):
                        break
                else:
                    return False
        return True

    def clear_ahead(self, dx: float, dz: float) -> bool:
        """Whether one can walk (or hop) a metre in a direction."""
        far = math.hypot(dx, dz)
        if far < 1e-6:
            return True
        x, y, z = self.position
        cx, cy, cz = math.floor(x + dx / far), math.floor(y + 0.1), math.floor(z + dz / far)
        for level in (cy, cy + 1):
            kinds = [cell_class(self.grid, cx, level + k, cz) for k in (0, 1)]
            if all(kind in (0, 2) for kind in kinds):
                below = [cell_class(self.grid, cx, level - k, cz) for k in (1, 2, 3)]
                return any(kind in (1, 2) for kind in below) and 3 not in below
        return False

    def ahead(self, cell: Cell) -> float:
        """Cosine between the view's heading and the way to a cell."""
        x, _, z = self.position
        yaw = math.degrees(math.atan2(-(cell[0] + 0.5 - x), cell[2] + 0.5 - z))
        return math.cos(math.radians(wrap(yaw - float(self.p["yaw"]))))

    def reach_of(self, cell: Cell) -> float:
        """Metres from the eye to a cell's middle."""
        return math.dist(self.eye, (cell[0] + 0.5, cell[1] + 0.5, cell[2] + 0.5))

    def find(
        self, goal: Cell, kind: int, slack: int, slack_y: int, weight: float, most: int
    ) -> tuple[list[Cell], bool, float]:
        """A way from here (paths.Finder.find)."""
        filler = self.filler()
        blocks = 0 if filler is None else self.count(RULES.items[filler])
        return self.finder.find(
            self.grid, self.cell(), goal, kind, self.digging_price, slack, slack_y, blocks, most, weight
        )

    @property
    def may_sprint(self) -> bool:
        """Whether there is food enough to run."""
        return self.p["food"] > 9

    # the inventory

    def counts(self) -> dict[str, int]:
        """Item -> how many are carried."""
        return self._counts

    def count(self, item: str) -> int:
        """How many of an item or #group are carried."""
        if item in GROUPS:
            return sum(self._counts.get(name, 0) for name in GROUPS[item])
        return self._counts.get(item, 0)

    def free_slots(self) -> int:
        """Empty slots among the 36."""
        return int((self.world.slots["item"][9:45] == 0).sum())

    def room_for(self, item: str) -> bool:
        """Whether another of an item can be picked up."""
        return self.free_slots() > 0

    def filler(self) -> int | None:
        """A block to fill holes with."""
        spare = [name for name in FILLERS if self.count(name) and name not in self.banned | self.reserved]
        return RULES.item(spare[0]) if spare else None

    def wears_out(self, item: str) -> bool:
        """Whether no pickaxe is left that can gather an item."""
        tier = gathered_from(item)[1]
        return tier is not None and tool_tier(self._counts) < tier

    def worth_having(self) -> list[int]:
        """Items that are picked up."""
        names = [*KEPT, *GROUPS["#logs"], *PICKAXES, *(name for name in RULES.data["foods"])]
        if self.count("cobblestone") < 48:
            names.append("cobblestone")
        for name in self.reserved | self.lost:
            names += GROUPS.get(name, (name,))
        return [RULES.item_id[name] for name in names if name in RULES.item_id]

    # small moves

    def react(self, scale: float = 1.0) -> Skill:
        """The moment between one action and the next."""
        low, high = self.habits.reaction
        for _ in range(round(int(self.random.integers(low, high + 1)) * scale) if high else 0):
            yield ()

    def press_hotbar(self, index: int) -> Skill:
        """Select a hotbar slot."""
        if int(self.p["selected"]) == index:
            return True
        if self.random.random() < self.habits.wrong_slot:
            self.mistake("wrong_slot")
            yield (f"hotbar.{(index + 1) % 9 + 1}",)
            for _ in range(int(self.random.integers(3, 8))):
                yield ()
        yield (f"hotbar.{index + 1}",)
        if self.habits.tremor and self.random.random() < 0.5:
            yield (f"hotbar.{index + 1}",)
        return int(self.p["selected"]) == index

    def hold(self, item: int) -> Skill:
        """Take an item in hand, fetching it from the inventory if it is not on the hotbar."""
        for _ in range(3):
            slots = self.world.slots["item"]
            if int(slots[HOTBAR + int(self.p["selected"])]) == item:
                return True
            hotbar = slots[HOTBAR : HOTBAR + 9].tolist()
            if item in hotbar:
                yield from self.press_hotbar(hotbar.index(item))
                yield ()
                continue
            if not (slots[9:HOTBAR] == item).any():
                return False
            yield from self._fetch(item, hotbar)
        return False

    def _fetch(self, item: int, hotbar: list[int]) -> Skill:
        # to an empty slot, else in place of something that is not a tool
        keep = [index for index, there in enumerate(hotbar) if not there]
        keep += [index for index, there in enumerate(hotbar) if there and not RULES.durability[there]][::-1]
        index = keep[0] if keep else 8
        before = self.label()
        self.fine("fetch")
        if not (yield from open_inventory(self)):
            return False
        slot = slot_of(self, (item,))
        if slot is not None:
            if self.random.random() < 0.7:
                if (yield from move_to(self, slot)):
                    yield (f"hotbar.{index + 1}",)
                    yield ()
            else:
                yield from click(self, slot)
                yield from click(self, HOTBAR + index)
                if self.world.screen.is_open and self.world.screen.carried[0]:
                    yield from click(self, slot)
        yield from close(self)
        self.relabel(before)
        return True

    def afloat(self) -> tuple[str, ...]:
        """The key that keeps a swimmer up, while the hands are busy."""
        return ("jump",) if self.p["in_water"] else ()

    def needs_torch(self, place: Cell) -> bool:
        """Whether it is dark here and there is a torch to spare."""
        if not self.habits.torches or not self.count("torch") or self.world.ticks - self._torch_tick < 50:
            return False
        x, y, z = self.cell()
        return brightness(self.grid, x, y + 1, z, 0) <= 4 and not self.p["in_water"]

    def place_torch(self) -> Skill:
        """Put a torch on a wall or the floor here."""
        self._torch_tick = self.world.ticks
        before = self.label()
        x, y, z = self.cell()
        self.fine("torch")
        for cell in ((x, y + 1, z), (x, y, z)):
            if get_block(self.grid, *cell) == 0:
                if (yield from place_block(self, RULES.item("torch"), cell, skip=(2,))):
                    break
        self.relabel(before)
        return True

    def look_for(self, cell: Cell) -> Skill:
        """Look where something should be, from here."""
        for dx, dy, dz in ((0.0, 0.0, 0.0), (0.7, 0.4, 0.0), (-0.7, -0.4, 0.0), (0.0, 0.3, 0.7)):
            self.eyes.at(cell[0] + 0.5 + dx, cell[1] + 0.5 + dy, cell[2] + 0.5 + dz)
            for _ in range(9):
                yield ()
        return True

    def stop_liquid(self, cell: Cell) -> Skill:
        """Fill lava that lies against a cell with blocks; True when none is left."""
        for dx, dy, dz in SIX:
            lava = (cell[0] + dx, cell[1] + dy, cell[2] + dz)
            if cell_class(self.grid, *lava) == 3:
                filler = self.filler()
                if filler is None or not (yield from place_block(self, filler, lava)):
                    return False
        return not self.opens_danger(cell)

    # what is told

    def do(self, coarse: str, fine: str) -> None:
        """Begin something: the names of the truth log."""
        if coarse != self._coarse:
            self._target, self._slot_point = ("", None, None, None), None
        self._coarse, self._fine = coarse, fine

    def fine(self, fine: str) -> None:
        """A new part of the same skill."""
        self._fine = fine

    def aim_for(self, name: str, cell: Cell | None, point: tuple[float, float, float] | None = None) -> None:
        """What the hands are after: a block's cell, or a point."""
        self._slot_point = None
        self._target = (name, None if cell is None else (int(cell[0]), int(cell[1]), int(cell[2])), None, point)

    def aim_for_mob(self, index: int) -> None:
        """The hands are after a mob."""
        m = self.world.mobs[index]
        kind = int(m["kind"])
        if kind:
            self._slot_point = None
            middle = (float(m["x"]), float(m["y"]) + float(MOB_HEIGHT[kind]) / 2, float(m["z"]))
            self._target = (RULES.mobs[kind - 1], None, int(m["uid"]), middle)

    def aim_for_slot(self, slot: int, x: float, y: float) -> None:
        """The cursor is after a slot of the screen."""
        self._target = (f"slot {slot}", None, None, None)
        self._slot_point = (float(x), float(y))

    def label(self) -> tuple:
        """The names and target of now, for ``relabel``."""
        return self._coarse, self._fine, self._target, self._slot_point

    def relabel(self, label: tuple) -> None:
        """Go back to earlier names."""
        self._coarse, self._fine, self._target, self._slot_point = label

    def mistake(self, name: str) -> None:
        """Something goes wrong on purpose in this tick."""
        self._slip = name

    def told(self, habit: str) -> Truth:
        """The log of this tick."""
        name, cell, mob, point = self._target
        habit, self._slip = habit or self._slip, ""
        if self.world.screen.is_open:
            shown = self._slot_point
        elif point is not None:
            shown = project(self.p, *point, self.fov)
        elif cell is not None:
            shown = project(self.p, cell[0] + 0.5, cell[1] + 0.5, cell[2] + 0.5, self.fov)
        else:
            shown = None
        return Truth(self.world.ticks, self._coarse, self._fine, name, cell, mob, shown, habit)
