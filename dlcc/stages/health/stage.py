"""The health stage: verdict, onset and evidence, from records alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dlcc.library.outcomes import LABELS, outcomes
from dlcc.records import Config, HealthRecord, Samples, Series
from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult
from dlcc.stages.health.curves import Curves, run_vector
from dlcc.stages.health.evidence import findings_of
from dlcc.stages.health.model import HealthModel
from dlcc.stages.health.onset import find_onset
from dlcc.stages.health.samples import Reference, sample_features
from dlcc.stages.health.windows import window_edges, window_features

Floats = NDArray[np.float64]
_FEWEST_ROWS = 20
_FEWEST_CHECKPOINTS = 4


@dataclass(frozen=True)
class Health(Stage):
    """What state the run is in and since when, from losses, gradients, outputs and samples."""

    name: ClassVar = "health"
    needs: ClassVar = (Config, Series)
    wants: ClassVar = (Samples,)
    gives: ClassVar = (HealthRecord,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        config, series = case[Config], case[Series]
        _refuse_other_trainings(config)
        rows = max(len(column.steps) for column in series.columns.values())
        if rows < _FEWEST_ROWS:
            raise NotApplicable(f"{rows} rows are too few to judge; {_FEWEST_ROWS} are needed")
        recorded = int(max(column.steps[-1] for column in series.columns.values())) + 1
        windows = window_features(series, recorded)
        steps, samples = _judge_samples(case.get(Samples), ctx)
        if samples is None:
            steps = window_edges(recorded)[1:]
        curves = Curves(windows, samples)
        model = HealthModel(outcomes(), blind=samples is None)
        record = _record(model, curves, steps, recorded / case.length)
        return StageResult(
            terms={"impact": record.next_quarter},
            records=[record],
            findings=findings_of(record, curves, recorded),
            details=_details(record, case.length, recorded, blind=samples is None),
        )


def _refuse_other_trainings(config: Config) -> None:
    kind = str(config.objective.get("kind", "gan")).lower()
    players = set(config.players)
    if kind != "gan" or (players and not {"generator", "discriminator"} <= players):
        raise NotApplicable(
            f"judges GANs (players generator and discriminator); this run declares kind {kind!r} "
            f"with players {', '.join(sorted(players)) or 'none'}"
        )


def _judge_samples(
    samples: Samples | None, ctx: Context
) -> tuple[NDArray[np.int64], Floats | None]:
    """Steps [c] and figures [c, 8] of the samples; no figures where there is nothing to hold
    them against, or too few."""
    nothing = np.zeros(0, dtype=np.int64)
    if samples is None or samples.reference is None or len(samples.steps) < _FEWEST_CHECKPOINTS:
        return nothing, None
    distinct = np.unique(samples.reference, axis=0)
    if len(distinct) < _FEWEST_ROWS or not all(map(samples.comparable, samples.steps)):
        return nothing, None
    reference = Reference.of(samples.reference)
    figures = []
    for i, step in enumerate(samples.steps):
        ctx.deadline.check()
        ctx.progress(i / len(samples.steps), f"samples of step {step:,}")
        figures.append(sample_features(samples.at(step), reference))
    return np.array(samples.steps, dtype=np.int64), np.array(figures)


def _record(
    model: HealthModel, curves: Curves, steps: NDArray[np.int64], seen: float
) -> HealthRecord:
    good = model.good(curves)
    vector = run_vector(curves, good)
    probabilities = model.labels(vector)
    label = max(LABELS, key=lambda name: probabilities[name])
    onset = None if label == "healthy" else find_onset(steps, good)
    unknown = np.full(len(steps), np.nan)
    return HealthRecord(
        label=label,
        probabilities=probabilities,
        onset=None if onset is None else onset.step,
        onset_interval=None if onset is None else (onset.low, onset.high),
        stability=model.stability(vector),
        next_quarter=model.next_quarter(vector, seen),
        checkpoints=steps,
        coverage=unknown if curves.samples is None else curves.samples[:, 0],
        quality=unknown if curves.samples is None else curves.samples[:, 1],
        good=good,
        features={name: round(value, 6) for name, value in vector.items()},
    )


def _details(record: HealthRecord, length: int, recorded: int, *, blind: bool) -> dict[str, object]:
    quarter = length // 4
    return {
        "note": f"of the {quarter:,} steps after {recorded:,}, the share expected good",
        "judged_by": "series alone" if blind else "samples against the training data, and series",
        "checkpoints": len(record.checkpoints),
        "coverage_last": record.features.get("coverage_last"),
        "quality_last": record.features.get("quality_last"),
    }
