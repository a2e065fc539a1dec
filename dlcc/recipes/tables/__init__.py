"""Recipes that learn tables: rows of numbers and categories."""
