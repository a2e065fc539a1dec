"""Courses of past runs: until when each was good, and where its samples were best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcc.health.definitions import smooth
from dlcc.past_runs.store import FRACTIONS, Library
from dlcc.typing import Floats

KNOWN_AT = (*FRACTIONS[:3], 0.75, 1.0)
"""Shares of the length at which it is known of every past run whether it had failed."""
_IN_LENGTH = 40  # sample steps of traces that lie within the configured length
_HALF_OF_20, _HALF_OF_10 = 0.025, 0.05  # half a sample step, of those in a half and in a quarter


@dataclass(frozen=True)
class Courses:
    """Courses of n past runs.

    >>> from dlcc.past_runs import shipped_library
    >>> courses = Courses.of(shipped_library().in_features)
    >>> courses.lasting.shape[1], bool(np.isfinite(courses.best).all())
    (5, True)
    """

    lasting: Floats
    """Whether a good sample step was still to come after each of `KNOWN_AT`, 1 or 0; the last is
    whether the run ended healthy, [n, 5]."""
    best: Floats
    """Best sample step as a share of the length, [n]; NaN without traces."""

    @classmethod
    def of(cls, library: Library) -> Courses:
        """Collect the courses of a library's runs."""
        best = np.full(len(library), np.nan)
        traces = library.traces[:, :_IN_LENGTH]
        for run in np.flatnonzero(np.isfinite(traces[:, :, :2]).all(axis=(1, 2))):
            best[run] = best_of(traces[run])
        return cls(still_good(library), best)


def still_good(library: Library) -> Floats:
    """Tell whether a good sample step was still to come in each past run.

    Quarters after the fractions and the second half are what libraries know of every run; what is
    after three quarters follows from both.

    Args:
        library: Past runs, n of them.

    Returns:
        1 or 0 after 10, 20, 50 and 75 % of the length, and whether it ended healthy, [n, 5]; rows
        do not rise.
    """
    quarters, half = library.next_quarter, library.stability
    healthy = library.labels == library.label_names.index("healthy")
    last = np.where(half > 0, 2 * half - quarters[:, 2], 0.0)
    lasting = np.zeros((len(library), len(KNOWN_AT)), dtype=np.bool_)
    lasting[:, 4] = healthy
    lasting[:, 3] = healthy | (last > _HALF_OF_10)
    lasting[:, 2] = lasting[:, 3] | (half > _HALF_OF_20) | (quarters[:, 2] > _HALF_OF_10)
    lasting[:, 1] = lasting[:, 2] | (quarters[:, 1] > _HALF_OF_10)
    lasting[:, 0] = lasting[:, 1] | (quarters[:, 0] > _HALF_OF_10)
    return lasting.astype(np.float64)


def best_of(trace: Floats) -> float:
    """Find the best sample step of a trace [c, 3], as a share of the length.

    It is where the Fréchet distance is least, or, where that is not known, coverage times quality
    is largest; each smoothed over three neighbours.
    """
    coverage, quality, distance = (smooth(trace[:, k]) for k in range(trace.shape[1]))
    finite = np.isfinite(distance)
    worth = np.where(finite, -distance, -np.inf) if finite.any() else coverage * quality
    return float((np.argmax(worth) + 1) / len(trace))
