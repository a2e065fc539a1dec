"""Forests in a library's file: nodes depth first, which need no pointers there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Forest = Mapping[str, NDArray[Any]]
"""Nodes of a forest, as `OutcomeForest` has them."""
_LEAF = -1  # in place of a figure's number
_KEPT = ("feature", "threshold", "roots")


def packed_forests(forests: Mapping[str, Forest]) -> dict[str, NDArray[Any]]:
    """Columns of a file that hold forests."""
    columns: dict[str, NDArray[Any]] = {"trees": np.array(list(forests), dtype=np.str_)}
    for name, nodes in forests.items():
        feature = np.where(nodes["right"] > 0, nodes["feature"], _LEAF).astype(np.int16)
        for part, values in ({**nodes, "feature": feature}).items():
            if part in _KEPT:
                columns[f"trees {name}/{part}"] = values
    return columns


@dataclass(frozen=True)
class ForestsOfFile(Mapping[str, Forest]):
    """Forests of a library's file, each read when it is asked for: a forecast needs one of many."""

    path: Path
    """File of the library."""
    names: tuple[str, ...]
    """Names of the forests."""

    def __getitem__(self, name: str) -> Forest:
        if name not in self.names:
            raise KeyError(name)
        with np.load(self.path, allow_pickle=False) as table:
            kept = {part: table[f"trees {name}/{part}"] for part in _KEPT}
            if f"trees {name}/right" in table:  # of files written before 0.2
                return {**kept, "right": table[f"trees {name}/right"]}
        inner = kept["feature"] != _LEAF
        return {**kept, "feature": np.where(inner, kept["feature"], 0), "right": right_of(inner)}

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def right_of(inner: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Count how many nodes ahead the right child of each node is, 0 for leaves.

    A tree has one leaf more than inner nodes. So what inner nodes are more than leaves, counted
    from the first node on, falls below its value at a node where that node's left subtree ends.

    Args:
        inner: Whether each node is none of the leaves, [n]; nodes of trees one behind the other,
            each before its left subtree and that before its right one.

    Returns:
        The distances [n].

    >>> right_of(np.array([True, True, False, False, False, True, False, False])).tolist()
    [4, 2, 0, 0, 0, 2, 0, 0]
    """
    n = len(inner)
    more = np.cumsum(np.where(inner, 1, -1))
    at = np.arange(n)
    keys = (more + n) * (n + 1) + at  # by value, then by place
    order = np.argsort(keys)
    asked = np.flatnonzero(inner)
    found = np.searchsorted(keys[order], (more[asked] - 1 + n) * (n + 1) + asked)
    right = np.zeros(n, dtype=np.int32)
    right[asked] = order[found] + 1 - asked
    return right
