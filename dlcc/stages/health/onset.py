"""Onset: the first step of the bad stretch that lasts to the end of the record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.typing import Floats

_LEAST = 0.001  # no sample step is surer than this of being good, or of being bad
_LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Onset:
    """Beginning of the final unbroken bad stretch."""

    step: int
    """Median of the onset, as a step."""
    low: int
    """First step of the 90 % interval, which is no finer than the sample steps."""
    high: int
    """Last step of the 90 % interval."""


def find_onset(steps: NDArray[np.int64], good: Floats) -> Onset | None:
    """Find the onset from P(good) [c] at the steps [c]; None where the end is good or nothing is.

    The last good sample step is j with probability good[j]·Π(1 − good[later]), and the onset is the
    sample step after it. There is none where j is the last sample step, or where no sample step is
    good; the most probable of the three cases is taken.
    """
    p = np.clip(good, _LEAST, 1 - _LEAST)
    later_bad = np.append(np.cumprod((1 - p)[::-1])[::-1][1:], 1.0)
    *begins, still_good = p * later_bad
    never_good = np.prod(1 - p)
    if sum(begins) <= max(never_good, still_good):
        return None
    share = np.cumsum(begins) / sum(begins)
    low, middle, high = (int(steps[np.searchsorted(share, level) + 1]) for level in _LEVELS)
    return Onset(middle, low, high)
