"""Pruner for Optuna that stops trials by the forecast of their runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner

from dlcc.errors import InputError
from dlcc.forecast import forecast_folders
from dlcc.forecast.stopping import COST

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

__all__ = ["ForecastPruner"]

ATTRIBUTE = "dlcc_run"
"""User attribute of a trial that names its run folder."""


class ForecastPruner(BasePruner):
    """Pruner that stops a trial where its forecast says that stopping pays.

    A trial names its run folder by `trial.set_user_attr("dlcc_run", folder)`, or `folder_of` does.
    A trial whose run cannot be forecast, or has too little recorded, goes on.

    >>> pruner = ForecastPruner(cost=5.0, least_seen=0.2)
    >>> study = optuna.create_study(pruner=pruner, direction="maximize")  # doctest: +SKIP

    Args:
        folder_of: Function from a trial to its run folder; default the attribute `dlcc_run`.
        cost: Cost of stopping a run that would have ended healthy, in whole trainings.
        least_seen: Share of the configured length that must be recorded first, 0 to 1.
    """

    def __init__(
        self,
        folder_of: Callable[[FrozenTrial], Path | None] | None = None,
        *,
        cost: float = COST,
        least_seen: float = 0.1,
    ) -> None:
        self._folder_of = folder_of or _by_attribute
        self._cost = cost
        self._least_seen = least_seen

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the forecast of the trial's run says to stop it."""
        folder = self._folder_of(trial)
        if folder is None:
            return False
        try:
            found = next(iter(forecast_folders([folder], cost=self._cost)))
        except InputError:
            return False
        return found.seen >= self._least_seen and found.stopping.action == "stop"


def _by_attribute(trial: FrozenTrial) -> Path | None:
    folder = trial.user_attrs.get(ATTRIBUTE)
    return None if folder is None else Path(str(folder))
