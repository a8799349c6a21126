"""What to click next on an open screen: from what lies where, without remembering anything.

    craft(world, recipe, 2)         # Directive("click", "right-click grid 3", ...), or None: it cannot be made of this
    smelt(world, ids, 3)            # the next click at a furnace, or to wait

Each tick is judged anew from the slots, the cursor's stack and the pattern, so a wrong click is simply the next thing
to put right. Only what a player sees on the screen is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jarvis.world.inventory import HOTBAR
from jarvis.world.menus import LAYOUTS
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.world.world import World

__all__ = ["CLOSE", "DROP", "OPEN", "WAIT", "Directive", "click", "craft", "leave", "name_of", "smelt", "stow", "swap"]

WOODS = ("oak", "birch", "spruce")
FUELS = ("coal", "charcoal", *(f"{wood}_planks" for wood in WOODS), "stick", *(f"{wood}_log" for wood in WOODS))
BURN = 200  # ticks a piece takes in a furnace
INPUT, FUEL, OUTPUT = range(3)
MOST = 16  # of one recipe at once


@dataclass(frozen=True)
class Directive:
    """One small thing to do now, in words for a policy and in names for a program."""

    kind: str  # wait, open, close, click, swap, hold, or what guide.py adds
    text: str
    args: tuple[Any, ...] = ()

    @property
    def slot(self) -> int:
        """Of click and swap: the slot of the open screen."""
        return int(self.args[0])


WAIT = Directive("wait", "wait")
OPEN = Directive("open", "open the inventory")
CLOSE = Directive("close", "close the screen")
DROP = Directive("drop", "click beside the screen")


def name_of(screen: str, slot: int) -> str:
    """How a slot is called: "hotbar 3", "row 1 column 9", "grid 4", "result", ..."""
    layout = LAYOUTS[screen]
    if layout.main <= slot < layout.hotbar:
        row, column = divmod(slot - layout.main, 9)
        return f"row {row + 1} column {column + 1}"
    if layout.hotbar <= slot < layout.hotbar + 9:
        return f"hotbar {slot - layout.hotbar + 1}"
    if screen == "chest":
        row, column = divmod(slot, 9)
        return f"chest row {row + 1} column {column + 1}"
    if screen == "furnace":
        return ("input", "fuel", "output")[slot]
    if slot == 0:
        return "result"
    if screen == "crafting_table":
        return f"table {slot}"
    return f"grid {slot}" if slot < 5 else f"armour {slot - 4}" if slot < 9 else "off hand"


def click(world: World, slot: int, button: str = "left") -> Directive:
    """A click of a slot: left, right, or shift (left, with the key held)."""
    return Directive("click", f"{button}-click {name_of(world.screen.kind, slot)}", (slot, button))


def swap(world: World, slot: int, index: int) -> Directive:
    """Bring what is in a slot to a place of the hotbar, with its key."""
    return Directive("swap", f"press {index + 1} over {name_of(world.screen.kind, slot)}", (slot, index))


def leave(world: World) -> Directive:
    """Out of the open screen, nothing left on the cursor."""
    return stow(world) if world.screen.carried[0] else CLOSE


def stow(world: World) -> Directive:
    """Put down what is on the cursor: on its like, else on an empty slot, else out of the screen."""
    screen = world.screen
    item, count, _ = screen.carried
    stacks, layout = screen.stacks(), LAYOUTS[screen.kind]
    order = range(layout.main, layout.main + 36)
    for slot in order:
        there, number, _ = stacks.item(slot)
        if there == item and number + count <= RULES.stack_size[item]:
            return click(world, slot)
    for slot in order:
        if not stacks.item(slot)[0]:
            return click(world, slot)
    return DROP


def craft(world: World, recipe: Mapping[str, Any], times: int) -> Directive | None:
    """The next click towards so many goes of a recipe. None: what is there does not make one."""
    screen = world.screen
    width = 3 if screen.kind == "crafting_table" else 2
    cells = _pattern(recipe, width)
    stacks, layout = screen.stacks(), LAYOUTS[screen.kind]
    carried, held, _ = screen.carried
    chosen = _chosen(stacks, layout.main, cells, carried, held)
    if chosen is None:
        return None
    items, each = chosen
    each = min(each, times, MOST)
    wrong = None
    for slot in range(1, 1 + width * width):
        there, count, _ = stacks.item(slot)
        if there and (items.get(slot) != there or count > each):
            wrong = slot
    short = {slot: each - stacks.item(slot)[1] * (stacks.item(slot)[0] == item) for slot, item in items.items()}
    short = {slot: number for slot, number in short.items() if number > 0 and slot != wrong}
    if carried:
        mine = [slot for slot in short if items[slot] == carried]
        if not mine:
            return stow(world)
        whole = len(mine) == 1 and short[mine[0]] == held and not stacks.item(mine[0])[0]
        return click(world, mine[0], "left" if whole else "right")
    if wrong is not None:
        return click(world, wrong, "shift")
    if short:
        item = items[next(iter(short))]
        source = _fullest(stacks, layout.main, item)
        return None if source is None else click(world, source)
    return click(world, 0, "shift") if stacks.item(0)[0] else None


def _pattern(recipe: Mapping[str, Any], width: int) -> dict[int, tuple[int, ...]]:
    """Slot of the grid -> items that may lie there."""
    shaped = recipe["type"] == "shaped"
    rows = recipe["shape"] if shaped else [
        recipe["ingredients"][k : k + width] for k in range(0, len(recipe["ingredients"]), width)
    ]  # fmt: skip
    return {
        1 + r * width + c: tuple(sorted(RULES.items_of(cell)))
        for r, row in enumerate(rows)
        for c, cell in enumerate(row)
        if cell
    }


def _chosen(
    stacks: Any, main: int, cells: Mapping[int, tuple[int, ...]], carried: int, held: int
) -> tuple[dict[int, int], int] | None:
    """One item for each cell, the same for cells that allow the same, and for how many goes there is enough."""
    there = Counter[int]()
    for slot in [*cells, *range(main, main + 36)]:
        item, count, _ = stacks.item(slot)
        there[item] += count
    there[carried] += held
    items: dict[int, int] = {}
    goes = MOST
    for allowed in dict.fromkeys(cells.values()):
        slots = [slot for slot, others in cells.items() if others == allowed]
        lying = Counter(stacks.item(slot)[0] for slot in slots if stacks.item(slot)[0] in allowed)
        # what lies there already, then what is in the hand, then what there is most of
        best = max(allowed, key=lambda item: (there[item] >= len(slots), lying[item], item == carried, there[item]))
        if there[best] >= len(slots):
            goes = min(goes, there[best] // len(slots), int(RULES.stack_size[best]))
            items |= dict.fromkeys(slots, best)
            continue
        goes, left = 1, Counter({item: there[item] for item in allowed})  # of several kinds, then
        lain = [slot for slot in slots if stacks.item(slot)[0] in allowed]
        for slot in [*lain, *(slot for slot in slots if slot not in lain)]:
            fullest = max(allowed, key=lambda item: (left[item], item == carried))
            item = stacks.item(slot)[0] if slot in lain else fullest
            if left[item] < 1:
                return None
            items[slot] = item
            left[item] -= 1
    return items, goes


def _fullest(stacks: Any, main: int, item: int) -> int | None:
    found = [(stacks.item(slot)[1], slot) for slot in range(main, main + 36) if stacks.item(slot)[0] == item]
    return max(found)[1] if found else None


def smelt(world: World, sources: Sequence[int], count: int) -> Directive | None:
    """The next click at an open furnace towards so many more of its product. None: something is missing."""
    screen = world.screen
    stacks, layout = screen.stacks(), LAYOUTS["furnace"]
    carried, held, _ = screen.carried
    inside, number, _ = stacks.item(INPUT)
    fuel, fuels, _ = stacks.item(FUEL)
    made = stacks.item(OUTPUT)[1]
    burning = 0 if screen.furnace is None else int(screen.furnace["burn_left"][0])
    lit = burning + int(RULES.fuel_ticks[fuel]) * fuels
    if made and not carried and (made >= count or not inside or not lit):
        return click(world, OUTPUT, "shift")
    wanted = count - made
    if inside and inside not in sources:
        return stow(world) if carried else click(world, INPUT, "shift")
    if carried in sources and number < wanted and (not inside or inside == carried):
        return click(world, INPUT, "left" if held <= wanted - number else "right")
    if not carried and number < wanted:
        source = next((slot for item in sources if (slot := _fullest(stacks, layout.main, item)) is not None), None)
        if source is not None and (not inside or stacks.item(source)[0] == inside):
            return click(world, source)
        if not inside:
            return None
    if lit < min(number, wanted) * BURN - (BURN - 1 if burning else 0):
        if carried and RULES.fuel_ticks[carried] and carried not in sources and (not fuel or fuel == carried):
            return click(world, FUEL, "right")
        if carried:
            return stow(world)
        names = [RULES.items[fuel]] if fuel else FUELS
        for name in names:
            slot = _fullest(stacks, layout.main, RULES.item(name))
            if slot is not None and RULES.item(name) not in sources:
                return click(world, slot)
        return WAIT if lit else None
    return stow(world) if carried else WAIT


def free_hotbar(world: World) -> int:
    """A place of the hotbar that may be given to something else: an empty one, else the last that is no tool."""
    stacks = world.slots[HOTBAR : HOTBAR + 9]["item"].tolist()
    if 0 in stacks:
        return stacks.index(0)
    return next((index for index in range(8, -1, -1) if not RULES.durability[stacks[index]]), 8)
