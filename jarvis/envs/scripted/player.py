"""The scripted player: any goal of the tech tree, through keyboard and mouse only.

    player = ScriptedPlayer("diamond_pickaxe", seed=7)
    while not player.done:
        action = player.act(world)             # reads the world, never writes to it
        world.tick(action.buttons, action.camera)
        log.append(player.truth)               # what it was doing in this tick, and at what

It plans by the recipes (planner.py), goes for what it has seen (memory.py) or explores (seeking.py), and every skill
is a generator that yields the keys of one tick. Habits lay pauses, slips and glances over that. Fighting, fleeing and
getting out of water come first: they end the skill under way, and the next plan starts from whatever is then carried.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator
from typing import Any

import numpy as np

from jarvis.core.actions import BUTTON_INDEX, BUTTONS, Action
from jarvis.core.goals import Goal
from jarvis.core.random_streams import generator
from jarvis.core.tasks import Task
from jarvis.envs.scripted.body import Body
from jarvis.envs.scripted.crafting import craft_steps, pick_up_station, smelt, station_near
from jarvis.envs.scripted.deeds import perform
from jarvis.envs.scripted.detours import detour, pass_by, put_back
from jarvis.envs.scripted.emergencies import emergency
from jarvis.envs.scripted.fighting import FOODS, MEAT, eat, hunt, kill, prey
from jarvis.envs.scripted.goals import ITEMS, Want, forbidden_uses, requirements, wants_of
from jarvis.envs.scripted.habits import Habits
from jarvis.envs.scripted.memory import Cell
from jarvis.envs.scripted.mining import mine
from jarvis.envs.scripted.overlays import Overlays
from jarvis.envs.scripted.planner import GROUPS, Step, gathered_from, plan, recipe_for, source_of
from jarvis.envs.scripted.screens import close
from jarvis.envs.scripted.seeking import close_by, glance, roam
from jarvis.envs.scripted.tidying import recover, throw_junk
from jarvis.envs.scripted.truth import Truth
from jarvis.world.rules import RULES
from jarvis.world.world import World

__all__ = ["ScriptedPlayer"]

Skill = Generator[tuple[str, ...], None, Any]
BLOWS = {f"damage_taken.{cause}" for cause in ("zombie", "spider", "creeper")}  # at arm's length
DEEP = {"iron_ore", "gold_ore", "diamond", "redstone", "lapis_lazuli"}
KIT = (
    ("stone_pickaxe", 2),
    ("stone_sword", 1),
    ("torch", 12),
    ("#planks", 6),
    ("stick", 6),
)  # before going down for ores


class ScriptedPlayer(Body):
    """One player of one world. ``goal`` is an item to have, or a task or goal with a predicate (goals.py)."""

    def __init__(self, goal: str | Task | Goal, seed: int, habits: Habits | None = None, fov: float = 70.0) -> None:
        """fov: vertical degrees of the pictures, for what is seen in them and where the log points."""
        super().__init__(Habits.human() if habits is None else habits, generator(seed, "scripted player"), fov)
        self.wants, self.banned = wants_of(goal), forbidden_uses(goal)
        wanted = [name for want in self.wants for name in want.names]
        self.reserved = frozenset([*wanted, *filter(None, map(source_of, wanted))])
        self.mined = frozenset(name for want in self.wants if want.how == "mine" for name in want.names)
        self._stage, self._tally = 0, Counter[tuple[str, str]]()
        self._begun = self._dead = False
        self._held: tuple[str, ...] = ()  # what was carried a tick ago
        self._rested = -1000
        self.fell: Cell | None = None  # where the player died, until it has been back there
        self._heard = -1  # the tick whose events were counted last
        self.truth = Truth(0, "begin", "begin")
        self.done = False  # the goal was reached
        self.failures: Counter[str] = Counter()  # steps that came to nothing, by name
        self.deaths = 0
        self.prepared = False
        self._packed: set[str] = set()  # of the kit, what was there once
        self._life: Skill | None = None
        self._reflex: Skill | None = None
        self._overlays = Overlays(self)

    def act(self, world: World) -> Action:
        """The keys and the mouse of the next tick. ValueError at the first if there is no way to what is wanted."""
        if world is not self.world:
            self.bind(world)
            self._life = self._reflex = None
            self._heard = world.ticks
        self.sense()
        if self._life is None and self.want is not None and not self._begun:
            self.steps(self.want)  # ValueError for what there is no way to get
            self._begun = True
        self._hear()
        self.mouse = None
        keys = self._keys()
        if world.screen.is_open:
            camera = self.mouse or (0.0, 0.0)
        elif self.mouse is not None:
            camera = self.mouse
        else:
            camera = self.eyes.step(self.p)
        self.truth = self.told(self._overlays.now)
        buttons = np.zeros(len(BUTTONS), np.uint8)
        for key in keys:
            buttons[BUTTON_INDEX[key]] = 1
        return Action._checked(buttons, np.array(camera, np.float32))

    def _keys(self) -> tuple[str, ...]:
        if self.world.dead_ticks:
            if not self._dead:
                self._dead = True
                self.deaths += 1
                self.fell, self.lost = self.cell(), frozenset(self._held)
                self._life = self._reflex = None
                self.prepared = False
                self._packed.clear()
                self.forget_place()
            self.do("dead", "dead")
            return ()
        self._dead = False
        self._held = tuple(self.counts())
        if self._reflex is None:
            skill = emergency(self)
            if skill is not None:
                self._overlays.stop()
                if self._life is not None and self.label()[2][1] is not None and self.p["in_water"]:
                    self.memory.refuse(self.label()[2][1], self.world.ticks)  # it led into this
                self._life = None
                self._reflex = skill
        if self._reflex is not None:
            try:
                return next(self._reflex)
            except StopIteration:
                self._reflex = None
        overlay = self._overlays.step()
        if overlay is not None:
            return overlay
        if self._overlays.changes_mind():
            self._life = detour(self)
        for _ in range(50):
            if self._life is None:
                self._life = self._live()
            try:
                return next(self._life)
            except StopIteration:
                self._life = None
        return ()

    # what is wanted

    def _hear(self) -> None:
        # count what the last tick brought
        if self.world.ticks != self._heard:
            self._heard = self.world.ticks
            for event in self.world.events:
                self._tally[event.name, event.item] += event.count
                if event.name == "custom" and event.item in BLOWS:
                    self.struck = (self.world.ticks, float(self.p["vx"]), float(self.p["vz"]))
            while self.want is not None and self.progress(self.want) >= self.want.count:
                self._stage += 1
                self._tally.clear()

    @property
    def want(self) -> Want | None:
        """What is gone for now; None when nothing is left."""
        return self.wants[self._stage] if self._stage < len(self.wants) else None

    def progress(self, want: Want) -> int:
        """How many of a want, the present one, are there."""
        if want.event:
            return sum(self._tally[want.event, name] for item in want.names for name in GROUPS.get(item, (item,)))
        return sum(self.count(name) for name in want.names)

    # the plan

    def steps(self, want: Want) -> list[Step]:
        """What is to be made and gathered now, in order, for a want; nothing if all it takes is carried."""
        carried = self.usable()
        stations = [name for name in ("crafting_table", "furnace") if station_near(self, name)]
        left = want.count - self.progress(want)
        if want.how in ITEMS:
            goals = [(want.name, self.count(want.name) + left if want.event else want.count)]
        else:
            goals = requirements(want, left, carried)
        steps = plan(goals, carried, stations)
        if any(step.kind == "mine" and step.item in DEEP for step in steps) and not self.prepared:
            for item, count in KIT:
                if self.count(item) >= count or (item == "torch" and not self.habits.torches):
                    self._packed.add(item)
            kit = [(item, count) for item, count in KIT if item not in self._packed]
            if (
                not kit
                or self.failures["mine coal"] > 2
                or self.failures["mine #logs"] > 2
                or self._all_in_sight(steps)
            ):
                self.prepared = True
            elif self.p["y"] > 50 or self.count("#logs") * 4 + self.count("#planks") >= 6:
                # the goal once more, so that what is gathered now is enough for it
                return plan([*kit, *goals], carried, stations)
        if self.prepared and self.habits.torches and self.count("torch") < 2 and steps and steps[0].kind == "mine":
            # only from what the goal does not need
            for count in (8, 4):
                spared = carried.copy()
                spared["stick"] -= count // 4
                spared["coal" if self.count("coal") else "charcoal"] -= count // 4
                if min(spared["stick"], spared["coal"], spared["charcoal"]) >= 0:
                    rest = plan(goals, spared, stations)
                    if gathering(rest) == gathering(steps):
                        return [Step("craft", "torch", count), *steps]
        return steps

    def _all_in_sight(self, steps: list[Step]) -> bool:
        """Whether the ores that are still missing lie close by, so that no expedition has to be prepared."""
        for step in steps:
            if step.kind == "mine" and step.item in DEEP:
                blocks = gathered_from(step.item)[0]
                cell = self.nearest(blocks)
                if (cell is None or self.reach_of(cell) > 12) and not close_by(self, blocks):
                    return False
        return True

    def _live(self) -> Skill:
        """One round: what the body needs, else the next step of the plan."""
        if self.world.screen.is_open:
            yield from close(self)
        want = self.want
        if (self.p["food"] <= 14 or (self.p["hp"] < 12 and self.p["food"] < 18)) and self.meals():
            yield from eat(self)
        if self.p["hp"] < 8 and self.p["food"] >= 18 and self.world.ticks - self._rested > 900:
            self._rested = self.world.ticks
            self.do("rest", "wait")
            for _ in range(400):
                if self.p["hp"] >= 14:
                    break
                yield ()
        if self.free_slots() < 4:
            yield from throw_junk(self)
        if self.fell is not None:
            fell, self.fell = self.fell, None
            if math.dist(fell, self.cell()) < 90:
                yield from recover(self, fell)
        if want is None:
            self.done = True
            self.do("rest", "look around")
            yield from glance(self)
            for _ in range(40):
                yield ()
            return True
        try:
            steps = self.steps(want)
        except ValueError:  # what was carried for it is gone
            return (yield from self._attend(False, f"{want.how} {want.name}"))
        if not steps:
            return (yield from self._attend((yield from perform(self, want)), f"{want.how} {want.name}"))
        if self.glanced is None and any(step.item in ("crafting_table", "furnace") for step in steps):
            self.do("look around", "look")  # one may stand here already
            return (yield from glance(self, 4))
        if self.habits.hunts and self.p["y"] > 55 and any(step.item in DEEP for step in steps):
            if sum(map(self.count, self.meals())) < 3 and self.p["food"] < 19:
                index = prey(self, tuple(RULES.mob(name) for name in MEAT), 14.0)
                if index >= 0:
                    yield from hunt(self, index)
                    return True
        step = steps[0]
        if step.kind in ("mine", "kill"):
            for name in ("furnace", "crafting_table"):
                if self.will_need(name, steps) and not self.count(name) and station_near(self, name) in self.own:
                    yield from pick_up_station(self, name)
                    return True
        return (yield from self._attend((yield from self._perform(steps)), f"{step.kind} {step.item}"))

    def _attend(self, ok: bool, key: str) -> Skill:
        # what follows a success, and a failure
        if ok:
            self.failures[key] = 0
            yield from self.react(2.0)
            return True
        self.failures[key] += 1
        if self.failures[key] % 3 == 0:
            # somewhere else
            self.do("explore", "wander")
            self.heading = float(self.random.uniform(-math.pi, math.pi))
            yield from roam(self, (), lambda: False)
        yield from glance(self, 1)
        return False

    def _perform(self, steps: list[Step]) -> Skill:
        step = steps[0]
        if step.kind == "craft":
            together = [step]
            for other in steps[1:]:
                # at one screen; a table is made before it can be used
                if other.kind != "craft" or together[-1].item in ("crafting_table", "furnace"):
                    break
                if recipe_grid(other.item) == 3 and recipe_grid(step.item) == 2 and not self.has_table():
                    break
                together.append(other)
            return (yield from craft_steps(self, together))
        if step.kind == "smelt":
            return (yield from smelt(self, step.item, step.source, step.count))
        if step.kind == "kill":
            return (yield from kill(self, step.source, step.item, step.count))
        blocks, _ = gathered_from(step.item)
        return (yield from mine(self, step.item, blocks, step.count))

    def put_back(self, cell: Cell) -> Skill:
        """See detours.put_back."""
        return (yield from put_back(self, cell))

    def pass_by(self, blocks: tuple[str, ...], target: Cell) -> Skill:
        """See detours.pass_by."""
        return (yield from pass_by(self, blocks, target))

    def short_of_light(self) -> bool:
        """Whether coal on the way is worth taking for torches."""
        return (
            self.habits.torches and self.count("torch") + 4 * self.count("#coals") < 24 and not self.wears_out("coal")
        )

    def meals(self) -> list[str]:
        """What is carried to be eaten, best first: nothing that the goal is about or is made of."""
        return [name for name in FOODS if self.count(name) and name not in self.reserved]

    def has_table(self) -> bool:
        """Whether a crafting table is carried or stands close by."""
        return bool(self.count("crafting_table")) or station_near(self, "crafting_table") is not None

    def will_need(self, name: str, steps: list[Step]) -> bool:
        """Whether a table or furnace is used again later."""
        if name == "furnace":
            return any(step.kind == "smelt" for step in steps)
        return any(step.kind == "craft" and recipe_grid(step.item) == 3 for step in steps) or not self.prepared

    def usable(self) -> Counter[str]:
        """Item -> how many are carried, tools about to break not counted."""
        counts: Counter[str] = Counter(self.counts())
        for item, _, damage in self.world.slots[9:46].tolist():
            if item and RULES.durability[item] and damage > RULES.durability[item] - 6:
                counts[RULES.items[item]] -= 1
        return counts


def gathering(steps: list[Step]) -> int:
    """How many things are still to be mined."""
    return sum(step.count for step in steps if step.kind == "mine")


def recipe_grid(item: str) -> int:
    """2 or 3."""
    recipe = recipe_for("oak_planks" if item == "#planks" else item)
    return recipe["grid"] if recipe else 2
