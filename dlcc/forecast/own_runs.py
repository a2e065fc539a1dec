"""Forecasts of the user's own labelled runs, each from past runs without it, for recalibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc import cache
from dlcc.forecast.recalibration import FEWEST_LABELLED, Recalibration
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import Library
from dlcc.runs.hashes import digest_of_arrays
from dlcc.typing import Floats

FOLDS = 5
"""Number of folds that settings of own runs are divided into."""
BY_THE_USER = "review"
"""Source of a label that the user gave, see `Library.judged_by`."""

Forecast = Callable[[Library, Library], Floats]
"""Past runs and runs that are asked about -> P(healthy) [n] of these."""


def labelled(past: Library, spaces: Sequence[Space]) -> NDArray[np.bool_]:
    """Tell which past runs the user has labelled, and are of the sort that spaces are of.

    Args:
        past: Past runs, n of them.
        spaces: Spaces that runs are forecast in.

    Returns:
        Mask [n]: labelled by the user, with samples where the spaces need them, and these compared
        in a space of features where figures of that are asked for.
    """
    own = past.judged_by == BY_THE_USER
    if not own.any() or spaces[0].series_only:
        return np.asarray(own)
    name = IN_FEATURES[0] if any(s.only == IN_FEATURES for s in spaces) else "coverage_last"
    if name not in past.names:
        return np.zeros(len(past), dtype=np.bool_)
    (figure,) = past.columns([name], series_only=False, fraction=spaces[0].fraction).T
    return np.asarray(own & np.isfinite(figure))


def recalibration(
    past: Library, own: NDArray[np.bool_], forecast: Forecast
) -> Recalibration | None:
    """Recalibrate forecasts by own runs, each of which is forecast without its setting's fold.

    Args:
        past: Past runs, own ones among them.
        own: Which of them are the user's own labelled ones, [n].
        forecast: Function that forecasts runs from past runs.

    Returns:
        The recalibration; None with fewer than `FEWEST_LABELLED` own runs.
    """
    numbers = np.flatnonzero(own)
    if len(numbers) < FEWEST_LABELLED:
        return None
    settings = np.unique(past.settings[numbers], return_inverse=True)[1]
    fold = np.random.default_rng(0).permutation(settings.max() + 1)[settings] % FOLDS
    p = np.zeros(len(numbers))
    for k in np.unique(fold):
        rest = np.ones(len(past), dtype=np.bool_)
        rest[numbers[fold == k]] = False
        p[fold == k] = forecast(past.select(rest), past.select(numbers[fold == k]))
    healthy = past.labels[numbers] == past.label_names.index("healthy")
    return Recalibration.fit(p, healthy)


def kept_recalibration(
    past: Library, own: NDArray[np.bool_], spaces: str, forecast: Forecast
) -> Recalibration | None:
    """Recalibrate forecasts by own runs once for the same past runs: folds of forests take seconds.

    Args:
        past: Past runs, own ones among them.
        own: Which of them are the user's own labelled ones, [n].
        spaces: Name of what the runs are forecast by.
        forecast: Function that forecasts runs from past runs.

    Returns:
        As `recalibration`.
    """
    if own.sum() < FEWEST_LABELLED:
        return None

    def make() -> dict[str, Any]:
        found = recalibration(past, own, forecast)
        assert found is not None
        return {**asdict(found), "covariance": found.covariance.tolist()}

    figures = {"vectors": past.vectors, "series": past.series_only_vectors, "own": own}
    ends = {"labels": past.labels, "settings": past.settings, "stability": past.stability}
    content = digest_of_arrays((figures | ends).items()).encode()
    plain = cache.kept("scores", f"recalibration {spaces}", content, make)
    return Recalibration(**{**plain, "covariance": np.array(plain["covariance"])})
