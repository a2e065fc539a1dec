"""Forest as a similarity: it weighs past runs by their likeness to a new one.

Trees are grown on how the runs ended. A past run counts for a new one by how often the two share a
leaf (Meinshausen 2006, quantile regression forests, section 3). Weighted outcomes of past runs are
then the forest's forecast of any quantity, with its distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.typing import Floats

TREES, LEAF, FEATURES = 150, 3, 0.4


@dataclass(frozen=True)
class OutcomeForest:
    """Extra trees (Geurts 2006) on labels and stability of past runs."""

    trees: Any
    """Fitted `sklearn.ensemble.ExtraTreesRegressor`."""
    leaves: NDArray[np.int64]
    """Leaves of the past runs, [n, trees]."""

    @classmethod
    def fit(
        cls, x: Floats, labels: NDArray[np.int64], stability: Floats, ends: int
    ) -> OutcomeForest:
        """Fit rows x [n, p], NaN allowed, with labels [n] below `ends`, and stability [n]."""
        from sklearn.ensemble import ExtraTreesRegressor

        trees = ExtraTreesRegressor(
            TREES, min_samples_leaf=LEAF, max_features=FEATURES, random_state=0, n_jobs=1
        )
        trees.fit(x, np.hstack([np.eye(ends)[labels], stability[:, None]]))
        return cls(trees, trees.apply(x))

    def weights(self, x: Floats) -> Floats:
        """Weigh n past runs for rows x [m, p]: weights [m, n], each row summing to 1."""
        own = self.trees.apply(x)
        weights = np.zeros((len(x), len(self.leaves)))
        for mine, theirs in zip(own.T, self.leaves.T, strict=True):  # tree by tree
            size = np.bincount(theirs)
            weights += (mine[:, None] == theirs[None, :]) / size[mine][:, None]
        return np.asarray(weights / own.shape[1])
