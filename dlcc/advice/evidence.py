"""Evidence for changes: reruns of the run's own code first, past runs where these are silent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dlcc.advice.catalogue.adversarial import LOSSES, OPTIMIZERS
from dlcc.advice.change import MOST_FIELDS, Change
from dlcc.advice.prior import ConfigPrior
from dlcc.estimate import Estimate, Number
from dlcc.past_runs.store import Library
from dlcc.records import Outcome
from dlcc.reruns.plan import is_positive
from dlcc.settings.keys import Key
from dlcc.settings.nested import flattened

SHOWN = 3
"""Number of small changes that are shown, and at most as many larger ones."""
PRIOR_RERUNS = 1.0
"""Reruns that past runs on the same data set count for."""
PRIOR_ELSEWHERE = 0.5
"""Reruns that past runs on other data count for."""
_USUAL_RERUNS = 0.25  # reruns that usual values count for
_USUAL: Mapping[str, float] = {"rate": 1e-3, "kl": 1.0}
_LEAST, _MOST = 0.1, 0.6  # P(healthy) far from usual values, and at them
_DECADES = 0.7  # distance that is far
_HEALTHY = 0.5
Standing = Literal["advised", "undecided", "past runs alone"]
"""Standing of a change: reruns are sure of a gain; reruns are not; there were none."""


@dataclass(frozen=True)
class PastEvidence:
    """Evidence of past runs for configurations."""

    p_healthy: Sequence[float]
    """P(healthy) of each."""
    reruns: float
    """Number of reruns that it counts for."""

    @classmethod
    def of(
        cls,
        configs: Sequence[Mapping[str, Any]],
        library: Library,
        data: str | None,
        remedies: str = "adversarial",
        keys: Sequence[Key] = (),
    ) -> PastEvidence:
        """Ask past runs about configurations.

        Runs on the same data set count for a rerun, others for half of one. Past runs with
        configurations are GANs: of other trainings they know nothing, and how near to usual values
        the learning rate and the divergence's weight are counts for a quarter of one.

        Args:
            configs: Whole configurations.
            library: Past runs.
            data: Name of the data set; None where the run names none.
            remedies: Name of the known changes.
            keys: Keys of the configurations with their meaning.

        Returns:
            Their P(healthy), and what that counts for.
        """
        if remedies != "adversarial":
            return cls([_by_usual_values(config, keys) for config in configs], _USUAL_RERUNS)
        alike = bool((library.data == data).any()) if data is not None else False
        prior = ConfigPrior.fit(library, data)
        named = [with_usual_names(config, keys) for config in configs]
        return cls([float(p) for p in prior(named)], PRIOR_RERUNS if alike else PRIOR_ELSEWHERE)


def _by_usual_values(config: Mapping[str, Any], keys: Sequence[Key]) -> float:
    """P(healthy) by the distance of a configuration from usual values, in decades."""
    flat, squares = flattened(config), 0.0
    for key in keys:
        value = flat.get(key.path)
        if key.role in _USUAL and is_positive(value):
            decades = math.log10(float(value or 0.0) / _USUAL[key.role])
            squares += (decades / _DECADES) ** 2
    return _LEAST + (_MOST - _LEAST) * math.exp(-squares / 2)


def with_usual_names(config: Mapping[str, Any], keys: Sequence[Key]) -> dict[str, Any]:
    """Give a configuration the names that past runs have, beside its own.

    Args:
        config: Whole configuration.
        keys: Its keys with their meaning.

    Returns:
        The configuration with `lr_g`, `beta1`, `r1` and so on, where it has these by other names.

    >>> from dlcc.settings.keys import keys_of
    >>> config = {"opt": {"lrD": 1e-3}, "n_critic": 5, "mode": "lsgan"}
    >>> with_usual_names(config, keys_of(config))["lr_d"]
    0.001
    """
    flat, named = flattened(config), dict(config)
    for key in keys:
        name, value = _usual(key, flat.get(key.path, key.value))
        if name and not (name in config and key.path != name):
            named.setdefault(name, value)
    return named


def _usual(key: Key, value: Any) -> tuple[str, Any]:
    """Usual name and value of a key; an empty name for none."""
    short = {"generator": "g", "discriminator": "d", None: ""}[key.player]
    if key.role == "rate":
        return (f"lr_{short}" if short else "lr"), value
    if key.role == "every" and short:
        return f"{short}_every", value
    if key.role == "repeats" and short:  # n updates of one are every nth of the other
        return ("g_every" if short == "d" else "d_every"), value
    if key.role in ("loss", "optimizer") and isinstance(value, str):
        choices = LOSSES if key.role == "loss" else OPTIMIZERS
        known = [choice for choice, names in choices.items() if value.lower() in names]
        return key.role, known[0] if known else value
    usual = {"penalty": "r1", "latent": "zdim", "beta1": "beta1", "beta2": "beta2"}
    usual |= {"batch": "batch", "init": "init"}
    return usual.get(key.role, ""), value


@dataclass(frozen=True)
class Advice:
    """Change with its expected effect."""

    change: Change
    """New values of fields; none for another seed."""
    expected: Estimate
    """P(healthy) after the change."""
    reruns: int
    """Number of reruns with the change."""
    healthy: int
    """Number of reruns with the change that ended healthy."""
    past: float
    """P(healthy) after the change by past runs alone."""
    stopped: int = 0
    """Number of these reruns that were stopped early, for they would not have ended healthy."""


@dataclass
class Trial:
    """Candidate as far as it was tried."""

    change: Change
    past: float
    weight: float = PRIOR_RERUNS
    """Number of reruns that past runs count for."""
    outcomes: list[Outcome] = field(default_factory=list)
    """Outcomes of whole reruns."""
    predicted: list[Estimate] = field(default_factory=list)
    """Predictions for reruns that were stopped early."""

    @property
    def tried(self) -> int:
        """Number of reruns, those stopped early included."""
        return len(self.outcomes) + len(self.predicted)

    @property
    def evidence(self) -> tuple[float, float]:
        """Pair (healthy outcomes, all outcomes), past runs included."""
        healthy = sum(o.p_healthy for o in self.outcomes) + self.weight * self.past
        healthy += sum(estimate.mean for estimate in self.predicted)
        return healthy, self.tried + self.weight

    @property
    def mean(self) -> float:
        """P(healthy) by the evidence."""
        healthy, total = self.evidence
        return (healthy + 0.5) / (total + 1)

    @property
    def stability(self) -> float:
        """Mean share of good samples of its whole reruns; 0 without any."""
        return float(np.mean([o.stability for o in self.outcomes])) if self.outcomes else 0.0

    def advice(self) -> Advice:
        """Make the advice of it."""
        healthy, total = self.evidence
        return Advice(
            change=self.change,
            expected=Estimate.beta(healthy + 0.5, total - healthy + 0.5),
            reruns=self.tried,
            healthy=sum(o.p_healthy >= _HEALTHY for o in self.outcomes),
            past=self.past,
            stopped=len(self.predicted),
        )


def gain_of(advice: Advice, control: Advice) -> Number:
    """Gain in P(healthy) of a change over another seed, with its 90 % interval.

    Args:
        advice: Change with its expected effect.
        control: Another seed, with its own.

    Returns:
        Difference of the two, from −1 to 1.

    >>> seed = Advice(Change({}), Estimate.beta(1, 9), reruns=8, healthy=0, past=0.2)
    >>> good = Advice(Change({"r1": 0.1}), Estimate.beta(8, 2), reruns=8, healthy=7, past=0.2)
    >>> round(gain_of(good, seed).mean, 1), gain_of(good, seed).low > 0.4
    (0.7, True)
    """
    return Number.of(advice.expected.sample("after") - control.expected.sample("before"))


@dataclass(frozen=True)
class Advised:
    """Ranked changes for a run, beside the control.

    >>> from dlcc.advice import Advice, Advised, Change
    >>> from dlcc.estimate import Estimate
    >>> small, large = Change({"r1": 0.1}), Change({"loss": "ns", "r1": 0.1, "beta1": 0.0})
    >>> likely, less = Estimate.beta(8, 2), Estimate.beta(5, 5)
    >>> control = Advice(Change({}), Estimate.beta(1, 9), reruns=8, healthy=0, past=0.2)
    >>> advised = Advised(
    ...     control, (Advice(large, likely, 8, 7, 0.5), Advice(small, less, 8, 4, 0.4))
    ... )
    >>> [advice.change.size for advice in advised.shown()]
    [1, 3]
    >>> [advised.standing(advice) for advice in advised.shown()]
    ['advised', 'advised']
    """

    control: Advice
    """Advice for another seed and nothing else."""
    ranked: tuple[Advice, ...]
    """Advice for every change, the best first."""
    refused: tuple[Change, ...] = ()
    """Changes with which the run's code failed in a rerun; they are not ranked."""
    cut_short: str = ""
    """Reason why fewer reruns were made than planned, in words; empty where none."""

    def standing(self, advice: Advice) -> Standing:
        """Tell what stands behind a change.

        Args:
            advice: One of the ranked.

        Returns:
            `advised` where reruns separate it from another seed: the 90 % interval of the gain
            lies above 0; `undecided` where they do not; `past runs alone` without reruns.
        """
        if not advice.reruns:
            return "past runs alone"
        sure = self.control.reruns > 0 and gain_of(advice, self.control).low > 0
        return "advised" if sure else "undecided"

    def _is_promising(self, advice: Advice) -> bool:
        """Whether a change was tried, or promises more than another seed was seen to do."""
        if advice.reruns or not self.control.reruns:
            return True
        return advice.expected.mean > self.control.expected.mean

    def shown(self, most: int = SHOWN) -> list[Advice]:
        """Choose what to show: the best small changes, then larger ones that promise more.

        Args:
            most: Number of small changes at most, and of larger ones.

        Returns:
            The small changes, those of at most two fields, the best first; then larger ones whose
            P(healthy) is higher than that of every small one shown. What reruns are sure of comes
            before what they are not, and past runs alone come last. Changes that no rerun tried are
            left out where they promise less than reruns with another seed showed.
        """
        promising = [a for a in self.ranked if self._is_promising(a)]
        small = [a for a in promising if a.change.size <= MOST_FIELDS][:most]
        best = max((a.expected.mean for a in small), default=0.0)
        large = [a for a in promising if a.change.size > MOST_FIELDS and a.expected.mean > best]
        order: Sequence[Standing] = ("advised", "undecided", "past runs alone")
        shown = [*small, *large[:most]]
        return sorted(shown, key=lambda advice: order.index(self.standing(advice)))


def ranked(trials: Sequence[Trial], refused: Sequence[Change] = (), cut_short: str = "") -> Advised:
    """Rank trials; the first is the control.

    Args:
        trials: Control, and changes.
        refused: Changes with which the code failed.
        cut_short: Reason why fewer reruns were made than planned.

    Returns:
        The changes that were tried and did better than another seed, then those of which past runs
        alone promise that, then the others; in each group the likeliest to mend first.
    """
    control, *others = trials

    def place(trial: Trial) -> tuple[float, ...]:
        better = trial.mean > control.mean
        group = 0 if better and trial.tried else 1 if better else 2
        if not control.tried:
            group = 0  # past runs alone
        return (group, -round(trial.mean, 3), -round(trial.stability, 3), trial.change.size)

    best_first = sorted(others, key=place)
    return Advised(
        control.advice(),
        tuple(trial.advice() for trial in best_first),
        tuple(refused),
        cut_short,
    )
