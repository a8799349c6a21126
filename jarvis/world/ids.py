"""Block ids and block facts as constants of the kernels, taken from the rules.

NOTE: numba bakes these into compiled code and caches that by the source file's time stamp. Whoever changes block ids or
facts in ``data/rules.json`` clears the cache: ``find . -name "*.nb?" -delete``.
"""

from __future__ import annotations

from jarvis.world.rules import RULES

SOLID = RULES.table.solid
OPAQUE = RULES.table.opaque
LIQUID = RULES.table.liquid
REPLACEABLE = RULES.table.replaceable
DIMS = RULES.table.dims
EMITS = RULES.table.emits

AIR = RULES.block("air")
BEDROCK = RULES.block("bedrock")
STONE = RULES.block("stone")
GRANITE = RULES.block("granite")
DIORITE = RULES.block("diorite")
ANDESITE = RULES.block("andesite")
COBBLESTONE = RULES.block("cobblestone")
MOSSY_COBBLESTONE = RULES.block("mossy_cobblestone")
STONE_BRICKS = RULES.block("stone_bricks")
DIRT = RULES.block("dirt")
GRASS_BLOCK = RULES.block("grass_block")
FARMLAND = RULES.block("farmland")
SAND = RULES.block("sand")
SANDSTONE = RULES.block("sandstone")
GRAVEL = RULES.block("gravel")
CLAY = RULES.block("clay")
BRICKS = RULES.block("bricks")
WATER = RULES.block("water")
LAVA = RULES.block("lava")
OBSIDIAN = RULES.block("obsidian")
ICE = RULES.block("ice")
SNOW = RULES.block("snow")
SNOW_BLOCK = RULES.block("snow_block")
OAK_LOG = RULES.block("oak_log")
OAK_LEAVES = RULES.block("oak_leaves")
OAK_PLANKS = RULES.block("oak_planks")
OAK_SAPLING = RULES.block("oak_sapling")
BIRCH_LOG = RULES.block("birch_log")
BIRCH_LEAVES = RULES.block("birch_leaves")
BIRCH_PLANKS = RULES.block("birch_planks")
BIRCH_SAPLING = RULES.block("birch_sapling")
SPRUCE_LOG = RULES.block("spruce_log")
SPRUCE_LEAVES = RULES.block("spruce_leaves")
SPRUCE_PLANKS = RULES.block("spruce_planks")
SPRUCE_SAPLING = RULES.block("spruce_sapling")
CRAFTING_TABLE = RULES.block("crafting_table")
FURNACE = RULES.block("furnace")
CHEST = RULES.block("chest")
TORCH = RULES.block("torch")
LADDER = RULES.block("ladder")
OAK_DOOR = RULES.block("oak_door")
OAK_FENCE = RULES.block("oak_fence")
OAK_FENCE_GATE = RULES.block("oak_fence_gate")
OAK_SLAB = RULES.block("oak_slab")
OAK_STAIRS = RULES.block("oak_stairs")
COBBLESTONE_SLAB = RULES.block("cobblestone_slab")
COBBLESTONE_STAIRS = RULES.block("cobblestone_stairs")
GLASS = RULES.block("glass")
GLASS_PANE = RULES.block("glass_pane")
WHITE_WOOL = RULES.block("white_wool")
WHITE_BED = RULES.block("white_bed")
COAL_ORE = RULES.block("coal_ore")
IRON_ORE = RULES.block("iron_ore")
GOLD_ORE = RULES.block("gold_ore")
DIAMOND_ORE = RULES.block("diamond_ore")
REDSTONE_ORE = RULES.block("redstone_ore")
LAPIS_ORE = RULES.block("lapis_ore")
COAL_BLOCK = RULES.block("coal_block")
IRON_BLOCK = RULES.block("iron_block")
DIAMOND_BLOCK = RULES.block("diamond_block")
GRASS = RULES.block("grass")
DANDELION = RULES.block("dandelion")
POPPY = RULES.block("poppy")
WHEAT = RULES.block("wheat")
CACTUS = RULES.block("cactus")
