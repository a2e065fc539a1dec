"""Prior of a configuration: P(healthy) by past runs, before the configuration is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc import cache
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

    configs: Floats
    """Configurations of past runs [n, 21], as figures."""
    healthy: NDArray[np.bool_]
    """Whether they ended healthy, [n]."""

    @classmethod
    def fit(cls, library: Library, data: str | None) -> ConfigPrior:
        """Fit on past runs on the same data where there are enough, else on all past runs."""
        same = library.true_record & (library.data == data)
        known = library.select(same if same.sum() >= _FEWEST else library.true_record)
        return cls(known.config_vectors, known.labels == known.label_names.index("healthy"))

    def __call__(self, configs: Sequence[Mapping[str, Any]]) -> Floats:
        """Predict P(healthy) [n] of n configurations.

        Trees take seconds to import and to grow, and the same run is asked about again and again,
        so that what they said is kept in the cache.
        """
        figures = np.array([config_features(config) for config in configs])
        given = [np.ascontiguousarray(part) for part in (self.configs, self.healthy, figures)]
        what = f"scikit-learn {version('scikit-learn')} {[part.shape for part in given]}"
        of = b"".join(part.tobytes() for part in given)
        found = cache.kept("priors", what, of, lambda: self._predicted(figures).tolist())
        return np.array(found, dtype=np.float64)

    @cached_property
    def _trees(self) -> Any:
        """Fitted scikit-learn pipeline, grown when it is first asked."""
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline

        trees = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            ExtraTreesClassifier(
                _TREES, min_samples_leaf=_LEAF, max_features=0.5, random_state=0, n_jobs=1
            ),
        )
        return trees.fit(self.configs, self.healthy)

    def _predicted(self, figures: Floats) -> Floats:
        """Predict P(healthy) [n] of configurations as figures [n, 21], by the trees."""
        found = self._trees.predict_proba(figures)
        healthy = np.flatnonzero(self._trees.classes_)
        return np.asarray(found[:, healthy[0]] if len(healthy) else np.zeros(len(figures)))
