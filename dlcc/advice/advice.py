"""Ranking of changes that would mend a run, by reruns and by past runs.

Every candidate is rerun with a few seeds, the most promising ones with more (successive halving:
Jamieson and Talwalkar 2016), "another seed" beside them as the control. The expected effect of a
change is the outcome of its reruns, with past runs counting as one more rerun at most.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from dlcc.advice.change import MOST_FIELDS, Change
from dlcc.advice.evidence import Advised, PastEvidence, Trial, ranked
from dlcc.advice.remedies import candidates
from dlcc.errors import LimitExceeded
from dlcc.past_runs.store import Library
from dlcc.records import Outcome, RerunOutcome
from dlcc.reruns.outcome import Judge, Refused
from dlcc.reruns.plan import Rerun
from dlcc.reruns.programs import Program
from dlcc.settings.keys import Key, keys_of
from dlcc.stage import Deadline
from dlcc.typing import Progress

ROUNDS = ((20, 2), (8, 4), (4, 4))
"""Pairs (number of best small changes that go on, reruns of each) for each round."""


def by_past_runs(
    config: Mapping[str, Any],
    library: Library,
    *,
    data: str | None,
    code: Collection[str] = (),
    seeds: Sequence[Outcome] = (),
    settings: Sequence[RerunOutcome] = (),
    remedies: str = "adversarial",
    changes: Sequence[Change] | None = None,
) -> Advised:
    """Rank changes of a configuration by past runs alone: quick, and a first guess.

    Args:
        config: Whole configuration of the run.
        library: Past runs without the run itself.
        data: Name of the data set; None where the run names none.
        code: Texts of the run's own files; see `candidates`.
        seeds: Outcomes of reruns with other seeds that were made already; they count for the
            control.
        settings: Outcomes of reruns with other settings that were made already; each counts for
            the change that it was of.
        remedies: Name of the known changes, a key of `REMEDIES`.
        changes: Changes to rank; default `candidates` of the configuration.

    Returns:
        The control and every change, the best first.
    """
    known = candidates(config, code, remedies=remedies) if changes is None else changes
    made = [Change(dict(outcome.changes)) for outcome in settings if outcome.changes]
    every = {change.key: change for change in (*known, *made)}
    trials = trials_of(config, library, [*every.values()], data=data, remedies=remedies)
    trials[0].outcomes += seeds
    by_key = {trial.change.key: trial for trial in trials}
    for change, outcome in zip(made, (o for o in settings if o.changes), strict=True):
        by_key[change.key].outcomes.append(outcome)
    return ranked(trials)


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
    changes: Sequence[Change] | None = None,
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
        changes: Changes to try; default `candidates` of the configuration.

    Returns:
        The control and every change that the run's code took, the best first. Where the time ends
        or Ctrl-C comes after the first round, what is known by then.

    Raises:
        ForeignCodeError: The run's code fails with its own configuration and another seed.
        LimitExceeded: The time is over before the first round is.
    """
    known = candidates(config, code, remedies=remedies) if changes is None else changes
    trials = trials_of(config, library, known, data=data, remedies=remedies)
    judge = Judge(library, program.reference, program.kind)
    total = deadline.remaining
    refused: list[Change] = []
    for k, (going_on, reruns) in enumerate(ROUNDS):
        if k and deadline.remaining < total / 2:
            break
        chosen = _going_on(trials, going_on)
        plan = [_plan(trial, config, rng) for trial in chosen for _ in range(reruns)]
        try:
            made = program.run(plan, length, deadline, _round(progress, k))
            outcomes = _judged(made, judge, length, deadline)
        except (LimitExceeded, KeyboardInterrupt) as error:
            if k == 0:
                raise
            why = "interrupted" if isinstance(error, KeyboardInterrupt) else "the time was over"
            return ranked(trials, refused, why)
        for i, outcome in enumerate(outcomes):
            trial = chosen[i // reruns]
            if isinstance(outcome, Outcome):
                trial.outcomes.append(outcome)
            elif not trial.change.fields:
                raise outcome.error
            elif trial.change not in refused:
                refused.append(trial.change)
        trials = [trial for trial in trials if trial.change not in refused]
    return ranked(trials, refused)


def _judged(
    made: Sequence[Any], judge: Judge, length: int, deadline: Deadline
) -> list[Outcome | Refused]:
    """Judge the reruns of a round."""
    outcomes: list[Outcome | Refused] = []
    for recorded in made:
        deadline.check()
        outcomes.append(recorded if isinstance(recorded, Refused) else judge(recorded, length))
    return outcomes


def trials_of(
    config: Mapping[str, Any],
    library: Library,
    changes: Sequence[Change],
    *,
    data: str | None,
    remedies: str = "adversarial",
    keys: Sequence[Key] | None = None,
) -> list[Trial]:
    """Make a trial of the control and of every change, with what past runs say of it.

    Args:
        config: Whole configuration of the run.
        library: Past runs without the run itself.
        changes: Changes to try.
        data: Name of the data set; None where the run names none.
        remedies: Name of the known changes.
        keys: Keys of the configuration with their meaning; default by their names.

    Returns:
        Trials, the control first.
    """
    known = keys_of(config, remedies) if keys is None else keys
    every = [Change({}), *changes]
    past = PastEvidence.of(
        [change.applied(config) for change in every], library, data, remedies, known
    )
    return [Trial(change, p, past.reruns) for change, p in zip(every, past.p_healthy, strict=True)]


def _going_on(trials: Sequence[Trial], most: int) -> list[Trial]:
    """Choose the control, the best of the small changes, and a quarter as many of the others."""
    control, *others = trials
    best_first = sorted(others, key=lambda trial: -trial.mean)
    small = [trial for trial in best_first if trial.change.size <= MOST_FIELDS][:most]
    large = [trial for trial in best_first if trial.change.size > MOST_FIELDS]
    return [control, *small, *large[: max(1, most // 4)]]


def _plan(trial: Trial, config: Mapping[str, Any], rng: np.random.Generator) -> Rerun:
    return Rerun("setting", {**trial.change.applied(config), "seed": int(rng.integers(2**31))})


def _round(progress: Progress, k: int) -> Progress:
    words = f"reruns, round {k + 1} of {len(ROUNDS)}"
    return lambda share, what: progress((k + share) / len(ROUNDS), words)
