"""What a policy is told from one tick to the next: a rule planner down to single clicks, in a few words each.

    guide = Guide(task.goal)
    directive = guide.look(world, last_action)        # Directive("click", "left-click hotbar 3", (37, "left"))

The recipes say what to gather, craft and smelt (rules.py); the slots of an open screen say what to click (slots.py);
what is carried says what to hold. What needs eyes stays with the policy: finding, walking to, digging, fighting,
putting down, and bringing the cursor to where it is told. The guide knows what a player can read off the screens:
inventory, open screen, health, food, height, and whether a table or furnace stands within reach. It never says where
in the world anything is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from jarvis.app.planner.rules import RulePlanner, carried_of
from jarvis.app.planner.slots import CLOSE, OPEN, WAIT, Directive, craft, free_hotbar, leave, smelt, swap
from jarvis.core.actions import BUTTON_INDEX, Action
from jarvis.core.goals import Goal
from jarvis.envs.scripted.digging import TOOL_IDS, best_tool
from jarvis.envs.scripted.fighting import FOODS
from jarvis.envs.scripted.goals import HOES, Want
from jarvis.envs.scripted.planner import GROUPS, Step, gathered_from, plan, recipe_for, tool_tier
from jarvis.envs.scripted.player import DEEP
from jarvis.envs.scripted.seeking import DEPTHS
from jarvis.world.describe import location_stats, near_blocks
from jarvis.world.inventory import HOTBAR
from jarvis.world.layout import SEA_LEVEL, get_block
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.world.world import World

__all__ = ["Guide", "pressed_anything"]

REACH = 4.0  # metres to a table or furnace that can be used
LOOK_EVERY, LOOK = 400, 50  # ticks: of a search without success, the first of every so many are for looking about
DANGER = 60  # ticks after a blow in which no screen is opened
LOST = 80  # ticks for one click
PATIENCE = 600  # ticks for one thing to craft or smelt, more for each piece
HOPE = 100  # ticks in which a table or furnace can be opened, or it is as if there were none
DARK = 0.3  # of the sky's light: under the ground
DEEP_BELOW = 50.0  # metres: who is there already does not turn back to pack
STEEP = 85.0  # degrees below the horizon at which the eyes are down, whatever is underfoot
AXES = ((0, 1), (-1, 0), (0, -1), (1, 0))  # (x, z) ahead at yaw 0, 90, 180 and 270
PAUSE, ASIDE = 40, 60  # ticks: so long nothing underfoot is under the crosshair, then it goes on level for so long
SLACK = 2.5  # metres above the level of a tunnel at which it is dug down to again
UNDERFOOT = "stone"  # a block that need not be looked for
SPARE = ("stone_pickaxe", 1)  # to have with one down there, as long as it can be made
KIT = (("stone_pickaxe", 2), ("crafting_table", 1), ("#planks", 8), ("stick", 8))
WOOD = 28  # planks' worth to carry before the first stone: there are no trees down there
SWORDS = ("diamond_sword", "iron_sword", "stone_sword", "wooden_sword", "iron_axe", "stone_axe", "wooden_axe")
IN_HAND = ("place", "eat", "drink", "pour", "throw")
DEFEND = Directive("defend", "defend yourself")
_KEYS = ("attack", "use", "inventory", *(f"hotbar.{n}" for n in range(1, 10)))
_PRESSED = [BUTTON_INDEX[name] for name in _KEYS]
_OPENER = BUTTON_INDEX["inventory"]


class Guide:
    """Leads one player to one goal."""

    def __init__(self, goal: Goal) -> None:
        """A goal that the rules cannot take apart is told in its own words."""
        self.goal = goal
        self.planner = RulePlanner(goal)
        self._ready = False  # packed for the deep
        self._tool = 0  # item, for what the crosshair was on last
        self._dug = 0  # when what is underfoot was under the crosshair last
        self._level = False  # as deep as what is looked for
        self._ticks = 0
        self._job: tuple[Step, int, int] | None = None  # to craft or smelt, how many are to be carried, until when
        self._refused: dict[str, int] = {}  # item -> until when it is not tried again
        self._asked = 0  # ticks to open a table or furnace
        self._spare = 0  # of these carried in the tick before
        self._shunned: dict[str, int] = {}  # table or furnace -> until when those near by are left alone
        self._searching: tuple[str, int, int] = ("", 0, 0)  # text, since when, how much was carried then
        self._hp, self._hurt = 0.0, -1000
        self._clicking, self._since = "", 0  # what is to be clicked, and since when it is told

    def look(self, world: World, last: Action | None = None) -> Directive:
        """What to do in this tick. last: what was done in the one before, None at the beginning."""
        self._ticks += 1
        player, screen = world.player[0], world.screen
        if world.dead_ticks or player["sleeping"]:
            self._job = None
            return WAIT
        self._feel(float(player["hp"]))
        if last is not None and pressed_anything(last, screen.is_open):
            return WAIT  # a button counts when it goes down, and some when it is let go
        if self._ticks - self._hurt < DANGER:
            if screen.is_open:
                return leave(world)
            if self._screen_work(world):
                return DEFEND
        if self._job is None and not screen.is_open and (meal := self._meal(world)) is not None:
            return meal
        return self._afresh(world, self._work(world))

    def _afresh(self, world: World, directive: Directive) -> Directive:
        """The directive; or, if the hand does not find what it tells, out of the screen: the cursor begins anew."""
        told = directive.text if directive.kind in ("click", "swap") else ""
        if told != self._clicking:
            self._clicking, self._since = told, self._ticks
        patience = LOST * (3 if world.screen.carried[0] else 1)  # what hangs on the cursor is dropped then
        return CLOSE if told and self._ticks - self._since > patience else directive

    def _feel(self, hp: float) -> None:
        if hp < self._hp - 0.5:
            self._hurt = self._ticks
        self._hp = hp

    def _screen_work(self, world: World) -> bool:
        if self._job is not None:
            return True
        steps = self._steps(world)
        return bool(steps) and steps[0].kind in ("craft", "smelt")

    # what to go for

    def _steps(self, world: World) -> list[Step]:
        inventory, stations = _carried(world), self._stations(world)
        try:
            steps = self._packed(world, inventory, stations)
            if stations and steps and steps[0].kind not in ("craft", "smelt"):
                return self._packed(world, inventory, ())  # what stands here will not be there where that is found
            return steps
        except ValueError:
            return []  # what was carried for it is gone and there is no other way

    def _packed(self, world: World, inventory: Mapping[str, int], stations: Sequence[str]) -> list[Step]:
        """The steps to the goal; before the first that leads down to ores, those to what is needed down there."""
        steps = self.planner.steps(inventory, stations)
        if self._ready and steps and not carried_of(SPARE[0], inventory):
            spare = plan([SPARE], inventory, stations)
            return steps if any(step.kind != "craft" for step in spare) else spare
        if self._ready or len(steps) < 2 or not any(step.kind == "mine" and step.item in DEEP for step in steps):
            return steps
        if steps[0].item in DEEP and all(carried_of(item, inventory) >= count for item, count in KIT):
            self._ready = True
        elif world.player[0]["y"] > DEEP_BELOW and (goals := self.planner.goals(inventory)):
            packed = plan([*KIT, *goals], inventory, stations)
            first, missing = packed[0], WOOD - _wood(inventory)
            if missing > 0 and first.kind == "mine" and UNDERFOOT in gathered_from(first.item)[0]:
                return plan([("#planks", carried_of("#planks", inventory) + missing)], inventory, stations)
            return packed
        return steps

    def _stations(self, world: World) -> list[str]:
        near = near_blocks(world, {"crafting_table": REACH, "furnace": REACH})
        return [name for name in near if self._shunned.get(name, 0) <= self._ticks]

    def _work(self, world: World) -> Directive:
        if self._job is not None:
            directive = self._go_on(world, *self._job)
            if directive is not None:
                return directive
            self._job = None
        steps = self._steps(world)
        step = next((step for step in steps if self._can(world, step)), steps[0] if steps else None)
        if step is None:
            want = self._deed()
            if not self.planner.wants:
                return leave(world) if world.screen.is_open else Directive("words", self.goal.text)
            if want is None:
                return leave(world) if world.screen.is_open else WAIT
            return self._perform(world, want)
        if step.kind in ("craft", "smelt"):
            pieces = carried_of(step.item, _carried(world)) + step.count
            self._job = (step, pieces, self._ticks + PATIENCE + step.count * (220 if step.kind == "smelt" else 30))
            return self._go_on(world, *self._job) or (leave(world) if world.screen.is_open else WAIT)
        if step.kind == "kill":
            return self._kill(world, step.source, step.item)
        blocks = gathered_from(step.item)[0]
        return self._gather(world, step.item, blocks, carried_of(step.item, _carried(world)))

    def _can(self, world: World, step: Step) -> bool:
        """Whether a step may be tried now: not given up for a while, and not one that waits for such a one's tool."""
        if self._refused.get(step.item, 0) > self._ticks:
            return False
        tier = gathered_from(step.item)[1] if step.kind == "mine" else None
        return tier is None or tool_tier(world.inventory()) >= tier

    def _deed(self) -> Want | None:
        return next((want for want in self.planner.wants if want.how not in ("have", "make", "gather")), None)

    # screens

    def _go_on(self, world: World, step: Step, pieces: int, until: int) -> Directive | None:
        """The next click of a job. None when it is done, or cannot be."""
        screen = world.screen
        left = pieces - carried_of(step.item, _carried(world))
        if left <= 0:
            return leave(world) if screen.is_open and screen.carried[0] else None
        if self._ticks > until:
            self._refused[step.item] = self._ticks + PATIENCE
            return None
        if step.kind == "smelt":
            return self._at(world, "furnace") or self._checked(
                step, smelt(world, [RULES.item(name) for name in GROUPS.get(step.source, (step.source,))], left)
            )
        recipe = self._recipe(world, step.item)
        there = screen.kind == "crafting_table" or (recipe["grid"] == 2 and screen.kind == "player")
        if not there:
            if recipe["grid"] == 3:
                if (way := self._at(world, "crafting_table")) is not None:
                    return way
            else:
                return leave(world) if screen.is_open else OPEN
        return self._checked(step, craft(world, recipe, -(-left // recipe["count"])))

    def _checked(self, step: Step, directive: Directive | None) -> Directive | None:
        if directive is None:
            self._refused[step.item] = self._ticks + 20
        return directive

    def _recipe(self, world: World, item: str) -> Any:
        if item != "#planks":
            return recipe_for(item)
        inventory = _carried(world)
        log = max(GROUPS["#logs"], key=lambda name: inventory.get(name, 0))
        return recipe_for(log.replace("_log", "_planks"))

    def _at(self, world: World, station: str) -> Directive | None:
        """To the open screen of a table or furnace: None once it is there."""
        if world.screen.kind == station:
            self._asked = 0
            return None
        words, carried = station.replace("_", " "), _carried(world)[station]
        if carried < self._spare:  # this one stands where it can be opened
            self._shunned.pop(station, None)
        self._spare = carried
        if station in self._stations(world):
            self._asked += not world.screen.is_open
            if self._asked > HOPE:  # it stands behind something
                self._asked, self._shunned[station] = 0, self._ticks + PATIENCE
            return leave(world) if world.screen.is_open else Directive("use", f"open the {words}", (station,))
        if not carried:
            self._job = None
            return WAIT
        return self._hold(world, {RULES.item(station)}) or Directive("place", f"place the {words}", (station,))

    # hands

    def _hold(self, world: World, items: set[int]) -> Directive | None:
        """To have one of these in hand: None once it is so, or if there is none."""
        slots = world.slots["item"]
        hotbar = slots[HOTBAR : HOTBAR + 9].tolist()
        if hotbar[int(world.player[0]["selected"])] in items:
            return leave(world) if world.screen.is_open else None
        index = next((index for index, item in enumerate(hotbar) if item in items), None)
        if index is not None:
            return leave(world) if world.screen.is_open else _select(index)
        return self._within_reach(world, items) or (leave(world) if world.screen.is_open else None)

    def _within_reach(self, world: World, items: set[int]) -> Directive | None:
        """To have one of these on the hotbar: None once it is there, or if there is none."""
        slots = world.slots["item"].tolist()
        if not items.isdisjoint(slots[HOTBAR : HOTBAR + 9]):
            return None
        slot = next((slot for slot in range(9, HOTBAR) if slots[slot] in items), None)
        if slot is None:
            return None
        if world.screen.kind != "player":
            return leave(world) if world.screen.is_open else OPEN
        return leave(world) if world.screen.carried[0] else swap(world, slot, free_hotbar(world))

    def _tool_for(self, world: World, blocks: tuple[str, ...]) -> Directive | None:
        """The tool for what the crosshair is on; while a screen is open, for what it was on before."""
        if world.screen.is_open:
            return self._hold(world, {self._tool}) if self._tool else None
        pointed = world.pointed
        if pointed is None:
            return None
        block = get_block(world.grid, pointed.x, pointed.y, pointed.z)
        carried = {int(item) for item in world.slots["item"][9:45] if item}
        tool = best_tool(SimpleNamespace(carried_ids=sorted(carried)), block)  # type: ignore[arg-type]
        self._tool = tool or 0
        if tool is not None:
            return self._hold(world, {tool})
        hotbar = world.slots["item"][HOTBAR : HOTBAR + 9].tolist()
        if RULES.blocks[block] in blocks and hotbar[int(world.player[0]["selected"])] in TOOL_IDS:
            spare = next((index for index, item in enumerate(hotbar) if not RULES.durability[item]), None)
            if spare is not None:
                return _select(spare)
        return None

    def _weapon(self, world: World) -> Directive | None:
        inventory = _carried(world)
        name = next((name for name in SWORDS if inventory.get(name)), None)
        return None if name is None else self._hold(world, {RULES.item(name)})

    def _meal(self, world: World) -> Directive | None:
        player = world.player[0]
        if player["food"] > 14 and (player["hp"] >= 12 or player["food"] >= 18):
            return None
        wanted = {name for want in self.planner.wants for name in want.names}
        inventory = _carried(world)
        foods = {RULES.item(name) for name in FOODS if inventory.get(name) and name not in wanted}
        if not foods:
            return None
        return self._hold(world, foods) or Directive("eat", "eat", ())

    # what needs eyes

    def _gather(self, world: World, item: str, blocks: tuple[str, ...], carried: int) -> Directive:
        if (hold := self._tool_for(world, blocks)) is not None:
            return hold
        if world.screen.is_open:
            return leave(world)
        name = item.lstrip("#").rstrip("s") if item.startswith("#") else blocks[0].replace("_", " ")
        if UNDERFOOT in blocks:
            level = DEPTHS["diamond"][2]
            phase = self._down(world) if world.player[0]["y"] > level + SLACK else ", tunnel"
        else:
            phase = self._phase(world, item, f"mine {name}", carried)
        if _pointed(world) in blocks or _in_the_way(world, phase):
            phase = ", dig"
        return Directive("gather", f"mine {name}{phase}", (item, blocks))

    def _kill(self, world: World, mob: str, item: str = "") -> Directive:
        if (hold := self._weapon(world)) is not None:
            return hold
        if world.screen.is_open:
            return leave(world)
        carried = carried_of(item, _carried(world)) if item else 0
        name = mob.replace("_", " ")
        return Directive("kill", f"kill {name}{self._phase(world, '', f'kill {name}', carried)}", (mob, item))

    def _phase(self, world: World, item: str, text: str, carried: int) -> str:
        """How to search: by the height, and by how long nothing has come of it."""
        if self._searching[0] != text or carried != self._searching[2]:
            self._searching = (text, self._ticks, carried)  # where one was, another is often near
        y = float(world.player[0]["y"])
        if (self._ticks - self._searching[1]) % LOOK_EVERY < LOOK:
            return ", look around"
        if item in DEPTHS:
            level = DEPTHS[item][2]
            self._level = y <= level + (SLACK if self._level else 0.5)  # once there, a step up changes nothing
            return ", climb" if y < level - 3 else ", tunnel" if self._level else self._down(world)
        return ", climb" if y < SEA_LEVEL and location_stats(world)["sky_light_level"] < DARK else ""

    def _down(self, world: World) -> str:
        """Down: first the eyes, then the pickaxe; now and then a few steps on, where nothing underfoot can be dug."""
        player = world.player[0]
        if _in_the_way(world, ", straight down"):
            self._dug = self._ticks
        if (self._ticks - self._dug) % (PAUSE + ASIDE) >= PAUSE:
            return ", tunnel"
        return ", look down" if player["pitch"] < STEEP and not player["in_water"] else ", straight down"

    def _perform(self, world: World, want: Want) -> Directive:
        """Something that is not about an item: put down, eaten, opened, killed."""
        name, how = want.name, want.how
        words = name.replace("_", " ")
        if how == "mine":
            return self._gather(world, _item_of(name), want.names, 0)
        if how == "kill":
            return self._kill(world, name)
        if (held := self._needed(world, want)) is not None:
            return held
        if world.screen.is_open:
            return leave(world)
        phase = self._phase(world, "", f"{how} {words}", 0) if how in ("fill", "milk", "shear", "open", "sleep") else ""
        return Directive("do", f"{how} {words}{phase}", (want,))

    def _needed(self, world: World, want: Want) -> Directive | None:
        how, inventory = want.how, _carried(world)
        items: tuple[str, ...] = ()
        if how in IN_HAND:
            items = want.names
        elif how == "shoot":
            items = ("bow",)
        elif how in ("fill", "milk"):
            items = ("bucket",)
        elif how == "shear":
            items = ("shears",)
        elif how == "sow":
            hoes = {RULES.item(name) for name in HOES if inventory.get(name)}
            return self._within_reach(world, hoes) or self._within_reach(world, {RULES.item(want.name)})
        if not items:
            return None
        return self._hold(world, {RULES.item(name) for name in items if name in RULES.item_id})


def pressed_anything(last: Action, on_screen: bool) -> bool:
    """Whether a button was down that counts: on a screen any that clicks, else the one that opens the inventory."""
    return bool(last.buttons[_PRESSED if on_screen else _OPENER].any())


def _carried(world: World) -> Counter[str]:
    """Everything: inventory, cursor and crafting grid."""
    carried = Counter(world.inventory())
    screen = world.screen
    if screen.is_open:
        stacks = screen.stacks()
        grid = {"player": range(1, 5), "crafting_table": range(1, 10)}.get(screen.kind, range(0))
        for item, count, _ in [screen.carried, *(stacks.item(slot) for slot in grid)]:
            if item:
                carried[RULES.items[item]] += count
    return carried


def _in_the_way(world: World, phase: str) -> bool:
    """Whether the crosshair is on a block that is to be dug to get on: underfoot, or before the face."""
    hit, player = world.pointed, world.player[0]
    if hit is None:
        return False
    x, y, z = math.floor(player["x"]), math.floor(player["y"] + 0.4), math.floor(player["z"])
    off = (hit.x - x, hit.y - y, hit.z - z)
    dx, dz = AXES[round(float(player["yaw"]) / 90.0) % 4]
    cells = {
        ", straight down": [(0, -1, 0)],
        ", look down": [(0, -1, 0)],
        ", tunnel": [(dx, 0, dz), (dx, 1, dz)],
        ", climb": [(dx, 1, dz), (dx, 2, dz), (0, 2, 0)],
    }
    return off in cells.get(phase, [])


def _wood(inventory: Mapping[str, int]) -> int:
    """All wood that is carried, in planks."""
    parts = {"#logs": 4.0, "#planks": 1.0, "stick": 0.5, "crafting_table": 4.0}
    return int(sum(worth * carried_of(item, inventory) for item, worth in parts.items()))


def _pointed(world: World) -> str:
    """The block under the crosshair within reach, "" for none."""
    hit = world.pointed
    return "" if hit is None else RULES.blocks[get_block(world.grid, hit.x, hit.y, hit.z)]


def _select(index: int) -> Directive:
    return Directive("hold", f"select hotbar {index + 1}", (index,))


def _item_of(block: str) -> str:
    from jarvis.envs.scripted.deeds import ITEM_OF

    return ITEM_OF.get(block, block)
