"""A record, up to some step, as curves: what landscape vectors are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.library.curves import Curves, run_vector
from dlcc.library.good import GoodModel
from dlcc.library.samples import Reference, sample_features
from dlcc.library.windows import QUANTITIES, first_step, window_edges, window_features
from dlcc.records import Samples, Series

Floats = NDArray[np.float64]

FEWEST_ROWS = 20
_FEWEST_CHECKPOINTS = 4
_JUDGED = {name.rpartition("/")[2] for name in QUANTITIES}
Progress = Callable[[float, str], None]


class TooLittleError(ValueError):
    """A record that says nothing of how the training went; the message says why."""


class TooFewRowsError(TooLittleError):
    """A record too short to say anything; the message says how short."""


@dataclass(frozen=True)
class Landscape:
    """The record of a run up to some step."""

    curves: Curves
    steps: NDArray[np.int64]
    """Of the checkpoints, or without samples the ends of the windows, [c]."""
    recorded: int
    """Steps that the record has."""
    edges: NDArray[np.int64]
    """Steps that cut the record into windows, [windows + 1]."""
    seen: float
    """Share of the configured length that the record has, at most 1."""

    @property
    def blind(self) -> bool:
        """Whether there are no samples to go by."""
        return self.curves.samples is None

    def good(self, model: GoodModel) -> Floats:
        """P(good) at `steps`, [c]."""
        return model(self.curves)

    def vector(self, model: GoodModel) -> dict[str, float]:
        """The landscape vector."""
        return run_vector(self.curves, self.good(model))


def landscape_of(
    series: Series,
    samples: Samples | None,
    length: int,
    progress: Progress = lambda share, what: None,
    *,
    alone: bool = False,
) -> Landscape:
    """The landscape of a record, cut before as it should be; of a network `alone`, or of a game.

    Raises:
        TooFewRowsError: there are fewer than 20 rows.
        TooLittleError: of a game there are no samples to go by, and nothing else ever changes.
    """
    if series.rows < FEWEST_ROWS:
        raise TooFewRowsError(f"{series.rows} rows are too few to judge: {FEWEST_ROWS} are needed")
    recorded = series.recorded
    windows = window_features(series, recorded, alone=alone)
    edges = window_edges(recorded, first_step(series, recorded))
    steps, figures = edges[1:], None
    if samples is not None and (reference := reference_of(samples)) is not None:
        steps = np.array(samples.steps, dtype=np.int64)
        figures = _sample_figures(samples, reference, progress)
    elif not alone and _stands_still(series):
        raise TooLittleError(
            "no loss, gradient norm or output of a network is recorded that ever changes, so "
            "nothing says how the training went; log those of every batch, and samples"
        )
    return Landscape(
        Curves(windows, figures, alone), steps, recorded, edges, min(1.0, recorded / length)
    )


def _stands_still(series: Series) -> bool:
    """Whether all rows say the same; what is not finite says much."""
    judged = [c.values for name, c in series.columns.items() if name.rpartition("/")[2] in _JUDGED]
    return all(np.isfinite(values).all() and len(np.unique(values)) < 2 for values in judged)


def reference_of(samples: Samples) -> Reference | None:
    """The training data to hold the samples against.

    None where a run has no such data, too few of them or of samples, or none that are alike.
    """
    if samples.reference is None or len(samples.steps) < _FEWEST_CHECKPOINTS:
        return None
    distinct = np.unique(samples.reference, axis=0)
    if len(distinct) < FEWEST_ROWS or not all(map(samples.comparable, samples.steps)):
        return None
    return Reference.shared(samples.reference)


def _sample_figures(samples: Samples, reference: Reference, progress: Progress) -> Floats:
    """`SAMPLE_FEATURES` of every checkpoint, [c, 8]."""
    figures = []
    for i, step in enumerate(samples.steps):
        progress(i / len(samples.steps), f"samples of step {step:,}")
        figures.append(sample_features(samples.at(step), reference))
    return np.array(figures)
