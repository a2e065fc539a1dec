"""Recursive correction: spreads that are too narrow are widened, and V is computed again.

A spread is too narrow if past runs show that its interval misses what came too often, or if it
breaks an axiom of spreads. Only spreads are corrected, never where a term lies: that is the
evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dlcc.estimate import Estimate
from dlcc.past_runs.store import Library
from dlcc.scoring.value import Value

MOST_ROUNDS = 10
LEAST_COVERAGE = 0.85
"""Share of groups that must lie in their 90 % interval; chance may take the other .05."""
_FEWEST_ROWS = 40
_MOST_GROUPS, _FEWEST_IN_GROUP = 20, 20
_STEP = 1.25  # by which the tails of a spread that breaks an axiom are made heavier in a round
_NORMAL_90 = 1.6448536  # deviations on either side that hold 90 % of a normal distribution
_LEAST_SD = 0.01
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Widening:
    """Change of the spread of one term."""

    spread: float = 1.0
    """Factor on the distance of draws from the median."""
    tails: float = 1.0
    """Factor on normal scores: above 1 the tails get more weight."""

    def __call__(self, estimate: Estimate) -> Estimate:
        """Widen an estimate."""
        if self.spread != 1:
            estimate = estimate.widened(self.spread)
        return estimate if self.tails == 1 else estimate.with_heavier_tails(self.tails)

    def and_then(self, other: Widening) -> Widening:
        """Combine two widenings, this one first."""
        return Widening(self.spread * other.spread, self.tails * other.tails)

    @property
    def factor(self) -> float:
        """Factor by which a normal distribution is widened in all."""
        return self.spread * self.tails


AS_IT_IS = Widening()
"""Widening that changes nothing."""


@dataclass(frozen=True)
class Coverage:
    """Coverage of impact's 90 % interval among past runs."""

    rows: int
    """Number of past runs with an impact term and a known outcome."""
    inside: float
    """Share of groups of past runs in which on average what was expected came."""
    factor: float
    """Factor by which the spread must be widened; 1 where enough were inside."""


@dataclass(frozen=True)
class Round:
    """One round of the correction."""

    widened: Mapping[str, Widening]
    """Term -> its widening in this round."""
    moved: float
    """Change of V's mean in this round, in units of V."""
    spread: float
    """Standard deviation of V after the round."""


@dataclass(frozen=True)
class Correction:
    """Rounds of the correction, until V moved by less than its own spread."""

    rounds: tuple[Round, ...]
    """Rounds in their order."""
    coverage: Coverage | None
    """Coverage of impact's interval; None where the library cannot tell."""

    @property
    def factors(self) -> dict[str, float]:
        """Term -> factor by which its spread was widened over all rounds."""
        total: dict[str, float] = {}
        for one in self.rounds:
            for name, widening in one.widened.items():
                total[name] = total.get(name, 1.0) * widening.factor
        return total


def impact_coverage(library: Library | None) -> Coverage | None:
    """Measure how often the share that the impact of past runs let one expect, out of fold, came.

    The term is the expectation of a share, so what counts is what came on average, of groups of
    past runs that expected about the same. The factor is the 85 % quantile of |what came - what was
    expected| in units of both errors, over 1.645, and at least 1: with it, 85 % of the groups lie
    in their 90 % interval. None where fewer than 40 past runs have both.
    """
    if library is None:
        return None
    mean, sd = library.term("impact").T
    came = library.next_quarter[:, -1]
    rows = library.true_record & np.isfinite(mean) & np.isfinite(sd) & np.isfinite(came)
    if rows.sum() < _FEWEST_ROWS:
        return None
    order = np.flatnonzero(rows)[np.argsort(mean[rows], kind="stable")]
    groups = np.array_split(order, min(_MOST_GROUPS, len(order) // _FEWEST_IN_GROUP))
    off = np.array([abs(float(came[g].mean() - mean[g].mean())) for g in groups])
    error = np.array(
        [np.hypot(max(sd[g].mean(), _LEAST_SD), came[g].std() / np.sqrt(len(g))) for g in groups]
    )
    inside = float((off / error <= _NORMAL_90).mean())
    needed = float(np.quantile(off / error, LEAST_COVERAGE)) / _NORMAL_90
    return Coverage(int(rows.sum()), inside, max(1.0, needed))


def too_narrow(value: Value) -> list[str]:
    """Name the terms whose mean lies outside their own 90 % interval; all terms where V's does."""
    whole = value.value
    if not whole.low - _ROUNDING <= whole.mean <= whole.high + _ROUNDING:
        return [term.name for term in value.terms]
    return [
        term.name
        for term in value.terms
        if not (term.number.low - _ROUNDING <= term.number.mean <= term.number.high + _ROUNDING)
    ]


def corrected(
    compute: Callable[[Mapping[str, Widening]], Value], coverage: Coverage | None
) -> tuple[Value, Correction]:
    """Correct V by widening terms; returns V and the rounds.

    `compute` gives V under widenings of its terms.
    """
    done: dict[str, Widening] = {}
    value = compute(done)
    rounds: list[Round] = []
    for number in range(MOST_ROUNDS):
        step = dict.fromkeys(too_narrow(value), Widening(tails=_STEP))
        if number == 0 and coverage is not None and coverage.factor > 1:
            tails = step.get("impact", AS_IT_IS)
            step["impact"] = tails.and_then(Widening(spread=coverage.factor))
        done |= {name: done.get(name, AS_IT_IS).and_then(more) for name, more in step.items()}
        after = compute(done) if step else value
        spread = float(after.draws.std())
        moved = abs(float(after.draws.mean() - value.draws.mean()))
        value = after
        rounds.append(Round(step, moved, spread))
        if not step or (moved < spread and not too_narrow(value)):
            break
    return value, Correction(tuple(rounds), coverage)
