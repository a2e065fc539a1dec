"""The health stage: verdict, onset and evidence, from records alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dlcc.findings import Finding
from dlcc.health.run_features import (
    FEWEST_ROWS,
    NOTHING_CHANGES,
    Landscape,
    TooFewRowsError,
    landscape_of,
)
from dlcc.health.samples import SAMPLE_FEATURES
from dlcc.health.windows import first_lost
from dlcc.kinds import kind_of, too_few_samples, why_unknown
from dlcc.past_runs.health_model import HealthModel
from dlcc.records import Config, HealthRecord, Samples, Series, most_probable
from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult
from dlcc.stages.health.evidence import Judged, findings_of
from dlcc.stages.health.onset import find_onset


@dataclass(frozen=True)
class Health(Stage):
    """What state the run is in and since when, from losses, gradients, outputs and samples."""

    name: ClassVar = "health"
    needs: ClassVar = (Config, Series)
    wants: ClassVar = (Samples,)
    gives: ClassVar = (HealthRecord,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        config, series = case[Config], case[Series]
        kind = kind_of(config.objective)
        unknown = why_unknown(config.objective, config.players)
        if unknown is not None:
            raise NotApplicable(unknown)
        library, samples = ctx.library.apart_from(series), case.get(Samples)
        try:
            landscape = landscape_of(
                series, samples, case.length, _patient(ctx), kind, lost_is_enough=True
            )
        except TooFewRowsError as error:
            raise NotApplicable(str(error)) from None
        if landscape.blind and not kind.series_tell_health:
            raise NotApplicable(too_few_samples(kind))
        if landscape.still:
            raise NotApplicable(NOTHING_CHANGES)
        record = _record(HealthModel(library, landscape.blind, kind), landscape)
        if series.rows < FEWEST_ROWS:  # too few for windows: the first row that is not finite tells
            at = first_lost(series, kind)
            record = dataclasses.replace(record, onset=at, onset_interval=(at, at))
        found = findings_of(Judged(record, landscape, config.objective, series, samples))
        details = _details(record, blind=landscape.blind)
        if samples is not None and samples.damaged:
            found = [*found, *(_left_out(*item) for item in samples.damaged.items())]
            details["left_out"] = sorted(samples.damaged)
        return StageResult(records=[record], findings=found, details=details)


def _patient(ctx: Context) -> Callable[[float, str], None]:
    """Progress that ends the work when the time is up."""

    def progress(share: float, what: str) -> None:
        ctx.deadline.check()
        ctx.progress(share, what)

    return progress


def _record(model: HealthModel, landscape: Landscape) -> HealthRecord:
    curves, steps = landscape.curves, landscape.steps
    good = landscape.good(model.library.good)
    vector = landscape.vector(model.library.good)
    probabilities = model.labels(vector)
    label = most_probable(probabilities)
    onset = None if label == "healthy" else find_onset(steps, good)
    unknown = np.full(len(steps), np.nan)
    return HealthRecord(
        label=label,
        probabilities=probabilities,
        onset=None if onset is None else onset.step,
        onset_interval=None if onset is None else (onset.low, onset.high),
        stability=model.stability(vector),
        checkpoints=steps,
        coverage=unknown if curves.samples is None else curves.samples[:, 0],
        quality=unknown if curves.samples is None else curves.samples[:, 1],
        figures=np.zeros((0, len(SAMPLE_FEATURES))) if curves.samples is None else curves.samples,
        good=good,
        seen=landscape.seen,
        features={name: round(value, 6) for name, value in vector.items()},
    )


def _left_out(place: str, why: str) -> Finding:
    return Finding("REC008", f"{place} cannot be read and is left out: {why}.", place=place)


def _details(record: HealthRecord, *, blind: bool) -> dict[str, object]:
    return {
        "judged_by": "series alone" if blind else "samples against the training data, and series",
        "checkpoints": len(record.checkpoints),
        "coverage_last": record.features.get("coverage_last"),
        "quality_last": record.features.get("quality_last"),
    }
