"""What blocks yield and how long they take: tables and one draw of a block's drops."""

from __future__ import annotations

import math

import numpy as np

from jarvis.world.layout import uniform3
from jarvis.world.rules import RULES

FAR_HALF = {"oak_door": 8, "white_bed": 4}  # meta bit of the half whose other half yields the drop


def _tables() -> tuple[np.ndarray, np.ndarray]:
    progress = np.zeros((len(RULES.blocks), len(RULES.items)))
    harvest = np.zeros(progress.shape, bool)
    for block in range(len(RULES.blocks)):
        seen: dict[tuple[str | None, str | None], tuple[float, bool]] = {}
        for item, name in enumerate(RULES.items):
            facts = RULES.data["items"].get(name, {})
            kind = (facts.get("tool") or (name if name == "shears" else None), facts.get("tier"))
            if kind not in seen:
                seen[kind] = (RULES.mining_progress(block, item), RULES.can_harvest(block, item))
            progress[block, item], harvest[block, item] = seen[kind]
    return progress, harvest


MINING_PROGRESS, HARVESTS = _tables()  # (blocks, items): share of a block broken in a tick; whether its drops fall


def wheel(seed: np.uint64, a: int, b: int, c: int, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + math.floor(uniform3(seed, a, b, c) * (high - low + 1))


def block_loot(block: int, meta: int, tool: int, seed: np.uint64, draw: int) -> list[tuple[int, int]]:
    """Items (id, count) that fall from a broken block; ``draw`` makes each break its own chance.

    Whether the tool may harvest at all is the caller's question (HARVESTS). Shears take leaves and grass whole.
    """
    name = RULES.blocks[block]
    if RULES.items[tool] == "shears" and (name in RULES.tags["leaves"] or name == "grass"):
        return [(RULES.item(name), 1)]
    if meta & FAR_HALF.get(name, 0):
        return []
    falls: list[tuple[int, int]] = []
    for k, entry in enumerate(RULES.data["blocks"][name]["drops"]):
        ripe = meta >= 7
        if ("when" in entry) and ((entry["when"] == "age=7") != ripe):
            continue
        item, count = entry["item"], entry["count"]
        if "chance" in entry and uniform3(seed, draw, block, 2 * k) >= entry["chance"]:
            if "else" not in entry:
                continue
            item, count = entry["else"], 1
        if isinstance(count, list):
            count = wheel(seed, draw, block, 2 * k + 1, *count)
        if name.endswith("_slab") and meta & 3 == 2:
            count *= 2
        if count:
            falls.append((RULES.item(item), count))
    return falls


def block_xp(block: int, seed: np.uint64, draw: int) -> int:
    """Experience that a broken ore gives."""
    span = RULES.data["blocks"][RULES.blocks[block]].get("xp")
    return wheel(seed, draw, block, 99, *span) if span else 0
