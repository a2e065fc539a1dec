"""Trust region: the box around the present settings within which the next ones are sought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcc.typing import Floats

WIDTH, WIDEST, NARROWEST = 0.6, 1.0, 0.1
"""Half-width at first, and its bounds, in decades."""
_WIDER, _NARROWER = 1.5, 0.7


@dataclass
class TrustRegion:
    """Box of half-width `width` decades around a centre, cut to the bounds.

    It widens where the last move was for the better, and narrows else (Eriksson et al. 2019).

    >>> region = TrustRegion(np.array([0.0]), low=np.array([-0.2]), high=np.array([3.0]))
    >>> region.box()
    (array([-0.2]), array([0.6]))
    """

    centre: Floats
    """Centre [d], decimal logarithms of settings."""
    low: Floats
    """Lowest values allowed, [d]."""
    high: Floats
    """Highest values allowed, [d]."""
    width: float = WIDTH
    """Half-width in decades."""

    def box(self) -> tuple[Floats, Floats]:
        """Compute the lowest and the highest corner, [d] each.

        >>> TrustRegion(np.zeros(1), -np.ones(1), np.ones(1), width=0.5).box()
        (array([-0.5]), array([0.5]))
        """
        return (
            np.maximum(self.low, self.centre - self.width),
            np.minimum(self.high, self.centre + self.width),
        )

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw n points [n, d], uniform in the box; the centre is the first.

        Args:
            n: Number of points.
            rng: Source of random numbers.

        Returns:
            Points [n, d].

        >>> region = TrustRegion(np.zeros(2), -np.ones(2), np.ones(2))
        >>> region.draw(5, np.random.default_rng(0)).shape
        (5, 2)
        """
        low, high = self.box()
        points = rng.uniform(low, high, (n, len(self.centre)))
        points[0] = np.clip(self.centre, self.low, self.high)
        return points

    def adapt(self, better: bool) -> None:
        """Widen after a move for the better, narrow after one for the worse.

        Args:
            better: Whether the last move was for the better.

        >>> region = TrustRegion(np.zeros(1), -np.ones(1), np.ones(1), width=0.5)
        >>> region.adapt(better=False)
        >>> region.width
        0.35
        """
        factor = _WIDER if better else _NARROWER
        self.width = min(WIDEST, max(NARROWEST, self.width * factor))
