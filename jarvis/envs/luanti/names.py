"""Luanti's names and ours: what has the role of Minecraft's oak log there, `default:tree`, is oak_log here too.

Names without a counterpart keep their own: `default:mese_crystal` is mese_crystal, `tnt:boom` is tnt_boom. So tasks
that are written for Minecraft's names can be played where the world has the things.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jarvis.core.names import Vocabulary

__all__ = ["from_luanti", "to_luanti", "vocabulary"]


@cache
def _tables() -> dict[str, Any]:
    tables = json.loads((Path(__file__).parent / "data" / "names.json").read_text())
    ours = {theirs: name for name, theirs in tables["same"].items()} | tables["also"]
    theirs = {_plain(name): name for name in (*tables["others"], *tables["blocks"]) if name not in ours}
    return tables | {"ours": ours, "theirs": theirs | tables["same"]}


def _plain(name: str) -> str:
    mod, _, rest = name.rpartition(":")
    return rest if mod in ("", "default") else f"{mod}_{rest}"


def from_luanti(name: str) -> str:
    """Our name of a node or item: "default:tree" is oak_log."""
    return _tables()["ours"].get(name) or _plain(name)


def to_luanti(name: str) -> str:
    """Luanti's name of one of the vocabulary's: oak_log is "default:tree"."""
    return _tables()["theirs"][name]


@cache
def vocabulary() -> Vocabulary:
    """Every name of minetest_game, with a few common ways to say them. There are no mobs."""
    tables = _tables()
    blocks = {from_luanti(name) for name in tables["blocks"]}
    logs, planks = (
        "|".join(sorted(name for name in tables["same"] if name.endswith(end))) for end in ("_log", "_planks")
    )
    aliases = {"#logs": logs, "log": logs, "wood": logs, "#planks": planks, "planks": planks}
    return Vocabulary.of(tables["theirs"], blocks, (), tables["biomes"], aliases)
