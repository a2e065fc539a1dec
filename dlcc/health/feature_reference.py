"""Training data in a space of features, where samples are held against real rows held out.

What precision, density, recall and regions say depends on how many rows there are and on the data.
So real rows that are kept out of the comparison set the scale: 1 is what they get.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlcc.errors import OptionError
from dlcc.health.regions import centres_of_regions
from dlcc.metrics.distances import squared_distances
from dlcc.metrics.features import Features, extract, name_of
from dlcc.metrics.frechet_distances import Moments, frechet_distance
from dlcc.typing import Floats, Rows

_MOST_ROWS = 2_048
_HELD_OUT = 5  # every fifth row is kept out
_LEAST_DISTANCE = 0.05  # what 200 rows of MNIST have beside 1,600, in whose space marks were fitted
_NEIGHBOURS = 5  # of the manifold estimates (Kynkäänniemi et al. 2019; Naeem et al. 2020)
_MOST_DIRECTIONS = 64  # of the space, for moments and regions


@dataclass(frozen=True)
class FeatureReference:
    """Training data as features, four fifths to compare with and one fifth held out.

    >>> from dlcc.metrics.image_features import UntrainedConvolutions
    >>> rng = np.random.default_rng(0)
    >>> bars = np.repeat(rng.normal(size=(200, 1, 12)), 12, axis=1)
    >>> reference = FeatureReference.of(bars, UntrainedConvolutions.of(bars))
    >>> noise = reference.figures(rng.normal(size=(50, 12, 12)))
    >>> more_bars = reference.figures(np.repeat(rng.normal(size=(50, 1, 12)), 12, axis=1))
    >>> bool(noise["quality"] < 0.1 < 0.7 < more_bars["quality"])
    True
    """

    features: Features
    """Function from rows [n, ...] to features [n, d]."""
    rows: Floats
    """Features of the training data, [m, d]."""

    @classmethod
    def of(cls, data: Rows, features: Features) -> FeatureReference:
        """Make a reference of training data, thinned to at most 2,048 rows.

        Args:
            data: Training data [n, ...]; finite.
            features: Function from rows [n, ...] to features [n, d].

        Returns:
            The reference.

        Raises:
            OptionError: The function gives another shape, values that are not finite, or the same
                for all rows.
        """
        stride = -(-len(data) // _MOST_ROWS)
        rows = checked_features(features, data[::stride])
        if len(np.unique(rows, axis=0)) < _NEIGHBOURS:
            raise OptionError(
                f"features {name_of(features)}: nearly all rows of the reference have the same "
                "features; expected some that tell them apart"
            )
        return cls(features, rows)

    @property
    def space(self) -> str:
        """Name of the space, for reports."""
        return name_of(self.features)

    @cached_property
    def points(self) -> Floats:
        """Rows that samples are compared with, [p, d]."""
        return np.delete(self.rows, np.s_[::_HELD_OUT], axis=0)

    @cached_property
    def held_out(self) -> Floats:
        """Real rows that set the scale, [h, d]."""
        return self.rows[::_HELD_OUT]

    @cached_property
    def _radii(self) -> Floats:
        """Squared distance of each row to its k-th neighbour, [p]."""
        return _radii(self.points)

    @cached_property
    def _directions(self) -> tuple[Floats, Floats]:
        """Mean [d] and principal directions [d, k] of the data."""
        mean = self.points.mean(axis=0)
        _, _, basis = np.linalg.svd(self.points - mean, full_matrices=False)
        return mean, np.asarray(basis[:_MOST_DIRECTIONS].T)

    def _along(self, points: Floats) -> Floats:
        """Coordinates [n, k] of points [n, d] along the principal directions."""
        mean, directions = self._directions
        return np.asarray((points - mean) @ directions)

    @cached_property
    def _centres(self) -> Floats:
        """Centres [r, k] of the data's regions."""
        few = self.points[:: max(1, len(self.points) // 600)]
        return centres_of_regions(self._along(few))

    @cached_property
    def _shares(self) -> Floats:
        """Share of the data in each region, [r]."""
        return self._in_regions(self.points) / len(self.points)

    def _in_regions(self, points: Floats) -> Floats:
        """Count points [n, d] by region, [r]."""
        region = squared_distances(self._along(points), self._centres).argmin(axis=1)
        return np.bincount(region, minlength=len(self._centres)).astype(np.float64)

    @cached_property
    def _moments(self) -> Moments:
        """Moments of the data along the principal directions."""
        return _moments(self._along(self.points))

    @cached_property
    def _real(self) -> dict[int, Mapping[str, float]]:
        """Figures of held-out rows, by their number."""
        return {}

    def _expected(self, n: int) -> Mapping[str, float]:
        """Figures of n held-out rows, evenly spaced: data may be sorted by class."""
        if n not in self._real:
            rows = np.linspace(0, len(self.held_out) - 1, n).round().astype(np.int64)
            self._real[n] = self._absolute(self.held_out[rows])
        return self._real[n]

    def figures(self, samples: Rows) -> Mapping[str, float]:
        """Compute the figures of samples relative to those of held-out rows.

        Args:
            samples: Samples [n, ...], finite; of more than were held out, as many are taken.

        Returns:
            Figures by the names of `dlcc.health.samples.SAMPLE_FEATURES`.

        Raises:
            OptionError: The feature function gives another width, or values that are not finite.
        """
        stride = -(-len(samples) // len(self.held_out))
        points = checked_features(self.features, samples[::stride], self.rows.shape[1])
        found, real = self._absolute(points), self._expected(len(points))
        relative = {
            name: min(1.0, found[name] / max(real[name], 1e-6))
            for name in ("coverage", "quality", "recall")
        }
        density = min(2.0, found["density"] / max(real["density"], 1e-6))
        beyond = max(0.0, found["frechet"] - real["frechet"])  # few rows alone make a distance
        distance = float(np.log(_LEAST_DISTANCE + beyond))
        return {**found, **relative, "density": density, "frechet": distance}

    def _absolute(self, points: Floats) -> dict[str, float]:
        """Figures of points [n, d], as they come."""
        distances = squared_distances(points, self.points)
        inside = distances <= self._radii
        everywhere = self._in_regions(points) / len(points)
        along, moments = self._along(points), self._moments
        trace = max(float(np.trace(moments.covariance)), 1e-12)
        reach = (
            np.linalg.norm(along, axis=1).max()
            / np.linalg.norm(self._along(self.points), axis=1).max()
        )
        return {
            "coverage": float(np.minimum(everywhere, self._shares).sum()),
            "quality": float(inside.any(axis=1).mean()),
            "imbalance": 0.5 * float(np.abs(everywhere - self._shares).sum()),
            "frechet": float(frechet_distance(_moments(along), moments) / trace),
            "recall": float((distances <= _radii(points)[:, None]).any(axis=0).mean()),
            "density": float(inside.sum(axis=1).mean() / _NEIGHBOURS),
            "spread": float(np.log(1e-6 + along.var(axis=0).sum() / trace)),
            "reach": float(np.log10(reach)),
        }


def checked_features(features: Features, rows: Rows, width: int | None = None) -> Floats:
    """Compute features of rows, and refuse what cannot be compared.

    Args:
        features: Function from rows [n, ...] to features [n, d].
        rows: Rows [n, ...].
        width: Width d that is expected; None for any.

    Returns:
        Features [n, d], finite.

    Raises:
        OptionError: The function gives another shape, or values that are not finite.
    """
    name = name_of(features)
    try:
        given = np.asarray(extract(features, rows))
    except (Exception, SystemExit) as error:  # a function of the user's own may raise anything
        raise OptionError(f"features {name}: {type(error).__name__}: {error}") from None
    if given.dtype.kind not in "biuf" or given.shape[1] == 0:
        raise OptionError(
            f"features {name}: {given.shape[1]} of type {given.dtype}; expected one real number or "
            "more a row"
        )
    found = given.astype(np.float64)
    if width is not None and found.shape[1] != width:
        raise OptionError(
            f"features {name}: {found.shape[1]} numbers a sample, and {width} a row of the "
            "reference; expected as many of both"
        )
    if not np.isfinite(found).all():
        raise OptionError(f"features {name}: values that are not finite; expected numbers")
    return found


def _radii(points: Floats) -> Floats:
    """Squared distance [n] of each point [n, d] to its k-th other, or to the farthest of fewer."""
    k = min(_NEIGHBOURS, len(points) - 1)
    return np.asarray(np.partition(squared_distances(points, points), k, axis=1)[:, k])


def _moments(points: Floats) -> Moments:
    """Moments of points [n, d]."""
    return Moments(points.mean(axis=0), np.atleast_2d(np.cov(points.T)), len(points))
