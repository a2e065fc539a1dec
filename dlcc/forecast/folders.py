"""Forecasts for run folders, many at once: what `dlcc forecast` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcc.errors import RunError
from dlcc.estimate import Estimate
from dlcc.forecast.forecaster import Prediction
from dlcc.forecast.forecasters import Forecasters
from dlcc.forecast.rest import best_so_far
from dlcc.forecast.stopping import COST, Stopping, stopping
from dlcc.health.domain import circumstances_of
from dlcc.health.judgeable import (
    NotJudgeableError,
    TooFewRowsError,
    judgeable_features,
    judgeable_kind,
)
from dlcc.health.run_features import RunFeatures
from dlcc.past_runs.in_use import forecast_runs
from dlcc.past_runs.store import Library
from dlcc.records import Config, Samples, Series
from dlcc.runs import Run, resolve_until
from dlcc.typing import Progress


@dataclass(frozen=True)
class FolderForecast:
    """Forecast of one run folder.

    >>> from dlcc.estimate import Estimate
    >>> from dlcc.forecast import FolderForecast, Prediction
    >>> good = Estimate.beta(9, 1)
    >>> prediction = Prediction({"healthy": 0.9, "collapsed": 0.1}, good, good, good, distance=0.7)
    >>> FolderForecast("runs/a", 0.5, prediction).to_json()["interval"]
    [0.716871, 0.994317]
    """

    run: str
    """Folder of the run, as it was given."""
    seen: float
    """Share of the configured length that the forecast was made from, 0 to 1."""
    prediction: Prediction
    """Expected end of the run."""
    cost: float = COST
    """Cost of stopping a run that would have ended healthy, in whole trainings."""
    best_so_far: int | None = None
    """Step at which samples were nearest to the training data; None without samples."""

    @property
    def stopping(self) -> Stopping:
        """Advice whether to stop the run."""
        return stopping(self.prediction.p_healthy, self.seen, self.cost)

    def to_json(self) -> dict[str, Any]:
        """Make the object that `dlcc forecast --json` prints.

        Returns:
            The folder, the most probable label (`kind`) and the probability of each, means and 90 %
            intervals of P(healthy), stability and next quarter, whether to stop (`advice`) with
            what that would save in whole trainings, the risk to fail (`failed`, `hazard`), and
            where samples are best (`best_so_far`, `best_is_behind`, `best_ahead`); None for what is
            not known. Rounded to six digits.
        """
        found = self.prediction
        hazard, best = found.hazard, found.best
        return {
            "run": self.run,
            **_with_interval("p_healthy", "interval", found.p_healthy),
            **_with_interval("stability", "stability_interval", found.stability),
            "kind": found.label,
            "advice": self.stopping.action,
            "saving": round(self.stopping.saving, 6),
            "saving_interval": [round(bound, 6) for bound in self.stopping.interval],
            "probabilities": {name: round(p, 6) for name, p in found.probabilities.items()},
            **_with_interval("next_quarter", "next_quarter_interval", found.next_quarter),
            "failed": None if hazard is None else round(hazard.failed, 6),
            "hazard": None if hazard is None else [round(p, 6) for p in hazard.parts],
            "best_so_far": self.best_so_far,
            "best_is_behind": None if best is None else round(best.behind, 6),
            "best_ahead": None if best is None else [round(p, 6) for p in best.parts],
        }


def _with_interval(name: str, interval: str, estimate: Estimate) -> dict[str, Any]:
    """Mean of an estimate and its 90 % interval, under their names."""
    bounds = [round(bound, 6) for bound in estimate.interval(0.9)]
    return {name: round(estimate.mean, 6), interval: bounds}


@dataclass(frozen=True)
class _Seen:
    """Run as far as it is looked at."""

    name: str
    config: Mapping[str, Any]
    series: Series
    features: RunFeatures


def forecast_folders(
    folders: Sequence[str | Path],
    until: str | float | None = None,
    *,
    mapping: Mapping[str, str] | None = None,
    past: Library | None = None,
    cost: float = COST,
    left_out: Callable[[RunError], None] | None = None,
    progress: Progress = lambda share, what: None,
) -> Iterator[FolderForecast]:
    """Forecast how runs will end from what they recorded before a step.

    Models are fitted on the library once for all runs that are as far and of one kind.

    Args:
        folders: Folders of runs, or files of other tools.
        until: Step such as `600` or `"600"`, or share of the configured length such as `0.5` or
            `"0.5"`, from which on nothing is looked at. By default all that was recorded is.
        mapping: `player/quantity` -> column of another tool's folder that holds it; by default
            roles are guessed from the columns' names.
        past: Past runs to go by; by default the library in use, without the run itself.
        cost: Cost of stopping a run that would have ended healthy, in whole trainings.
        left_out: Function that is called with the error of a folder that cannot be read or has
            fewer than 20 rows; the folder is then left out. By default the error is raised.
        progress: Function that is called with the share done and the folder at hand.

    Returns:
        One forecast for each folder that is not left out, in the order of `folders`.

    Raises:
        InputError: A folder cannot be read or has fewer than 20 rows and there is no `left_out`, or
            the library cannot be used.

    >>> import numpy as np
    >>> from dlcc.forecast import forecast_folders
    >>> from dlcc.past_runs.in_use import library
    >>> few = library().select(np.arange(60) * 30)
    >>> [found] = forecast_folders(["runs/ring-oscillating"], until=0.5, past=few)
    >>> found.seen, found.prediction.label == "healthy"
    (0.5, False)
    """
    known: dict[str, Library] = {}
    fitted: dict[str, Forecasters] = {}
    for k, folder in enumerate(folders):
        progress(k / len(folders), str(folder))
        try:
            run = _read(folder, until, mapping)
        except RunError as error:
            if left_out is None:
                raise
            left_out(error)
            continue
        kind, seen = run.features.curves.kind, run.features.seen
        if kind.name not in known:
            known[kind.name] = forecast_runs(kind) if past is None else past
            fitted[kind.name] = Forecasters(known[kind.name])
        apart = known[kind.name].excluding(run.series)
        of_these = fitted[kind.name] if apart is known[kind.name] else Forecasters(apart)
        vector = run.features.vector(apart.good)
        series_only = run.features.series_only
        forecaster = of_these.at(seen, vector, run.config, series_only=series_only)
        prediction = forecaster(vector, run.config)
        yield FolderForecast(run.name, seen, prediction, cost, best_so_far(run.features))


def _read(
    folder: str | Path, until: str | float | None, mapping: Mapping[str, str] | None
) -> _Seen:
    run = Run.open(folder, mapping)
    step = run.length if until is None else resolve_until(until, run.length)
    manifest, series = run.manifest, Series.of(run, step)
    try:
        kind = judgeable_kind(manifest.objective, manifest.players)
    except NotJudgeableError as error:
        raise RunError(f"{folder}: no forecast can be made: {error}") from None
    if series is None:
        raise RunError(f"{folder}: no series before step {step:,}; a forecast needs 20 rows")
    try:
        config, samples = Config.of(run, step), Samples.of(run, step)
        features = judgeable_features(
            kind, series, samples, run.length, training=circumstances_of(config, samples)
        )
    except TooFewRowsError as error:
        raise RunError(
            f"{folder}: before step {step:,}, {error}; ask later, or give a larger --until"
        ) from None
    except NotJudgeableError as error:
        raise RunError(f"{folder}: before step {step:,}, {error}") from None
    return _Seen(str(folder), run.manifest.config, series, features)
