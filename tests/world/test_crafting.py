import pytest

from jarvis.world.crafting import MATCHER, NO_MATCH, Match
from jarvis.world.rules import RULES


def ids(*names):
    return [RULES.item(name) if name else 0 for name in names]


def placed(recipe, side, choose=min, top=0, left=0, mirrored=False):
    """The grid of a recipe laid out in its corner, the smallest or largest allowed item in each cell."""
    grid = [0] * (side * side)
    if not recipe.shaped:
        for i, cell in enumerate(recipe.shape[0]):
            grid[i] = choose(cell)
        return grid
    for r, row in enumerate(recipe.shape):
        for c, cell in enumerate(row[::-1] if mirrored else row):
            if cell:
                grid[(top + r) * side + left + c] = choose(cell)
    return grid


@pytest.mark.parametrize("index", range(len(RULES.recipes)))
def test_every_recipe_matches_wherever_it_fits(index):
    recipe = RULES.recipes[index]
    height, width = (len(recipe.shape), len(recipe.shape[0])) if recipe.shaped else (1, 1)
    for side in (2, 3) if recipe.grid == 2 else (3,):
        for choose in (min, max):
            for top in range(side - height + 1) if recipe.shaped else (0,):
                for left in range(side - width + 1) if recipe.shaped else (0,):
                    for mirrored in (False, True):
                        grid = placed(recipe, side, choose, top, left, mirrored)
                        assert MATCHER.match(grid) == Match(recipe.result, recipe.count, index)


def test_there_are_72_recipes():
    assert len(RULES.recipes) == 72


def test_almost_recipes_make_nothing():
    planks, stick, cobblestone = ids("oak_planks", "stick", "cobblestone")
    assert MATCHER.match((planks, planks, planks, 0)) == NO_MATCH
    assert MATCHER.match((planks, 0, 0, planks)) == NO_MATCH  # sticks want them one above the other
    assert MATCHER.match((stick, planks, 0, 0)) == NO_MATCH
    assert MATCHER.match((cobblestone,) * 9) == NO_MATCH  # a furnace is hollow
    assert MATCHER.match((0,) * 4) == NO_MATCH


def test_planks_of_different_trees_mix_where_any_planks_do():
    oak, birch, spruce = ids("oak_planks", "birch_planks", "spruce_planks")
    assert RULES.items[MATCHER.match((oak, birch, spruce, oak)).item] == "crafting_table"
    # a door is made of oak only here
    assert MATCHER.match((oak, oak, 0, oak, birch, 0, oak, oak, 0)) == NO_MATCH
    assert RULES.items[MATCHER.match((oak, oak, 0, oak, oak, 0, oak, oak, 0)).item] == "oak_door"


def test_shapeless_in_any_order():
    flint, iron = ids("flint", "iron_ingot")
    for grid in ((flint, iron, 0, 0), (iron, flint, 0, 0), (0, iron, flint, 0), (0, 0, iron, flint)):
        assert RULES.items[MATCHER.match(grid).item] == "flint_and_steel"


def test_a_grid_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="5 cells"):
        MATCHER.match((1, 2, 3, 4, 5))
