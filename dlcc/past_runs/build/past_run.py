"""Past run as the library needs it: figures of its record at every fraction, and its truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.health.curves import Curves
from dlcc.health.feature_reference import FeatureReference
from dlcc.health.samples import AnyReference, sample_features
from dlcc.health.windows import WINDOW_FEATURES, window_features
from dlcc.kinds import TrainingKind, kind_of
from dlcc.kinds.gan import GAN
from dlcc.past_runs.store import FRACTIONS, TRACE_STEPS, TRACES
from dlcc.past_runs.twins import first_rows_hash
from dlcc.recipes import truth
from dlcc.records import LABELS, Samples, Series
from dlcc.runs import Run
from dlcc.typing import Floats


@dataclass(frozen=True)
class PastRun:
    """Past run: its figures over time, and how it ended."""

    config: Mapping[str, Any]
    """Configuration, key to value."""
    data: str
    """Name of the data set."""
    windows: Floats
    """Figures of `window_features` up to each of FRACTIONS, [fractions, windows, 11]."""
    samples: Floats
    """Figures of `sample_features` at the sample steps of the configured length, [c, 8]."""
    reached: NDArray[np.int64]
    """Number of sample steps within each of FRACTIONS, [fractions]."""
    label: str
    """Label by the truth."""
    stability: float
    """Share of good sample steps in the second half."""
    good: NDArray[np.bool_]
    """Whether each sample step of the configured length is good, [c]."""
    next_quarter: Floats
    """Share of good sample steps in the quarter of the length after each of FRACTIONS,
    [fractions]."""
    traces: Floats
    """Figures `TRACES` of the truth at each sample step, those past the length included, [c, 3]."""
    first_rows: str
    """Hash of the first rows, which twins share."""
    kind: TrainingKind = GAN
    """Kind of the training."""
    relative: bool = False
    """Whether the samples' figures are relative to those of real rows held out, in a space of
    features."""

    def curves(self, fraction: int, *, series_only: bool = False) -> Curves:
        """Cut the record at FRACTIONS[fraction]."""
        samples = None if series_only else self.samples[: self.reached[fraction]]
        return Curves(self.windows[fraction], samples, self.kind, self.relative)

    @property
    def has_figures(self) -> bool:
        """Whether anything was finite at the first of FRACTIONS: what was not is seen at once, and
        has no figures that others could be held against."""
        figures = [name != "not_finite" for name in WINDOW_FEATURES]
        return bool(np.isfinite(self.windows[0, -1, figures]).any())

    @property
    def label_index(self) -> int:
        """Label as an index into LABELS."""
        return LABELS.index(self.label)


def past_run(
    config: Mapping[str, Any],
    series: Series,
    steps: Sequence[int],
    samples: Sequence[NDArray[Any]],
    judged: truth.Truth,
    reference: AnyReference,
    kind: TrainingKind = GAN,
) -> PastRun:
    """Make a past run of a record, its truth, and samples [n, ...] taken at `steps`."""
    length = judged.length
    within = [k for k, step in enumerate(steps) if step <= length]
    figures = [sample_features(np.asarray(samples[k], dtype=np.float64), reference) for k in within]
    untils = [round(fraction * length) for fraction in FRACTIONS]
    return PastRun(
        config=config,
        data=judged.data,
        windows=np.array([window_features(series.before(until), until, kind) for until in untils]),
        samples=np.array(figures),
        reached=np.array([sum(steps[k] <= until for k in within) for until in untils]),
        label=judged.label,
        stability=judged.stability,
        good=np.array(judged.good[: truth.SAMPLE_STEPS], dtype=np.bool_),
        next_quarter=next_quarters(judged.good),
        traces=traces_of(judged),
        first_rows=first_rows_hash(series),
        kind=kind,
        relative=isinstance(reference, FeatureReference),
    )


def traces_of(judged: truth.Truth) -> Floats:
    """Figures `TRACES` of the truth of a run, [c, 3]: labels can be made anew by other marks.

    The distance is NaN where no classifier knows the data.
    """
    traces = np.full((TRACE_STEPS, len(TRACES)), np.nan)
    for k, step in enumerate(judged.checkpoints[:TRACE_STEPS]):
        distance = np.nan if step.frechet is None else step.frechet
        traces[k] = step.coverage, step.quality, distance
    return traces


def next_quarters(good: Sequence[bool]) -> Floats:
    """Share of good sample steps in the quarter after each of FRACTIONS; NaN past the last."""
    flags = np.array(good, dtype=np.float64)
    starts = [round(fraction * truth.SAMPLE_STEPS) for fraction in FRACTIONS]
    quarter = truth.SAMPLE_STEPS // 4
    parts = [flags[start : start + quarter] for start in starts]
    return np.array([part.mean() if len(part) == quarter else np.nan for part in parts])


def recorded_run(run: Run, reference: AnyReference, most: int | None = None) -> PastRun:
    """Make a past run of a recipe's run folder, with its truth beside it; of the samples of a step
    the first `most` are looked at."""
    series, samples = Series.of(run, None), Samples.of(run, None)
    assert series is not None
    assert samples is not None
    return past_run(
        run.manifest.config,
        series,
        samples.steps,
        [samples.at(step)[:most] for step in samples.steps],
        truth.read(run.path),
        reference,
        kind_of(run.manifest.objective),
    )
