"""Estimate: a number in [0, 1] with its uncertainty, the only number that a stage feeds to the
score.

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
        """Summarise draws [n] of a quantity, in the quantity's unit.

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

    >>> Estimate.proportion(41, 42).interval(0.9)[0] > 0.9
    True
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
        """`hits` of `total` decided cases, and `unknown` further ones that nobody could decide.

        The decided share has Jeffreys' Beta(hits + ½, total − hits + ½); the share of hits among
        the unknown ones is uniform, so that they widen the estimate and do not move it to a side.
        """
        if not 0 <= hits <= total or unknown < 0:
            raise ValueError(f"a proportion needs 0 <= hits <= total, got {hits} of {total}")
        return cls("proportion", (float(hits), float(total), float(unknown)))

    @classmethod
    def obligations(cls, discharged: float, refuted: float, unknown: float = 0) -> Estimate:
        """Statements that must all hold: the share of a proportion, halved by each refuted one.

        One wrong statement of a hundred is no small fault of a record: it is the sign that
        somebody's hand or a defect was in it, and the others are worth less for it.

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
        """A normal distribution cut to [0, 1]; the mean must lie inside, `sd` >= 0."""
        if not 0 <= mean <= 1 or not sd >= 0:
            raise ValueError(f"an estimate lies in [0, 1] with sd >= 0, got {mean} with sd {sd}")
        return cls("normal", (float(mean), float(sd)))

    @classmethod
    def beta(cls, a: float, b: float) -> Estimate:
        """Beta(a, b), both > 0."""
        if not (a > 0 and b > 0):
            raise ValueError(f"Beta needs two positive shapes, got {a} and {b}")
        return cls("beta", (float(a), float(b)))

    @classmethod
    def draws(cls, values: ArrayLike) -> Estimate:
        """The distribution that `values` [n] were drawn from, each in [0, 1]."""
        drawn = np.asarray(values, dtype=np.float64).ravel()
        if drawn.size == 0 or not np.all((drawn >= 0) & (drawn <= 1)):
            raise ValueError("draws of an estimate are numbers in [0, 1], at least one of them")
        nodes = np.quantile(drawn, np.linspace(0, 1, _NODES))
        return cls("quantiles", tuple(float(q) for q in nodes))

    @classmethod
    def exactly(cls, value: float) -> Estimate:
        """A value that is known."""
        return cls.normal(value, 0.0)

    @classmethod
    def ignorance(cls) -> Estimate:
        """A term that nobody measured: median .1, the whole of [0, 1] possible."""
        return cls.beta(_IGNORANCE_SHAPE, 1.0)

    @classmethod
    def pooled(cls, estimates: Iterable[Estimate]) -> Estimate:
        """One term fed by several stages: counts add up; other distributions are mixed equally."""
        parts = list(estimates)
        if len(parts) == 1:
            return parts[0]
        for kind in _COUNTS:
            if parts and all(part.kind == kind for part in parts):
                return cls(kind, tuple(map(sum, zip(*(p.parameters for p in parts), strict=True))))
        grid = _midpoints(DRAWS)
        return cls.draws(np.concatenate([part.quantile(grid) for part in parts]))

    def quantile(self, p: ArrayLike) -> Floats:
        """Quantiles [...] at the probabilities `p` [...]."""
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
        """The draws [DRAWS] that stand for the term `name` in every formula."""
        order = np.random.default_rng(zlib.crc32(name.encode())).permutation(DRAWS)
        return self.quantile(_midpoints(DRAWS))[order]

    def widened(self, factor: float) -> Estimate:
        """Every draw `factor` times as far from the median, cut to [0, 1]."""
        values = self.quantile(_midpoints(DRAWS))
        middle = float(np.median(values))
        return Estimate.draws(np.clip(middle + factor * (values - middle), 0, 1))

    def with_heavier_tails(self, factor: float) -> Estimate:
        """The quantile Φ(factor·Φ⁻¹(p)) in place of p: the same draws and median, more at the ends.

        A normal distribution gets `factor` times its deviation; one that has nearly all its mass in
        a point gets more of it elsewhere, which no stretching can do.
        """
        from scipy.special import ndtr, ndtri

        grid = _midpoints(DRAWS)
        return Estimate.draws(self.quantile(np.clip(ndtr(factor * ndtri(grid)), grid[0], grid[-1])))

    @property
    def decided(self) -> float | None:
        """Number of decided cases that it counts; None where it counts none."""
        if self.kind == "obligations":
            return self.parameters[0] + self.parameters[1]
        return self.parameters[1] if self.kind == "proportion" else None

    @property
    def undecided(self) -> float:
        """Number of undecided obligations that it counts."""
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
        """The central credible interval that holds `level` of the probability."""
        low, high = self.quantile(np.array([(1 - level) / 2, (1 + level) / 2]))
        return float(low), float(high)


def _midpoints(n: int) -> Floats:
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
