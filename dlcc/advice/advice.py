"""Which change would mend a run: candidates tried in reruns, and held against past runs.

Every candidate is rerun with a few seeds, the most promising ones with more (successive halving:
Jamieson and Talwalkar 2016), "another seed" beside them as the control. What is expected of a
change is what its reruns came to, with one rerun's worth of what past runs say.
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
"""(how many of the best small changes go on, reruns of each) for each round."""
SHOWN = 3
"""Small changes that are shown, and at most as many larger ones."""
PRIOR_RERUNS = 1.0  # reruns that past runs count for
_HEALTHY = 0.5


@dataclass(frozen=True)
class Advice:
    """A change, and what is expected of it."""

    change: Change
    expected: Estimate
    """P(healthy) after the change."""
    reruns: int
    healthy: int
    """Of the reruns."""
    past: float
    """P(healthy) by past runs alone."""


@dataclass
class _Trial:
    """A candidate as far as it was tried."""

    change: Change
    past: float
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def evidence(self) -> tuple[float, float]:
        """Healthy outcomes and all, with the prior's."""
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
    """All that came of asking for advice on a run."""

    control: Advice
    """Another seed and nothing else."""
    ranked: tuple[Advice, ...]
    """The best first."""
    refused: tuple[Change, ...] = ()
    """Those with which the run's code failed in a rerun; not ranked."""

    def shown(self, most: int = SHOWN) -> list[Advice]:
        """The best small changes, then those of any size that promise more than all of these."""
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
    """Rank changes of a configuration by what past runs say of them: quick, and a first guess.

    `code` are the texts of the run's own files; see `candidates`. Reruns with other `seeds` that
    were made already tell of the control. `remedies` names the changes that are known.
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
        config: Of the run, its seed included.
        length: Steps of a rerun.
        library: Past runs.
        program: How the run can be rerun.
        data: Name of the data set.
        code: Texts of the run's own files; see `candidates`.
        rng: Seeds of the reruns.
        deadline: No round begins after half of the time is gone.
        progress: Called with the share done and what is being done.
        remedies: Name of the changes that are known, in `REMEDIES`.

    Raises:
        ForeignCodeError: the run's code fails with its own configuration and another seed.
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
    """The control, and every change."""
    prior = ConfigPrior.fit(library, data)
    changes = [Change({}), *REMEDIES[remedies](config, code)]
    past = prior([change.applied(config) for change in changes])
    return [_Trial(change, float(p)) for change, p in zip(changes, past, strict=True)]


def _ranked(trials: Sequence[_Trial]) -> Advised:
    control, *others = trials
    ranked = sorted(others, key=lambda t: (-round(t.mean, 6), t.change.size))
    return Advised(control.advice(), tuple(trial.advice() for trial in ranked))


def _going_on(trials: Sequence[_Trial], most: int) -> list[_Trial]:
    """The control, the best of the small changes, and a quarter as many of the others."""
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
