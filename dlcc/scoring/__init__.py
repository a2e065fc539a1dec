"""Scores of a run: weights of its terms, V, HyperScore, and the calibrated P(healthy).

Scoring works on estimates and knows nothing of stages. Names are imported when they are first
used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.scoring.ahp import ahp_weights as ahp_weights
    from dlcc.scoring.ahp import principal_weights as principal_weights
    from dlcc.scoring.calibration import Probability as Probability
    from dlcc.scoring.calibration import healthy_and_true as healthy_and_true
    from dlcc.scoring.fusion import Score as Score
    from dlcc.scoring.fusion import score as score
    from dlcc.scoring.imputation import Imputed as Imputed
    from dlcc.scoring.imputation import impute as impute
    from dlcc.scoring.shapley import shapley_values as shapley_values
    from dlcc.scoring.value import HyperScore as HyperScore
    from dlcc.scoring.value import Term as Term
    from dlcc.scoring.value import Value as Value
    from dlcc.scoring.value import fuse as fuse
    from dlcc.scoring.weights import TermWeight as TermWeight
    from dlcc.scoring.weights import Weights as Weights
    from dlcc.scoring.weights import posterior_weights as posterior_weights

_HOMES = {
    "HyperScore": "dlcc.scoring.value",
    "Imputed": "dlcc.scoring.imputation",
    "Probability": "dlcc.scoring.calibration",
    "Score": "dlcc.scoring.fusion",
    "Term": "dlcc.scoring.value",
    "TermWeight": "dlcc.scoring.weights",
    "Value": "dlcc.scoring.value",
    "Weights": "dlcc.scoring.weights",
    "ahp_weights": "dlcc.scoring.ahp",
    "fuse": "dlcc.scoring.value",
    "healthy_and_true": "dlcc.scoring.calibration",
    "impute": "dlcc.scoring.imputation",
    "posterior_weights": "dlcc.scoring.weights",
    "principal_weights": "dlcc.scoring.ahp",
    "score": "dlcc.scoring.fusion",
    "shapley_values": "dlcc.scoring.shapley",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
