"""Debate over the question whether a run is healthy: who says what, on which evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from dlcc.debate.framework import Framework

Claim = Literal["healthy", "not healthy", "void"]
"""Claim of an argument: that the run is healthy, that it is not, or that other arguments have no
ground to stand on."""


@dataclass(frozen=True)
class Argument:
    """One argument."""

    name: str
    """Name within the debate."""
    speaker: str
    """Source of the argument, such as `samples` or `reruns`."""
    claim: Claim
    sentence: str
    """Argument in a sentence."""
    weight: int
    """Rank of the evidence; a lighter argument cannot attack a heavier one of the other side."""
    voids: tuple[str, ...] = ()
    """Speakers whose arguments it takes the ground from, whatever they claim."""
    cites: tuple[str, ...] = ()
    """Names of the arguments that it rests on: what attacks one of them attacks it, too."""


@dataclass(frozen=True)
class Spoken:
    """Argument with what became of it."""

    argument: Argument
    stands: bool
    """Whether it is in the grounded extension."""
    answered_by: tuple[Argument, ...]
    """Arguments that attack it."""


@dataclass(frozen=True)
class Debate:
    """Arguments for and against, and whether they settle.

    >>> good = Argument("1", "samples", "healthy", "They cover the data.", 4)
    >>> bad = Argument("2", "losses", "not healthy", "They scatter.", 2)
    >>> Debate((good, bad)).outcome
    'healthy'
    >>> Debate((good, Argument("2", "past runs", "not healthy", "Few like it.", 4))).outcome
    'open'
    """

    arguments: tuple[Argument, ...]

    @cached_property
    def framework(self) -> Framework:
        """Framework of the arguments."""
        named = {a.name: a for a in self.arguments}
        attacks = [
            (one.name, other.name)
            for one in self.arguments
            for other in self.arguments
            if one is not other
            and any(_attacks(one, a) for a in (other, *(named[n] for n in other.cites)))
        ]
        return Framework(tuple(a.name for a in self.arguments), tuple(attacks))

    @cached_property
    def outcome(self) -> Literal["healthy", "not healthy", "open"]:
        """Claim that stands whichever side one takes; open where none does, or nobody claims."""
        standing = {a.claim for a in self.arguments if a.name in self.framework.grounded}
        if "healthy" in standing:
            return "healthy"
        return "not healthy" if "not healthy" in standing else "open"

    @property
    def positions(self) -> tuple[frozenset[str], ...]:
        """Positions that can be held without contradiction: the preferred extensions."""
        return self.framework.preferred

    def spoken(self) -> tuple[Spoken, ...]:
        """Arguments with what became of them, the heaviest first."""
        named = {a.name: a for a in self.arguments}
        return tuple(
            Spoken(
                argument,
                argument.name in self.framework.grounded,
                tuple(named[n] for n in sorted(self.framework.attackers(argument.name))),
            )
            for argument in sorted(self.arguments, key=lambda a: -a.weight)
        )


def _attacks(one: Argument, other: Argument) -> bool:
    """Whether an argument attacks another; what rests on others attacks nobody on its own."""
    if other.speaker in one.voids:
        return True
    if one.cites:
        return False
    opposed = {one.claim, other.claim} == {"healthy", "not healthy"}
    return opposed and one.weight >= other.weight


def joined(debate: Debate, arguments: Sequence[Argument]) -> Debate:
    """Debate with further arguments, which keep what they cite by name."""
    first = len(debate.arguments) + 1
    return Debate(
        (
            *debate.arguments,
            *(replace(a, name=str(k)) for k, a in enumerate(arguments, first)),
        )
    )


def numbered(arguments: Sequence[Argument]) -> Debate:
    """Make the debate of arguments whose names are their numbers."""
    return Debate(tuple(replace(a, name=str(k)) for k, a in enumerate(arguments, 1)))
