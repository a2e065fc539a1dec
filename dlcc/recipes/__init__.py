"""Recipes: trainings that can be run by name, and the truth about how they ended."""

from dlcc.recipes.recipe import Option, Recipe
from dlcc.recipes.registry import get_recipe, recipes

__all__ = ["Option", "Recipe", "get_recipe", "recipes"]
