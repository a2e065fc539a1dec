"""Ranking of changes that would mend a run, by reruns and by past runs.

Every candidate is rerun with a few seeds, the most promising ones with more (successive halving:
Jamieson and Talwalkar 2016), "another seed" beside them as the control. The expected effect of a
change is the outcome of its reruns, with past runs counting as one more rerun.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlcc.advice.prior import ConfigPrior
from dlcc.advice.remedies import MOST_FIELDS, REMEDIES, Change
from dlcc.estimate import Estimate
from dlcc.past_runs.store import Library
from dlcc.records import Outcome
from dlcc.reruns.outcome import Judge, Refused
from dlcc.reruns.plan import Rerun
from dlcc.reruns.programs import Program
from dlcc.stage import Deadline
from dlcc.typing import Progress

ROUNDS = ((20, 2), (8, 4), (4, 4))
"""Pairs (number of best small changes that go on, reruns of each) for each round."""
SHOWN = 3
"""Number of small changes that are shown, and at most as many larger ones."""
PRIOR_RERUNS = 1.0  # reruns that past runs count for
_HEALTHY = 0.5


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


@dataclass
class _Trial:
    """Candidate as far as it was tried."""

    change: Change
    past: float
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def evidence(self) -> tuple[float, float]:
        """Pair (healthy outcomes, all outcomes), the prior's included."""
        healthy = sum(o.p_healthy for o in self.outcomes) + PRIOR_RERUNS * self.past
        return healthy, len(self.outcomes) + PRIOR_RERUNS

    @property
    def mean(self) -> float:
        healthy, total = self.evidence
        return healthy / total

    def advice(self) -> Advice:
        healthy, total = self.evidence
        return Advice(
            change=self.change,
            expected=Estimate.beta(healthy + 0.5, total - healthy + 0.5),
            reruns=len(self.outcomes),
            healthy=sum(o.p_healthy >= _HEALTHY for o in self.outcomes),
            past=self.past,
        )


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
    """

    control: Advice
    """Advice for another seed and nothing else."""
    ranked: tuple[Advice, ...]
    """Advice for every change, the best first."""
    refused: tuple[Change, ...] = ()
    """Changes with which the run's code failed in a rerun; they are not ranked."""

    def shown(self, most: int = SHOWN) -> list[Advice]:
        """Choose what to show: the best small changes, then larger ones that promise more.

        Args:
            most: Number of small changes at most, and of larger ones.

        Returns:
            The small changes, those of at most two fields, the best first; then larger ones whose
            P(healthy) is higher than that of every small one shown.
        """
        small = [a for a in self.ranked if a.change.size <= MOST_FIELDS][:most]
        best = max((a.expected.mean for a in small), default=0.0)
        large = [a for a in self.ranked if a.change.size > MOST_FIELDS and a.expected.mean > best]
        return [*small, *large[:most]]


def by_past_runs(
    config: Mapping[str, Any],
    library: Library,
    *,
    data: str | None,
    code: Collection[str] = (),
    seeds: Sequence[Outcome] = (),
    remedies: str = "adversarial",
) -> Advised:
    """Rank changes of a configuration by past runs alone: quick, and a first guess.

    Args:
        config: Whole configuration of the run.
        library: Past runs without the run itself.
        data: Name of the data set; None where the run names none.
        code: Texts of the run's own files; see `candidates`.
        seeds: Outcomes of reruns with other seeds that were made already; they count for the
            control.
        remedies: Name of the known changes, a key of `REMEDIES`.

    Returns:
        The control and every change, the best first.
    """
    control, *others = _trials(config, library, data, code, remedies)
    control.outcomes += seeds
    return _ranked([control, *others])


def advise(
    config: Mapping[str, Any],
    length: int,
    library: Library,
    program: Program,
    *,
    data: str | None,
    code: Collection[str] = (),
    rng: np.random.Generator,
    deadline: Deadline,
    progress: Progress = lambda share, what: None,
    remedies: str = "adversarial",
) -> Advised:
    """Rank changes of a configuration by reruns, and past runs.

    Args:
        config: Whole configuration of the run, its seed included.
        length: Number of steps of a rerun.
        library: Past runs without the run itself.
        program: Program that can rerun the run.
        data: Name of the data set; None where the run names none.
        code: Texts of the run's own files; see `candidates`.
        rng: Generator of the reruns' seeds.
        deadline: Time that may be used; no round begins after half of it is gone.
        progress: Function that is called with the share done and what is being done.
        remedies: Name of the known changes, a key of `REMEDIES`.

    Returns:
        The control and every change that the run's code took, the best first.

    Raises:
        ForeignCodeError: The run's code fails with its own configuration and another seed.
        LimitExceeded: The time is over before the first round is.
    """
    trials = _trials(config, library, data, code, remedies)
    judge = Judge(library, program.reference, program.kind)
    total = deadline.remaining
    refused: list[Change] = []
    for k, (going_on, reruns) in enumerate(ROUNDS):
        if k and deadline.remaining < total / 2:
            break
        chosen = _going_on(trials, going_on)
        plan = [_plan(trial, config, rng) for trial in chosen for _ in range(reruns)]
        made = program.run(plan, length, deadline, _round(progress, k))
        for i, recorded in enumerate(made):
            deadline.check()
            trial = chosen[i // reruns]
            if not isinstance(recorded, Refused):
                trial.outcomes.append(judge(recorded, length))
            elif not trial.change.fields:
                raise recorded.error
            elif trial.change not in refused:
                refused.append(trial.change)
        trials = [trial for trial in trials if trial.change not in refused]
    return replace(_ranked(trials), refused=tuple(refused))


def _trials(
    config: Mapping[str, Any],
    library: Library,
    data: str | None,
    code: Collection[str],
    remedies: str,
) -> list[_Trial]:
    """Make a trial of the control and of every change."""
    prior = ConfigPrior.fit(library, data)
    changes = [Change({}), *REMEDIES[remedies](config, code)]
    past = prior([change.applied(config) for change in changes])
    return [_Trial(change, float(p)) for change, p in zip(changes, past, strict=True)]


def _ranked(trials: Sequence[_Trial]) -> Advised:
    control, *others = trials
    ranked = sorted(others, key=lambda t: (-round(t.mean, 6), t.change.size))
    return Advised(control.advice(), tuple(trial.advice() for trial in ranked))


def _going_on(trials: Sequence[_Trial], most: int) -> list[_Trial]:
    """Choose the control, the best of the small changes, and a quarter as many of the others."""
    control, *others = trials
    ranked = sorted(others, key=lambda trial: -trial.mean)
    small = [trial for trial in ranked if trial.change.size <= MOST_FIELDS][:most]
    large = [trial for trial in ranked if trial.change.size > MOST_FIELDS][: max(1, most // 4)]
    return [control, *small, *large]


def _plan(trial: _Trial, config: Mapping[str, Any], rng: np.random.Generator) -> Rerun:
    return Rerun("setting", {**trial.change.applied(config), "seed": int(rng.integers(2**31))})


def _round(progress: Progress, k: int) -> Progress:
    words = f"reruns, round {k + 1} of {len(ROUNDS)}"
    return lambda share, what: progress((k + share) / len(ROUNDS), words)
