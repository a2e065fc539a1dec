"""Checks of formulas against what a step really minimises."""
