"""Since when: the first step of the bad stretch that lasts to the end of the record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Onset:
    """When the final unbroken bad stretch began."""

    step: int
    low: int
    high: int
    """The 90 % interval; no finer than the checkpoints."""


def find_onset(steps: NDArray[np.int64], good: Floats) -> Onset | None:
    """From P(good) [c] at the steps [c]; None where the end is good or nothing ever was.

    The last good checkpoint is j with probability good[j]·Π(1 − good[later]): the onset is the one
    after it. Neighbouring checkpoints share what makes them hard to tell, so the probabilities are
    kept away from 0 and 1 before they are multiplied.
    """
    p = np.clip(good, 0.02, 0.98)
    later_bad = np.append(np.cumprod((1 - p)[::-1])[::-1][1:], 1.0)
    last_good = p * later_bad
    never = float(np.prod(1 - p))
    still_good = float(last_good[-1])
    begins = last_good[:-1]
    if begins.sum() <= max(never, still_good) or begins.sum() == 0:
        return None
    share = np.cumsum(begins) / begins.sum()
    at = [int(np.searchsorted(share, q)) + 1 for q in (0.05, 0.5, 0.95)]
    low, middle, high = (int(steps[min(i, len(steps) - 1)]) for i in at)
    before = int(steps[max(0, at[0] - 1)])
    return Onset(middle, min(before, low), high)
