"""Which blocks, items, mobs and biomes there are, and what people call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jarvis.core.errors import UnknownNameError, nearest_names

__all__ = ["Vocabulary", "plain_name"]


def plain_name(name: str) -> str:
    """The registry's spelling: "minecraft:Oak Log" and "oak-log" are oak_log."""
    return name.strip().casefold().removeprefix("minecraft:").replace(" ", "_").replace("-", "_")


@dataclass(frozen=True)
class Vocabulary:
    """The names that exist in a world. A kind with no names at all is not checked.

    An alias stands for one name or for several, of which any will do, parted by "|":
    {"wood_log": "oak_log", "#logs": "birch_log|oak_log|spruce_log"}.
    """

    items: frozenset[str] = frozenset()
    blocks: frozenset[str] = frozenset()
    mobs: frozenset[str] = frozenset()
    biomes: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def of(
        cls,
        items: Iterable[str] = (),
        blocks: Iterable[str] = (),
        mobs: Iterable[str] = (),
        biomes: Iterable[str] = (),
        aliases: Mapping[str, str] | None = None,
    ) -> Vocabulary:
        """From any iterables of names; aliases are found in any spelling."""
        spelled = {plain_name(alias): meaning for alias, meaning in (aliases or {}).items()}
        return cls(frozenset(items), frozenset(blocks), frozenset(mobs), frozenset(biomes), spelled)

    def resolve(self, kind: str, name: str) -> str:
        """The registry's name of one item, block, mob or biome (`kind`), or several parted by "|" and sorted.

        Raises UnknownNameError with the nearest names.
        """
        known: frozenset[str] = {
            "item": self.items, "block": self.blocks, "mob": self.mobs, "biome": self.biomes,
        }[kind]  # fmt: skip
        resolved: set[str] = set()
        for part in name.split("|"):
            plain = plain_name(part)
            if plain not in known:
                plain = self.aliases.get(plain, plain)
            for single in plain.split("|"):
                if known and single not in known:
                    # Sorted: nearest names must not depend on the order of a set.
                    choices = sorted(known) + sorted(self.aliases)
                    raise UnknownNameError(kind, part, nearest_names(part, choices))
                resolved.add(single)
        return "|".join(sorted(resolved))
