"""Model of links: from evidence to the probability that a passage is about a function."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.stages.decomposition.evidence import FEATURES
from dlcc.typing import Floats

_WEIGHTS = Path(__file__).with_name("link_weights.json")
_SMALLEST = 1e-6


@dataclass(frozen=True)
class LinkModel:
    """Choice among functions and none, then calibration.

    A passage is about the function c with probability exp(s_c) / (exp(s_0) + sum exp(s_j)), where
    s is linear in the evidence and s_0 a constant: what is more likely about another function is
    less likely about this one. Source: McFadden 1974, conditional logit. A logistic regression on
    what the choice looks like makes a calibrated probability of it.
    """

    weights: Floats
    """Weights [k] of the evidence."""
    nothing: float
    """Score of no function at all."""
    calibration: Floats
    """Weights [10] of `calibration_inputs`, the intercept first."""
    threshold: float
    """Probability under which there is no link."""

    def choice(self, evidence: Floats) -> Floats:
        """Probabilities [n, m] of each function, before calibration."""
        scores = evidence @ self.weights
        top = np.maximum(scores.max(axis=1, initial=-np.inf), self.nothing)
        chances = np.exp(scores - top[:, None])
        none = np.exp(self.nothing - top)
        return np.asarray(chances / (none + chances.sum(axis=1))[:, None])

    def best(self, evidence: Floats, owners: Sequence[str]) -> tuple[NDArray[np.int64], Floats]:
        """The best function of each passage [n], and the probability [n] that it is that one."""
        choice = self.choice(evidence)
        chosen = choice.argmax(axis=1)
        inputs = calibration_inputs(choice, chosen, owners, named_in(evidence, chosen))
        logits = np.clip(inputs @ self.calibration, -30, 30)
        return chosen, 1 / (1 + np.exp(-logits))


def calibration_inputs(
    choice: Floats, chosen: NDArray[np.int64], owners: Sequence[str], named: NDArray[np.bool_]
) -> Floats:
    """Looks of a choice [n, 10]: one, log odds of the function, of its class, of the next
    best elsewhere, and whether this is the function's best passage; and the same once more where
    the text names it.

    Args:
        choice: Probabilities [n, m].
        chosen: Functions chosen [n].
        owners: Class [m] of each function, or the function itself.
        named: Whether the text names the function chosen [n].
    """
    rows = np.arange(len(choice))
    numbers = {owner: k for k, owner in enumerate(dict.fromkeys(owners))}
    of = np.array([numbers[owner] for owner in owners], dtype=np.int64)
    whole = np.zeros((len(choice), len(numbers)))
    np.add.at(whole.T, of, choice.T)
    own = whole[rows, of[chosen]]
    others = whole.copy()
    others[rows, of[chosen]] = 0.0
    picked = choice[rows, chosen]
    mutual = picked >= choice.max(axis=0)[chosen] - 1e-12
    looks = np.column_stack(
        [np.ones(len(rows)), _odds(picked), _odds(own), _odds(others.max(axis=1)), mutual]
    )
    return np.hstack([looks, looks * named[:, None]])


def named_in(evidence: Floats, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the text names the functions chosen [n], by evidence [n, m, k]."""
    columns = [k for k, name in enumerate(FEATURES) if name.startswith("named")]
    return np.asarray(evidence[np.arange(len(chosen)), chosen][:, columns].max(axis=1) > 0)


def _odds(p: Floats) -> Floats:
    p = np.clip(p, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(np.log(p / (1 - p)))


@cache
def shipped_model(what: str) -> LinkModel:
    """Load the model of "formula" or "sentence" that `benchmarks/links.py --fit` has fitted."""
    read: dict[str, Any] = json.loads(_WEIGHTS.read_text(encoding="utf-8"))
    own = read[what]
    return LinkModel(
        weights=np.array([own["weights"][name] for name in FEATURES]),
        nothing=float(own["nothing"]),
        calibration=np.array(own["calibration"], dtype=np.float64),
        threshold=float(own["threshold"]),
    )
