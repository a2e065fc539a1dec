"""Budget of a controller: the share of a training's time that it may use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dlcc.errors import OptionError

GRACE = 2.0
"""Seconds of a training in which its controller may use what it needs, to warm up."""


class StepBudget:
    """Share of a training's time that a controller may use, and what it did use.

    What the clock says decides here, so that a training whose controller skips does not repeat to
    the bit; without a share nothing is ever skipped.

    Args:
        share: Largest share of the time, 0 to 1; None for no limit.
        clock: Clock in seconds.

    Raises:
        OptionError: The share is no number from 0 to 1.

    >>> now = iter([0.0, 0.0, 3.0, 10.0, 10.0])
    >>> budget = StepBudget(0.1, clock=lambda: next(now))
    >>> with budget.spending():
    ...     pass  # three seconds
    >>> budget.is_spent(), round(budget.share_used(), 2)  # of ten
    (True, 0.3)
    """

    def __init__(
        self, share: float | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        if share is not None and not 0 <= share <= 1:
            raise OptionError(
                f"control: budget is {share}; give the share of a step's time that the controller "
                "may use, 0 to 1, or None for no limit"
            )
        self.share = share
        self.skipped = 0
        """Number of times that the controller skipped its work."""
        self._clock = clock
        self._began: float | None = None
        self._used = 0.0

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time of the block as the controller's."""
        if self._began is None:
            self._began = self._clock()
        begun = self._clock()
        try:
            yield
        finally:
            self._used += self._clock() - begun

    def share_used(self) -> float:
        """Compute the share of the time since the first use that the controller used."""
        if self._began is None:
            return 0.0
        return self._used / max(self._clock() - self._began, 1e-9)

    def is_spent(self) -> bool:
        """Tell whether the controller has to skip its work now."""
        if self.share is None or self._began is None:
            return False
        elapsed = self._clock() - self._began
        return elapsed > GRACE and self._used > self.share * elapsed
