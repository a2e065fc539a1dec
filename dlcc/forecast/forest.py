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
_NODES = "forest.safetensors"
_NAMES = {"left", "right", "feature", "threshold", "roots", "leaves"}


@dataclass(frozen=True)
class OutcomeForest:
    """Extra trees (Geurts 2006) on labels and stability of past runs."""

    x: Floats
    """Past runs [n, p]."""
    outcomes: Floats
    """Outcomes [n, labels + 1]: the label, one-hot, and the stability."""
    nodes: Mapping[str, NDArray[Any]]
    """Nodes of all trees, one behind the other: `left` and `right`, -1 for leaves, `feature` and
    `threshold`; `roots` [trees]; and `leaves` of the past runs [n, trees]."""

    @classmethod
    def fit(
        cls, x: Floats, labels: NDArray[np.int64], stability: Floats, ends: int
    ) -> OutcomeForest:
        """Fit rows x [n, p] with labels [n] below `ends`, and stability [n]; the same rows give the
        same forest, and from the cache where it was grown before."""
        outcomes = np.hstack([np.eye(ends)[labels], stability[:, None]])
        key = _key(x, outcomes)
        nodes = _found(key, len(x))
        if nodes is not None:
            return cls(x, outcomes, nodes)
        nodes = {}
        grown = cls(x, outcomes, nodes)
        nodes.update(_nodes_of(grown.trees, x))
        _keep(nodes, key)
        return grown

    @cached_property
    def trees(self) -> Any:
        """Fitted `sklearn.ensemble.ExtraTreesRegressor`, grown when it is first asked for."""
        from sklearn.ensemble import ExtraTreesRegressor

        trees = ExtraTreesRegressor(
            TREES, min_samples_leaf=LEAF, max_features=FEATURES, random_state=0, n_jobs=1
        )
        return trees.fit(self.x, self.outcomes)

    def weights(self, x: Floats) -> Floats:
        """Weigh n past runs for rows x [m, p]: weights [m, n], each row summing to 1."""
        own, leaves = self.leaves_of(x), self.nodes["leaves"]
        weights = np.zeros((len(x), len(leaves)))
        for mine, theirs in zip(own.T, leaves.T, strict=True):  # tree by tree
            size = np.bincount(theirs)
            weights += (mine[:, None] == theirs[None, :]) / size[mine][:, None]
        return np.asarray(weights / own.shape[1])

    def leaves_of(self, x: Floats) -> NDArray[np.int64]:
        """Find the leaf of every tree that rows x [m, p] fall into: numbers of nodes [m, trees]."""
        left, right = self.nodes["left"], self.nodes["right"]
        feature, threshold = self.nodes["feature"], self.nodes["threshold"]
        figures, rows = x.astype(np.float32), np.arange(len(x))[:, None]
        node = np.tile(self.nodes["roots"], (len(x), 1))
        while (inner := left[node] >= 0).any():
            below = figures[rows, feature[node]] <= threshold[node]
            node = np.where(inner, np.where(below, left[node], right[node]), node)
        return np.asarray(node - self.nodes["roots"])


def _nodes_of(trees: Any, x: Floats) -> dict[str, NDArray[Any]]:
    """Nodes of a fitted forest, as `OutcomeForest.nodes` has them."""
    grown = [estimator.tree_ for estimator in trees.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in grown)])[:-1]
    return {
        **{
            name: np.concatenate(
                [
                    np.where(child < 0, -1, child + root).astype(np.int64)
                    for child, root in zip(children, roots, strict=True)
                ]
            )
            for name, children in (
                ("left", [tree.children_left for tree in grown]),
                ("right", [tree.children_right for tree in grown]),
            )
        },
        "feature": np.concatenate([np.maximum(tree.feature, 0) for tree in grown]),
        "threshold": np.concatenate([tree.threshold for tree in grown]),
        "roots": roots,
        "leaves": np.ascontiguousarray(trees.apply(x), dtype=np.int64),
    }


def _key(x: Floats, outcomes: Floats) -> str:
    """Hash of everything that a forest depends on."""
    packages = (f"{name} {version(name)}" for name in ("scikit-learn", "numpy"))
    state = xxhash.xxh3_128("\0".join((cache.package_digest(), *packages)).encode())
    for part in (x, outcomes):
        state.update(f"{part.shape}".encode())
        state.update(np.ascontiguousarray(part).tobytes())
    return state.hexdigest()


def _found(key: str, runs: int) -> dict[str, NDArray[Any]] | None:
    """Load the nodes of a forest of so many runs from the cache; None where they are not there."""
    entry = cache.find("forests", key)
    if entry is None:
        return None
    try:
        nodes: dict[str, NDArray[Any]] = load_file(entry / _NODES)
    except (OSError, SafetensorError):
        return None
    whole = nodes.keys() == _NAMES and nodes["leaves"].shape == (runs, TREES)
    return nodes if whole else None


def _keep(nodes: Mapping[str, NDArray[Any]], key: str) -> None:
    with scratch_folder() as folder:
        save_file(dict(nodes), folder / _NODES)
        cache.keep("forests", key, folder)
