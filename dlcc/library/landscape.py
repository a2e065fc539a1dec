"""A record, up to some step, as curves: what landscape vectors are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.library.curves import Curves, run_vector
from dlcc.library.good import GoodModel
from dlcc.library.samples import Reference, sample_features
from dlcc.library.windows import first_step, window_edges, window_features
from dlcc.records import Samples, Series

Floats = NDArray[np.float64]

FEWEST_ROWS = 20
_FEWEST_CHECKPOINTS = 4
Progress = Callable[[float, str], None]


class TooFewRowsError(ValueError):
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
) -> Landscape:
    """The landscape of a record, cut before as it should be.

    Raises:
        TooFewRowsError: there are fewer than 20 rows.
    """
    rows = max((len(column.steps) for column in series.columns.values()), default=0)
    if rows < FEWEST_ROWS:
        raise TooFewRowsError(f"{rows} rows are too few to judge; {FEWEST_ROWS} are needed")
    recorded = int(max(column.steps[-1] for column in series.columns.values())) + 1
    windows = window_features(series, recorded)
    figures = _sample_figures(samples, progress)
    edges = window_edges(recorded, first_step(series, recorded))
    judged = samples is not None and figures is not None
    steps = np.array(samples.steps, dtype=np.int64) if judged and samples else edges[1:]
    return Landscape(Curves(windows, figures), steps, recorded, edges, min(1.0, recorded / length))


def _sample_figures(samples: Samples | None, progress: Progress) -> Floats | None:
    """Figures of the samples [c, 8]; None where they are too few, or nothing to hold them against
    is there."""
    if samples is None or samples.reference is None or len(samples.steps) < _FEWEST_CHECKPOINTS:
        return None
    distinct = np.unique(samples.reference, axis=0)
    if len(distinct) < FEWEST_ROWS or not all(map(samples.comparable, samples.steps)):
        return None
    reference = Reference.shared(samples.reference)
    figures = []
    for i, step in enumerate(samples.steps):
        progress(i / len(samples.steps), f"samples of step {step:,}")
        figures.append(sample_features(samples.at(step), reference))
    return np.array(figures)
