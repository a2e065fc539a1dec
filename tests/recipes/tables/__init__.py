"""Tests of dlcc.recipes.tables."""
