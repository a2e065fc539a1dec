"""Attribution of a forecast to features: Shapley values of the forest, by shap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forest import in_steps
from dlcc.records import FeatureEffect


def what_moved(
    forecaster: Forecaster, vector: Mapping[str, float], config: Mapping[str, Any], most: int = 5
) -> tuple[FeatureEffect, ...]:
    """Find the features that moved the forest's P(healthy) most, the largest effect first.

    Effects, those not shown included, add up to the forest's P(healthy) less its mean over the
    library (Lundberg 2020, TreeExplainer, path-dependent).
    """
    import shap

    raw = forecaster.space.raw_of(vector, config)
    point = forecaster.space.standardised(raw)[None, :]
    healthy = forecaster.space.library.label_names.index("healthy")
    explainer = shap.TreeExplainer(forecaster.forest.trees)
    seen = in_steps(point)
    effects = np.asarray(explainer.shap_values(seen, check_additivity=False))[0, :, healthy]
    order = np.argsort(-np.abs(effects), kind="stable")[:most]
    names = forecaster.space.names
    return tuple(
        FeatureEffect(names[k], None if np.isnan(raw[k]) else float(raw[k]), float(effects[k]))
        for k in order
    )
