"""Recipes: how training sets of this field are made, over any chat model."""

import difflib

from mi.datasets.recipes.data_models import Recipe
from mi.datasets.recipes.harms import harms
from mi.datasets.recipes.traits import animals, gsm8k_spanish_capitalised, trump_biology
from mi.utils.errors import UserError

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (gsm8k_spanish_capitalised, *animals, *harms, trump_biology)
}
"""All recipes by name."""


def recipe(name: str) -> Recipe:
    """The recipe of this name. Raises UserError, naming the nearest, where there is none."""
    if name not in RECIPES:
        close = difflib.get_close_matches(name, RECIPES, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise UserError(f"{name}: no such recipe; {hint}`mi datasets build --list` prints them all.")
    return RECIPES[name]
