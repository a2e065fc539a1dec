"""Measurement: a quantity in units of its own, measured with an error."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Measurement:
    """Quantity in units of its own, measured with an error.

    Metrics and the landscape return measurements that also tell how they were made; a term of the
    score is an `Estimate`.

    >>> low, high = Measurement(0.5, 0.1).interval(0.9)
    >>> round(low, 3), round(high, 3)
    (0.336, 0.664)
    """

    value: float
    """Value that was measured."""
    error: float
    """Standard error, in the value's own units."""

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Compute the normal interval that holds the truth with some probability.

        Args:
            level: Probability that the interval holds the truth, in (0, 1).

        Returns:
            Lower and upper end, in the value's units.

        Raises:
            ValueError: `level` is not a probability.
        """
        if not 0 < level < 1:
            raise ValueError(f"level is {level}; expected a probability between 0 and 1")
        reach = NormalDist().inv_cdf((1 + level) / 2) * self.error
        return self.value - reach, self.value + reach

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.error:.2g}"
