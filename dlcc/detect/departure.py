"""Departure of a series from its course: when a fault began that is only seen later."""

from __future__ import annotations

import numpy as np

from dlcc.typing import Floats

_BACK = 0.4  # of the rows: how far before its sign a fault may have begun
_FEWEST = 8
_BETTER = 0.5  # of the squared residuals of one line that the broken one leaves at most
_MOST = 400
_ROUNDING = 1e-12  # of the squared deviations: what a line leaves of values that lie on it


def departure(values: Floats, at: int) -> int:
    """Find the row at which the course that led past a mark began.

    A loss crosses a mark some time after its cause, as a discriminator wins some hundred steps
    after the generator stopped. Over the rows before the crossing, a line with one break is fitted
    for each place of the break; the best one is the departure, where it fits much better than a
    line without a break.

    Args:
        values: Values [n] in the order of steps, finite.
        at: Row at which the mark is crossed.

    Returns:
        Row of the departure, at most `at`; `at` itself where no break is seen.

    >>> departure(np.r_[np.ones(60), 1 - 0.02 * np.arange(40.0)], at=99) in range(57, 63)
    True
    """
    first = max(0, at - round(_BACK * len(values)))
    window = np.arange(first, at + 1)
    if len(window) < _FEWEST:
        return at
    window = window[:: max(1, len(window) // _MOST)]
    y, t = values[window], (window - first) / max(1, at - first)
    straight = _residual(np.stack((np.ones_like(t), t), axis=1), y)
    if straight <= _ROUNDING * float(((y - y.mean()) ** 2).sum()):
        return at  # a line but for rounding: what a break would leave of that says nothing
    best, where = np.inf, at
    for place in range(2, len(window) - 1):
        bent = np.stack((np.ones_like(t), t, np.maximum(0, t - t[place])), axis=1)
        left = _residual(bent, y)
        if left < best:
            best, where = left, int(window[place])
    return where if best < _BETTER * straight else at


def _residual(columns: Floats, y: Floats) -> float:
    """Sum of squares that a least squares fit leaves."""
    fitted = columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    return float(((y - fitted) ** 2).sum())
