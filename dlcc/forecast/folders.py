"""Forecasts for run folders, many at once: what `dlcc forecast` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcc.errors import RunError
from dlcc.forecast.forecaster import Forecasters, Prediction
from dlcc.health.gate import NotJudgeableError, judgeable_features, judgeable_kind
from dlcc.health.run_features import RunFeatures
from dlcc.past_runs.in_use import forecast_runs
from dlcc.past_runs.store import Library
from dlcc.records import Samples, Series
from dlcc.runs import Run, resolve_until
from dlcc.typing import Progress


@dataclass(frozen=True)
class FolderForecast:
    """The forecast of one run folder."""

    run: str
    seen: float
    prediction: Prediction

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        p, stability = self.prediction.p_healthy, self.prediction.stability
        return {
            "run": self.run,
            "p_healthy": round(p.mean, 6),
            "interval": [round(bound, 6) for bound in p.interval(0.9)],
            "stability": round(stability.mean, 6),
            "stability_interval": [round(bound, 6) for bound in stability.interval(0.9)],
            "kind": self.prediction.kind,
        }


@dataclass(frozen=True)
class _Seen:
    """A run as far as it is looked at."""

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
    left_out: Callable[[RunError], None] | None = None,
    progress: Progress = lambda share, what: None,
) -> Iterator[FolderForecast]:
    """How runs are expected to end, from what they have before `until`; in the order of `folders`.

    What is fitted on the library is fitted once for all runs that are as far and of one kind. What
    is wrong with a folder that cannot be read, or has fewer than 20 rows, goes to `left_out`.

    Raises:
        InputError: such a folder, where there is no `left_out`; or the library cannot be used.
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
        forecaster = of_these.at(seen, series_only=run.features.series_only)
        vector = run.features.vector(apart.good)
        yield FolderForecast(run.name, seen, forecaster(vector, run.config))


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
        features = judgeable_features(kind, series, Samples.of(run, step), run.length)
    except NotJudgeableError as error:
        raise RunError(
            f"{folder}: before step {step:,}, {error}; ask later, or give a larger --until"
        ) from None
    return _Seen(str(folder), run.manifest.config, series, features)
