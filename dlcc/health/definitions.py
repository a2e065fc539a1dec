"""Definitions of the labels, what collapsed, oscillating, healthy and untrained mean.

They are stated of coverage and quality over time, whoever measured these: `dlcc.recipes.truth`
against the known modes of its data, `dlcc.health.curves` against the training data that a run
names. A kind says where its losses and gradients count as diverged (`TrainingKind.fault_above`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from dlcc.typing import Floats


class _Sliceable(Protocol):
    """Sequence or array that can be sliced."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> Any: ...


T = TypeVar("T", bound=_Sliceable)

REACHED_SHARE = 0.2
"""Share of its expected samples with which a mode or region counts as reached."""
OSCILLATING_SWING = 0.13
"""Deviation of coverage or quality around their trend, over the second half, above which a
training oscillates."""
COLLAPSED_COVERAGE = 0.5
"""Mean coverage of the last four sample steps below which a training has collapsed."""
HEALTHY_SHARE = 0.8
"""Share of good sample steps in the last quarter from which on a training is healthy.

The labels of the shipped past runs were made with it: after a change, build them anew."""

_HALF_A_SAMPLE_STEP = 0.05  # of the ten in the last quarter: a mark of 8 parts 7 from 8
_FOLLOWS_NOISE = 0.9  # of white noise a curve that rises or falls leaves so much of a line's
_ROUNDING = 1e-6
_RISES, _FEWEST_TO_RISE = 0.7, 5  # rank correlation with time, and steps for it to be told
# Scales of logistic errors, of the deviations between records and truth: sd = π/√3·scale
_SWING_ERROR, _COVERAGE_ERROR, _SHARE_ERROR = 0.01, 0.03, 0.03


def sample_steps(length: int, number: int, until: float = 1.0) -> list[int]:
    """Steps before which a training of `length` steps is sampled.

    There are `number` in the length, equally spaced, the last at its end, and as many more as it
    takes to go on to `until` times the length.

    >>> sample_steps(100, 4, until=1.25)
    [25, 50, 75, 100, 125]
    """
    return [length * k // number for k in range(1, round(number * until) + 1)]


def second_half(values: T) -> T:
    """Values from the middle on, in which a training may oscillate."""
    part: T = values[len(values) // 2 :]
    return part


def last_quarter(values: T) -> T:
    """Last quarter of values, at least one, in which a training is healthy or not."""
    part: T = values[-max(1, len(values) // 4) :]
    return part


def last_fifth(values: T) -> T:
    """Last fifth of values, at least one, in which a training has diverged or not."""
    part: T = values[-max(1, len(values) // 5) :]
    return part


def last_four(values: T) -> T:
    """Last four values, over which coverage tells a collapse."""
    part: T = values[-4:]
    return part


def smooth(values: Floats) -> Floats:
    """Mean over three neighbours along the first axis; over those that are there at the ends.

    Args:
        values: [n, ...].

    Returns:
        [n, ...]

    >>> smooth(np.array([0.0, 3.0, 6.0])).tolist()
    [1.5, 3.0, 4.5]
    """
    sums = values.copy()
    sums[1:] += values[:-1]
    sums[:-1] += values[1:]
    counts = np.full(len(values), 3.0)
    counts[[0, -1]] = 2.0 if len(values) > 1 else 1.0
    return np.asarray(sums / counts.reshape(-1, *[1] * (values.ndim - 1)))


def deviation_from_trend(values: Floats) -> float:
    """Standard deviation around the least-squares line of the finite values.

    Args:
        values: [n], equally spaced.

    Returns:
        The deviation, in the values' unit; 0 for fewer than three that are finite.

    >>> round(deviation_from_trend(np.array([0.0, 1.0, 2.0, 3.0])), 12)
    0.0
    """
    at = np.flatnonzero(np.isfinite(values))
    if len(at) < 3:
        return 0.0
    slope, level = np.polyfit(at, values[at], 1)
    return float(np.std(values[at] - slope * at - level))


def swing(coverage: Floats, quality: Floats) -> float:
    """Deviation around the trend in the second half, the larger of coverage's and quality's [n]."""
    return max(
        deviation_from_trend(second_half(coverage)), deviation_from_trend(second_half(quality))
    )


def swing_around_bend(coverage: Floats, quality: Floats) -> float:
    """Deviation around a trend that may bend, in the second half; the larger of both figures'.

    A late rise that lasts is no oscillation: where a curve that only rises, or only falls, fits
    better than a line, what is left around it counts.

    Args:
        coverage: Coverage at sample steps, [n].
        quality: Quality at them, [n].

    Returns:
        The deviation, at most that of `swing`.

    >>> late = np.r_[np.zeros(14), np.ones(6)]
    >>> swing_around_bend(np.tile(late, 2), np.zeros(40))
    0.0
    """
    return max(_around_bend(second_half(coverage)), _around_bend(second_half(quality)))


def _around_bend(values: Floats) -> float:
    from scipy.optimize import isotonic_regression  # slow to import, and most of dlcc imports this

    finite = values[np.isfinite(values)]
    line = deviation_from_trend(values)
    if len(finite) < 3:
        return line
    fits = (isotonic_regression(finite, increasing=rising).x for rising in (True, False))
    left = min(float(np.std(finite - fit)) for fit in fits)
    return min(line, left / _FOLLOWS_NOISE)


def is_untrained(good: Floats, progress: Floats) -> bool:
    """Tell whether a training never was good and still improves at its end.

    Args:
        good: P(good) at sample steps, [n].
        progress: Figure of the samples that rises as they get better, at the same steps [n].

    Returns:
        True where no step is more likely good than not, and `progress` rises over the second half
        by more than chance would have it: a rank correlation with time from .7 on.

    >>> is_untrained(np.zeros(12), np.linspace(0, 1, 12)), is_untrained(np.zeros(12), np.ones(12))
    (True, False)
    """
    late = second_half(progress)
    if len(late) < _FEWEST_TO_RISE or not np.isfinite(late).all() or float(good.max()) >= 0.5:
        return False
    if np.ptp(late) < _ROUNDING:
        return False
    ranks = np.argsort(np.argsort(late, kind="stable"))
    return float(np.corrcoef(ranks, np.arange(len(late)))[0, 1]) >= _RISES


def is_diverged(*, finite: bool, levels: Mapping[str, float], bounds: Mapping[str, float]) -> bool:
    """Tell whether a training has diverged (docs/health.md).

    Args:
        finite: Whether everything that it recorded is finite.
        levels: Name of a size to its level over the last fifth, as of `last_fifth`; on any scale.
        bounds: The same names to the levels above which a training has diverged, on that scale.

    Returns:
        Whether something is not finite, or a level is above its bound.

    >>> is_diverged(finite=True, levels={"loss": 2.0}, bounds={"loss": 1e3})
    False
    """
    return not finite or any(level > bounds[name] for name, level in levels.items())


def label_of(*, diverged: bool, swing: float, coverage: float, good_share: float) -> str:
    """Name the label of a training, the first that fits (docs/health.md).

    Args:
        diverged: Whether something is not finite or out of all bounds.
        swing: Deviation of coverage or quality around their trend, over the second half, at least
            0; a training oscillates above `OSCILLATING_SWING`.
        coverage: Mean coverage of the last four sample steps, in [0, 1]; a training has collapsed
            below `COLLAPSED_COVERAGE`.
        good_share: Share of good sample steps in the last quarter, in [0, 1]; a training is healthy
            from `HEALTHY_SHARE` on, else weak.

    Returns:
        "diverged", "oscillating", "collapsed", "healthy" or "weak".

    >>> label_of(diverged=False, swing=0.02, coverage=0.9, good_share=1.0)
    'healthy'
    >>> label_of(diverged=False, swing=0.02, coverage=0.3, good_share=0.0)
    'collapsed'
    """
    if diverged:
        return "diverged"
    if swing > OSCILLATING_SWING:
        return "oscillating"
    if coverage < COLLAPSED_COVERAGE:
        return "collapsed"
    return "healthy" if good_share >= HEALTHY_SHARE else "weak"


def label_probabilities(
    *, diverged: float, swing: float, coverage: float, good_share: float, shrunk: bool
) -> Mapping[str, float]:
    """Probability of each label of `label_of`, where its figures are estimates with errors.

    Args:
        diverged: 1 or 0.
        swing: As in `label_of`, as the next two.
        coverage: Mean of the last four sample steps.
        good_share: Mean of P(good) in the last quarter.
        shrunk: Whether samples shrank to a point: they have collapsed, whatever becomes of it.

    Returns:
        Label to probability; they sum to 1.
    """
    swings = 0.0 if shrunk else _above(swing, OSCILLATING_SWING, _SWING_ERROR)
    lost = 1.0 if shrunk else _above(COLLAPSED_COVERAGE, coverage, _COVERAGE_ERROR)
    sound = _above(good_share, HEALTHY_SHARE - _HALF_A_SAMPLE_STEP, _SHARE_ERROR)
    rest = (1 - diverged) * (1 - swings) * (1 - lost)
    return {
        "healthy": rest * sound,
        "weak": rest * (1 - sound),
        "oscillating": (1 - diverged) * swings,
        "collapsed": (1 - diverged) * (1 - swings) * lost,
        "diverged": diverged,
    }


def _above(value: float, mark: float, error: float) -> float:
    """Probability that a value exceeds a mark, for a value measured with a logistic error."""
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, (value - mark) / error))))
