"""Forest as a similarity: it weighs past runs by their likeness to a new one.

Trees are grown on how the runs ended. A past run counts for a new one by how often the two share a
leaf (Meinshausen 2006, quantile regression forests, section 3). Weighted outcomes of past runs are
then the forest's forecast of any quantity, with its distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dlcc import cache
from dlcc.engine.scratch import scratch_folder
from dlcc.typing import Floats

TREES, LEAF, FEATURES = 150, 3, 0.4
STEPS, REACH = 32, 4.0
"""Steps in a unit of the figures, to which these are rounded, and the largest figure that counts:
so that a threshold takes a byte."""
PARTS = ("right", "feature", "threshold", "roots")
"""Names of the arrays that a forest is kept as."""
_NODES = "forest.safetensors"


@dataclass(frozen=True)
class OutcomeForest:
    """Extra trees (Geurts 2006) on labels and stability of past runs."""

    x: Floats
    """Past runs [n, p], in units of their deviation; rounded to steps of 1/32 and cut at ± 4."""
    outcomes: Floats
    """Outcomes [n, labels + 1]: the label, one-hot, and the stability."""
    nodes: Mapping[str, NDArray[Any]]
    """Nodes of all trees, one behind the other, each before its left subtree and that before its
    right one: how many nodes ahead the `right` one is, 0 for leaves; `feature` and `threshold`, in
    steps; and `roots` [trees]. What is not above the threshold goes left."""

    @classmethod
    def fit(
        cls,
        x: Floats,
        labels: NDArray[np.int64],
        stability: Floats,
        ends: int,
        number: int = TREES,
    ) -> OutcomeForest:
        """Fit rows x [n, p] with labels [n] below `ends`, and stability [n], by a number of trees;
        the same rows give the same forest, and from the cache where it was grown before."""
        outcomes = outcomes_of(labels, stability, ends)
        key = _key(x, outcomes, number)
        nodes = _found(key, number)
        if nodes is not None:
            return cls(x, outcomes, nodes)
        nodes = {"roots": np.zeros(number, dtype=np.int32)}
        grown = cls(x, outcomes, nodes)
        nodes.update(_nodes_of(grown.trees))
        _keep(nodes, key)
        return grown

    @cached_property
    def trees(self) -> Any:
        """Fitted `sklearn.ensemble.ExtraTreesRegressor`, grown when it is first asked for."""
        from sklearn.ensemble import ExtraTreesRegressor

        trees = ExtraTreesRegressor(
            len(self.nodes["roots"]),
            min_samples_leaf=LEAF,
            max_features=FEATURES,
            random_state=0,
            n_jobs=1,
        )
        return trees.fit(in_steps(self.x), self.outcomes)

    @cached_property
    def leaves(self) -> NDArray[np.int64]:
        """Leaves of the past runs, [n, trees]."""
        return self.leaves_of(self.x)

    def weights(self, x: Floats) -> Floats:
        """Weigh n past runs for rows x [m, p]: weights [m, n], each row summing to 1."""
        own, leaves = self.leaves_of(x), self.leaves
        weights = np.zeros((len(x), len(leaves)))
        for mine, theirs in zip(own.T, leaves.T, strict=True):  # tree by tree
            size = np.bincount(theirs)
            weights += (mine[:, None] == theirs[None, :]) / size[mine][:, None]
        return np.asarray(weights / own.shape[1])

    def leaves_of(self, x: Floats) -> NDArray[np.int64]:
        """Find the leaf of every tree that rows x [m, p] fall into: numbers of nodes [m, trees]."""
        right, feature, threshold = (self.nodes[name] for name in PARTS[:3])
        roots = np.asarray(self.nodes["roots"], dtype=np.int64)
        figures, row = in_steps(x), np.repeat(np.arange(len(x)), len(roots))
        node = np.tile(roots, len(x))
        moving = np.flatnonzero(right[node])
        while len(moving):
            at = node[moving]
            below = figures[row[moving], feature[at]] <= threshold[at]
            at = at + np.where(below, 1, right[at])
            node[moving] = at
            moving = moving[right[at] > 0]
        return np.asarray(node.reshape(len(x), -1) - roots)


def in_steps(x: Floats) -> NDArray[np.float32]:
    """Figures [n, p] as a forest sees them: whole numbers of steps, −128 to 128."""
    return np.rint(STEPS * np.clip(x, -REACH, REACH)).astype(np.float32)


def outcomes_of(labels: NDArray[np.int64], stability: Floats, ends: int) -> Floats:
    """Outcomes [n, ends + 1] of labels [n] below `ends`, and of stability [n]."""
    return np.hstack([np.eye(ends)[labels], stability[:, None]])


def _nodes_of(trees: Any) -> dict[str, NDArray[Any]]:
    """Nodes of a fitted forest, as `OutcomeForest.nodes` has them.

    scikit-learn numbers nodes depth first, the left one first, so that it need not be kept.
    """
    grown = [estimator.tree_ for estimator in trees.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in grown)])[:-1]
    right = [
        np.where(tree.children_right < 0, 0, tree.children_right - np.arange(tree.node_count))
        for tree in grown
    ]
    threshold = np.concatenate([tree.threshold for tree in grown])
    leaf = np.concatenate(right) == 0
    return {
        "right": np.concatenate(right).astype(np.int32),
        "feature": np.concatenate([np.maximum(tree.feature, 0) for tree in grown]).astype(np.int16),
        "threshold": np.where(leaf, 0, np.floor(threshold)).astype(np.int8),
        "roots": roots.astype(np.int32),
    }


def _key(x: Floats, outcomes: Floats, number: int) -> str:
    """Hash of everything that a forest depends on."""
    packages = (f"{name} {version(name)}" for name in ("scikit-learn", "numpy"))
    state = xxhash.xxh3_128("\0".join((cache.package_digest(), *packages, str(number))).encode())
    for part in (x, outcomes):
        state.update(f"{part.shape}".encode())
        state.update(np.ascontiguousarray(part).tobytes())
    return state.hexdigest()


def _found(key: str, number: int) -> dict[str, NDArray[Any]] | None:
    """Load the nodes of a forest from the cache; None where they are not there."""
    entry = cache.find("forests", key)
    if entry is None:
        return None
    try:
        nodes: dict[str, NDArray[Any]] = load_file(entry / _NODES)
    except (OSError, SafetensorError):
        return None
    whole = nodes.keys() == set(PARTS) and len(nodes["roots"]) == number
    return nodes if whole else None


def _keep(nodes: Mapping[str, NDArray[Any]], key: str) -> None:
    with scratch_folder() as folder:
        save_file(dict(nodes), folder / _NODES)
        cache.keep("forests", key, folder)
