"""Trainings with a fault injected into their code, and their fault-free twins.

Recipes are small loops as people write them; a fault is a subclass that overrides what the bug
changes. Nothing in here imports what it judges.
"""
