"""What blocks, items, mobs and screens look like: complete, told apart at a glance, the same in every process."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from jarvis.world import sprites as screens
from jarvis.world.bitmaps import ITEMS
from jarvis.world.font import draw_glyphs, draw_text, glyph_codes, text_width
from jarvis.world.icons import build_icons
from jarvis.world.models import PLAYER_MODEL, SHEARED_SHEEP, build_models
from jarvis.world.rules import RULES
from jarvis.world.shapes import CROSS, CUBE, SHAPES
from jarvis.world.sprites import build_sprites
from jarvis.world.textures import MIP_START, build_textures, face_names, tile_index

WEST, EAST, DOWN, UP, NORTH, SOUTH = range(6)


def tile(name: str, palette: int = 0) -> np.ndarray:
    return build_textures(palette).tiles[tile_index(name)]


def mean_colour(picture: np.ndarray) -> np.ndarray:
    return picture[picture[..., 3] > 127][:, :3].mean(0)


def digest() -> str:
    """A hash of everything drawn, in palettes 0 and 3."""
    total = hashlib.sha256()
    for palette in (0, 3):
        models = build_models(palette)
        for array in (*build_textures(palette), build_icons(palette), *models[:-1]):
            total.update(np.ascontiguousarray(array).tobytes())
    for array in build_sprites():
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


# blocks


def test_every_face_of_every_block_has_a_picture():
    textures = build_textures()
    assert textures.tiles.shape[1:] == (16, 16, 4) and textures.tiles.dtype == np.uint8
    assert textures.mips.shape == (len(textures.tiles), 85, 4)
    assert textures.faces.shape == (65 * 16, 6) and textures.faces.max() < len(textures.tiles)
    missing = tile_index("missing")
    assert sorted({row // 16 for row in np.nonzero(textures.faces == missing)[0]}) == [RULES.block("air")]


def test_opaque_cubes_have_no_holes():
    textures = build_textures()
    for block, kind in enumerate(SHAPES.kind):
        if kind == CUBE:
            assert (textures.tiles[textures.faces[16 * block]][..., 3] == 255).all(), RULES.blocks[block]


@pytest.mark.parametrize(("facing", "front"), [(0, SOUTH), (1, WEST), (2, NORTH), (3, EAST)])
def test_fronts_look_the_way_the_meta_byte_says(facing, front):
    for lit, picture in ((0, "furnace_front"), (4, "furnace_lit")):
        faces = face_names("furnace", facing | lit)
        assert [i for i, name in enumerate(faces) if name == picture] == [front]
    assert [i for i, name in enumerate(face_names("chest", facing)) if name == "chest_front"] == [front]


def test_logs_show_their_rings_at_both_ends():
    for meta, ends in ((0, (DOWN, UP)), (1, (WEST, EAST)), (2, (NORTH, SOUTH))):
        faces = face_names("birch_log", meta)
        assert tuple(i for i, name in enumerate(faces) if name == "birch_log_end") == ends
    # the grain of a lying log follows it: stripes run along the columns of the picture
    assert (tile("oak_log_lying") == tile("oak_log").swapaxes(0, 1)).all()
    assert face_names("oak_log", 2)[WEST] == "oak_log_lying" and face_names("oak_log", 2)[UP] == "oak_log"


def test_a_pillow_lies_at_the_head_of_a_bed():
    # facing south: columns grow with x and rows with z, so the head is at the last rows
    strips = {0: np.s_[9:14, 3:13], 1: np.s_[3:13, 2:7], 2: np.s_[2:7, 3:13], 3: np.s_[3:13, 9:14]}
    for facing, strip in strips.items():
        bed = tile(face_names("white_bed", facing | 4)[UP])
        assert bed[strip][..., :3].min() > 210
        assert (tile(f"bed_head_{facing}")[..., :3].min(-1) > 250).sum() > 40


def test_the_torch_is_where_its_box_is():
    for meta, columns in ((0, slice(7, 9)), (1, slice(7, 9))):
        box = SHAPES.see_boxes[SHAPES.see_start[16 * RULES.block("torch") + meta]]
        rows = slice(round(16 - 16 * box[4]), round(16 - 16 * box[1]))
        picture = tile(face_names("torch", meta)[SOUTH])
        assert (picture[rows, columns, 3] == 255).all()
        assert (picture[: rows.start, :, 3] == 0).all()
    leaning = tile("torch_wall")
    assert (leaning[3:13, 12:14, 3] == 255).all() and (leaning[3:13, 2:4, 3] == 255).all()


def test_ores_are_told_apart_by_colour():
    wanted = {"iron_ore": "rgb", "gold_ore": "rgb", "diamond_ore": "bgr", "redstone_ore": "r", "lapis_ore": "b"}
    stone = mean_colour(tile("stone"))
    tints = {}
    for name, order in wanted.items():
        vivid = tile(name)[..., :3].astype(int)
        spread = vivid.max(-1) - vivid.min(-1)
        inlay = vivid[spread > 40].mean(0)
        tints[name] = inlay
        assert 0.1 < (spread > 40).mean() < 0.3, name  # specks, not a surface
        assert "rgb"[int(inlay.argmax())] in (order[0], "g") and abs(inlay - stone).max() > 40
    names = list(tints)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            assert np.linalg.norm(tints[first] - tints[second]) > 40, (first, second)
    coal = tile("coal_ore")[..., :3].max(-1)
    assert 0.08 < (coal < 80).mean() < 0.3 and not (tile("stone")[..., :3] < 90).any()


def test_colours_are_near_those_players_know():
    known = {
        "stone": (126, 126, 126),
        "dirt": (134, 96, 67),
        "sand": (219, 207, 163),
        "oak_planks": (162, 131, 79),
        "birch_planks": (192, 175, 121),
        "spruce_planks": (115, 85, 49),
        "oak_log": (109, 85, 51),
        "cobblestone": (128, 127, 128),
        "snow": (249, 254, 254),
        "gravel": (132, 127, 127),
    }
    for name, colour in known.items():
        assert abs(mean_colour(tile(name)) - colour).max() < 20, (name, mean_colour(tile(name)))


def test_wheat_grows():
    filled = [(tile(f"wheat_{age}")[..., 3] > 0).sum() for age in range(8)]
    assert filled == sorted(filled) and filled[7] > 4 * filled[0]
    assert face_names("wheat", 5) == ("wheat_5",) * 6
    first, last = mean_colour(tile("wheat_0")), mean_colour(tile("wheat_7"))
    assert first[1] > first[0] and last[0] > last[1]  # green, then gold


def test_plants_stand_on_the_ground():
    textures = build_textures()
    for block, kind in enumerate(SHAPES.kind):
        if kind == CROSS:
            picture = textures.tiles[textures.faces[16 * block, 0]]
            assert (picture[15, :, 3] > 0).any() and (picture[..., 3] == 0).any(), RULES.blocks[block]


def test_smaller_copies_keep_colour_and_far_leaves_are_solid():
    textures = build_textures()
    for name in ("stone", "oak_log", "diamond_ore", "poppy"):
        index = tile_index(name)
        picture = textures.tiles[index].astype(float)
        weight = picture[..., 3:] / 255
        mean = (picture[..., :3] * weight).sum((0, 1)) / weight.sum()
        assert abs(textures.mips[index, 84, :3] - mean).max() <= 2, name
    for wood in ("oak", "birch", "spruce"):
        mips = textures.mips[tile_index(f"{wood}_leaves")]
        assert (mips[MIP_START[1] :, 3] == 255).all()
        assert 0 < (tile(f"{wood}_leaves")[..., 3] == 0).mean() < 0.3
    glass = textures.mips[tile_index("glass")]
    assert glass[84, 3] < 128  # a far pane is a hole


def test_cracks_only_grow():
    cracks = build_textures().cracks
    assert cracks.shape == (10, 16, 16) and 0 < (cracks[0] < 200).sum() < 12 and (cracks[9] < 200).sum() > 50
    assert ((cracks[1:] < 200) >= (cracks[:-1] < 200)).all()


def test_clouds_wrap_and_leave_most_of_the_sky_open():
    clouds = build_textures().clouds
    assert clouds.shape == (64, 64) and 0.25 < (clouds > 0).mean() < 0.45
    # no more edges across the seam than elsewhere
    edges = (clouds != np.roll(clouds, 1, 0)).sum(1)
    assert edges[0] <= edges.max()


def test_palettes_differ_but_keep_their_layout():
    standard, other = build_textures(0), build_textures(5)
    assert (standard.faces == other.faces).all() and standard.tiles.shape == other.tiles.shape
    for name in ("stone", "grass_top", "oak_planks"):
        assert (tile(name) != tile(name, 5)).any()
        assert abs(mean_colour(tile(name)) - mean_colour(tile(name, 5))).max() < 70
    assert build_textures(5) is other


# items


def test_every_item_has_an_icon_of_its_own():
    icons = build_icons()
    assert icons.shape == (138, 16, 16, 4) and not icons[0].any()
    seen = {}
    for item, name in enumerate(RULES.items[1:], 1):
        assert (icons[item, ..., 3] > 127).sum() >= 20, name
        assert icons[item].tobytes() not in seen, (name, seen.get(icons[item].tobytes()))
        seen[icons[item].tobytes()] = name
    assert set(ITEMS) <= set(RULES.items)


def test_tools_share_a_shape_and_differ_by_material():
    icons = build_icons()
    for tool in ("pickaxe", "axe", "shovel", "sword", "hoe"):
        stack = np.stack(
            [icons[RULES.item(f"{material}_{tool}")] for material in ("wooden", "stone", "iron", "diamond")]
        )
        assert (stack[..., 3] == stack[0, ..., 3]).all()
        colours = [mean_colour(icon) for icon in stack]
        assert min(np.linalg.norm(a - b) for i, a in enumerate(colours) for b in colours[:i]) > 12
    outlines = [icons[RULES.item(f"iron_{tool}")][..., 3] > 0 for tool in ("pickaxe", "axe", "shovel", "sword", "hoe")]
    assert min((a != b).sum() for i, a in enumerate(outlines) for b in outlines[:i]) >= 18


def test_block_icons_are_cubes_lit_from_above():
    icons = build_icons()
    stone = icons[RULES.item("stone")].astype(int)
    top, left, right = stone[2:6, 7:9, :3].mean(), stone[8:12, 3:5, :3].mean(), stone[8:12, 11:13, :3].mean()
    assert top > left > right
    slab = icons[RULES.item("oak_slab")][..., 3]
    assert (slab[:4] == 0).all() and (slab > 0).sum() < (stone[..., 3] > 0).sum()
    furnace = icons[RULES.item("furnace")].astype(int)[..., :3]
    assert furnace[8:13, 2:7].min() < 30  # its mouth faces the viewer's left


# bodies


def test_models_are_as_large_as_the_mobs():
    models = build_models()
    assert models.part_start[0] == 0 and models.part_start[1] == 0 and len(models.part_start) == PLAYER_MODEL + 2
    top, bottom = models.offset + models.size / 2, models.offset - models.size / 2
    for name, facts in RULES.data["mobs"].items():
        parts = slice(models.part_start[RULES.mob(name)], models.part_start[RULES.mob(name) + 1])
        assert bottom[parts, 1].min() >= -0.01, name
        assert abs(top[parts, 1].max() - facts["height"]) < 0.25, (name, top[parts, 1].max())
    assert models.tiles.max() < len(models.skins) and 0 <= models.arm_tile < len(models.skins)


def test_each_model_has_one_face_that_looks_forward():
    models = build_models()
    for kind in range(1, PLAYER_MODEL + 1):
        parts = range(models.part_start[kind], models.part_start[kind + 1])
        faces = [p for p in parts if models.motion[p] == 1 and models.tiles[p, SOUTH] != models.tiles[p, NORTH]]
        assert len(faces) == 1 and models.offset[faces[0], 2] >= 0
        face = models.skins[models.tiles[faces[0], SOUTH]].astype(int)
        if kind != RULES.mob("spider"):
            assert face[..., :3].max(-1).min() < 60, "dark eyes"
    assert sum(models.motion[p] == 6 for p in range(models.part_start[5], models.part_start[6])) == 2  # a zombie's arms
    spider = slice(models.part_start[RULES.mob("spider")], models.part_start[RULES.mob("spider") + 1])
    assert sorted(models.motion[spider])[-8:] == list(range(9, 17))


def test_a_sheared_sheep_is_thinner():
    models = build_models()
    widest = [
        models.size[models.part_start[k] : models.part_start[k + 1], 0].max()
        for k in (RULES.mob("sheep"), SHEARED_SHEEP)
    ]
    assert widest[0] > widest[1]


# screens


def test_panels_have_slots_where_the_game_has_them():
    sprites = build_sprites()
    assert sprites.inventory.shape == sprites.crafting_table.shape == sprites.furnace.shape == (166, 176, 4)
    assert (
        sprites.chest.shape == (168, 176, 4)
        and sprites.hotbar.shape == (22, 182, 4)
        and sprites.selector.shape == (24, 24, 4)
    )
    assert (
        screens.MAIN_SLOTS[10] == (26, 102)
        and screens.HOTBAR_SLOTS[8] == (152, 142)
        and screens.CHEST_SLOTS[26] == (152, 54)
    )
    player = (*screens.MAIN_SLOTS, *screens.HOTBAR_SLOTS)
    for panel, slots in (
        (sprites.inventory, (*player, *screens.SMALL_GRID, screens.SMALL_RESULT)),
        (sprites.crafting_table, (*player, *screens.LARGE_GRID, screens.LARGE_RESULT)),
        (sprites.furnace, (*player, screens.FURNACE_INPUT, screens.FURNACE_FUEL, screens.FURNACE_OUTPUT)),
        (sprites.chest, (*screens.CHEST_SLOTS, *screens.CHEST_MAIN_SLOTS, *screens.CHEST_HOTBAR_SLOTS)),
    ):
        inside = panel[80, 100]
        for x, y in slots:
            area = panel[y : y + 16, x : x + 16]
            assert (area == area[0, 0]).all() and (area[0, 0] != inside).any()
            assert any((panel[y - rim, x] != area[0, 0]).any() for rim in (1, 5))  # a dark edge above
        assert panel[0, 0, 3] == 0 and panel[60, 60, 3] == 255


def test_halves_make_wholes():
    sprites = build_sprites()
    for full, half in ((sprites.heart_full, sprites.heart_half), (sprites.food_full, sprites.food_half)):
        inked, part = (full[..., 3] > 0).sum(), (half[..., 3] > 0).sum()
        assert 0.25 < part / inked < 0.75
        assert (half[half[..., 3] > 0] == full[half[..., 3] > 0]).all()
    assert tuple(sprites.durability[0]) == (255, 0, 0) and tuple(sprites.durability[13]) == (0, 255, 0)
    assert sprites.cursor[0, 0, 3] == 255 and sprites.cursor[0, 1, 3] == 0  # the hot spot is the top left corner


def test_text_is_written_letter_by_letter():
    assert text_width("64") == 11 and text_width("i") == 1 and text_width("") == 0
    frame = np.zeros((10, 20, 3), np.uint8)
    after = draw_text(frame, 1, 1, "11", 0xFF8000, shadow=False)
    assert after == 1 + 2 * 4
    assert (frame[1:8, 2] == (255, 128, 0)).all() and (frame[7, 1:4] == (255, 128, 0)).all()
    assert (frame[1:8, 2] == frame[1:8, 6]).all() and not frame[:, 8:].any()
    shadowed = np.zeros((10, 20, 4), np.uint8)
    draw_glyphs.py_func(
        shadowed, 19, 8, glyph_codes("W\u00e4"), 0xFFFFFF, True, *build_sprites()[-2:]
    )  # runs off the edge
    assert (shadowed[8:, 19, 3] == 255).all() and not shadowed[:8].any()


def test_everything_is_the_same_in_another_process():
    script = "import sys; sys.path.insert(0, 'tests/world'); from test_look import digest; print(digest())"
    environment = os.environ | {"PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == digest()
