"""Search: Bayesian optimisation of settings within a trust region, while the training moves on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlcc.control.akde_bo.acquisition import (
    ACQUISITIONS,
    expected_improvement,
    upper_confidence_bound,
)
from dlcc.control.akde_bo.surrogates import make_surrogate
from dlcc.control.akde_bo.trust_region import TrustRegion
from dlcc.errors import OptionError, did_you_mean
from dlcc.typing import Floats

CANDIDATES = 256
SENSIBLE = -0.1
"""Prior from which on settings are sensible."""
_DECADES_A_WINDOW = 0.05  # how far apart in time windows count as, in units of settings
_TIE = 1e-12
_REMEMBERED = 8  # windows of which the best may be the next centre

Prior = Callable[[Floats], Floats]
"""Function from points [m, d] to what is expected there before anything was seen, [m]."""


def no_prior(points: Floats) -> Floats:
    """Expect 0 everywhere.

    >>> no_prior(np.ones((2, 1)))
    array([0., 0.])
    """
    return np.zeros(len(points))


class Search:
    """Search for the settings that a training gains most by: `ask`, train a window, `tell`.

    A training moves on, so that what a setting was worth grows old: the window's number is one
    more coordinate of the surrogate. Before the first `tell` nothing is known, and `ask` gives the
    settings that stand; afterwards it gives a point of the trust region around the best of the last
    windows. The draws depend on the seed and the number of windows told.

    Args:
        region: Trust region around the settings that stand.
        surrogate: One of `dlcc.control.akde_bo.surrogates.SURROGATES`.
        acquisition: `ucb` or `ei`.
        prior: What is expected of points before anything was seen.
        least_gain: Gain that a move must promise away from settings that are sensible already by
            the prior.
        seed: Seed of the candidates.

    Raises:
        OptionError: There is no such surrogate or acquisition function.

    >>> search = Search(TrustRegion(np.zeros(1), -np.ones(1), np.ones(1)))
    >>> search.ask()
    array([0.])
    >>> for _ in range(12):  # a hill at .7
    ...     x = search.ask()
    ...     search.tell(x, float(-((x[0] - 0.7) ** 2)))
    >>> bool(abs(search.best()[0] - 0.7) < 0.3)
    True
    """

    def __init__(
        self,
        region: TrustRegion,
        *,
        surrogate: str = "gp",
        acquisition: str = "ucb",
        prior: Prior = no_prior,
        least_gain: float = 0.0,
        seed: int = 0,
    ) -> None:
        if acquisition not in ACQUISITIONS:
            raise OptionError(
                f"control: no acquisition is called {acquisition!r}"
                f"{did_you_mean(acquisition, ACQUISITIONS)}; choose ucb or ei"
            )
        self.region, self.acquisition, self.prior, self.seed = region, acquisition, prior, seed
        self.least_gain = least_gain
        self.surrogate = make_surrogate(surrogate)
        self.points: list[list[float]] = []
        """Points told, [windows, d]."""
        self.values: list[float] = []
        """Values told, [windows]."""

    def ask(self) -> Floats:
        """Choose the next point [d]; before the first `tell` the one that stands."""
        if not self.values:
            return np.clip(self.region.centre, self.region.low, self.region.high)
        rng = np.random.default_rng([self.seed, len(self.values)])
        points = self.region.draw(CANDIDATES, rng)
        if self.surrogate is None:
            return np.asarray(points[-1])
        mean, deviation = self._predict(points)
        if self.is_sensible(points[0]) and mean.max() - mean[0] < self.least_gain:
            return np.asarray(points[0])
        if self.acquisition == "ucb":
            worth = upper_confidence_bound(mean, deviation)
        else:
            worth = expected_improvement(mean, deviation, float(self._at_points().max()))
        best = np.flatnonzero(worth >= worth.max() - _TIE)
        return np.asarray(points[best[-1]])  # of a forest's leaf any, and not always the centre

    def is_sensible(self, point: Floats) -> bool:
        """Tell whether a point [d] is expected to do about as well as any, by the prior alone."""
        return float(self.prior(point[None])[0]) >= SENSIBLE

    def tell(self, point: Floats, value: float) -> None:
        """Take in what a window at a point was worth, and move the trust region.

        Args:
            point: Settings of the window, [d].
            value: Its worth, more is better, finite.
        """
        better = not self.values or value > max(self.values[-_REMEMBERED:])
        self.points.append([float(number) for number in point])
        self.values.append(float(value))
        self.region.adapt(better)
        self.region.centre = np.array(point) if self.surrogate is None else self.best()

    def best(self) -> Floats:
        """Choose the point [d] of the last windows of which the surrogate expects most now."""
        recent = np.array(self.points[-_REMEMBERED:])
        return np.asarray(recent[int(self._at_points()[-_REMEMBERED:].argmax())])

    def state_dict(self) -> dict[str, Any]:
        """Copy what was told, and the trust region."""
        return {
            "points": [list(point) for point in self.points],
            "values": list(self.values),
            "centre": self.region.centre.tolist(),
            "width": self.region.width,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        self.points = [list(point) for point in state["points"]]
        self.values = list(state["values"])
        self.region.centre = np.array(state["centre"])
        self.region.width = state["width"]

    def _at_points(self) -> Floats:
        """Worth that is expected now of each point told; the value itself without a surrogate."""
        if self.surrogate is None:
            return np.array(self.values)
        return self._predict(np.array(self.points))[0]

    def _predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and deviation at points, in the window that comes."""
        told, y = np.array(self.points), np.array(self.values)
        when = _DECADES_A_WINDOW * np.arange(len(y))[:, None]
        assert self.surrogate is not None
        self.surrogate.fit(np.hstack([told, when]), y - self.prior(told))
        now = np.full((len(points), 1), _DECADES_A_WINDOW * len(y))
        mean, deviation = self.surrogate.predict(np.hstack([points, now]))
        return mean + self.prior(points), deviation
