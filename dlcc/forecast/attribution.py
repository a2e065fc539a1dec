"""Attribution of a forecast to features: Shapley values of the forest, by shap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forest import OutcomeForest, in_steps
from dlcc.forecast.pooled import PooledForecaster
from dlcc.records import FeatureEffect
from dlcc.typing import Floats


def what_moved(
    forecaster: Forecaster | PooledForecaster,
    vector: Mapping[str, float],
    config: Mapping[str, Any],
    most: int = 5,
) -> tuple[FeatureEffect, ...]:
    """Find the features that moved the forest's P(healthy) most, the largest effect first.

    Effects, those not shown included, add up to the forest's P(healthy) less its mean over the
    library (Lundberg 2020, TreeExplainer, path-dependent).
    """
    import shap

    raw = forecaster.space.raw_of(vector, config)
    point = forecaster.space.standardised(raw)[None, :]
    healthy = forecaster.space.library.label_names.index("healthy")
    ended_healthy = (forecaster.space.library.labels == healthy).astype(np.float64)
    explainer = shap.TreeExplainer({"trees": trees_for_shap(forecaster.forest, ended_healthy)})
    seen = in_steps(point).astype(np.float64)
    effects = np.asarray(explainer.shap_values(seen, check_additivity=False))[0]
    order = np.argsort(-np.abs(effects), kind="stable")[:most]
    names = forecaster.space.names
    return tuple(
        FeatureEffect(names[k], None if np.isnan(raw[k]) else float(raw[k]), float(effects[k]))
        for k in order
    )


def trees_for_shap(forest: OutcomeForest, outcome: Floats) -> list[dict[str, NDArray[Any]]]:
    """Trees of a forest as shap takes them, which predict an outcome [n] of the past runs.

    What a node predicts is the mean over the past runs that come through it; trees are averaged.
    """
    nodes, leaves = forest.nodes, forest.leaves
    ends = [*nodes["roots"][1:].tolist(), len(nodes["right"])]
    made = []
    for tree, (start, end) in enumerate(zip(nodes["roots"].tolist(), ends, strict=True)):
        right = nodes["right"][start:end].astype(np.int64)
        own, inner = np.arange(end - start), right > 0
        runs = np.bincount(leaves[:, tree], minlength=end - start).astype(np.float64)
        sums = np.bincount(leaves[:, tree], weights=outcome, minlength=end - start)
        for node in own[inner][::-1]:  # children come after their node
            for child in (node + 1, node + right[node]):
                runs[node] += runs[child]
                sums[node] += sums[child]
        left = np.where(inner, own + 1, -1)
        made.append(
            {
                "children_left": left,
                "children_right": np.where(inner, own + right, -1),
                "children_default": left,
                "features": np.where(inner, nodes["feature"][start:end], -2).astype(np.int64),
                "thresholds": nodes["threshold"][start:end].astype(np.float64),
                "values": (sums / np.maximum(runs, 1))[:, None] / len(ends),
                "node_sample_weight": runs,
            }
        )
    return made
