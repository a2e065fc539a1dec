"""Prior of a configuration: P(healthy) by past runs, before the configuration is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcc.past_runs.configuration import config_features
from dlcc.past_runs.store import Library
from dlcc.typing import Floats

_FEWEST = 150  # past runs on the same data; with fewer, those on other data count too
_TREES, _LEAF = 300, 3


@dataclass(frozen=True)
class ConfigPrior:
    """Classifier of configurations: P(healthy) by trees over past runs' configurations.

    A field that a configuration does not have is taken to be at its median over past runs.
    """

    trees: Any
    """Fitted scikit-learn pipeline."""

    @classmethod
    def fit(cls, library: Library, data: str | None) -> ConfigPrior:
        """Fit on past runs on the same data where there are enough, else on all past runs."""
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline

        same = library.true_record & (library.data == data)
        known = library.select(same if same.sum() >= _FEWEST else library.true_record)
        trees = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            ExtraTreesClassifier(
                _TREES, min_samples_leaf=_LEAF, max_features=0.5, random_state=0, n_jobs=1
            ),
        )
        trees.fit(known.config_vectors, known.labels == known.label_names.index("healthy"))
        return cls(trees)

    def __call__(self, configs: Sequence[Mapping[str, Any]]) -> Floats:
        """Predict P(healthy) [n] of n configurations."""
        figures = np.array([config_features(config) for config in configs])
        found = self.trees.predict_proba(figures)
        healthy = np.flatnonzero(self.trees.classes_)
        return np.asarray(found[:, healthy[0]] if len(healthy) else np.zeros(len(configs)))
