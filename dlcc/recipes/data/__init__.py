"""Data sets of recipes: readers of published file formats, and generators."""
