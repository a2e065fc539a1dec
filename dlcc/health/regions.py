"""Regions of training data: clusters where there are some, else a fine even division."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from dlcc import cache
from dlcc.typing import Floats

_REGIONS = range(4, 31)
_BOXES = 2  # that the silhouette by chance is the mean of
_CLUSTERED = 1.2  # times that: more than uniform shapes have, less than overlapping clusters


def centres_of_regions(points: Floats) -> Floats:
    """Find the centres [k, d] of the regions of points [n, d]: k-means with the best silhouette.

    Where that is hardly better than for uniform points in the data's box, there are no clusters
    to find, as in a square or a ball. Then there are the most regions: few large ones would all
    be reached from the middle.

    It takes seconds, and all runs on the same data need the same, so it is kept in the cache.
    """
    what = f"{version('scikit-learn')} {points.dtype} {points.shape}"
    of = np.ascontiguousarray(points).tobytes()
    found = cache.kept("regions", what, of, lambda: _plain(_by_one_thread(points)))
    return np.array(found["centres"], dtype=found["dtype"])


def _by_one_thread(points: Floats) -> Floats:
    """Find the centres by one thread: on so few points more of them wait for each other, seven
    times as long on a busy machine, and change the last bits."""
    import sklearn.cluster  # noqa: F401 - limits hold for what is loaded before they are set
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return _centres(points)


def _plain(centres: Floats) -> dict[str, Any]:
    return {"centres": centres.tolist(), "dtype": str(centres.dtype)}


def _centres(points: Floats) -> Floats:
    cuts = _cuts(points, starts=4)
    if not cuts:
        return points[:1]
    best = max(cuts, key=lambda cut: cut.silhouette)
    boxes = [_cuts(_uniform_in_box(points, seed), starts=1) for seed in range(_BOXES)]
    by_chance = np.mean([max(cut.silhouette for cut in cuts) for cuts in boxes])
    return (best if best.silhouette > _CLUSTERED * by_chance else cuts[-1]).centres


class _Cut(NamedTuple):
    """Points cut into regions."""

    silhouette: float
    """Mean silhouette of the points, from −1 to 1."""
    centres: Floats
    """Centres of the regions, [k, d]."""


def _cuts(points: Floats, *, starts: int) -> list[_Cut]:
    """Cut points [n, d] by k-means, for every number of regions that they are enough for."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances, silhouette_score

    fits = [
        KMeans(k, n_init=starts, random_state=0).fit(points) for k in _REGIONS if k < len(points)
    ]
    distances = pairwise_distances(points) if fits else points  # once, not for each number
    silhouettes = [silhouette_score(distances, f.labels_, metric="precomputed") for f in fits]
    return [_Cut(float(s), f.cluster_centers_) for s, f in zip(silhouettes, fits, strict=True)]


def _uniform_in_box(points: Floats, seed: int) -> Floats:
    """Draw as many uniform points [n, d] in the box around points along their principal axes.

    It is the reference of Tibshirani 2001, section 3, choice b.
    """
    _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    along = points @ axes.T
    rng = np.random.default_rng(seed)
    return np.asarray(rng.uniform(along.min(axis=0), along.max(axis=0), along.shape))
