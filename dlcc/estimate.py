"""Estimate: a number in [0, 1] with its uncertainty, all that a stage feeds to the score.

An `Estimate` is a distribution, not a number with a decoration. It is carried through every
formula as `DRAWS` values at fixed quantiles, shuffled by the name of the term that they belong to:
the same term always meets the same permutation, two terms meet independent ones, and nothing
depends on the run or on other stages.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dlcc.typing import Floats

DRAWS = 4096
_NODES = 257  # quantiles that a distribution given by draws is kept as

Kind = Literal["beta", "proportion", "obligations", "normal", "quantiles"]
_COUNTS: tuple[Kind, ...] = ("proportion", "obligations")

# Median at the 10 % quantile of the uniform, mass everywhere: leaving evidence out does not pay.
_IGNORANCE_SHAPE = math.log(0.5) / math.log(0.1)


@dataclass(frozen=True)
class Number:
    """Mean of a quantity with its central 90 % interval: what reports show of a distribution."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Floats) -> Number:
        """Summarise draws of a quantity.

        Args:
            draws: Draws [n] of the quantity, in its unit.

        Returns:
            Mean, 5 % and 95 % quantile, in the quantity's unit.

        >>> Number.of(np.arange(101.0))
        Number(mean=50.0, low=5.0, high=95.0)
        """
        low, high = np.quantile(draws, [0.05, 0.95])
        return cls(float(np.mean(draws)), float(low), float(high))


@dataclass(frozen=True)
class Estimate:
    """Distribution of a quantity on [0, 1]; 1 is best.

    Made by `proportion`, `obligations`, `normal`, `beta`, `draws`, `exactly` or `ignorance`; not by
    its fields.

    >>> estimate = Estimate.proportion(41, 42)
    >>> round(estimate.mean, 2), [round(end, 2) for end in estimate.interval(0.9)]
    (0.97, [0.91, 1.0])
    >>> estimate.quantile([0.1, 0.5, 0.9]).round(2).tolist()
    [0.93, 0.97, 0.99]
    >>> estimate.sample("logic").shape  # the draws that stand for this term in every formula
    (4096,)
    """

    kind: Kind
    parameters: tuple[float, ...]
    """Parameters by family.

    beta: a, b; proportion: hits, total, unknown; obligations: discharged, refuted, unknown;
    normal: mean, sd; quantiles: ascending.
    """

    def __post_init__(self) -> None:
        if any(not math.isfinite(p) for p in self.parameters):
            raise ValueError(
                f"an estimate needs finite numbers, got {self.kind} with {self.parameters[:4]}; "
                "raise NotApplicable where there is nothing to estimate"
            )

    @classmethod
    def proportion(cls, hits: float, total: float, unknown: float = 0) -> Estimate:
        """Estimate a share from counts, some of which nobody could decide.

        The decided share has Jeffreys' Beta(hits + ½, total − hits + ½); the share of hits among
        the unknown ones is uniform, so that they widen the estimate and do not move it to a side.

        Args:
            hits: Number of decided cases that hold.
            total: Number of decided cases.
            unknown: Number of further cases that nobody could decide.

        Returns:
            Estimate of the share of hits among all cases.

        Raises:
            ValueError: `hits` is not in [0, `total`], or `unknown` is negative.

        >>> [round(end, 2) for end in Estimate.proportion(30, 40).interval()]
        [0.63, 0.85]
        >>> [round(end, 2) for end in Estimate.proportion(30, 40, unknown=40).interval()]
        [0.39, 0.85]
        """
        if not 0 <= hits <= total or unknown < 0:
            raise ValueError(f"a proportion needs 0 <= hits <= total, got {hits} of {total}")
        return cls("proportion", (float(hits), float(total), float(unknown)))

    @classmethod
    def obligations(cls, discharged: float, refuted: float, unknown: float = 0) -> Estimate:
        """Estimate how far statements hold that must all hold: each refuted one halves the share.

        One wrong statement of a hundred is no small fault of a record: it is the sign that
        somebody's hand or a defect was in it, and the others are worth less for it.

        Args:
            discharged: Number of statements that hold.
            refuted: Number of statements that do not hold.
            unknown: Number of statements that nobody could decide.

        Returns:
            Estimate of the share, as of `proportion`, times 2^−refuted.

        Raises:
            ValueError: A count is negative.

        >>> round(Estimate.obligations(133, 1).mean, 2)
        0.49
        """
        if not (discharged >= 0 and refuted >= 0 and unknown >= 0):
            raise ValueError(
                f"an estimate of obligations needs counts, got {discharged}, {refuted}, {unknown}"
            )
        return cls("obligations", (float(discharged), float(refuted), float(unknown)))

    @classmethod
    def normal(cls, mean: float, sd: float) -> Estimate:
        """Make a normal distribution cut to [0, 1].

        Args:
            mean: Mean before the cut, in [0, 1].
            sd: Standard deviation before the cut, at least 0.

        Returns:
            Estimate with this distribution.

        Raises:
            ValueError: `mean` or `sd` is out of its range.

        >>> [round(end, 2) for end in Estimate.normal(0.5, 0.1).interval(0.9)]
        [0.34, 0.66]
        """
        if not 0 <= mean <= 1 or not sd >= 0:
            raise ValueError(f"an estimate lies in [0, 1] with sd >= 0, got {mean} with sd {sd}")
        return cls("normal", (float(mean), float(sd)))

    @classmethod
    def beta(cls, a: float, b: float) -> Estimate:
        """Make the distribution Beta(a, b), with mean a / (a + b).

        Args:
            a: First shape, above 0.
            b: Second shape, above 0.

        Returns:
            Estimate with this distribution.

        Raises:
            ValueError: A shape is not above 0.

        >>> round(Estimate.beta(3, 1).mean, 2)
        0.75
        """
        if not (a > 0 and b > 0):
            raise ValueError(f"Beta needs two positive shapes, got {a} and {b}")
        return cls("beta", (float(a), float(b)))

    @classmethod
    def draws(cls, values: ArrayLike) -> Estimate:
        """Make the distribution that values were drawn from.

        Args:
            values: Draws [n], each in [0, 1], at least one.

        Returns:
            Estimate kept as 257 quantiles of the draws.

        Raises:
            ValueError: There are no values, or one is out of [0, 1].

        >>> Estimate.draws([0.2, 0.4, 0.6]).quantile(0.5).item()
        0.4
        """
        drawn = np.asarray(values, dtype=np.float64).ravel()
        if drawn.size == 0 or not np.all((drawn >= 0) & (drawn <= 1)):
            raise ValueError("draws of an estimate are numbers in [0, 1], at least one of them")
        nodes = np.quantile(drawn, np.linspace(0, 1, _NODES))
        return cls("quantiles", tuple(float(q) for q in nodes))

    @classmethod
    def exactly(cls, value: float) -> Estimate:
        """Make an estimate of a value that is known.

        Args:
            value: Value in [0, 1].

        Returns:
            Estimate with all its mass at the value.

        Raises:
            ValueError: The value is out of [0, 1].

        >>> Estimate.exactly(0.25).interval()
        (0.25, 0.25)
        """
        return cls.normal(value, 0.0)

    @classmethod
    def ignorance(cls) -> Estimate:
        """Make the estimate of a term that nobody measured: median 0.1, all of [0, 1] possible.

        Returns:
            Beta distribution that is low, so that leaving evidence out does not pay.

        >>> round(Estimate.ignorance().quantile(0.5).item(), 3)
        0.1
        """
        return cls.beta(_IGNORANCE_SHAPE, 1.0)

    @classmethod
    def pooled(cls, estimates: Iterable[Estimate]) -> Estimate:
        """Combine the estimates of one term that several stages fed.

        Counts add up; other distributions are mixed equally.

        Args:
            estimates: Estimates of the term, at least one.

        Returns:
            Estimate of the term.

        Raises:
            ValueError: There are no estimates.

        >>> both = Estimate.pooled([Estimate.proportion(9, 10), Estimate.proportion(5, 10)])
        >>> both == Estimate.proportion(14, 20)
        True
        """
        parts = list(estimates)
        if len(parts) == 1:
            return parts[0]
        for kind in _COUNTS:
            if parts and all(part.kind == kind for part in parts):
                return cls(kind, tuple(map(sum, zip(*(p.parameters for p in parts), strict=True))))
        grid = _midpoints(DRAWS)
        return cls.draws(np.concatenate([part.quantile(grid) for part in parts]))

    def quantile(self, p: ArrayLike) -> Floats:
        """Compute quantiles.

        Args:
            p: Probabilities [...] in [0, 1].

        Returns:
            Quantiles [...] in [0, 1], of the shape of `p`.
        """
        from scipy import special  # a tenth of the time that scipy.stats takes to import

        at = np.asarray(p, dtype=np.float64)
        if self.kind == "beta":
            a, b = self.parameters
            return np.asarray(special.betaincinv(a, b, at), dtype=np.float64)
        if self.kind == "proportion":
            return _share_quantile(at, *self.parameters)
        if self.kind == "obligations":
            discharged, refuted, unknown = self.parameters
            share = _share_quantile(at, discharged, discharged + refuted, unknown)
            return np.asarray(share * 2.0**-refuted)
        if self.kind == "normal":
            mean, sd = self.parameters
            if sd == 0:
                return np.full(at.shape, mean)
            low, high = special.ndtr(-mean / sd), special.ndtr((1 - mean) / sd)
            cut = mean + sd * special.ndtri(low + at * (high - low))
            return np.clip(np.asarray(cut, dtype=np.float64), 0.0, 1.0)
        return np.interp(at, np.linspace(0, 1, len(self.parameters)), self.parameters)

    def sample(self, name: str) -> Floats:
        """Draw the values that stand for a term in every formula.

        They are quantiles at fixed, equally spaced probabilities, permuted by the term's name.

        Args:
            name: Name of the term; the same name always gives the same permutation.

        Returns:
            Draws [4096] in [0, 1].
        """
        order = np.random.default_rng(zlib.crc32(name.encode())).permutation(DRAWS)
        return self.quantile(_midpoints(DRAWS))[order]

    def widened(self, factor: float) -> Estimate:
        """Widen the distribution: every draw lies farther from the median, cut to [0, 1].

        Args:
            factor: Factor on the distance of each draw from the median.

        Returns:
            Estimate with the same median.

        >>> estimate = Estimate.normal(0.5, 0.05)
        >>> low, high = estimate.widened(2).interval()
        >>> round(low, 2), round(high, 2)
        (0.34, 0.66)
        """
        values = self.quantile(_midpoints(DRAWS))
        middle = float(np.median(values))
        return Estimate.draws(np.clip(middle + factor * (values - middle), 0, 1))

    def with_heavier_tails(self, factor: float) -> Estimate:
        """Give the distribution heavier tails: the quantile Φ(factor·Φ⁻¹(p)) in place of p.

        The draws and the median stay, with more of them at the ends. A normal distribution gets
        `factor` times its deviation; one that has nearly all its mass in a point gets more of it
        elsewhere, which no stretching can do.

        Args:
            factor: Factor on the normal scale, above 1 for heavier tails.

        Returns:
            Estimate with the same median.

        >>> low, high = Estimate.normal(0.5, 0.05).with_heavier_tails(2).interval()
        >>> round(low, 2), round(high, 2)
        (0.34, 0.66)
        """
        from scipy.special import ndtr, ndtri

        grid = _midpoints(DRAWS)
        return Estimate.draws(self.quantile(np.clip(ndtr(factor * ndtri(grid)), grid[0], grid[-1])))

    @property
    def decided(self) -> float | None:
        """Number of decided cases that the estimate counts; None where it counts none."""
        if self.kind == "obligations":
            return self.parameters[0] + self.parameters[1]
        return self.parameters[1] if self.kind == "proportion" else None

    @property
    def undecided(self) -> float:
        """Number of undecided obligations that the estimate counts."""
        return self.parameters[2] if self.kind == "obligations" else 0.0

    @property
    def mean(self) -> float:
        """Expectation of the distribution."""
        return float(np.mean(self.quantile(_midpoints(DRAWS))))

    @property
    def number(self) -> Number:
        """Mean and 90 % interval."""
        return Number(self.mean, *self.interval(0.9))

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Compute the central credible interval.

        Args:
            level: Probability that the interval holds, in (0, 1).

        Returns:
            Lower and upper end, the quantiles (1 − level) / 2 and (1 + level) / 2.
        """
        low, high = self.quantile(np.array([(1 - level) / 2, (1 + level) / 2]))
        return float(low), float(high)


def _midpoints(n: int) -> Floats:
    """Probabilities [n] in the middle of n equal parts of [0, 1]."""
    return (np.arange(n, dtype=np.float64) + 0.5) / n


def _share_quantile(at: Floats, hits: float, total: float, unknown: float) -> Floats:
    """Quantiles of the share of hits among `total` decided and `unknown` further cases."""
    from scipy.special import betaincinv

    a, b = hits + 0.5, total - hits + 0.5
    if unknown == 0:
        return np.asarray(betaincinv(a, b, at), dtype=np.float64)
    decided = np.asarray(betaincinv(a, b, _midpoints(64)), dtype=np.float64)
    undecided = _midpoints(64)
    sums = (total * decided[:, None] + unknown * undecided[None, :]) / (total + unknown)
    return np.quantile(sums, at)
