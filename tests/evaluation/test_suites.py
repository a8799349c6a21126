import math
from collections import Counter

import pytest

from evaluation.atomic import FAMILIES, JUNK, catalogue, family_of, thing
from evaluation.seeds import SPLITS, episode_seeds, split_of
from evaluation.suites import SUITES, get_suite
from evaluation.tasks import DIAMOND_MILESTONES, VERSION, get, names
from jarvis.core.errors import UnknownNameError
from jarvis.core.events import Event
from jarvis.core.goals import Evaluator, Moment
from jarvis.core.tasks import Task
from jarvis.world.rules import RULES

ATOMIC = get_suite("atomic").tasks


def level(name):
    return name.partition("-")[2] or "normal"


def carried(task):
    """Everything that a start puts into the inventory."""
    items = Counter(task.start.inventory)
    for item, count in task.start.slots.values():
        items[item] += count
    return items


def happened(task, name, item, count, inventory=()):
    """Whether the task is done when this happens in one tick."""
    evaluator = Evaluator(task.goal.predicate)
    return evaluator.update(Moment(0, (Event(0, name, item, count),), dict(inventory), {}))


def test_there_are_enough_of_every_kind():
    families = Counter(map(family_of, catalogue()))
    assert set(families) == set(FAMILIES) and sum(families.values()) == 124 and min(families.values()) >= 8
    assert len(ATOMIC) == 3 * 124
    assert {name for name in ATOMIC if level(name) == "normal"} == set(catalogue())
    assert len(get_suite("smoke").tasks) == 5
    assert list(get_suite("tech_tree").tasks) == [f"rung_{name}" for name in DIAMOND_MILESTONES]


def test_names_lead_to_tasks_and_wrong_ones_to_near_ones():
    for name in names():
        assert get(name).name == name
    assert get("mine_coal_ore-hard").start != get("mine_coal_ore").start != get("mine_coal_ore-easy").start
    wrongs = {"craft_dimond": "craft_diamond", "mine_coal": "mine_coal_ore", "kill_cow-hrad": "kill_cow-hard"}
    for wrong, near in wrongs.items():
        with pytest.raises(UnknownNameError, match=f"did you mean.*{near}"):
            get(wrong)
    with pytest.raises(UnknownNameError, match="did you mean tech_tree"):
        get_suite("techtree")


def test_the_diamond_task_is_vpts():
    task = get("craft_diamond")
    assert task.max_ticks == 24000 and not task.start.fields_set()
    assert list(task.milestones) == [
        "log", "planks", "stick", "crafting_table", "wooden_pickaxe", "cobblestone", "stone_pickaxe", "furnace",
        "iron_ore", "iron_ingot", "iron_pickaxe", "diamond", "diamond_pickaxe",
    ]  # fmt: skip
    assert happened(task, "craft_item", "diamond_pickaxe", 1) and not happened(task, "craft_item", "diamond_sword", 1)


@pytest.mark.parametrize("name", [*ATOMIC, *get_suite("tech_tree").tasks, "craft_diamond", "crafter"])
def test_every_task_is_whole(name):
    task = get(name)
    assert Task.from_json(task.to_json()) == task
    assert len(task.instructions) >= 2 and len(set(task.instructions)) == len(task.instructions)
    assert not any("_" in words or "  " in words for words in task.instructions)
    if task.goal.predicate is not None:  # nothing is done before anything is done
        have = carried(task)
        assert not Evaluator(task.goal.predicate).update(Moment(0, (), have, {}))


def missing_for(item, count, have, table):
    """What is still missing to craft it by the rules, from planks, sticks and a table made on the way."""
    entries = [entry for entry in RULES.data["recipes"] if entry["result"] == item]
    if have[item] >= count:
        have[item] -= count
        return []
    if not entries:
        return [item]
    entry = entries[0]
    if entry["grid"] == 3 and not table:
        lacking = missing_for("crafting_table", 1, have, True)
        if lacking:
            return ["crafting_table", *lacking]
    lacking = []
    needed = count - have[item]
    have[item] = 0
    cells = [cell for row in entry.get("shape", [entry.get("ingredients")]) for cell in row if cell]
    for cell, each in Counter(cells).items():
        options = [RULES.items[number] for number in sorted(RULES.items_of(cell))]
        chosen = next((name for name in options if have[name]), "oak_planks" if cell == "#planks" else options[0])
        lacking += missing_for(chosen, each * math.ceil(needed / entry["count"]), have, True)
    have[item] += math.ceil(needed / entry["count"]) * entry["count"] - needed
    return lacking


@pytest.mark.parametrize("name", [name for name in ATOMIC if name.startswith("craft_")])
def test_what_is_to_be_crafted_can_be(name):
    task, item = get(name), name.partition("-")[0].removeprefix("craft_")
    have = carried(task)
    assert have[item] == 0
    table = bool(task.start.nearby.get("crafting_table")) or bool(have["crafting_table"])
    assert missing_for(item, 1, have, table) == []
    assert happened(task, "craft_item", item, 1)


@pytest.mark.parametrize("name", [name for name in ATOMIC if name.startswith("smelt_")])
def test_what_is_to_be_smelted_can_be(name):
    task, item = get(name), name.partition("-")[0].removeprefix("smelt_")
    have = carried(task)
    if not task.start.nearby.get("furnace"):
        assert missing_for("furnace", 1, have, bool(have["crafting_table"])) == []
    results = {RULES.items[raw]: RULES.items[into] for raw, (into, _, _) in RULES.smelting.items()}
    raws = [raw for raw, into in results.items() if into == item and have[raw]]
    burning = sum(have[fuel] * RULES.fuel_ticks[RULES.item(fuel)] for fuel in have if fuel not in raws)
    assert raws and burning >= 200
    assert task.max_ticks >= 3 * 200 and happened(task, "craft_item", item, 1)


@pytest.mark.parametrize("name", [name for name in ATOMIC if name.startswith(("mine_", "pickup_"))])
def test_tools_can_harvest_and_there_is_enough(name):
    task = get(name)
    (tool,) = [item for item in carried(task) if item not in JUNK]
    count = task.goal.predicate.at_least
    for block, there in task.start.nearby.items():
        assert RULES.can_harvest(RULES.block(block), RULES.item(tool)), f"{tool} does not harvest {block}"
        if name.startswith("mine_"):
            assert there > count and happened(task, "mine_block", block, count)
            assert RULES.mining_ticks(RULES.block(block), RULES.item(tool)) * count < task.max_ticks / 2
    for mob in task.start.mobs:
        item = name.partition("-")[0].removeprefix("pickup_")
        assert item in {loot["item"] for loot in RULES.data["mobs"][mob]["loot"]}


def test_the_right_thing_must_come_first():
    task = get("place_torch-easy")
    assert happened(task, "use_item", "torch", 1) and not happened(task, "use_item", "dirt", 1)
    evaluator = Evaluator(task.goal.predicate)
    evaluator.update(Moment(0, (Event(0, "use_item", "gravel", 1),), {}, {}))
    assert evaluator.failed
    for name in ATOMIC:  # whatever one press could do is never in hand at the start
        if name.startswith(("place_", "eat_")):
            assert get(name).start.slots.get(0, ("", 0))[0] in (*JUNK, "")


def test_junk_helps_with_nothing():
    subjects = {name.partition("-")[0].partition("_")[2] for name in ATOMIC}
    assert not subjects & set(JUNK) and not any(RULES.fuel_ticks[RULES.item(item)] for item in JUNK)


def test_seeds_of_the_splits_never_meet():
    ends = sorted(SPLITS.values())
    assert ends == [(0, 2**29), (2**29, 2**30), (2**30, 2**31)]
    train, validation = (set(episode_seeds(split, "mine_clay", 500)) for split in ("train", "validation"))
    assert len(train) == len(validation) == 500 and not train & validation
    assert {split_of(seed) for seed in train} == {"train"} and split_of(-1) is None
    assert episode_seeds("train", "mine_clay", 500)[:5] == episode_seeds("train", "mine_clay", 5)
    assert episode_seeds("train", "mine_clay", 5) != episode_seeds("train", "mine_poppy", 5)


def test_episodes_are_the_same_for_everybody():
    first, *_, last = get_suite("tech_tree").episodes("validation", 3)
    assert (first.task.name, first.number, last.task.name, last.number) == ("rung_log", 0, "rung_diamond_pickaxe", 38)
    assert first.seed == 561525590 and first.instruction in first.task.instructions
    assert first.goal.id == first.task.goal.id
    part = get_suite("atomic").part(("smelt", "kill_*"))
    assert {part.group(name) for name in part.tasks} == {"smelt", "kill"} and len(part.tasks) == 3 * (11 + 8)


def test_people_talk_like_that():
    assert thing("oak_planks", 2) == "2 oak planks"
    assert [thing("oak_log", 4), thing("coal_ore", 3), thing("cow", 2), thing("poppy", 3)] == [
        "4 oak logs", "3 coal ore", "2 cows", "3 poppies",
    ]  # fmt: skip
    texts = [get(name).goal.text for name in ("craft_oak_planks", "eat_apple", "craft_shears", "kill_sheep")]
    assert texts == ["craft oak planks", "eat an apple", "craft shears", "kill 2 sheep"]


def test_no_task_changes_unnoticed():
    # whoever changes a task, a start, a limit or a wording changes what results mean: raise tasks.VERSION with these
    assert VERSION == 2
    assert {name: get_suite(name).digest for name in SUITES} == {
        "smoke": "acf8316af8c28d3c",
        "atomic": "d2cabfdb23e47152",
        "tech_tree": "4f8c98817a34b2ac",
        "craft_diamond": "861625585772a129",
        "crafter": "6d3ba65521e3c1e3",
    }
