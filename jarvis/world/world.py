"""One voxel world: a player, what lives and lies around it, and the tick that moves all of it on.

    world = World()
    world.reset(seed=7, start=StartState(inventory={"oak_log": 3}))
    while playing:
        events = world.tick(buttons, camera)      # (23,) 0 or 1 in the order of BUTTONS, (pitch, yaw) in degrees
        renderer.render(world.grid, world.view(), frame)

The same seed, start, actions give the same states, in any process. A world knows nothing of tasks, rewards or spaces.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jarvis.core.actions import BUTTON_INDEX, BUTTONS
from jarvis.core.events import Event
from jarvis.core.random_streams import stream_seed
from jarvis.core.start_states import StartState
from jarvis.world import drops, hands, ids, light, missiles, mobs, starts, trees, updates
from jarvis.world.bodies import DRAG_Y, GRAVITY, move_player
from jarvis.world.chunks import Chunks
from jarvis.world.combat import ARMOUR_APPLIES, DAMAGE_CAUSES
from jarvis.world.furnaces import Containers
from jarvis.world.inventory import ARMOUR, empty_slots, item_counts
from jarvis.world.layout import (
    DROP,
    MASK,
    MAX_DROPS,
    MAX_MISSILES,
    MAX_MOBS,
    MISSILE,
    MOB,
    NOTE_BREAK,
    NOTE_DAMAGE_DEALT,
    NOTE_FALL,
    NOTE_GROW,
    NOTE_HURT_PLAYER,
    NOTE_KILL,
    NOTE_LAND,
    NOTE_PICKUP,
    PLAYER,
    empty_notes,
    get_block,
    uniform3,
)
from jarvis.world.loot import block_loot
from jarvis.world.picking import Hit, look_vector, pick_block
from jarvis.world.rules import RULES
from jarvis.world.screens import Happening, HudView, Screen
from jarvis.world.view import View

DAY = RULES.world["day_length_ticks"]
NIGHT_START, NIGHT_END = 12542, 23460  # beds can be used
RESPAWN_TICKS = 20  # of the death screen
SLEEP_TICKS = 100
SCREEN_REACH = 8.0  # metres from the middle of a block whose screen is open
CHUNKS_A_TICK = 2  # loaded while playing
ANIMAL_ROOM = 36  # mobs beyond which no further herd appears

FORWARD, BACK, LEFT, RIGHT, JUMP, SNEAK, SPRINT, INVENTORY, ESC = (
    BUTTON_INDEX[name] for name in ("forward", "back", "left", "right", "jump", "sneak", "sprint", "inventory", "ESC")
)
NOTHING = np.zeros(len(BUTTONS), np.uint8)


class World:
    """The state of one world and its rules of time. ``tick`` is everything that happens in a twentieth of a second."""

    def __init__(self) -> None:
        self.slots = empty_slots()
        self.player = np.zeros(1, PLAYER)
        self.mobs = np.zeros(MAX_MOBS, MOB)
        self.drops = np.zeros(MAX_DROPS, DROP)
        self.missiles = np.zeros(MAX_MISSILES, MISSILE)
        self.schedule = updates.empty_schedule()
        self.notes = empty_notes()
        self.screen = Screen(self.slots)
        self.containers = Containers()
        self.previous = NOTHING.copy()
        self.absent: dict[tuple[int, int], np.ndarray] = {}  # MOBs of chunks that are not loaded
        self.peopled: set[tuple[int, int]] = set()  # chunks whose herd has appeared; never iterated over
        self.chunks: Chunks | None = None

    def reset(self, seed: int, start: StartState | None = None, flat: bool = False) -> None:
        """Make a new world and a new player. All that ``start`` asks for is honoured, or refused with the reason.

        flat: a bare plain (stone, dirt, grass at y 63) instead of terrain, for tests and staged lessons.
        """
        start = StartState() if start is None else start
        starts.check(start)
        self.episode_seed = int(seed)
        world_seed = seed if start.seed is None else start.seed
        self.seed = np.uint64(stream_seed(world_seed, "world"))
        self.chunks = Chunks(starts.terrain_config(start, int(self.seed), flat))
        self.grid = self.chunks.grid
        for records in (self.slots, self.player, self.mobs, self.drops, self.missiles):
            records[:] = np.zeros(1, records.dtype)
        self.schedule.count[:] = 0
        self.notes.count[:] = 0
        self.containers = Containers()
        self.absent, self.peopled = {}, set()
        if self.screen.is_open:
            self.screen.close()
        self.screen_cell = (0, 0, 0)
        self.ticks = 0
        self.time = 0 if start.time is None else start.time
        self.raining = start.weather == "rain"
        self.weather_ticks = 12000 + int(uniform3(self.seed, 1, 2, 3) * 168000)
        self.draws = 0
        self.mining_tool = self.using_item = 0
        self.raised_item, self.raised = 0, 1.0
        self.dead_ticks = 0
        self.previous = NOTHING.copy()
        self.events: list[Event] = []
        self.pointed: Hit | None = None
        x, y, z = starts.spawn_point(self.chunks, start)
        self._new_player(x, y, z)
        self.chunks.ensure(x, z)
        starts.arrange(self, start)
        near = sorted(self.chunks.loaded(), key=lambda at: ((at[0] * 16 + 8 - x) ** 2 + (at[1] * 16 + 8 - z) ** 2, at))
        self.populate(near)
        self.pointed = self._point()

    def _new_player(self, x: float, y: float, z: float) -> None:
        p = self.player[0]
        spawn = (p["spawn_x"], p["spawn_y"], p["spawn_z"]) if self.ticks else (x, y, z)
        self.player[:] = np.zeros(1, PLAYER)
        p["x"], p["y"], p["z"] = x, y, z
        p["spawn_x"], p["spawn_y"], p["spawn_z"] = spawn
        p["hp"], p["food"], p["saturation"], p["air"] = RULES.player["hp"], RULES.player["food"], 5.0, 300
        p["height"], p["eye_height"] = RULES.player["height"], RULES.player["eye_height"]
        p["attack_ticks"] = 100
        # what a standing body has, or it would hang in the air for a tick
        p["on_ground"], p["vy"] = 1, -GRAVITY * DRAG_Y

    # the tick

    def tick(self, buttons: np.ndarray, camera: np.ndarray) -> list[Event]:
        """Play one tick of (23,) uint8 buttons in the order of BUTTONS and (pitch, yaw) degrees. Returns its events."""
        self.events = []
        self.notes.count[0] = 0
        p = self.player[0]
        held = buttons
        pressed = buttons > self.previous
        self.previous = buttons.copy()
        if self.dead_ticks:
            self._stay_dead()
            held = pressed = NOTHING
        elif p["sleeping"]:
            self._sleep(pressed)
            held = pressed = NOTHING
        elif self.screen.is_open:
            if pressed[INVENTORY] or pressed[ESC] or not self._reaches_screen():
                self.close_screen()
            else:
                self._hear(self.screen.tick(buttons, camera))
            held = pressed = NOTHING
        else:
            down, right = float(camera[0]), float(camera[1])
            p["yaw"] = (float(p["yaw"]) + right + 180.0) % 360.0 - 180.0
            p["pitch"] = min(90.0, max(-90.0, float(p["pitch"]) + down))
            if pressed[INVENTORY]:
                self.open_screen("player")
                held = pressed = NOTHING
        self._act(p, held, pressed)
        keys = held.tolist()
        was_grounded = p["on_ground"]
        move_player(
            self.grid, self.player, float(keys[FORWARD] - keys[BACK]), float(keys[LEFT] - keys[RIGHT]),
            bool(keys[JUMP]), bool(keys[SNEAK]), bool(keys[SPRINT]), bool(p["use_ticks"]), self.notes,
        )  # fmt: skip
        if keys[JUMP] and was_grounded and p["vy"] > 0.3:
            self.emit("custom", "jump")
        self._live(p)
        self.settle()
        self._drain()
        if p["dead"] and not self.dead_ticks:
            self._die()
        self.populate(self.chunks.ensure(float(p["x"]), float(p["z"]), CHUNKS_A_TICK))
        self._pass_time()
        self.ticks += 1
        self.pointed = self._point()
        return self.events

    def _act(self, p: np.void, held: np.ndarray, pressed: np.ndarray) -> None:
        """The hands' part of a tick."""
        if p["swing_ticks"] > 0:
            p["swing_ticks"] -= 1
        p["attack_ticks"] = min(p["attack_ticks"] + 1, 1000)
        self.pointed = self._point()
        if pressed.any():
            hands.hotbar_keys(self, pressed)
            if pressed[hands.DROP]:
                hands.throw_held(self, held)
        hands.attack(self, held, pressed)
        hands.use(self, held, pressed)
        item = hands.held_item(self)
        if item != self.raised_item:
            self.raised_item, self.raised = item, 0.0
        self.raised = min(1.0, self.raised + 0.25)

    def _live(self, p: np.void) -> None:
        """Mobs, things lying about, furnaces, blocks and the player's needs."""
        mobs.tick_bodies(self)
        for x, y, z, lit in self.containers.tick(self.grid.chunk_at):
            meta = int(self.grid.meta[x & MASK, z & MASK, y]) & 3
            self.change(x, y, z, ids.FURNACE, meta | (4 if lit else 0))
        updates.tick_updates(self.grid, self.schedule, self.notes, self.seed, self.ticks, float(p["x"]), float(p["z"]))

    def _pass_time(self) -> None:
        self.time += 1
        self.weather_ticks -= 1
        if self.weather_ticks <= 0:
            self.raining = not self.raining
            span = (12000, 12000) if self.raining else (12000, 168000)
            self.weather_ticks = span[0] + int(self.random() * span[1])

    # what the parts tell each other

    def emit(self, name: str, item: str, count: int = 1) -> None:
        """Put an event of this tick on record."""
        self.events.append(Event(self.ticks, name, item, count))

    def random(self) -> float:
        """The next number in [0, 1) of this world's own stream."""
        return uniform3(self.seed, self.next_draw(), 0, 1)

    def next_draw(self) -> int:
        """A number that no other draw has."""
        self.draws += 1
        return self.draws

    def set_block(self, x: int, y: int, z: int, block: int, meta: int) -> None:
        """Write a cell when a scene is arranged; light follows at once, but nothing flows or falls because of it."""
        self.chunks.put(x, y, z, block, meta)

    def populate(self, new_chunks: list[tuple[int, int]]) -> None:
        """Let mobs go and come with the chunks they stand in, and herds appear while there is room for animals."""
        if not new_chunks:
            return
        for index in np.flatnonzero(self.mobs["kind"]).tolist():
            at = math.floor(self.mobs["x"][index]) >> 4, math.floor(self.mobs["z"][index]) >> 4
            if not self.chunks.holds(*at):
                waiting = self.absent.get(at, np.zeros(0, MOB))
                self.absent[at] = np.concatenate([waiting, self.mobs[index : index + 1]])
                self.mobs["kind"][index] = 0
        for at in new_chunks:
            if at in self.absent:
                back = self.absent.pop(at)
                free = np.flatnonzero(self.mobs["kind"] == 0)[: len(back)]
                self.mobs[free] = back[: len(free)]
                if len(free) < len(back):
                    self.absent[at] = back[len(free) :]
            if at in self.peopled or np.count_nonzero(self.mobs["kind"]) >= ANIMAL_ROOM:
                continue
            self.peopled.add(at)
            for mob, x, y, z in self.chunks.animals(*at):
                mobs.spawn(self.mobs, RULES.mob_id[mob], x, y, z, self.seed, self.next_draw())

    def change(self, x: int, y: int, z: int, block: int, meta: int) -> None:
        """Put a block into the world; neighbours, light and the chunk's memory follow."""
        updates.change(self.grid, self.schedule, self.ticks, x, y, z, block, meta)
        self.settle()

    def settle(self) -> None:
        """Relight and remember the cells that changed."""
        count = int(self.schedule.count[1])
        for x, y, z in self.schedule.changes[:count].tolist():
            self.chunks.touch(x, z)
            light.relight(self.grid, x, y, z)
        self.schedule.count[1] = 0

    def eye(self) -> tuple[float, float, float]:
        """Where the player looks from, in metres."""
        p = self.player[0]
        return float(p["x"]), float(p["y"] + p["eye_height"]), float(p["z"])

    def look(self) -> tuple[float, float, float]:
        """Where to, as a unit vector."""
        p = self.player[0]
        return look_vector(float(p["yaw"]), float(p["pitch"]))

    def _point(self) -> Hit | None:
        return pick_block(self.grid, self.eye(), self.look(), hands.REACH)

    def drop_loot(self, block: int, meta: int, tool: int, x: float, y: float, z: float) -> None:
        """Let the drops of a broken block fall at a point in metres."""
        for item, count in block_loot(block, meta, tool, self.seed, self.next_draw()):
            self.spill((item, count, 0), x, y, z)

    def spill(self, stack: tuple[int, int, int], x: float, y: float, z: float) -> None:
        """Put an (item, count, damage) stack into the world at a point, popping up a little."""
        angle, speed = self.random() * 2 * math.pi, self.random() * 0.1
        drops.add_drop(self.drops, *stack, x, y, z, math.cos(angle) * speed, 0.2, math.sin(angle) * speed, 10)

    def throw(self, stack: tuple[int, int, int]) -> None:
        """Throw a stack away from the player."""
        x, y, z = self.eye()
        dx, dy, dz = self.look()
        drops.add_drop(self.drops, *stack, x, y - 0.3, z, dx * 0.3, dy * 0.3 + 0.1, dz * 0.3, hands.PICKUP_DELAY_THROWN)

    def shoot(self, what: str, speed: float) -> None:
        """Send an arrow, snowball or egg along the look at ``speed`` metres a tick."""
        x, y, z = self.eye()
        dx, dy, dz = self.look()
        missiles.add_missile(
            self.missiles, missiles.KINDS[what], 0, 1, x, y - 0.1, z, dx * speed, dy * speed, dz * speed
        )

    # screens

    def open_screen(self, kind: str, cell: tuple[int, int, int] = (0, 0, 0)) -> None:
        """Open the inventory, or the screen of the crafting table, furnace or chest at a cell."""
        self.screen_cell = cell
        self.screen.open(kind, self._container(kind, cell), self.previous)
        p = self.player[0]
        p["mining"], p["mine_progress"], p["use_ticks"], p["sprinting"] = 0, 0.0, 0, 0

    def _container(self, kind: str, cell: tuple[int, int, int]) -> np.ndarray | None:
        if kind == "furnace":
            return self.containers.furnace(*cell)
        return self.containers.chest(*cell) if kind == "chest" else None

    def _reaches_screen(self) -> bool:
        """Whether the open screen's block is still there, and near."""
        if self.screen.kind == "player":
            return True
        x, y, z = self.screen_cell
        p = self.player[0]
        far = (p["x"] - x - 0.5) ** 2 + (p["y"] - y - 0.5) ** 2 + (p["z"] - z - 0.5) ** 2
        return far <= SCREEN_REACH**2 and hands.SCREENS.get(get_block(self.grid, x, y, z)) == self.screen.kind

    def close_screen(self) -> None:
        """Close whatever is open; what has no room falls out of the player's hands."""
        self._hear(self.screen.close())

    def _hear(self, happenings: list[Happening]) -> None:
        for what, item, count, damage, xp in happenings:
            if what == "dropped":
                self.throw((item, count, damage))
                self.emit("drop", RULES.items[item], count)
            else:
                self.emit("craft_item", RULES.items[item], count)
                self.player["xp"][0] += int(xp) + (self.random() < xp - int(xp))

    # bad ends and rest

    def _die(self) -> None:
        p = self.player[0]
        self.dead_ticks = 1
        if self.screen.is_open:
            self.close_screen()
        for stack in self.slots[1:].tolist():
            if stack[0]:
                self.spill(stack, float(p["x"]), float(p["y"]) + 1.0, float(p["z"]))
        self.slots[:] = np.zeros(1, self.slots.dtype)
        self.emit("custom", "deaths")

    def _stay_dead(self) -> None:
        """The death screen, and the return to the place of spawning."""
        self.dead_ticks += 1
        if self.dead_ticks <= RESPAWN_TICKS:
            return
        self.dead_ticks = 0
        p = self.player[0]
        x, y, z = float(p["spawn_x"]), float(p["spawn_y"]), float(p["spawn_z"])
        self.chunks.ensure(x, z)
        self._new_player(x, starts.free_height(self.grid, x, y, z), z)

    def lie_down(self, x: int, y: int, z: int) -> None:
        """Use a bed: from now on the player returns to it, and sleeps if it is night and no monster is near."""
        p = self.player[0]
        p["spawn_x"], p["spawn_y"], p["spawn_z"] = x + 0.5, y + 1.0, z + 0.5
        if not NIGHT_START <= self.time % DAY <= NIGHT_END:
            return
        hostile = (self.mobs["kind"] > 0) & mobs.HOSTILE[self.mobs["kind"]]
        near = (np.abs(self.mobs["x"] - x) < 8) & (np.abs(self.mobs["z"] - z) < 8) & (np.abs(self.mobs["y"] - y) < 5)
        if not (hostile & near).any():
            p["sleeping"] = 1
            self.emit("custom", "sleep_in_bed")

    def _sleep(self, pressed: np.ndarray) -> None:
        p = self.player[0]
        p["sleeping"] += 1
        if pressed[SNEAK]:
            p["sleeping"] = 0
        elif p["sleeping"] > SLEEP_TICKS:
            p["sleeping"] = 0
            self.time += DAY - self.time % DAY
            self.raining = False

    # what kernels reported

    def _drain(self) -> None:
        """Turn the notes of the tick's kernels into events and consequences."""
        count = int(self.notes.count[0])
        if not count:
            return
        self.notes.count[0] = 0
        rows, where = self.notes.rows[:count].tolist(), self.notes.where[:count].tolist()
        for (what, ident, amount, extra), (x, y, z) in zip(rows, where, strict=True):
            if what == NOTE_PICKUP:
                self.emit("pickup", RULES.items[ident], amount)
            elif what == NOTE_KILL:
                if extra:
                    self.emit("kill_entity", RULES.mobs[ident - 1])
            elif what == NOTE_BREAK:
                self.drop_loot(ident, amount, 0, x, y, z)
                if ident in (ids.FURNACE, ids.CHEST):
                    for stack in self.containers.remove(math.floor(x), math.floor(y), math.floor(z)):
                        self.spill(stack, x, y, z)
            elif what == NOTE_FALL:
                missiles.add_missile(self.missiles, missiles.FALLING, ident, 0, x, y, z, 0.0, 0.0, 0.0)
            elif what == NOTE_GROW:
                self._grow(ident, math.floor(x), math.floor(y), math.floor(z))
            elif what == NOTE_HURT_PLAYER:
                self.emit("custom", "damage_taken", max(1, amount // 10))
                self.emit("custom", f"damage_taken.{DAMAGE_CAUSES[ident]}", max(1, amount // 10))
                if ARMOUR_APPLIES[ident]:
                    self._wear_armour(amount / 100.0)
            elif what == NOTE_DAMAGE_DEALT and amount >= 10:
                self.emit("custom", "damage_dealt", amount // 10)
            elif what == NOTE_LAND and amount > 50:
                self._trample(math.floor(x), math.floor(y - 0.1), math.floor(z))

    def _wear_armour(self, taken: float) -> None:
        """A blow costs each piece of armour a quarter of its strength in durability, one point at least."""
        for part in range(ARMOUR, ARMOUR + 4):
            hands.wear_slot(self, part, max(1, int(taken / 4)))

    def _trample(self, x: int, y: int, z: int) -> None:
        if get_block(self.grid, x, y, z) == ids.FARMLAND:
            self.change(x, y, z, ids.DIRT, 0)

    def _grow(self, sapling: int, x: int, y: int, z: int) -> None:
        """A sapling becomes a tree if there is room for one."""
        for cx, cy, cz, block, meta in trees.grown(self.grid, sapling, x, y, z, self.seed):
            self.change(cx, cy, cz, block, meta)

    def body_in(self, x0: float, y0: float, z0: float, x1: float, y1: float, z1: float) -> bool:
        """Whether the player or a mob is inside a box, in metres."""
        p = self.player[0]
        half = RULES.player["width"] / 2
        if (
            p["x"] - half < x1 and p["x"] + half > x0
            and p["y"] < y1 and p["y"] + p["height"] > y0
            and p["z"] - half < z1 and p["z"] + half > z0
        ):  # fmt: skip
            return True
        return mobs.mob_in(self.mobs, x0, y0, z0, x1, y1, z1)

    # pictures and memory

    def view(self) -> View:
        """What the player sees now, for a renderer."""
        p = self.player[0]
        x, y, z = self.eye()
        mined = (int(p["mine_x"]), int(p["mine_y"]), int(p["mine_z"])) if p["mining"] else None
        hit = None if self.screen.is_open or self.pointed is None else self.pointed[:3]
        return View(
            x=x,
            y=y,
            z=z,
            yaw=float(p["yaw"]),
            pitch=float(p["pitch"]),
            time=self.time,
            tick=self.ticks,
            rain=float(self.raining),
            mobs=self.mobs,
            drops=self.drops,
            missiles=self.missiles,
            pointed=hit,
            cracked=mined,
            crack_stage=min(9, int(p["mine_progress"] * 10)) if mined and p["mine_progress"] > 0 else -1,
            held=hands.held_item(self),
            swing=1.0 - p["swing_ticks"] / hands.SWING_TICKS if p["swing_ticks"] else 0.0,
            raised=self.raised,
            using=float(p["use_ticks"]),
            walk_phase=float(p["walk_phase"]),
            walk_speed=float(p["walk_speed"]),
            hurt=p["hurt_ticks"] / 10.0,
            burning=p["fire_ticks"] > 0,
        )

    def hud_view(self) -> HudView:
        """What the display and the open screen show now."""
        return HudView(self.player, self.slots, self.screen, self.ticks)

    def biome(self) -> int:
        """Id of the biome the player stands in (terrain.BIOMES)."""
        p = self.player[0]
        return int(self.grid.biome[math.floor(p["x"]) & MASK, math.floor(p["z"]) & MASK])

    def inventory(self) -> dict[str, int]:
        """Item -> how many the player has, crafting grids and cursor not counted."""
        return item_counts(self.slots)

    _PLAIN = (
        "episode_seed", "seed", "screen_cell", "ticks", "time", "raining", "weather_ticks", "draws",
        "mining_tool", "using_item", "raised_item", "raised", "dead_ticks",
    )  # fmt: skip
    _ARRAYS = ("slots", "player", "mobs", "drops", "missiles", "previous")

    def snapshot(self) -> dict[str, Any]:
        """A copy of the whole state: arrays and plain values, independent of this world."""
        return {
            "plain": {name: getattr(self, name) for name in self._PLAIN},
            "arrays": {name: getattr(self, name).copy() for name in self._ARRAYS},
            "pending": self.schedule.pending[: self.schedule.count[0]].copy(),
            "screen": self.screen.state(),
            "containers": self.containers.state(),
            "chunks": self.chunks.snapshot(),
            "absent": {at: waiting.copy() for at, waiting in self.absent.items()},
            "peopled": set(self.peopled),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a ``snapshot()``, of this world or of another. What follows is what followed then."""
        for name, value in snapshot["plain"].items():
            setattr(self, name, value)
        for name, value in snapshot["arrays"].items():
            getattr(self, name)[:] = value
        count = len(snapshot["pending"])
        self.schedule.pending[:count] = snapshot["pending"]
        self.schedule.count[:] = count, 0
        self.notes.count[0] = 0
        self.chunks = Chunks.restore(snapshot["chunks"])
        self.grid = self.chunks.grid
        self.absent = {at: waiting.copy() for at, waiting in snapshot["absent"].items()}
        self.peopled = set(snapshot["peopled"])
        self.containers.restore(snapshot["containers"])
        self.screen.restore(snapshot["screen"], self._container(snapshot["screen"]["kind"], self.screen_cell))
        self.events = []
        self.pointed = self._point()
