"""Diffusion of quality over a training: Bass and logistic curves fitted to a share.

A generator comes to cover its training data as a product comes into use: some rows are found by
chance (innovation), others because the generator already makes rows like them (imitation). Bass
(1969, eq. 5) has both, the logistic curve (Verhulst) imitation alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlcc.records import Diffusion
from dlcc.typing import Floats

FEWEST_POINTS = 6
"""Least number of finite points that a curve is fitted to."""
DRIFT = 0.25
"""Deviation of trainings from their curves a whole length on; it grows with the root of time.

Chosen on past runs on MNIST, it holds on those on Fashion-MNIST (benchmarks/diffusion.py)."""
_DRAWS = 400


def bass(t: Floats, ceiling: float, innovation: float, imitation: float) -> Floats:
    """Evaluate a Bass curve m·(1 − e^{−(p+q)t}) / (1 + (q/p)·e^{−(p+q)t}) (Bass 1969, eq. 5).

    Args:
        t: Times [...], at least 0; the curve is 0 at time 0.
        ceiling: Share m that it comes to in the end.
        innovation: Coefficient p of innovation, above 0, in 1 / unit of time.
        imitation: Coefficient q of imitation, in the same unit.

    Returns:
        Shares [...] from 0 to `ceiling`.

    >>> import numpy as np
    >>> from dlcc.forecast import bass
    >>> share = bass(np.array([0.0, 0.5, 1.0]), ceiling=0.9, innovation=0.5, imitation=8.0)
    >>> share.round(2).tolist()
    [0.0, 0.72, 0.9]
    """
    decay = np.exp(-(innovation + imitation) * t)
    return np.asarray(ceiling * (1 - decay) / (1 + imitation / innovation * decay))


def logistic(t: Floats, ceiling: float, rate: float, middle: float) -> Floats:
    """Evaluate a logistic curve m / (1 + e^{−r(t − t₀)}) (Verhulst 1838).

    Args:
        t: Times [...].
        ceiling: Share m that it comes to in the end.
        rate: Growth r in 1 / unit of time.
        middle: Time t₀ at which half of `ceiling` is reached.

    Returns:
        Shares [...] from 0 to `ceiling`.

    >>> import numpy as np
    >>> from dlcc.forecast import logistic
    >>> logistic(np.array([0.0, 0.5, 1.0]), ceiling=0.9, rate=8.0, middle=0.5).round(2).tolist()
    [0.02, 0.45, 0.88]
    """
    return np.asarray(ceiling / (1 + np.exp(np.clip(-rate * (t - middle), -60, 60))))


@dataclass(frozen=True)
class _Curve:
    name: Literal["bass", "logistic"]
    function: Callable[..., Floats]
    start: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


_CURVES = (
    _Curve("bass", bass, (0.8, 1.0, 10.0), (0.0, 1e-3, 0.0), (1.0, 100.0, 300.0)),
    _Curve("logistic", logistic, (0.8, 20.0, 0.2), (0.0, 0.1, -0.5), (1.0, 300.0, 1.5)),
)


def fit_diffusion(t: Floats, share: Floats, horizon: float) -> Diffusion | None:
    """Fit a Bass and a logistic curve to a share, and carry the better one on to a horizon.

    Source: Bass 1969, eq. 5, and Verhulst 1838, for the curves; they are fitted by least squares.

    Args:
        t: Times [n], as shares of the configured length.
        share: Shares [n] in [0, 1] at these times; NaN where not measured.
        horizon: Time to carry the curve on to, as a share of the configured length.

    Returns:
        The curve with the smaller residual, with the share that it leads to at `horizon` and the
        90 % interval of that: of the parameters, the scatter around the curve, and how far
        trainings leave their curves. None with fewer than `FEWEST_POINTS` finite points, or where
        no curve can be fitted.

    >>> import numpy as np
    >>> from dlcc.forecast import fit_diffusion, logistic
    >>> t = np.linspace(0.05, 0.6, 12)
    >>> found = fit_diffusion(t, logistic(t, 0.9, 12.0, 0.3), horizon=0.85)
    >>> found.curve, round(found.expected, 2)
    ('logistic', 0.9)
    """
    known = np.isfinite(share)
    t, share = t[known], share[known]
    if len(t) < FEWEST_POINTS:
        return None
    fits = [fit for curve in _CURVES if (fit := _fit(curve, t, share)) is not None]
    if not fits:
        return None
    curve, parameters, covariance, residual = min(fits, key=lambda fit: fit[3])
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_normal(parameters, covariance, size=_DRAWS, check_valid="ignore")
    drawn = np.clip(drawn, curve.low, curve.high)
    ends = np.array([curve.function(np.array([horizon]), *row)[0] for row in drawn])
    drift = DRIFT * math.sqrt(max(0.0, horizon - float(t[-1])))
    ends = np.clip(ends + math.hypot(residual, drift) * rng.standard_normal(_DRAWS), 0, 1)
    end = float(curve.function(np.array([horizon]), *parameters)[0])
    low, high = np.quantile(ends, [0.05, 0.95])
    return Diffusion(
        curve=curve.name,
        parameters=tuple(float(p) for p in parameters),
        residual=residual,
        times=t,
        observed=share,
        fitted=curve.function(t, *parameters),
        horizon=horizon,
        expected=min(max(end, 0.0), 1.0),
        interval=(min(float(low), end), max(float(high), end)),
    )


def _fit(curve: _Curve, t: Floats, share: Floats) -> tuple[_Curve, Floats, Floats, float] | None:
    """Fit by least squares; returns (curve, parameters, their covariance, residual deviation)."""
    from scipy.optimize import curve_fit

    try:
        parameters, covariance = curve_fit(
            curve.function, t, share, p0=curve.start, bounds=(curve.low, curve.high), maxfev=4000
        )
    except (RuntimeError, ValueError):
        return None
    if not np.isfinite(covariance).all():  # a parameter that the data do not determine
        covariance = np.diag(((np.array(curve.high) - curve.low) / 4) ** 2)
    freedom = max(1, len(t) - len(curve.start))
    misfit = float(((curve.function(t, *parameters) - share) ** 2).sum())
    return curve, parameters, covariance, math.sqrt(misfit / freedom)
