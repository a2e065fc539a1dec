"""Squared distances of blocks of rows, and distances to k-th neighbours: exact, a block at a time.

In up to 16 dimensions distances come from differences. In more they come from a matrix product of
rows that were centred first; what is within its rounding of 0 is 0 there, so that copies have
distance 0.
"""

from __future__ import annotations

import numpy as np

from dlcc.metrics.inputs import block, mean_of, parts
from dlcc.typing import Floats, Rows

_FEW_DIMENSIONS = 16
_TREE_DIMENSIONS = 8  # in more, a tree looks at most of the rows
_ROUNDING = 1e-14  # of a product, relative to the squared lengths of both rows


def squared_distances(a: Floats, b: Floats) -> Floats:
    """Squared distances ‖a_i − b_j‖², [p, q], of rows a [p, d] and b [q, d]; at least 0."""
    if a.shape[1] <= _FEW_DIMENSIONS:
        from scipy.spatial.distance import cdist  # slow to import, and most of dlcc imports this

        return cdist(a, b, "sqeuclidean")
    lengths = np.add.outer(np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b))
    found = a @ b.T
    found *= -2
    found += lengths
    lengths *= _ROUNDING
    found[found < lengths] = 0
    return np.asarray(found)


def kth_distances(x: Rows, k: int, to: Rows | None = None) -> Floats:
    """Distance [n] of each row of x [n, d] to its k-th nearest row of `to` [m, d].

    Without `to` the other rows of x are meant. Copies count, as neighbours at distance 0.

    Exact: by a tree in up to 8 dimensions, else over all pairs, n·m·d multiplications.
    """
    return np.asarray(nearest_distances(x, k, to)[:, 0].max(axis=1))


def nearest_distances(x: Rows, k: int, to: Rows | None = None, groups: int = 1) -> Floats:
    """Distances [n, groups, k] of each row to its k nearest in each group of the other rows.

    They are in any order, and else as of `kth_distances`. Row i is in group i mod `groups`; the
    distance is infinite where a group has fewer.
    """
    if x.shape[1] <= _TREE_DIMENSIONS:
        return _by_trees(x, k, to, groups)
    nearest = np.full((len(x), groups, k), np.inf)
    centre = mean_of(x if to is None else to)
    for rows in parts(x):
        a = block(x, rows, centre)
        for columns in parts(x if to is None else to):
            if to is not None:
                _keep(nearest[rows], squared_distances(a, block(to, columns, centre)), columns)
            elif columns.start >= rows.start:  # each block of pairs serves both of its sides
                squared = squared_distances(a, block(x, columns, centre))
                if columns.start == rows.start:
                    np.fill_diagonal(squared, np.inf)
                else:
                    _keep(nearest[columns], squared.T, rows)
                _keep(nearest[rows], squared, columns)
    return np.asarray(np.sqrt(nearest, out=nearest))


def _by_trees(x: Rows, k: int, to: Rows | None, groups: int) -> Floats:
    """Distances as of `nearest_distances`, by a tree for each group."""
    from scipy.spatial import KDTree

    points = block(x, slice(None))
    others = points if to is None else block(to, slice(None))
    nearest = np.empty((len(x), groups, k))
    for group in range(groups):
        own = np.zeros(len(x), dtype=bool)
        if to is None:
            own[group::groups] = True
        tree = KDTree(others[group::groups])
        if own.any():  # a row is its own nearest, at 0
            nearest[own, group] = tree.query(points[own], k=range(2, k + 2))[0]
        if not own.all():
            nearest[~own, group] = tree.query(points[~own], k=range(1, k + 1))[0]
    return nearest


def _keep(nearest: Floats, squared: Floats, columns: slice) -> None:
    """Put the k smallest of each row into `nearest` [rows, groups, k]."""
    groups, k = nearest.shape[1:]
    for group in range(groups):
        of_group = np.ascontiguousarray(squared[:, (group - columns.start) % groups :: groups])
        if of_group.shape[1] > k:
            of_group = np.partition(of_group, k - 1, axis=1)[:, :k]
        both = np.concatenate([nearest[:, group], of_group], axis=1)
        nearest[:, group] = np.partition(both, k - 1, axis=1)[:, :k]
