"""Features of a record up to some step: its curves, and the vector made of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from dlcc import cache
from dlcc.health.curves import Curves, run_vector
from dlcc.health.feature_reference import FeatureReference
from dlcc.health.good import GoodModel
from dlcc.health.sample_space import features_of, space_of
from dlcc.health.samples import AnyReference, sample_features, shared_reference
from dlcc.health.windows import COLUMNS, first_step, window_edges, window_features
from dlcc.kinds import TrainingKind
from dlcc.kinds.gan import GAN
from dlcc.metrics.features import Features
from dlcc.records import Samples, Series
from dlcc.typing import Floats, Progress

FEWEST_ROWS = 20
"""Fewest rows of the series, and of the reference, that a verdict needs."""
_FEWEST_IN_FEATURES = 100  # rows of a reference of which a fifth is held out
_FEWEST_SAMPLE_STEPS = 4
_ROUNDING = 1e-6  # of float32


@dataclass(frozen=True)
class RunFeatures:
    """Features of a run's record up to some step.

    >>> from dlcc.health import judgeable_features, judgeable_kind
    >>> from dlcc.past_runs import shipped_library
    >>> from dlcc.runs import Run
    >>> run = Run.open("runs/ring-oscillating")
    >>> kind = judgeable_kind(run.manifest.objective, run.manifest.players)
    >>> features = judgeable_features(kind, run.series(), samples=None, length=run.length)
    >>> model = shipped_library().good
    >>> features.good(model).shape == features.steps.shape == (40,)
    True
    >>> round(features.vector(model)["good_half"], 2)
    0.33
    """

    curves: Curves
    """Figures over time."""
    steps: NDArray[np.int64]
    """Sample steps, or without samples the ends of the windows, [c]."""
    recorded: int
    """Number of steps that the record has."""
    edges: NDArray[np.int64]
    """Steps that cut the record into windows, [windows + 1]."""
    seen: float
    """Share of the configured length that the record has, at most 1."""
    reference: AnyReference | None = None
    """Training data that samples were held against; None where there are no samples to go by."""

    @property
    def space(self) -> str:
        """Name of the space in which samples were held against data; empty without any."""
        return "" if self.reference is None else self.reference.space

    @property
    def series_only(self) -> bool:
        """Whether there are no samples to go by."""
        return self.curves.samples is None

    def good(self, model: GoodModel) -> Floats:
        """Compute P(good) over time.

        Args:
            model: Model of P(good), such as `shipped_library().good`.

        Returns:
            The probabilities at `steps`, [c].
        """
        return model(self.curves)

    def vector(self, model: GoodModel) -> dict[str, float]:
        """Compute the feature vector, which verdicts and forecasts are made from.

        Args:
            model: Model of P(good), such as `shipped_library().good`.

        Returns:
            Name to figure; figures that need samples are missing where there are none.
        """
        return run_vector(self.curves, self.good(model))


def is_still(series: Series, kind: TrainingKind = GAN) -> bool:
    """Tell whether whatever is judged by changes by rounding at most.

    Args:
        series: Logged quantities.
        kind: Kind of the training.

    Returns:
        True for a record in which nothing changes; one with a value that is not finite says much,
        and is not still, nor is one without any of these quantities.

    >>> is_still(Series.from_start({"generator/loss": np.full(40, 0.7)}))
    True
    >>> is_still(Series.from_start({"generator/loss": np.arange(40.0)}))
    False
    """
    names = set(COLUMNS[kind.run_features](series).values())
    columns = [series.columns[name].values for name in names if name in series.columns]
    told = [values for values in columns if len(values)]
    return bool(told) and all(
        np.isfinite(values).all() and np.ptp(np.arcsinh(values)) < _ROUNDING for values in told
    )


def run_features(
    series: Series,
    samples: Samples | None,
    length: int,
    progress: Progress = lambda share, what: None,
    kind: TrainingKind = GAN,
    *,
    known: dict[int, Floats] | None = None,
    features: Features | None = None,
) -> RunFeatures:
    """Compute the features of a record, which was cut where one looks.

    `known` has the figures of samples of the same run by their step, where it is cut several
    times; those that are missing are added. `features` are the user's own for samples; by default
    the data say which.

    Whether they are enough to judge by is asked in `dlcc.health.judgeable`.
    """
    recorded = series.recorded
    windows = window_features(series, recorded, kind)
    edges = window_edges(recorded, first_step(series, recorded))
    steps, figures, reference = edges[1:], None, None
    if samples is not None and (reference := reference_of(samples, features)) is not None:
        steps = np.array(samples.steps, dtype=np.int64)
        if known is None and features is None:
            figures = _kept_figures(samples, reference, progress)
        else:
            figures = _sample_figures(samples, reference, progress, {} if known is None else known)
    relative = isinstance(reference, FeatureReference)
    return RunFeatures(
        Curves(windows, figures, kind, relative),
        steps,
        recorded,
        edges,
        min(1.0, recorded / length),
        reference,
    )


def reference_of(samples: Samples, features: Features | None = None) -> AnyReference | None:
    """Find the training data to hold the samples against, in a space that suits them.

    None where a run has no such data, too few of them or of samples, or none that are alike:
    `why_not_comparable` says which.
    """
    if samples.reference is None or why_not_comparable(samples) is not None:
        return None
    return shared_reference(
        samples.reference, features or features_of(samples.reference, samples.data)
    )


def why_not_comparable(samples: Samples) -> str | None:
    """Reason why samples cannot be held against training data, in words; None where they can.

    Args:
        samples: Samples of a run, and the training data that it names.

    Returns:
        What is missing or does not fit, and what is expected.

    Raises:
        SnapshotError: Samples are damaged.
    """
    reference = samples.reference
    if reference is None:
        return "the run names no training data to hold its samples against"
    distinct = len(np.unique(reference, axis=0))
    space = space_of(reference.shape[1:], samples.data)
    needed = FEWEST_ROWS if space is None else _FEWEST_IN_FEATURES
    if distinct < needed:
        return f"the reference has {distinct} rows that differ; expected {needed} or more"
    if len(samples.steps) < _FEWEST_SAMPLE_STEPS:
        return (
            f"there are samples of {len(samples.steps)} steps; expected {_FEWEST_SAMPLE_STEPS} or "
            "more"
        )
    for step in samples.steps:
        if not samples.comparable(step):
            return (
                f"the samples of step {step:,} have the shape {list(samples.at(step).shape)}; "
                f"expected {FEWEST_ROWS} rows or more of the reference's shape "
                f"{list(reference.shape[1:])}"
            )
    return None


def _kept_figures(samples: Samples, reference: AnyReference, progress: Progress) -> Floats:
    """Figures `SAMPLE_FEATURES` of every sample step, [c, 8], from the cache where they are there.

    They are most of what a forecast computes of a run.
    """
    packages = " ".join(version(name) for name in ("numpy", "scipy", "scikit-learn", "torch"))
    threads = os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))  # last bits depend on them
    what = f"{reference.space} {packages} {threads} {samples.steps}"
    found = cache.kept(
        "figures",
        what,
        samples.digest().encode(),
        lambda: _sample_figures(samples, reference, progress, {}).tolist(),
    )
    return np.array(found, dtype=np.float64)


def _sample_figures(
    samples: Samples, reference: AnyReference, progress: Progress, known: dict[int, Floats]
) -> Floats:
    """Figures `SAMPLE_FEATURES` of every sample step, [c, 8]."""
    for i, step in enumerate(samples.steps):
        progress(i / len(samples.steps), f"samples of step {step:,}")
        if step not in known:
            known[step] = sample_features(samples.at(step), reference)
    return np.array([known[step] for step in samples.steps])
