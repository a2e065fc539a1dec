"""Probability that a sample step's samples, or a window of the series, are good.

Good is a word with a definition (docs/health.md): coverage and quality above their marks. The fits
come from the library's runs, whose truth is known, and ship with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dlcc.health.curves import Curves
from dlcc.health.definitions import smooth
from dlcc.health.logistic import LogisticPosterior
from dlcc.health.samples import sample_figure
from dlcc.health.windows import WINDOW_FEATURES, window_figure
from dlcc.typing import Bools, Floats

_FIGURES = tuple(name for name in WINDOW_FEATURES if name != "not_finite")
WHOLE = "+".join(_FIGURES)
"""Pattern of a record that logged all that windows are judged by, at every step."""
_LEAST_QUALITY = 0.02
_RELATIVE_MARKS = np.array([0.8, math.log(0.12), 0.06, -0.14])
"""Marks of -log Fréchet distance, log quality, recall, and less quality than coverage."""
_RELATIVE_WIDTHS = np.array([0.5, 0.35, 0.06, 0.07])
_RELATIVE_WEIGHTS, _RELATIVE_BIAS = np.array([0.43, 1.14, 1.18, 2.33, 2.86]), -3.89

_AS_DENSE, _DENSE_WIDTH = 0.7, 0.05  # density from which on samples lie as close to data as data do
_AS_VARIED, _VARIED_WIDTH = -2.3, 0.15  # log Fréchet distance that such samples then have

_MARKS = np.array([0.65, 0.56])  # coverage and quality as they are seen from records
_WIDTHS = np.array([0.15, 0.05])  # how far from them a sample step is clearly one or the other


@dataclass(frozen=True)
class GoodModel:
    """Model of P(good), from samples where a run has them, else from its series."""

    with_samples: LogisticPosterior
    """Fit for sample steps with samples."""
    series_only: LogisticPosterior
    """Fit for windows of the series."""
    partial: Mapping[str, LogisticPosterior] = field(default_factory=dict)
    """Fits for windows of records that lack quantities, by the names of `pattern_of`."""

    def __call__(self, curves: Curves) -> Floats:
        """Compute P(good) at every sample step [c], or without samples in every window [w].

        A record without samples is judged by the fit for the most of its figures; P(good) is NaN
        throughout where it lacks what every fit needs.
        """
        if curves.samples is not None:
            if curves.relative:
                return relative_good(curves.samples)
            return self.with_samples.probabilities(with_samples_features(curves))[:, 1]
        there = set(pattern_of(curves.windows).split("+"))
        fits = {WHOLE: self.series_only, **self.partial}
        fitting = [pattern for pattern in fits if there.issuperset(pattern.split("+"))]
        if not fitting:
            return np.full(len(curves.windows), np.nan)
        pattern = max(fitting, key=len)
        known = replace(curves, windows=np.where(_beside(pattern), np.nan, curves.windows))
        return fits[pattern].probabilities(series_only_features(known))[:, 1]


def pattern_of(windows: Floats) -> str:
    """Name what a record logged, of what windows are judged by.

    Args:
        windows: Figures `WINDOW_FEATURES` of each window, [w, 11]; NaN for what was not logged.

    Returns:
        Names of the figures that some window has, joined by `+`.

    >>> windows = np.full((4, 11), np.nan)
    >>> windows[:, :3] = 1.0
    >>> pattern_of(windows)
    'generator_loss+generator_loss_sd+discriminator_loss'
    """
    return "+".join(name for name in _FIGURES if np.isfinite(window_figure(windows, name)).any())


def _beside(pattern: str) -> Bools:
    """Tell which of `WINDOW_FEATURES` are none of a pattern's, [11]; all have what is lost."""
    named = pattern.split("+")
    return np.array([name in _FIGURES and name not in named for name in WINDOW_FEATURES])


def relative_good(samples: Floats) -> Floats:
    """Compute P(good) of samples in a space of features, [c], from relative figures [c, 8].

    It is a logistic of the sides of their marks on which the Fréchet distance, the share of samples
    in the data's manifold, and the share of the data in theirs lie; of the side on which it lies
    how much more of the samples is real than of the regions is reached, since who draws as well as
    the data but in few regions has lost the others; and of the worst of the four. Marks and weights
    were fitted on 48 GANs on MNIST whose samples a classifier judged, on images that are none, and
    on MNIST of some classes alone (benchmarks/image_verdicts.py).
    """
    figures = smooth(samples)
    overlap, distance, quality, recall = (
        sample_figure(figures, name) for name in ("coverage", "frechet", "quality", "recall")
    )
    manifold = np.log(np.maximum(quality, 0) + _LEAST_QUALITY)
    seen = np.column_stack([-distance, manifold, recall, overlap - quality])
    sides = np.tanh((seen - _RELATIVE_MARKS) / _RELATIVE_WIDTHS)
    features = np.hstack([sides, sides.min(axis=1, keepdims=True)])
    return np.asarray(1 / (1 + np.exp(-(features @ _RELATIVE_WEIGHTS + _RELATIVE_BIAS))))


def as_varied(density: float, distance: float) -> float:
    """Compute the probability that samples are as varied as data, where they look like data.

    GANs among past runs draw worse than data, and are told by the Fréchet distance. Real images of
    five of ten classes are nearer than any of them, and have lost the other five: what is as dense
    as data has to be as near, too. The marks lie between the figures of real images of seven and
    of all classes of MNIST, Fashion-MNIST and letters (benchmarks/not_samples.py).

    Args:
        density: Density of samples, over that of real rows held out.
        distance: Logarithm of the Fréchet distance beyond that of real rows held out.

    Returns:
        Probability; 1 for samples that are not as dense as data.

    >>> round(as_varied(0.4, -1.3), 2), round(as_varied(1.0, -1.6), 2)
    (1.0, 0.01)
    >>> as_varied(1.0, -2.9) > 0.95
    True
    """
    dense = _side((density - _AS_DENSE) / _DENSE_WIDTH)
    varied = _side((_AS_VARIED - distance) / _VARIED_WIDTH)
    return 1 - dense * (1 - varied)


def _side(distance: float) -> float:
    """Probability of lying above a mark, from the distance to it in widths."""
    return float(1 / (1 + np.exp(-np.clip(distance, -50, 50))))


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
    """Compute the features of a window for P(good) without samples, [w, k], smoothed.

    They are the figures that the record has; a window without rows lies between its neighbours.
    """
    windows = curves.windows
    at = np.arange(len(windows))
    columns = []
    for column in windows.T:
        known = np.isfinite(column)
        if known.any():
            columns.append(np.interp(at, at[known], column[known]))
    return smooth(np.array(columns).reshape(len(columns), len(at)).T)
