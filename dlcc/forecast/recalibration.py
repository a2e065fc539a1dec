"""Recalibration of P(healthy) by runs of the user's own whose ends the user has labelled.

Forecasts of runs that the past runs do not hold are set against how they ended. A line on the
log-odds is fitted (Platt 1999), whose slope and shift stay at 1 and 0 as far as few runs say little
else: what is learnt from some runs never turns the order of forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.estimate import DRAWS, Estimate
from dlcc.typing import Floats

FEWEST_LABELLED = 50
"""Fewest labelled runs of the user's own from which on forecasts are recalibrated."""
SLOPE_SD, SHIFT_SD = 0.2, 0.5
"""Deviations of the logarithm of the slope and of the shift before any run is seen, chosen on two
data sets that were left out (benchmarks/own_runs.py)."""
_FLOOR = 1e-3  # probability beyond which log-odds are not told apart


@dataclass(frozen=True)
class Recalibration:
    """Rising line on the log-odds of P(healthy), with what is not known of it.

    >>> import numpy as np
    >>> from dlcc.forecast.recalibration import Recalibration
    >>> p = np.linspace(0.02, 0.98, 80)
    >>> ended_healthy = np.arange(80) % 4 == 0  # a quarter, whatever was forecast
    >>> found = Recalibration.fit(p, ended_healthy)
    >>> found(np.array([0.1, 0.5, 0.9])).round(2).tolist()
    [0.1, 0.27, 0.57]
    """

    log_slope: float
    """Logarithm of the slope; 0 leaves forecasts as they are."""
    shift: float
    """Log-odds that are added."""
    covariance: Floats
    """Covariance of both after the runs were seen, [2, 2]."""
    runs: int
    """Number of runs that it was fitted on."""

    @classmethod
    def fit(cls, p: Floats, healthy: NDArray[np.bool_]) -> Recalibration:
        """Fit to forecasts and ends.

        Args:
            p: P(healthy) [n] of runs, forecast without them, in [0, 1].
            healthy: Whether each ended healthy, [n].

        Returns:
            The line of highest posterior density, with the covariance by Laplace's approximation.
        """
        from scipy.optimize import minimize

        odds, ended = log_odds(p), np.asarray(healthy, dtype=np.float64)
        precision = np.array([SLOPE_SD**-2.0, SHIFT_SD**-2.0])

        def misfit(at: Floats) -> tuple[float, Floats]:
            """Negative log posterior, without its constant, and its gradient."""
            logits = np.exp(at[0]) * odds + at[1]
            beyond = _sigmoid(logits) - ended
            value = np.logaddexp(0, logits).sum() - (ended * logits).sum()
            gradient = np.array([(beyond * np.exp(at[0]) * odds).sum(), beyond.sum()])
            return float(value + 0.5 * (precision * at**2).sum()), gradient + precision * at

        at = minimize(misfit, np.zeros(2), jac=True, method="BFGS").x
        slopes = np.stack([np.exp(at[0]) * odds, np.ones(len(odds))], axis=1)
        sure = _sigmoid(slopes[:, 0] + at[1])
        curvature = (slopes.T * (sure * (1 - sure))) @ slopes + np.diag(precision)
        return cls(float(at[0]), float(at[1]), np.asarray(np.linalg.inv(curvature)), len(odds))

    def __call__(self, p: Floats) -> Floats:
        """Recalibrate probabilities [...]; the order of any two stays."""
        return _sigmoid(np.exp(self.log_slope) * log_odds(p) + self.shift)

    def tilt(self, p: float) -> float:
        """Log-odds that are added to a probability."""
        return float(log_odds(self(np.array(p))) - log_odds(np.array(p)))

    def of_estimate(self, estimate: Estimate) -> Estimate:
        """Recalibrate a distribution of P(healthy), which becomes wider by what is not known of the
        line."""
        rng = np.random.default_rng(0)
        drawn = rng.multivariate_normal((self.log_slope, self.shift), self.covariance, size=DRAWS)
        odds = np.exp(drawn[:, 0]) * log_odds(estimate.sample("p_healthy")) + drawn[:, 1]
        return Estimate.draws(_sigmoid(odds))


def log_odds(p: Floats) -> Floats:
    """Logarithm of p / (1 − p), kept away from infinity."""
    kept = np.clip(p, _FLOOR, 1 - _FLOOR)
    return np.asarray(np.log(kept / (1 - kept)))


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)))
