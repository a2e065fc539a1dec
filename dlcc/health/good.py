"""Probability that a sample step's samples, or a window of the series, are good.

Good is a word with a definition (docs/health.md): coverage and quality above their marks. The fits
come from the library's runs, whose truth is known, and ship with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcc.health.curves import Curves
from dlcc.health.definitions import smooth
from dlcc.health.logistic import LogisticPosterior
from dlcc.health.samples import sample_figure
from dlcc.typing import Floats

_MARKS = np.array([0.65, 0.56])  # coverage and quality as they are seen from records
_WIDTHS = np.array([0.15, 0.05])  # how far from them a sample step is clearly one or the other


@dataclass(frozen=True)
class GoodModel:
    """Model of P(good), from samples where a run has them, else from its series."""

    with_samples: LogisticPosterior
    """Fit for sample steps with samples."""
    series_only: LogisticPosterior
    """Fit for windows of the series."""

    def __call__(self, curves: Curves) -> Floats:
        """Compute P(good) at every sample step [c], or without samples in every window [w]."""
        if curves.samples is None:
            return self.series_only.probabilities(series_only_features(curves))[:, 1]
        return self.with_samples.probabilities(with_samples_features(curves))[:, 1]


def with_samples_features(curves: Curves) -> Floats:
    """Compute the features of a sample step for P(good), [c, 11].

    They are the samples' figures, smoothed; the sides of the marks of "good" on which coverage and
    quality lie, and the worse of the two: a logistic of the figures alone is too gentle for a word
    that is defined by marks, all of which must be met.
    """
    assert curves.samples is not None
    figures = smooth(curves.samples)
    seen = np.column_stack([sample_figure(figures, "coverage"), sample_figure(figures, "quality")])
    sides = np.tanh((seen - _MARKS) / _WIDTHS)
    return np.hstack([figures, sides, sides.min(axis=1, keepdims=True)])


def series_only_features(curves: Curves) -> Floats:
    """Compute the features of a window for P(good) without samples, [w, 11], smoothed."""
    return smooth(np.nan_to_num(curves.windows))
