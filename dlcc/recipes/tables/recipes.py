"""Recipes of the family."""

from __future__ import annotations

from dlcc.recipes.recipe import Recipe
from dlcc.recipes.tables.family import TableFamily

RECIPES = (
    Recipe(
        "table-gan",
        "GAN of the rows of a table, measurements and a class, after CTGAN",
        TableFamily(),
        {},
    ),
)
