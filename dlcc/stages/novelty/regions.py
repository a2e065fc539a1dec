"""Regions of landscape space in which runs tend to fail, in words that a person reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

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
_PLAIN = 0.85  # share of past runs beyond which a range says nothing
_NEARLY_ALL = 0.95
_LARGEST = 1e30  # that a tree takes
_FAR = 2.0  # factor of a loss's equilibrium from which on it is worth a word
_Way = Literal["level", "scatter", "trend"]


class _Mark(NamedTuple):
    """Figure that regions are told by, and how its ranges are said."""

    feature: str
    """Run feature whose words the kind has."""
    way: _Way
    back: Callable[[float], float] = math.sinh
    """Function from the figure's scale to what was logged."""


def _power(value: float) -> float:
    return float(10.0**value)


_MARKS: Mapping[str, _Mark] = {
    "generator_loss_last": _Mark("generator_loss", "level"),
    "discriminator_loss_last": _Mark("discriminator_loss", "level"),
    "generator_grad_last": _Mark("generator_grad", "level", _power),
    "discriminator_grad_last": _Mark("discriminator_grad", "level", _power),
    "margin_last": _Mark("margin", "level"),
    "generator_loss_sd_last": _Mark("generator_loss", "scatter"),
    "discriminator_loss_sd_last": _Mark("discriminator_loss", "scatter"),
    "generator_loss_change": _Mark("generator_loss", "trend"),
    "discriminator_loss_change": _Mark("discriminator_loss", "trend"),
    "generator_grad_change": _Mark("generator_grad", "trend"),
    "discriminator_grad_change": _Mark("discriminator_grad", "trend"),
}


@dataclass(frozen=True)
class Region:
    """Region of landscape space, with the ends of past runs in it."""

    words: str
    """Description of the region, as sentences about a run in it, joined by `and`."""
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


def region_of(
    space: Space,
    vector: Mapping[str, float],
    kind: TrainingKind = GAN,
    loss: str = "",
) -> Region | None:
    """Find the region that a run of a kind with this feature vector lies in.

    Regions are the leaves of a shallow tree (Breiman 1984) that tells failed runs from others by
    levels of losses, gradients and the discriminator's margin, by how losses scatter, and by where
    losses and gradients go: as far as the run has these. `loss` names the run's objective, whose
    equilibrium levels are held against. None where the run has none of the figures.
    """
    from sklearn.tree import DecisionTreeClassifier

    names = tuple(name for name in _MARKS if math.isfinite(vector.get(name, math.nan)))
    if not names:
        return None
    table = space.library.columns(names, series_only=True, fraction=space.fraction)
    figures = np.clip(np.nan_to_num(table), -_LARGEST, _LARGEST)
    ends = [k for k, name in enumerate(space.library.label_names) if name in kind.failed]
    failed = np.isin(space.library.labels, ends)
    fewest = min(_FEWEST, max(1, len(failed) // 8))
    tree = DecisionTreeClassifier(max_depth=_DEPTH, min_samples_leaf=fewest, random_state=0)
    tree.fit(figures, failed)
    own = np.clip(row(names, vector), -_LARGEST, _LARGEST)[None, :]
    inside = tree.apply(figures) == tree.apply(own)[0]
    path = np.flatnonzero(tree.decision_path(own).toarray()[0])
    ranges = _ranges(tree.tree_.feature[path[:-1]], tree.tree_.threshold[path[:-1]], own[0])
    objective = next((o for o in kind.objectives if o.name == loss), None)
    levels = {} if objective is None else objective.at_equilibrium
    return Region(
        words=" and ".join(_told(ranges, names, figures, kind, levels)),
        runs=int(inside.sum()),
        failed=int(failed[inside].sum()),
        usual=float(failed.mean()),
    )


class _Range(NamedTuple):
    """Range of a figure."""

    figure: int
    low: float
    high: float

    def holds(self, values: Floats) -> NDArray[np.bool_]:
        """Tell which values lie in it."""
        return (values > self.low) & (values <= self.high)


def _ranges(figures: NDArray[np.int64], marks: Floats, own: Floats) -> list[_Range]:
    """Gather the ranges that a run lies in.

    `figures` [m] are the figures that the tree asked on its way, `marks` [m] their thresholds, and
    `own` [k] the run's values of all figures.
    """
    found: dict[int, _Range] = {}
    for k, mark in zip(map(int, figures), map(float, marks), strict=True):
        known = found.get(k, _Range(k, -math.inf, math.inf))
        if own[k] <= mark:
            found[k] = known._replace(high=min(mark, known.high))
        else:
            found[k] = known._replace(low=max(mark, known.low))
    return [found[k] for k in sorted(found)]


def _told(
    ranges: Sequence[_Range],
    names: Sequence[str],
    figures: Floats,
    kind: TrainingKind,
    levels: Mapping[str, float],
) -> Iterator[str]:
    """Describe ranges, but for those that nearly all past runs lie in: `the discriminator's loss
    is below 0.12 (9 % of its equilibrium)`, `the generator's gradient norm grows`."""
    telling = [r for r in ranges if r.holds(figures[:, r.figure]).mean() < _PLAIN]
    for found in telling or ranges:
        mark = _MARKS[names[found.figure]]
        name = kind.feature_words.get(mark.feature, mark.feature)
        values = figures[:, found.figure]
        match mark.way:
            case "level":
                level = levels.get(mark.feature.removesuffix("_loss"))
                yield f"{name} {_level(found, mark.back, level)}"
            case "scatter":
                yield f"{name} scatters {_among(found, values)}"
            case "trend":
                yield f"{name} {_trend(found, values)}"


def _level(found: _Range, back: Callable[[float], float], equilibrium: float | None) -> str:
    """Describe the range of a level, held against an equilibrium where it is far from it."""
    low, high = (back(end) if math.isfinite(end) else end for end in (found.low, found.high))
    if math.isinf(low):
        return f"is below {high:.3g}{_share(high, equilibrium, below=True)}"
    if math.isinf(high):
        return f"is above {low:.3g}{_share(low, equilibrium, below=False)}"
    return f"is from {low:.3g} to {high:.3g}"


def _share(level: float, equilibrium: float | None, *, below: bool) -> str:
    """Share of its equilibrium that a loss's level is, in brackets, where that is telling."""
    if not equilibrium or level / equilibrium <= 0:
        return ""
    ratio = level / equilibrium
    if below and ratio <= 1 / _FAR:
        return f" ({'under 1 %' if ratio < 0.01 else f'{100 * ratio:.0f} %'} of its equilibrium)"
    if not below and ratio >= _FAR:
        return f" ({ratio:.1f} times its equilibrium)"
    return ""


def _trend(found: _Range, values: Floats) -> str:
    """Describe the range of a change between the record's first and last fifth."""
    if found.low >= 0:
        return f"grows{_how_much(found, values)}"
    if found.high <= 0:
        return f"falls{_how_much(_Range(found.figure, -found.high, -found.low), -values)}"
    return f"goes up {_among(found, values)}"


def _how_much(found: _Range, values: Floats) -> str:
    """Place of a growth among past runs; nothing where all that grow are meant, but for a few."""
    few = ((values > 0) & (values <= found.low)).mean() < 1 - _NEARLY_ALL
    return "" if few and math.isinf(found.high) else f" {_among(found, values)}"


def _among(found: _Range, values: Floats) -> str:
    """Place of a range among past runs."""
    below, above = (float((values <= end).mean()) for end in (found.low, found.high))
    if math.isinf(found.high):
        return f"more than in {100 * below:.0f} % of past runs"
    if math.isinf(found.low):
        return f"less than in {100 * (1 - above):.0f} % of past runs"
    return (
        f"more than in {100 * below:.0f} % and less than in {100 * (1 - above):.0f} % of past runs"
    )
