"""Term meta (⋄): stability of V when its inputs move and when stages are left out.

⋄ = 1 - movement / movement under total ignorance. The movement of V without ⋄ is its standard
deviation, as its terms move within their spread, plus the mean change where each measured term in
turn is left out and imputed. The movement under ignorance is the standard deviation of V with all
terms imputed, plus the distance of that V. So ⋄ is 0 where nothing was measured, and near 1 where V
is sharp and does not depend on a single term.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlcc.estimate import DRAWS, Estimate
from dlcc.past_runs.store import TERMS, Library
from dlcc.scoring.imputation import impute
from dlcc.scoring.value import as_it_enters
from dlcc.typing import Floats

_BLOCKS = 32  # parts of the draws whose scatter is the term's own spread
_LEAST = 1e-6


@dataclass(frozen=True)
class Baselines:
    """Imputed terms: each measured term left out on its own, and all terms left out together."""

    alone: Mapping[str, Estimate]
    """Measured term -> its imputation from the other measured ones."""
    nothing: Mapping[str, Estimate]
    """Term -> its imputation where nothing is measured."""

    @classmethod
    def of(cls, measured: Mapping[str, Estimate], library: Library | None) -> Baselines:
        """Impute the terms of a run with these measured terms from a library."""
        alone = {}
        for name in measured:
            others = {other: e for other, e in measured.items() if other != name}
            alone[name] = impute(name, others, library).estimate
        names = dict.fromkeys((*TERMS, *measured))
        return cls(alone, {name: impute(name, {}, library).estimate for name in names})


def meta(terms: Mapping[str, Estimate], weights: Mapping[str, float], stand: Baselines) -> Estimate:
    """Compute the term meta from all other terms, measured or imputed, and their weights."""
    total = sum(weights[name] for name in terms)
    if total <= 0:
        return Estimate.ignorance()
    parts = {n: weights[n] / total * as_it_enters(n, e.sample(n)) for n, e in terms.items()}
    value = _blocks(sum(parts.values(), np.zeros(DRAWS)))
    lost = np.zeros(DRAWS)
    for name in terms:
        lost = lost + weights[name] / total * as_it_enters(name, stand.nothing[name].sample(name))
    ignorant = _blocks(lost)
    changes = [
        np.abs(_blocks(weights[n] / total * as_it_enters(n, e.sample(n)) - parts[n]).mean(axis=1))
        for n, e in stand.alone.items()
    ]
    left_out = np.mean(changes, axis=0) if changes else np.zeros(_BLOCKS)
    movement = value.std(axis=1) + left_out
    far = np.abs(value.mean(axis=1) - ignorant.mean(axis=1)) if changes else 0.0
    usual = np.maximum(ignorant.std(axis=1) + far, _LEAST)
    return Estimate.draws(np.clip(1 - movement / usual, 0, 1))


def _blocks(draws: Floats) -> Floats:
    """Cut draws [DRAWS] into blocks [_BLOCKS, DRAWS / _BLOCKS].

    Draws are in random order, so that each block is a sample.
    """
    return draws.reshape(_BLOCKS, -1)
