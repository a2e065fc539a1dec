"""Independence of a run from past ones, by its centrality in the run graph; a part of novelty.

Runs are nodes, near runs are joined, an edge weighs as much as they are alike. A run that many like
runs lead to is central; independence is one less the share of past runs that are less central.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dlcc.estimate import Estimate
from dlcc.past_runs.similarity import Space
from dlcc.typing import Floats

NEIGHBOURS, SUBSETS, SUBSET = 10, 24, 0.6
_DAMPING, _ITERATIONS, _TOLERANCE = 0.85, 100, 1e-6  # as networkx has them


def independence(space: Space, point: Floats, rng: np.random.Generator) -> Estimate:
    """Estimate the independence of a point [p]; its spread is over random parts of the library."""
    n = len(space.points)
    size = max(NEIGHBOURS + 2, round(SUBSET * n))
    drawn = [
        independence_among(space.points[rng.choice(n, min(size, n), replace=False)], point)
        for _ in range(SUBSETS)
    ]
    return Estimate.draws(drawn)


def independence_among(points: Floats, point: Floats) -> float:
    """Independence of `point` [p]: 1 less the share of `points` [n, p] less central, ties half."""
    centrality = run_graph_centrality(np.vstack([points, point]))
    others, own = centrality[:-1], centrality[-1]
    return float(1 - np.mean(others < own) - 0.5 * np.mean(others == own))


def run_graph_centrality(points: Floats) -> Floats:
    """Compute the PageRank [n] of points [n, p] in the graph that joins each to its nearest ones.

    An edge weighs exp(−½(d/s)²), s the median distance to a nearest neighbour.
    """
    import faiss

    rows = np.ascontiguousarray(points, dtype=np.float32)
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    squared, found = index.search(rows, min(NEIGHBOURS + 1, len(rows)))
    scale = float(np.median(squared[:, 1])) or 1.0
    similarity = np.exp(-0.5 * np.maximum(squared, 0) / scale).astype(np.float64)
    return pagerank(found, similarity)


def pagerank(neighbours: NDArray[np.int64], weights: Floats) -> Floats:
    """Compute the PageRank [n] of nodes joined to `neighbours` [n, k] by edges of `weights` [n, k].

    Edges go both ways, and those of a node to itself are left out. Building a networkx graph for
    its function took thirty times as long as this, for each of two dozen parts of the library.

    >>> pagerank(np.array([[1], [2], [1]]), np.ones((3, 1))).round(2).tolist()
    [0.26, 0.49, 0.26]
    """
    from scipy import sparse

    n, k = neighbours.shape
    pairs = (np.repeat(np.arange(n), k), neighbours.ravel())
    one_way = sparse.coo_array((weights.ravel(), pairs), shape=(n, n)).tocsr()
    one_way.setdiag(0.0)
    both = one_way.maximum(one_way.T)
    degree: Floats = np.asarray(both.sum(axis=1), dtype=np.float64)
    alone = degree == 0
    share = sparse.diags_array(np.divide(1.0, degree, out=np.zeros(n), where=~alone)) @ both
    rank = np.full(n, 1 / n)
    for _ in range(_ITERATIONS):
        before = rank
        rank = _DAMPING * (before @ share + before[alone].sum() / n) + (1 - _DAMPING) / n
        if np.abs(rank - before).sum() < n * _TOLERANCE:
            break
    return np.asarray(rank)
