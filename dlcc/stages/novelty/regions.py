"""Regions of landscape space in which runs tend to fail, described by the ranges that mark them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.estimate import Estimate
from dlcc.kinds import TrainingKind
from dlcc.kinds.gan import GAN
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import row
from dlcc.typing import Floats

_FEWEST = 25  # past runs in a region
_DEPTH = 3
# figure -> the run feature whose words the kind has, what is said of it, and from its scale back to
# what was logged
_MARKS: Mapping[str, tuple[str, str, Callable[[float], float]]] = {
    "generator_loss_last": ("generator_loss", "{}", math.sinh),
    "discriminator_loss_last": ("discriminator_loss", "{}", math.sinh),
    "generator_grad_last": ("generator_grad", "{}", lambda v: 10.0**v),
    "discriminator_grad_last": ("discriminator_grad", "{}", lambda v: 10.0**v),
    "margin_last": ("margin", "{}", math.sinh),
    "generator_loss_sd_last": ("generator_loss", "the spread of asinh of {}", lambda v: v),
    "discriminator_loss_sd_last": (
        "discriminator_loss",
        "the spread of asinh of {}",
        lambda v: v,
    ),
}


@dataclass(frozen=True)
class Region:
    """Region of landscape space, with the ends of past runs in it."""

    words: str
    """Description of the ranges that mark the region."""
    runs: int
    """Number of past runs in the region."""
    failed: int
    """Number of past runs in the region that failed."""
    usual: float
    """Share of failed runs in the whole library."""

    @property
    def share(self) -> Estimate:
        """Share of failed runs in the region."""
        return Estimate.proportion(self.failed, self.runs)


def region_of(space: Space, vector: Mapping[str, float], kind: TrainingKind = GAN) -> Region:
    """Find the region that a run of a kind with this feature vector lies in.

    Regions are the leaves of a shallow tree (Breiman 1984) that tells failed runs from others by
    levels of losses, gradients and the discriminator's margin.
    """
    from sklearn.tree import DecisionTreeClassifier

    names = tuple(_MARKS)
    figures = np.nan_to_num(space.library.columns(names, series_only=True, fraction=space.fraction))
    ends = [k for k, name in enumerate(space.library.label_names) if name in kind.failed]
    failed = np.isin(space.library.labels, ends)
    fewest = min(_FEWEST, max(1, len(failed) // 8))
    tree = DecisionTreeClassifier(max_depth=_DEPTH, min_samples_leaf=fewest, random_state=0)
    tree.fit(figures, failed)
    own = np.nan_to_num(row(names, vector))[None, :]
    inside = tree.apply(figures) == tree.apply(own)[0]
    path = np.flatnonzero(tree.decision_path(own).toarray()[0])
    return Region(
        words=_words(tree.tree_.feature[path[:-1]], tree.tree_.threshold[path[:-1]], own[0], kind),
        runs=int(inside.sum()),
        failed=int(failed[inside].sum()),
        usual=float(failed.mean()),
    )


def _words(figures: NDArray[np.int64], marks: Floats, own: Floats, kind: TrainingKind) -> str:
    """Describe a region such as `the generator's loss above 2.1, its gradient norm below 0.003`.

    `figures` [m] are the figures that the tree asked on its way, `marks` [m] their thresholds, and
    `own` [k] the run's values of all figures.
    """
    low: dict[int, float] = {}
    high: dict[int, float] = {}
    for k, mark in zip(map(int, figures), map(float, marks), strict=True):
        if own[k] <= mark:
            high[k] = min(mark, high.get(k, math.inf))
        else:
            low[k] = max(mark, low.get(k, -math.inf))
    parts = []
    for k in sorted({*low, *high}):
        feature, said, back = list(_MARKS.values())[k]
        name = said.format(kind.feature_words.get(feature, feature))
        parts.append(_range(name, back, low.get(k), high.get(k)))
    return ", ".join(parts)


def _range(name: str, back: Callable[[float], float], low: float | None, high: float | None) -> str:
    if low is None and high is not None:
        return f"{name} below {back(high):.3g}"
    if high is None and low is not None:
        return f"{name} above {back(low):.3g}"
    assert low is not None
    assert high is not None
    return f"{name} from {back(low):.3g} to {back(high):.3g}"
