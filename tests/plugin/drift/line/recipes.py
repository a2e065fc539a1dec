"""Recipes of the family."""

from dlcc.recipes.recipe import Recipe
from drift.line.family import LineFamily

RECIPES = (Recipe("drift-line", "draws on a line that drift towards a Gaussian", LineFamily(), {}),)
