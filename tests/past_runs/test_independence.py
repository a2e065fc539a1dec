"""PageRank of the run graph, against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from dlcc.past_runs.independence import independence_among, pagerank


@pytest.mark.parametrize(("n", "k", "seed"), [(5, 1, 0), (40, 3, 1), (300, 10, 2)])
def test_ranks_are_those_of_networkx(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    neighbours = np.array([rng.choice(n, k, replace=False) for _ in range(n)])
    if n > 5:
        neighbours[7] = 7  # a node that is joined to nobody, or only by others
    between = rng.uniform(0.1, 1.0, (n, n))
    weights = np.maximum(between, between.T)[np.arange(n)[:, None], neighbours]
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(n))
    for node in range(n):
        for other, weight in zip(neighbours[node], weights[node], strict=True):
            if other != node:
                graph.add_edge(node, int(other), weight=float(weight))
    expected = nx.pagerank(graph, weight="weight", max_iter=1000, tol=1e-6)
    found = pagerank(neighbours, weights)
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found, [expected[node] for node in range(n)], atol=1e-9)


def test_a_point_among_many_is_less_independent_than_one_apart() -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    apart = independence_among(points, np.full(3, 40.0))
    among = independence_among(points, np.zeros(3))
    assert 0 <= among < apart <= 1
