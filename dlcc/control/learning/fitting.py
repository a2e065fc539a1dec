"""Fit of a policy on controlled runs: what each move is worth, from the last decision backwards.

It is fitted Q iteration (Ernst 2005) with boosted trees on situation and change. The worth of a
decision is how the run ended where it went on as the policy would have, else what is expected of
the policy; out of bag, so that no run vouches for itself. Each bag drew runs with replacement, so
that bags tell how sure a gain is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.control.learning.controlled_runs import ControlledRuns
from dlcc.control.learning.policy import Policy, beside, chosen, filled, gains_of
from dlcc.control.learning.situation import SITUATION_FIGURES
from dlcc.typing import Bools, Floats

BAGS = 8
TREES, LEAVES, LEAF, RATE = 80, 12, 40, 0.08
Grow = Callable[[int], Any]
"""Function from a seed to a regressor that can be fitted."""


def grow_trees(seed: int) -> Any:
    """Make the boosted trees of a bag (Friedman 2001)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=LEAF,
        learning_rate=RATE,
        early_stopping=False,
        random_state=seed,
    )


def worth(runs: ControlledRuns) -> Floats:
    """Worth of how each run ended, [n]: half of it is being healthy, half how good it was."""
    return np.asarray((runs.ended_well + runs.good) / 2)


@dataclass(frozen=True)
class Bags:
    """Regressors, each fitted on runs drawn with replacement."""

    models: tuple[Any, ...]
    """Fitted regressors, [b]."""
    drawn: Bools
    """Whether each run is among those that a bag drew, [b, n]."""

    @property
    def out_of_bag(self) -> Bools:
        """Whether a bag counts for a run, [b, n]: those that did not draw it, or else all."""
        apart = ~self.drawn
        return apart | ~apart.any(axis=0)

    def worths(self, x: Floats, moves: Floats) -> Floats:
        """Predict what moves [m, moves, 6] are worth in situations [m, k]: [b, m, moves]."""
        table = beside(x, moves)
        return np.array([model.predict(table).reshape(moves.shape[:2]) for model in self.models])


def fit(
    runs: ControlledRuns,
    figures: Sequence[str] = SITUATION_FIGURES,
    grow: Grow = grow_trees,
    *,
    bags: int = BAGS,
    seed: int = 0,
) -> Bags:
    """Fit what moves are worth on controlled runs, from the last decision backwards.

    Args:
        runs: Controlled runs, n with d decisions.
        figures: Names of the `SITUATION_FIGURES` that count.
        grow: Function that makes the regressor of a bag.
        bags: Number of bags.
        seed: Seed of bags and trees.

    Returns:
        Fitted bags, for rows of `filled` figures.
    """
    x = filled(runs.situations[:, :, [SITUATION_FIGURES.index(name) for name in figures]])
    decisions = x.shape[1]
    y = np.repeat(worth(runs)[:, None], decisions, axis=1)
    fitted: Bags | None = None
    for k in reversed(range(decisions)):
        if fitted is not None:
            y[:, k] = _backed_up(fitted, x[:, k + 1], runs, k + 1, y[:, k + 1])
        fitted = _fit_bags(x[:, k:], runs.changes[:, k:], y[:, k:], grow, bags, seed + k)
    assert fitted is not None
    return fitted


def _backed_up(fitted: Bags, x: Floats, runs: ControlledRuns, k: int, after: Floats) -> Floats:
    """Worth [n] of coming to decision k: what came after where the run did as the policy would,
    else what is expected of the policy."""
    worths, apart = fitted.worths(x, runs.possible_changes[:, k]), fitted.out_of_bag
    move = chosen(*gains_of(worths, apart))
    expected = np.nanmean(np.where(apart[:, :, None], worths, np.nan), axis=0)
    followed = move == runs.moves[:, k]
    return np.where(followed, after, expected[np.arange(len(move)), move])


def _fit_bags(x: Floats, change: Floats, y: Floats, grow: Grow, bags: int, seed: int) -> Bags:
    """Fit bags on situations [n, d, k], changes [n, d, 6] and worths [n, d]."""
    n = len(x)
    rng = np.random.default_rng(seed)
    table = np.concatenate([x, change], axis=2)
    models, drawn = [], np.zeros((bags, n), dtype=np.bool_)
    for bag in range(bags):
        picked = rng.integers(n, size=n)
        drawn[bag, picked] = True
        rows = table[picked].reshape(-1, table.shape[2])
        models.append(grow(seed * bags + bag).fit(rows, y[picked].ravel()))
    return Bags(tuple(models), drawn)


def policy_of(fitted: Bags, figures: Sequence[str]) -> Policy:
    """Take the trees of fitted bags out into plain arrays.

    scikit-learn has no public way to them; its version is pinned where a policy is built.
    """
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("f", "t", "l", "r")}
    roots, place = [], 0
    for model in fitted.models:
        for (tree,) in model._predictors:
            nodes = tree.nodes
            leaf = nodes["is_leaf"].astype(bool)
            parts["f"].append(np.where(leaf, -1, nodes["feature_idx"]))
            parts["t"].append(np.where(leaf, nodes["value"], nodes["num_threshold"]))
            parts["l"].append(np.where(leaf, 0, place + nodes["left"].astype(np.int64)))
            parts["r"].append(np.where(leaf, 0, place + nodes["right"].astype(np.int64)))
            roots.append(place)
            place += len(nodes)
    joined = {name: np.concatenate(found) for name, found in parts.items()}
    return Policy(
        figures=np.array(list(figures)),
        feature=joined["f"].astype(np.int16),
        threshold=joined["t"].astype(np.float32),
        left=joined["l"].astype(np.int32),
        right=joined["r"].astype(np.int32),
        roots=np.array(roots, dtype=np.int32).reshape(len(fitted.models), -1),
        baseline=np.array([float(np.ravel(m._baseline_prediction)[0]) for m in fitted.models]),
    )
