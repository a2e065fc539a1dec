"""Rest of a training: when it is likely to fail, and where it is likely to be best.

Both come from past runs that count for a run as the forest weighs them. A training *fails* after
its last good sample step, unless it ends healthy; one that is never good has failed from the start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlcc.health.definitions import smooth
from dlcc.health.run_features import RunFeatures
from dlcc.health.samples import sample_figure
from dlcc.past_runs.courses import KNOWN_AT, Courses
from dlcc.typing import Floats

PARTS = 8
"""Number of equal parts that the rest of a training is told in."""
FEWEST_TRACED = 40
"""Fewest past runs with traces by which a best step is told."""
_LEAST_WEIGHT = 0.5  # share of the weight that past runs with traces have, for a best step
_BY_LIKENESS = 0.5
"""Share of a best step that alike past runs tell; of the rest all count the same, since on data
that past runs lack likeness misleads (benchmarks/course.py)."""
_ROUNDING = 1e-9  # a sample step at the edge of a part lies in the part that it ends


@dataclass(frozen=True)
class Hazard:
    """Risk that a training fails, over what is left of it."""

    failed: float
    """Probability that no good sample step comes any more."""
    parts: tuple[float, ...]
    """Probability that it fails in each of `PARTS` equal parts of the rest, if it has not before.
    One that lasts to the end but is not healthy there fails in the last part."""

    @property
    def lasting(self) -> tuple[float, ...]:
        """Probability that it has not failed, now and after each of the parts.

        >>> Hazard(0.2, (0.5, 0.0)).lasting
        (0.8, 0.4, 0.4)
        """
        left = (1 - self.failed) * np.cumprod([1.0, *(1 - p for p in self.parts)])
        return tuple(float(p) for p in left)


@dataclass(frozen=True)
class BestStep:
    """Sample step at which the samples of a training are expected to be best."""

    behind: float
    """Probability that they have been best already."""
    parts: tuple[float, ...]
    """Probability that they are best in each of `PARTS` equal parts of the rest."""
    past_runs: int
    """Number of past runs with traces that it comes from."""


def hazard(courses: Courses, weights: Floats, seen: float) -> Hazard | None:
    """Tell when a run is likely to fail.

    Args:
        courses: Courses of past runs.
        weights: How much each counts for the run, [n], of sum 1.
        seen: Share of its configured length that the run has, 0 to 1.

    Returns:
        Risk over the rest by discrete-time hazards; None for a whole record.

    >>> from dlcc.past_runs import shipped_library
    >>> past = shipped_library()
    >>> found = hazard(Courses.of(past), np.full(len(past), 1 / len(past)), seen=0.2)
    >>> len(found.parts), found.lasting[-1] < found.lasting[0] < 1
    (8, True)
    """
    if seen >= 1:
        return None
    times = np.linspace(seen, 1.0, PARTS + 1)
    return hazard_of(np.interp(times, KNOWN_AT, weights @ courses.lasting))


def hazard_of(lasting: Floats) -> Hazard:
    """Make hazards of probabilities [parts + 1] that a run has not failed, which do not rise.

    >>> hazard_of(np.array([0.8, 0.4, 0.4]))
    Hazard(failed=0.2, parts=(0.5, 0.0))
    """
    before = np.maximum(lasting[:-1], 1e-12)
    parts = np.clip((lasting[:-1] - lasting[1:]) / before, 0, 1)
    return Hazard(
        round(max(0.0, float(1 - lasting[0])), 12), tuple(round(float(p), 12) for p in parts)
    )


def best_step(courses: Courses, weights: Floats, seen: float) -> BestStep | None:
    """Tell where the samples of a run are likely to be best.

    Args:
        courses: Courses of past runs.
        weights: How much each counts for the run, [n], of sum 1.
        seen: Share of its configured length that the run has, 0 to 1.

    Returns:
        Probability that the best sample step is behind, and of each part of the rest; None for a
        whole record, and where past runs with traces are fewer than `FEWEST_TRACED` or count for
        less than a half.

    >>> from dlcc.past_runs import shipped_library
    >>> alike = shipped_library().in_features
    >>> found = best_step(Courses.of(alike), np.full(len(alike), 1 / len(alike)), seen=0.5)
    >>> 0 < found.behind < 0.3, round(found.behind + sum(found.parts), 6)
    (True, 1.0)
    """
    traced = np.isfinite(courses.best)
    weight = float(weights[traced].sum())
    if seen >= 1 or traced.sum() < FEWEST_TRACED or weight < _LEAST_WEIGHT:
        return None
    edges = [-math.inf, *np.linspace(seen, 1.0, PARTS + 1)[:-1], math.inf]
    best, number = courses.best[traced] - _ROUNDING, int(traced.sum())
    share = _BY_LIKENESS * weights[traced] / weight + (1 - _BY_LIKENESS) / number
    behind, *parts = (float(p) for p in np.histogram(best, edges, weights=share)[0])
    return BestStep(behind, tuple(parts), number)


def best_so_far(features: RunFeatures) -> int | None:
    """Find the sample step at which a run's samples were nearest to the training data so far.

    Args:
        features: Features of the run as far as it is looked at.

    Returns:
        Step of the least Fréchet distance, smoothed over three neighbours; None without samples.
    """
    if features.curves.samples is None:
        return None
    distance = smooth(sample_figure(features.curves.samples, "frechet"))
    return int(features.steps[int(np.argmin(distance))])
