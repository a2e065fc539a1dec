"""Independence of a run from past ones, by its centrality in the run graph; a part of novelty.

Runs are nodes, near runs are joined, an edge weighs as much as they are alike. A run that many like
runs lead to is central; independence is one less the share of past runs that are less central.
"""

from __future__ import annotations

import numpy as np

from dlcc.estimate import Estimate
from dlcc.past_runs.similarity import Space
from dlcc.typing import Floats

NEIGHBOURS, SUBSETS, SUBSET = 10, 24, 0.6


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
    import networkx as nx

    rows = np.ascontiguousarray(points, dtype=np.float32)
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    squared, found = index.search(rows, min(NEIGHBOURS + 1, len(rows)))
    scale = float(np.median(squared[:, 1])) or 1.0
    similarity = np.exp(-0.5 * np.maximum(squared, 0) / scale).astype(np.float64)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(rows)))
    graph.add_weighted_edges_from(
        (node, int(other), float(weight))
        for node, (others, weights) in enumerate(zip(found, similarity, strict=True))
        for other, weight in zip(others, weights, strict=True)
        if other != node
    )
    ranks = nx.pagerank(graph, weight="weight")
    return np.array([ranks[node] for node in range(len(rows))])
