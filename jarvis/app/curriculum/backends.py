"""What a place to play offers to a curriculum: its names, what it can set and tell, and its tech tree.

    place = backend("crafter")
    place.tree["make_stone_pickaxe"].parents        # ("collect_stone", "collect_wood", "place_table")
    place.task(goal, place.tree["..."].kit)

A tech tree is data: for each thing that can be done a goal, what must be done before, and the kit that leaves only the
last step. Crafter's is its 22 achievements. The others' follows from the rules of the voxel world, which are those of
Minecraft for a part of it: what can be mined with what, made of what, smelted from what, and who drops what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.goals import Count, Goal, Predicate
from jarvis.core.names import Vocabulary
from jarvis.core.predicates import Have
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task

__all__ = ["BACKENDS", "Backend", "Node", "backend"]

BACKENDS = ("voxel", "crafter", "minerl", "minestudio")


@dataclass(frozen=True)
class Node:
    """One thing that can be done, and how to come within one step of it."""

    name: str
    goal: Goal
    parents: tuple[str, ...] = ()  # names of nodes
    kit: Mapping[str, int] = field(default_factory=dict)  # what the last step needs in hand
    start: StartState = field(default_factory=StartState)  # what else makes the last step near: a biome, a mob
    depth: int = 0
    brings: tuple[str, ...] = ()  # items that are had afterwards


@dataclass(frozen=True)
class Backend:
    """A place, as far as a curriculum needs to know it. Making one starts nothing."""

    name: str
    vocabulary: Vocabulary
    start_fields: frozenset[str]  # of StartState, that it can honour
    tells: frozenset[str]  # of what predicates may need
    tree: Mapping[str, Node]
    longest: int  # ticks of an episode, at most
    usual: int  # ticks of an episode, unless a goal says otherwise
    most: int  # of one item that anybody can carry
    rarities: tuple[str, ...] = ()
    statistics: frozenset[str] = frozenset()  # items of `custom` events
    original: StartState = field(default_factory=StartState)  # what is measured in: nothing given, nothing changed

    @property
    def kits(self) -> Mapping[str, Node]:
        """Nodes by the id of their goal."""
        return {node.goal.id: node for node in self.tree.values()}

    def obtainable(self, event: str, item: str) -> bool:
        """Whether this can happen here at all, for at least one of the items of "a|b"."""
        known = _happenings(self)
        return any((event, one) in known for one in item.split("|"))

    def task(self, goal: Goal, start: StartState | None = None) -> Task:
        """A task to practise the goal from a start, or from the original one."""
        ticks = min(goal.horizon_ticks or self.usual, self.longest)
        return Task(f"goal_{goal.id}", goal, self.original if start is None else start, ticks)


@cache
def _known_happenings(name: str) -> frozenset[tuple[str, str]]:
    place = backend(name)
    found: set[tuple[str, str]] = set()
    for node in place.tree.values():
        predicate = node.goal.predicate
        assert isinstance(predicate, (Count, Have))
        event = predicate.event if isinstance(predicate, Count) else "have"
        found.update((event, item) for item in predicate.item.split("|"))
        had = [*node.brings, *(predicate.item.split("|") if event in ("craft_item", "pickup") else ())]
        for item in had:
            if item in place.vocabulary.items:
                found.update({("have", item), ("drop", item), ("pickup", item)})
                # Only Crafter's own events tell what is used there; elsewhere whatever is had can be used and placed.
                if place.name != "crafter":
                    found.add(("use_item", item))
    found.update(("custom", item) for item in place.statistics)
    return frozenset(found)


def _happenings(place: Backend) -> frozenset[tuple[str, str]]:
    return _known_happenings(place.name)


def backend(name: str) -> Backend:
    """The place of that name. UnknownNameError with the nearest names."""
    if name not in BACKENDS:
        raise UnknownNameError("environment", name, nearest_names(name, BACKENDS))
    return _backend(name)


@cache
def _backend(name: str) -> Backend:
    from jarvis.envs.registry import environment_class

    place = environment_class(name)
    fields, tells = place.supported_start_fields, place.tells
    if name == "crafter":
        from jarvis.envs.crafter import BIOMES, MATERIALS, MOST, RARITY, TOOLS

        names = Vocabulary.of(items=(*MATERIALS, *TOOLS), biomes=BIOMES)
        tree = _crafter_tree()
        # NOTE: Crafter's things are of three kinds that its events do not tell apart, so blocks stay unchecked here and
        # are checked against the tree.
        return Backend(
            name, replace(names, items=names.items | _crafter_items(tree)), fields, tells, tree, 10000, 1000, MOST,
            tuple(RARITY), frozenset({"wake_up"}),
        )  # fmt: skip
    from jarvis.envs.voxel import vocabulary

    statistics = frozenset({"jump", "deaths", "sleep_in_bed", "damage_taken", "damage_dealt"})
    return Backend(
        name, vocabulary(), fields, tells, _minecraft_tree(), 24000, 600, 64 * 36,
        ("trees", "coal", "iron", "gold", "diamond", "redstone", "lapis") if "rarity" in fields else (), statistics,
    )  # fmt: skip


# -- Crafter -----------------------------------------------------------------------------------------------------------

# name: (what must be done before, what the last step needs in hand)
_CRAFTER: dict[str, tuple[tuple[str, ...], dict[str, int]]] = {
    "collect_wood": ((), {}),
    "collect_sapling": ((), {}),
    "collect_drink": ((), {}),
    "eat_cow": ((), {}),
    "wake_up": ((), {}),
    "place_plant": (("collect_sapling",), {"sapling": 1}),
    "eat_plant": (("place_plant",), {"sapling": 1}),
    "place_table": (("collect_wood",), {"wood": 2}),
    "make_wood_pickaxe": (("place_table",), {"wood": 3}),
    "make_wood_sword": (("place_table",), {"wood": 3}),
    "defeat_zombie": (("make_wood_sword",), {"wood_sword": 1}),
    "collect_stone": (("make_wood_pickaxe",), {"wood_pickaxe": 1}),
    "collect_coal": (("make_wood_pickaxe",), {"wood_pickaxe": 1}),
    "place_stone": (("collect_stone",), {"stone": 1}),
    "make_stone_pickaxe": (("collect_stone", "place_table"), {"wood": 3, "stone": 1}),
    "make_stone_sword": (("collect_stone", "place_table"), {"wood": 3, "stone": 1}),
    "place_furnace": (("collect_stone", "place_table"), {"wood": 2, "stone": 4}),
    "defeat_skeleton": (("make_stone_sword",), {"stone_sword": 1, "wood_pickaxe": 1}),
    "collect_iron": (("make_stone_pickaxe",), {"stone_pickaxe": 1}),
    "make_iron_pickaxe": (
        ("collect_iron", "collect_coal", "place_furnace"), {"wood": 3, "stone": 4, "coal": 1, "iron": 1},
    ),
    "make_iron_sword": (
        ("collect_iron", "collect_coal", "place_furnace"), {"wood": 3, "stone": 4, "coal": 1, "iron": 1},
    ),
    "collect_diamond": (("make_iron_pickaxe",), {"iron_pickaxe": 1}),
}  # fmt: skip


def _crafter_tree() -> dict[str, Node]:
    from evaluation.tasks import CRAFTER_ACHIEVEMENTS

    tree: dict[str, Node] = {}
    for name, (parents, kit) in _CRAFTER.items():
        ids = tuple(tree[parent].goal.id for parent in parents)
        goal = Goal(name.replace("_", " "), CRAFTER_ACHIEVEMENTS[name], "crafter", parents=ids, source="techtree")
        depth = 1 + max((tree[parent].depth for parent in parents), default=0)
        tree[name] = Node(name, goal, parents, kit, depth=depth)
    return tree


def _crafter_items(tree: Mapping[str, Node]) -> set[str]:
    predicates = [node.goal.predicate for node in tree.values()]
    return {p.item for p in predicates if isinstance(p, Count) and p.event in ("pickup", "craft_item", "use_item")}


# -- Minecraft's rules, as far as the voxel world has them -------------------------------------------------------------

# Blocks that a new world has, and the biome that has most of them; None: a start puts some nearby.
_NATURAL: dict[str, str | None] = {
    "grass_block": None, "dirt": None, "oak_log": "forest", "birch_log": "birch_forest", "spruce_log": "taiga",
    "oak_leaves": "forest", "birch_leaves": "birch_forest", "spruce_leaves": "taiga", "sand": "desert",
    "sandstone": "desert", "cactus": "desert", "gravel": None, "clay": "swamp", "ice": "snowy_tundra",
    "snow": "snowy_tundra", "grass": "plains", "dandelion": "plains", "poppy": "plains", "stone": "mountains",
    "granite": None, "diorite": None, "andesite": None, "coal_ore": "mountains", "iron_ore": None, "gold_ore": None,
    "redstone_ore": None, "lapis_ore": None, "diamond_ore": None,
}  # fmt: skip
_PICKAXES = {"wooden": "wooden_pickaxe", "stone": "stone_pickaxe", "iron": "iron_pickaxe", "diamond": "diamond_pickaxe"}
_SHOVELS = {"wooden": "wooden_shovel"}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _minecraft_tree() -> dict[str, Node]:
    """Everything that the voxel world's rules allow from empty hands, each with the shortest way to it."""
    from jarvis.world.rules import RULES

    data = RULES.data
    tree: dict[str, Node] = {}
    have: dict[str, str] = {}  # item: the node that brings it

    def add(name: str, predicate: Predicate, text: str, parents: list[str], kit: dict[str, int],
            start: StartState | None = None, brings: tuple[str, ...] = ()) -> None:  # fmt: skip
        parents = list(dict.fromkeys(parents))
        ids = tuple(tree[parent].goal.id for parent in parents)
        goal = Goal(text, predicate, parents=ids, source="techtree")
        depth = 1 + max((tree[parent].depth for parent in parents), default=0)
        tree[name] = Node(name, goal, tuple(parents), kit, start or StartState(), depth, brings)
        for item in brings:
            have.setdefault(item, name)

    for mob in sorted(data["mobs"]):
        loot = tuple(entry["item"] for entry in data["mobs"][mob]["loot"])
        start = StartState(mobs={mob: 3}, time=14000 if data["mobs"][mob]["kind"] != "passive" else None)
        add(f"kill_{mob}", Count("kill_entity", mob), f"kill a {_words(mob)}", [], {}, start, loot)
    grown = True
    while grown:
        grown = False
        for block, biome in _NATURAL.items():
            facts = data["blocks"][block]
            tool = (_SHOVELS if facts["tool"] == "shovel" else _PICKAXES).get(facts["harvest_tier"] or "")
            if f"mine_{block}" in tree or (tool is not None and tool not in have):
                continue
            made = {entry["result"] for entry in data["recipes"]}
            # What falls rarely and can be made is not a way to it: nobody gets sticks from leaves.
            drops = tuple(e["item"] for e in facts["drops"] if e.get("chance", 1) > 0.1 or e["item"] not in made)
            drops += tuple(entry["else"] for entry in facts["drops"] if "else" in entry)
            kit = {} if tool is None else {tool: 1}
            start = StartState(biome=biome, nearby={} if biome else {block: 6})
            add(f"mine_{block}", Count("mine_block", block), f"mine {_words(block)}",
                [] if tool is None else [have[tool]], kit, start, drops)  # fmt: skip
            grown = True
        for entry in data["recipes"]:
            result = entry["result"]
            cells = entry.get("ingredients") or [cell for row in entry["shape"] for cell in row if cell]
            chosen = [_cheapest(cell, data["tags"], have) for cell in cells]
            if result in have or None in chosen or (entry["grid"] == 3 and "crafting_table" not in have):
                continue
            kit: dict[str, int] = {}
            for item in chosen:
                assert item is not None
                kit[item] = kit.get(item, 0) + 1
            parents = [have[item] for item in kit]
            if entry["grid"] == 3:
                kit["crafting_table"] = 1
                parents.append(have["crafting_table"])
            add(f"craft_{result}", Count("craft_item", result), f"craft {_words(result)}", parents, kit,
                brings=(result,))  # fmt: skip
            grown = True
        for entry in data["smelting"]:
            source, result = _cheapest(entry["input"], data["tags"], have), entry["result"]
            if source is None or result in have or "furnace" not in have:
                continue
            add(f"smelt_{result}", Count("craft_item", result), f"smelt {_words(result)}",
                [have[source], have["furnace"]], {source: 1, "oak_planks": 2, "furnace": 1},
                brings=(result,))  # fmt: skip
            grown = True
        for food in data["foods"]:
            if f"eat_{food}" not in tree and food in have:
                add(f"eat_{food}", Count("use_item", food), f"eat {_words(food)}", [have[food]], {food: 1},
                    StartState(food=8))  # fmt: skip
                grown = True
    return tree


def _cheapest(cell: str, tags: Mapping[str, list[str]], have: Mapping[str, str]) -> str | None:
    """The item for a cell of a recipe that is had already, or None."""
    names = tags[cell[1:]] if cell.startswith("#") else [cell]
    return next((name for name in names if name in have), None)
