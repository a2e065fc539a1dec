"""Figures of a generator's samples against the training data that the run names.

Every figure here is one that any user's run can have: nothing is known of modes or classes.
The training data fall into regions (k-means); a sample is in the domain where it lies as near to
the training data as these lie to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import xxhash

from dlcc.health.definitions import REACHED_SHARE
from dlcc.health.feature_reference import FeatureReference
from dlcc.health.regions import centres_of_regions
from dlcc.metrics.features import AS_GIVEN, Features, name_of
from dlcc.metrics.frechet_distances import Moments, frechet_distance
from dlcc.typing import Floats

SAMPLE_FEATURES = (
    "coverage",
    "quality",
    "imbalance",
    "frechet",
    "recall",
    "density",
    "spread",
    "reach",
)
"""Names of the figures of `sample_features`, which explains each."""
LOST = (0.0, 0.0, 1.0, 8.0, 0.0, 0.0, 8.0, 12.0)
"""Figures `SAMPLE_FEATURES` of samples that are not finite."""


def sample_figure(table: Floats, name: str) -> Floats:
    """Figure of one name of `SAMPLE_FEATURES` in a table [..., 8].

    >>> float(sample_figure(np.array(LOST), "reach"))
    12.0
    """
    return np.asarray(table[..., SAMPLE_FEATURES.index(name)])


_NEAR = 1.15  # times the 99 % quantile of the data's own nearest distances
_MOST_ROWS = 2_048  # of the reference; the work grows with them
_MOST_DIMENSIONS = 64  # wider rows are projected on their principal directions first
_NEIGHBOURS = 5  # of the manifold estimates (Kynkäänniemi et al. 2019; Naeem et al. 2020)


@dataclass(frozen=True)
class Reference:
    """Training data made ready to be compared with.

    >>> data = np.random.default_rng(0).standard_normal((100, 8, 10))
    >>> reference = Reference.of(data)
    >>> reference.rows.shape, reference.project(data[:5]).shape  # of 80 numbers 64 directions
    ((100, 80), (5, 64))
    """

    rows: Floats
    """Rows of the training data, [m, d]."""
    space: ClassVar = AS_GIVEN

    @classmethod
    def of(cls, data: Floats) -> Reference:
        """Make a reference of training data: flattened, and thinned to at most 2,048 rows.

        Args:
            data: Training data [n, ...]; finite.

        Returns:
            The reference.
        """
        flat = data.reshape(len(data), -1)
        stride = -(-len(flat) // _MOST_ROWS)
        return cls(flat[::stride])

    def project(self, rows: Floats) -> Floats:
        """Project rows to the coordinates in which they are compared.

        Args:
            rows: Samples or training data [n, ...], as wide as the reference.

        Returns:
            Coordinates [n, k]: the flattened rows, or where these have more than 64 numbers their
            first principal directions in the training data.
        """
        flat = rows.reshape(len(rows), -1)
        return flat if self._directions is None else (flat - self._centre) @ self._directions

    @cached_property
    def _centre(self) -> Floats:
        """Mean row, [d]."""
        return np.asarray(self.rows.mean(axis=0))

    @cached_property
    def _directions(self) -> Floats | None:
        """Principal directions [d, k] of wide rows; None for those that stay as they are."""
        if self.rows.shape[1] <= _MOST_DIMENSIONS:
            return None
        _, _, basis = np.linalg.svd(self.rows - self._centre, full_matrices=False)
        return np.asarray(basis[:_MOST_DIMENSIONS].T)

    @cached_property
    def points(self) -> Floats:
        """Training data in the coordinates of `project`, [m, k]."""
        return self.project(self.rows)

    @cached_property
    def _own_distances(self) -> Floats:
        """Ascending distances of each training row to the nearest other ones, [m, neighbours]."""
        from scipy.spatial.distance import cdist  # slow to import, and most of dlcc imports this

        distances = cdist(self.points, self.points)
        np.fill_diagonal(distances, np.inf)
        return np.sort(np.partition(distances, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS], axis=1)

    @cached_property
    def near(self) -> float:
        """Squared distance to the training data up to which a sample is in the domain."""
        return float((_NEAR * np.quantile(self._own_distances[:, 0], 0.99)) ** 2)

    @cached_property
    def radii(self) -> Floats:
        """Squared distance of each training row to its k-th neighbour, [m]."""
        return self._own_distances[:, -1] ** 2

    @cached_property
    def centres(self) -> Floats:
        """Centres [k, d] of the regions."""
        few = self.points[:: max(1, len(self.points) // 600)]
        return centres_of_regions(few)

    @cached_property
    def shares(self) -> Floats:
        """Share of the training data in each region, [k]."""
        from scipy.spatial.distance import cdist

        nearest = cdist(self.points, self.centres).argmin(axis=1)
        return np.bincount(nearest, minlength=len(self.centres)) / len(self.points)

    @cached_property
    def moments(self) -> Moments:
        """Mean [d] and covariance [d, d] of the training data."""
        return _moments(self.points)

    @cached_property
    def extent(self) -> float:
        """Largest distance of training data from their mean."""
        return float(np.linalg.norm(self.points - self.moments.mean, axis=1).max())


AnyReference = Reference | FeatureReference
"""Training data to hold samples against: rows as they are, or features of them."""
_FEWEST_FOR_ERRORS = 32
_KEPT = 8
_MADE: dict[str, AnyReference] = {}


def shared_reference(data: Floats, features: Features | None = None) -> AnyReference:
    """Make a reference once for all runs that name the same data.

    Args:
        data: Training data [n, ...]; finite.
        features: Function from rows [n, ...] to features [n, d]; None to compare rows as given.

    Returns:
        The reference, the same object for equal data while it is among the last few.

    Raises:
        OptionError: The function gives another shape, or values that are not finite.

    >>> data = np.random.default_rng(0).standard_normal((100, 10))
    >>> shared_reference(data) is shared_reference(data.copy())
    True
    """
    key = xxhash.xxh3_128_hexdigest(np.ascontiguousarray(data).tobytes())
    key += f" {data.shape} {data.dtype} {'' if features is None else name_of(features)}"
    if key not in _MADE:
        if len(_MADE) >= _KEPT:
            _MADE.clear()
        _MADE[key] = Reference.of(data) if features is None else FeatureReference.of(data, features)
    return _MADE[key]


def errors_of_figures(samples: Floats, reference: AnyReference) -> Floats:
    """Estimate the standard errors of the figures of samples, from quarters of them.

    Args:
        samples: Samples [n, ...], independent of each other.
        reference: Training data to compare with.

    Returns:
        Standard errors of `SAMPLE_FEATURES`, [8]: half of the deviation of the figures of each
        quarter, a quarter of a space of features being held against as many real rows. NaN for
        fewer than 32 samples.

    >>> data = np.random.default_rng(0).normal(size=(400, 2))
    >>> errors = errors_of_figures(data[:200], Reference.of(data))
    >>> bool(0 < sample_figure(errors, "density") < 0.1)
    True
    """
    if len(samples) < _FEWEST_FOR_ERRORS:
        return np.full(len(SAMPLE_FEATURES), np.nan)
    quarters = np.array([sample_features(samples[k::4], reference) for k in range(4)])
    return np.asarray(quarters.std(axis=0, ddof=1) / 2)


def sample_features(samples: Floats, reference: AnyReference) -> Floats:
    """Compute the figures `SAMPLE_FEATURES` of samples against training data.

    Against a `FeatureReference` coverage, quality, recall and density are relative to what real
    rows that were held out get.

    They are, in this order:

    - coverage: share of regions with at least .2 of their fair share of in-domain samples; in a
      space of features the overlap of both sets' shares in the regions.
    - quality: share of in-domain samples.
    - imbalance: total variation between the regions' shares among samples and training data.
    - frechet: log of the Fréchet distance over the trace of the data's covariance.
    - recall, density: of k-nearest-neighbour manifolds (Kynkäänniemi 2019, Naeem 2020, eq. 3).
    - spread: log of the samples' variance over the data's.
    - reach: log10 of the largest distance from the data's mean over the data's own.

    Args:
        samples: Samples [n, ...], as wide as the reference; rows that are not finite count as lost.
        reference: Training data to compare with.

    Returns:
        The figures, [8]; those of `LOST` where fewer than eight samples are finite.

    >>> corners = np.array([[x, y + d] for x in (0.0, 5.0) for y in (0.0, 5.0) for d in (0.0, 0.1)])
    >>> collapsed = np.tile(corners[:4], (3, 1))  # two of the four corners
    >>> figures = sample_features(collapsed, Reference.of(corners))
    >>> dict(zip(SAMPLE_FEATURES[:3], figures.round(2).tolist()))
    {'coverage': 0.5, 'quality': 1.0, 'imbalance': 0.5}
    """
    flat = samples.reshape(len(samples), -1)
    finite = np.isfinite(flat).all(axis=1) & (np.abs(flat) < 1e30).all(axis=1)
    if finite.sum() < 8:
        return np.array(LOST)
    if isinstance(reference, FeatureReference):
        found = reference.figures(samples[finite])
        return np.array([found[name] for name in SAMPLE_FEATURES])
    points = reference.project(flat[finite])
    distances = _squared_distances(points, reference.points)
    inside = distances.min(axis=1) <= reference.near
    region = _squared_distances(points, reference.centres).argmin(axis=1)
    hits = np.bincount(region[inside], minlength=len(reference.shares)) / len(samples)
    every = np.bincount(region, minlength=len(reference.shares)) / len(points)
    trace = float(np.trace(reference.moments.covariance))
    return np.array(
        [
            float(np.mean(hits >= REACHED_SHARE * reference.shares)),
            float(inside.sum() / len(samples)),
            0.5 * float(np.abs(every - reference.shares).sum()),
            float(np.log(1e-4 + frechet_distance(_moments(points), reference.moments) / trace)),
            _recall(points, distances),
            min(2.0, np.count_nonzero(distances <= reference.radii) / len(points) / _NEIGHBOURS),
            float(np.log(1e-6 + points.var(axis=0).sum() / trace)),
            float(
                np.log10(
                    np.linalg.norm(points - reference.moments.mean, axis=1).max() / reference.extent
                )
            ),
        ]
    )


def _squared_distances(a: Floats, b: Floats) -> Floats:
    """Squared distances [n, m] of rows a [n, k] from rows b [m, k], as a single matrix product."""
    left = np.column_stack([-2 * a, (a * a).sum(axis=1), np.ones(len(a))])
    right = np.column_stack([b, np.ones(len(b)), (b * b).sum(axis=1)])
    return np.asarray(left @ right.T)


def _moments(points: Floats) -> Moments:
    """Moments of points [n, d], which may be as far out as those of a training that diverges."""
    return Moments(points.mean(axis=0), np.atleast_2d(np.cov(points.T)), len(points))


def _recall(points: Floats, distances: Floats) -> float:
    """Share of the training data within some sample's distance to its k-th neighbour."""
    k = min(_NEIGHBOURS, len(points) - 1)
    own = _squared_distances(points, points)
    radius = np.partition(own, k, axis=1)[:, k]
    return float((distances <= radius[:, None]).any(axis=0).mean())
