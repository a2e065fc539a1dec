"""Squared distances of blocks of rows, and distances to k-th neighbours: exact, a block at a time.

In up to 16 dimensions distances come from differences. In more they come from a matrix product of
rows that were centred first; what is within its rounding of 0 is 0 there, so that copies have
distance 0.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from dlcc.metrics.given import Floats, Rows, block, mean_of, parts

_FEW_DIMENSIONS = 16
_TREE_DIMENSIONS = 8  # in more, a tree looks at most of the rows
_ROUNDING = 1e-14  # of a product, relative to the squared lengths of both rows


def squared_distances(a: Floats, b: Floats) -> Floats:
    """‖a_i − b_j‖² [p, q] of rows a [p, d] and b [q, d], at least 0."""
    if a.shape[1] <= _FEW_DIMENSIONS:
        return cdist(a, b, "sqeuclidean")
    lengths = np.add.outer(np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b))
    found = a @ b.T
    found *= -2
    found += lengths
    lengths *= _ROUNDING
    found[found < lengths] = 0
    return np.asarray(found)


def kth_distances(x: Rows, k: int, to: Rows | None = None) -> Floats:
    """Distance [n] of each row of x [n, d] to its k-th nearest row of `to` [m, d]; by default to its
    k-th nearest other row of x. Copies count, as neighbours at distance 0.

    Exact: by a tree in up to 8 dimensions, else over all pairs, n·m·d multiplications.
    """
    if x.shape[1] <= _TREE_DIMENSIONS:
        tree = KDTree(block(x if to is None else to, slice(None)))
        nth = k + 1 if to is None else k  # a row is its own nearest
        found, _ = tree.query(block(x, slice(None)), k=[nth])
        return np.asarray(found[:, 0])
    if to is None:
        return _among(x, k)
    nearest = np.full((len(x), k), np.inf)
    centre = mean_of(to)
    for rows in parts(x):
        a = block(x, rows, centre)
        for columns in parts(to):
            _keep(nearest[rows], squared_distances(a, block(to, columns, centre)))
    return np.asarray(np.sqrt(nearest.max(axis=1)))


def _among(x: Rows, k: int) -> Floats:
    """Of each row to its k-th other; each block of pairs serves both of its sides."""
    nearest = np.full((len(x), k), np.inf)
    centre = mean_of(x)
    for rows in parts(x):
        a = block(x, rows, centre)
        for columns in parts(x):
            if columns.start < rows.start:
                continue
            squared = squared_distances(a, block(x, columns, centre))
            if columns.start == rows.start:
                np.fill_diagonal(squared, np.inf)
            else:
                _keep(nearest[columns], np.ascontiguousarray(squared.T))
            _keep(nearest[rows], squared)
    return np.asarray(np.sqrt(nearest.max(axis=1)))


def _keep(nearest: Floats, squared: Floats) -> None:
    """Put the k smallest of each row of both into `nearest` [rows, k]."""
    k = nearest.shape[1]
    if squared.shape[1] > k:
        squared = np.partition(squared, k - 1, axis=1)[:, :k]
    both = np.concatenate([nearest, squared], axis=1)
    nearest[:] = np.partition(both, k - 1, axis=1)[:, :k]
