"""Health stage: verdict, onset and evidence, from records alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dlcc.findings import Finding
from dlcc.health.curves import Curves
from dlcc.health.definitions import is_untrained, smooth
from dlcc.health.domain import circumstances_of
from dlcc.health.judgeable import NotJudgeableError, enough_rows, judgeable_features, judgeable_kind
from dlcc.health.run_features import RunFeatures
from dlcc.health.samples import (
    SAMPLE_FEATURES,
    AnyReference,
    errors_of_figures,
    sample_figure,
)
from dlcc.health.user_features import load_features
from dlcc.health.windows import first_lost
from dlcc.metrics.features import Features
from dlcc.past_runs.health_model import HealthModel
from dlcc.records import UNTRAINED, Config, HealthRecord, Samples, Series, Sources, most_probable
from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult
from dlcc.stages.health.findings import Judged, findings_of
from dlcc.stages.health.onset import find_onset
from dlcc.stages.health.recorded_features import FeaturesRefusedError, recorded_features
from dlcc.typing import Floats, Progress

_SHOWN = {
    "coverage": "coverage",
    "quality": "precision",
    "recall": "recall",
    "density": "density",
    "frechet": "log of the Fréchet distance",
}
"""Figures that are shown with their errors, and their names in the field."""


@dataclass(frozen=True)
class Health(Stage):
    """State of the run and its onset, from losses, gradients, outputs and samples."""

    name: ClassVar = "health"
    needs: ClassVar = (Config, Series)
    wants: ClassVar = (Samples, Sources)
    gives: ClassVar = (HealthRecord,)

    features: str = ""
    """Function of the user's own in which samples are compared, FILE.py:FUNCTION; or `pretrained`,
    for the network of the extra `images`."""
    features_code: str = ""
    """Name of that function with the hash of its file, so that results of an earlier one do not
    stand in."""

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        samples = case.get(Samples)
        if samples is None or samples.reference is None:
            return self._judge(case, ctx, None)
        if self.features:
            return self._judge(case, ctx, load_features(self.features, samples.reference))
        try:
            with recorded_features(samples, case.get(Sources), ctx) as features:
                return self._judge(case, ctx, features)
        except FeaturesRefusedError as error:
            without = self._judge(case, ctx, None)
            return dataclasses.replace(without, findings=[*without.findings, _refused(error)])

    def _judge(self, case: Case, ctx: Context, own: Features | None) -> StageResult:
        """Judge the run, its samples in features of its or the user's own where there are any."""
        config, series = case[Config], case[Series]
        library, samples = ctx.library.excluding(series), case.get(Samples)
        try:
            kind = judgeable_kind(config.objective, config.players)
            features = judgeable_features(
                kind,
                series,
                samples,
                case.length,
                _patient(ctx),
                not_finite_is_enough=True,
                training=circumstances_of(config, samples),
                features=own,
            )
        except NotJudgeableError as error:
            raise NotApplicable(f"{error}{_and_damaged(samples)}") from None
        record = _record(HealthModel(library, features.series_only, kind), features)
        at = None if enough_rows(series) else first_lost(series, kind)
        if at is not None:  # too few rows for windows: the first that is not finite tells
            record = dataclasses.replace(record, onset=at, onset_interval=(at, at))
        found = findings_of(Judged(record, features, config.objective, series, samples))
        details = _details(record, features.space)
        if samples is not None and features.reference is not None:
            details |= _last_figures(samples, features.reference, record.figures[-1])
        if samples is not None and samples.damaged:
            found = [*found, *(_left_out(*item) for item in samples.damaged.items())]
            details["left_out"] = sorted(samples.damaged)
        return StageResult(records=[record], findings=found, details=details)


def _patient(ctx: Context) -> Progress:
    """Make a progress function that ends the work when the time is up."""

    def progress(share: float, what: str) -> None:
        ctx.deadline.check()
        ctx.progress(share, what)

    return progress


def _record(model: HealthModel, features: RunFeatures) -> HealthRecord:
    curves, steps = features.curves, features.steps
    good = features.good(model.library.good)
    vector = features.vector(model.library.good)
    probabilities = _told_apart(model.labels(vector), good, curves)
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
        coverage=unknown if curves.samples is None else sample_figure(curves.samples, "coverage"),
        quality=unknown if curves.samples is None else sample_figure(curves.samples, "quality"),
        figures=np.zeros((0, len(SAMPLE_FEATURES))) if curves.samples is None else curves.samples,
        good=good,
        seen=features.seen,
        features={name: round(value, 6) for name, value in vector.items()},
        space=features.space,
        relative=curves.relative,
    )


def _told_apart(
    probabilities: dict[str, float], good: Floats, curves: Curves
) -> Mapping[str, float]:
    """Tell untrained runs from failed ones: samples never were good, and still improve.

    Past runs do not know the label: what they say of these runs goes to it, but for what is healthy
    or diverged.
    """
    if curves.samples is None or UNTRAINED not in curves.kind.label_names:
        return probabilities
    taken = ("weak", "oscillating", "collapsed")
    distance = smooth(sample_figure(curves.samples, "frechet"))
    if most_probable(probabilities) not in taken or not is_untrained(good, -distance):
        return probabilities
    moved = sum(probabilities[name] for name in taken)
    return {**probabilities, **dict.fromkeys(taken, 0.0), UNTRAINED: moved}


def _and_damaged(samples: Samples | None) -> str:
    """Continue a reason with the places of samples that cannot be read."""
    damaged = {} if samples is None else samples.damaged
    return "".join(f"; {place} cannot be read: {why}" for place, why in damaged.items())


def _refused(error: FeaturesRefusedError) -> Finding:
    return Finding("REC009", f"{error}.", place="run.json")


def _left_out(place: str, why: str) -> Finding:
    return Finding("REC008", f"{place} cannot be read and is left out: {why}.", place=place)


def _last_figures(samples: Samples, reference: AnyReference, figures: Floats) -> dict[str, object]:
    """Figures [8] of the samples of the last step with their standard errors, in words."""
    errors = errors_of_figures(samples.at(samples.steps[-1]), reference)
    shown = {
        words: _with_error(float(sample_figure(figures, name)), float(sample_figure(errors, name)))
        for name, words in _SHOWN.items()
    }
    return {f"of the samples of step {samples.steps[-1]:,}": shown}


def _with_error(value: float, error: float) -> str:
    return f"{value:.2f}" if math.isnan(error) else f"{value:.2f} ± {error:.2f}"


def _details(record: HealthRecord, space: str) -> dict[str, object]:
    return {
        "judged_by": f"samples against the training data ({space}), and series"
        if space
        else "series alone",
        "checkpoints": len(record.checkpoints),
        "coverage_last": record.features.get("coverage_last"),
        "quality_last": record.features.get("quality_last"),
    }
