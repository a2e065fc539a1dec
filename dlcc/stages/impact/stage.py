"""Impact stage: the expected end of the run, and of its next quarter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dlcc.errors import LibraryError, OptionError
from dlcc.estimate import Estimate
from dlcc.findings import Finding
from dlcc.forecast.attribution import what_moved
from dlcc.forecast.forecasters import Forecasters
from dlcc.forecast.present import earlier_vectors, spreading
from dlcc.kinds import TrainingKind, kind_of
from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.similarity import OUTSIDE
from dlcc.past_runs.store import COMPLETE, Library
from dlcc.records import Config, Forecast, ForecastPoint, HealthRecord, Series, most_probable
from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult

_LIKELY_TO_FAIL = 0.5


@dataclass(frozen=True)
class Impact(Stage):
    """Expected end of the run, by the outcomes of past runs like it."""

    name: ClassVar = "impact"
    needs: ClassVar = (Config, Series, HealthRecord)
    gives: ClassVar = (Forecast,)

    shown: int = 6
    """Number of features that moved the forecast that are shown."""
    network: bool = False
    """Whether a graph network corrects the forest's forecast; it adds nothing that was measured."""

    def __post_init__(self) -> None:
        if self.shown < 1:
            raise OptionError(f"impact.shown {self.shown}: expected 1 or more")

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        health, config = case[HealthRecord], case[Config].config
        objective = case[Config].objective
        library = ctx.forecast_runs(objective).excluding(case[Series])
        series_only = len(health.figures) == 0
        earlier = earlier_vectors(
            case[Series], health, library.good, case.length, kind_of(objective)
        )
        fitted, points = Forecasters(library, network=self.network), []
        try:
            for k, (seen, vector) in enumerate(earlier.items()):
                ctx.deadline.check()
                ctx.progress(k / (len(earlier) + 1), f"forecast at {100 * seen:.0f} %")
                at = fitted.at(seen, vector, config, series_only=series_only)
                prediction = at(vector, config)
                points.append(ForecastPoint(seen, prediction.p_healthy, prediction.stability))
            forecaster = fitted.at(health.seen, health.features, config, series_only=series_only)
        except LibraryError as error:
            raise NotApplicable(str(error)) from error
        prediction = forecaster(health.features, config)
        points.append(ForecastPoint(health.seen, prediction.p_healthy, prediction.stability))
        ctx.progress(0.9, "what moved it")
        record = Forecast(
            seen=health.seen,
            probabilities=prediction.probabilities,
            p_healthy=prediction.p_healthy,
            stability=prediction.stability,
            next_quarter=prediction.next_quarter,
            distance=prediction.distance,
            moved=what_moved(forecaster, health.features, config, self.shown),
            over_time=tuple(points),
            diffusion=spreading(case[Series], health, case.length),
        )
        return StageResult(
            terms={"impact": _impact(record, health, library, kind_of(objective))},
            records=[record],
            findings=list(_findings(record)),
            details=_details(record, case.length, len(library), whole=health.seen >= COMPLETE),
        )


def _impact(
    record: Forecast, health: HealthRecord, library: Library, kind: TrainingKind
) -> Estimate:
    """Share of good sample steps to expect: of the next quarter, or of a run that has come to its
    end how past runs went on that were as good, and ended alike."""
    if health.seen < COMPLETE:
        return record.next_quarter
    model = HealthModel(library, len(health.figures) == 0, kind)
    return model.continuation(health.features) or record.next_quarter


def _findings(record: Forecast) -> Iterator[Finding]:
    if record.seen < 1 and record.p_healthy.mean < _LIKELY_TO_FAIL:
        low, high = record.p_healthy.interval(0.9)
        yield Finding(
            "IMP001",
            f"Of past runs like it {100 * record.p_healthy.mean:.0f} % ({100 * low:.0f} to "
            f"{100 * high:.0f}) ended healthy.",
            evidence={name: round(p, 4) for name, p in record.probabilities.items()},
        )
    if record.distance > OUTSIDE:
        yield Finding(
            "IMP002",
            f"Past runs lie {record.distance:.1f} times as far from it as from each other.",
            evidence={"distance": round(record.distance, 4)},
        )


def _details(record: Forecast, length: int, runs: int, *, whole: bool) -> Mapping[str, Any]:
    quarter = length // 4
    diffusion = record.diffusion
    return {
        "note": "share of further sample steps to expect good"
        if whole
        else f"of the next {quarter:,} steps, the share expected good",
        "past_runs": runs,
        "kind": most_probable(record.probabilities),
        "stability": round(record.stability.mean, 4),
        "moved": [f"{m.feature} {m.effect:+.3f}" for m in record.moved],
        "diffusion": None
        if diffusion is None
        else f"{diffusion.curve}: {diffusion.expected:.2f} "
        f"({diffusion.interval[0]:.2f} to {diffusion.interval[1]:.2f}) "
        f"at {diffusion.horizon:g} of the length",
    }
