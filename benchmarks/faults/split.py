"""Which kinds and which recipe may be looked at while checks are mended, and which are held out.

Two draws, each with the hash of a commit as its seed, so that neither can be chosen. The commit
that brought the trainings draws the development part: 20 of the kinds, and three of the recipes.
All else stays unjudged until the marks of detection are frozen; the hash of that commit then draws
from it the test part: ten kinds in whatever recipe, and one recipe with whatever kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faults.kinds import KINDS
from faults.population import HEALTHY, Member

BROUGHT = "bfb3e0efe59d653ef14597fa84f9a27dc7c47ca4"
"""Commit that brought the trainings and kinds."""
FROZEN = "f8587fa9b71f0824b30e432942724a275a502ed5"
"""Commit in which the marks of detection were frozen."""
DEVELOPMENT_KINDS, DEVELOPMENT_RECIPES = 20, 3
TEST_KINDS, TEST_RECIPES = 10, 1


@dataclass(frozen=True)
class Part:
    """Kinds and recipes of one part."""

    kinds: frozenset[str]
    recipes: frozenset[str]


def _drawn(commit: str, names: list[str], count: int) -> frozenset[str]:
    rng = np.random.default_rng(int(commit, 16))
    return frozenset(names[i] for i in rng.permutation(len(names))[:count])


def development() -> Part:
    """Kinds and recipes that may be looked at."""
    kinds = sorted(kind.name for kind in KINDS)
    return Part(
        _drawn(BROUGHT, kinds, DEVELOPMENT_KINDS),
        _drawn(BROUGHT[::-1], sorted(HEALTHY), DEVELOPMENT_RECIPES),
    )


def test() -> Part:
    """Kinds and recipes of the test part, drawn from what was never looked at."""
    seen = development()
    kinds = sorted({kind.name for kind in KINDS} - seen.kinds)
    return Part(
        _drawn(FROZEN, kinds, TEST_KINDS),
        _drawn(FROZEN[::-1], sorted(set(HEALTHY) - seen.recipes), TEST_RECIPES),
    )


def part_of(member: Member) -> str:
    """Part that a training is of: development, test, or rest, which was not drawn."""
    seen = development()
    if member.recipe in seen.recipes and (not member.is_fault or member.group in seen.kinds):
        # of healthy runs of the recipes that may be looked at, every second is held out, too
        return "development" if member.is_fault or member.seed % 2 == 0 else "test"
    if not FROZEN:
        return "rest"
    held = test()
    return "test" if member.group in held.kinds or member.recipe in held.recipes else "rest"
