"""Study of reruns: a plan carried out and summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcc.estimate import Estimate
from dlcc.past_runs.store import Library
from dlcc.records import Effect, Outcome, RerunOutcome, Reruns, Samples, Series
from dlcc.reruns.deviation import reproducibility
from dlcc.reruns.outcome import Judge, Refused
from dlcc.reruns.plan import Factor, Rerun, factors_of, plan_reruns
from dlcc.reruns.programs import Program
from dlcc.stage import Deadline
from dlcc.typing import Progress

_TRAINING_SHARE = 0.8  # of the work; the rest is judging
_DRAWS = 1000


def rerun(
    program: Program,
    config: Mapping[str, Any],
    length: int,
    library: Library,
    n: int,
    *,
    rng: np.random.Generator,
    deadline: Deadline,
    progress: Progress,
    own: tuple[Series, Samples | None] | None = None,
) -> Reruns:
    """Run the training of a configuration again, several times or as often as the time allows.

    Args:
        program: Program that runs reruns of the run.
        config: Whole configuration of the run.
        length: Number of steps of a rerun.
        library: Past runs without the run itself, to judge outcomes by.
        n: Number of reruns.
        rng: Generator of seeds and of the bootstrap.
        deadline: Time that may be used.
        progress: Function that is called with the share done and what is being done.
        own: Series and samples of the run itself, whose end reruns should reproduce; None leaves it
            out.

    Returns:
        The outcomes, the reproducibility Δ, and the effects of settings.

    Raises:
        ForeignCodeError: The run's code fails with its own configuration and another seed.
        LimitExceeded: Not even one rerun was done in time.
    """
    plan = plan_reruns(config, n, rng, batches=program.splits_seeds)
    made = program.run(
        plan, length, deadline, lambda share, what: progress(_TRAINING_SHARE * share, what)
    )
    judge = Judge(library, program.reference, program.kind)
    done, outcomes = [], []
    for k, (planned, recorded) in enumerate(zip(plan, made, strict=False)):
        progress(_TRAINING_SHARE + (1 - _TRAINING_SHARE) * k / len(made), "judging")
        if isinstance(recorded, Refused):
            if planned.kind != "setting":
                raise recorded.error
            continue
        done.append(planned)
        outcomes.append(judge(recorded, length))
    others = np.array([o.stability for r, o in _of_kind(done, outcomes, "seed")])
    ran = [recorded for recorded in made if not isinstance(recorded, Refused)]
    end = None if own is None or not ran else judge.of_run(*own, length, ran[0])
    effects = _effects(factors_of(config), _of_kind(done, outcomes, "setting"), rng)
    return Reruns(
        outcomes=tuple(_row(config, r, o) for r, o in zip(done, outcomes, strict=True)),
        how=program.how,
        deviation=reproducibility(others, rng, None if end is None else end.stability),
        effects=effects,
        best=_best(effects, others, _of_kind(done, outcomes, "setting"), config),
        refused=len(made) - len(done),
        own=end,
    )


def _of_kind(
    plan: Sequence[Rerun], outcomes: Sequence[Outcome], kind: str
) -> list[tuple[Rerun, Outcome]]:
    return [(r, o) for r, o in zip(plan, outcomes, strict=True) if r.kind == kind]


def _row(config: Mapping[str, Any], done: Rerun, outcome: Outcome) -> RerunOutcome:
    changes = {k: v for k, v in done.config.items() if k != "seed" and v != config.get(k)}
    return RerunOutcome(
        kind=done.kind,
        seed=int(done.config["seed"]),
        changes=changes,
        label=outcome.label,
        p_healthy=outcome.p_healthy,
        stability=outcome.stability,
    )


def _effects(
    factors: Sequence[Factor],
    rows: Sequence[tuple[Rerun, Outcome]],
    rng: np.random.Generator,
) -> tuple[Effect, ...]:
    """Estimate main effects of the settings, with the spread of bootstrapped rows."""
    if len(rows) < 4:
        return ()
    levels = np.array([[r.levels[f.key] for f in factors] for r, _ in rows])
    values = np.array([o.stability for _, o in rows])
    weights = rng.dirichlet(np.ones(len(rows)), size=_DRAWS)  # the Bayesian bootstrap
    found = []
    for factor, column in zip(factors, levels.T, strict=True):
        if len(set(column)) < 2:  # too few runs for this factor to vary
            continue
        high, low = weights * (column > 0), weights * (column < 0)
        difference = (high @ values) / high.sum(axis=1) - (low @ values) / low.sum(axis=1)
        effect = Estimate.draws(np.clip((difference + 1) / 2, 0, 1))
        found.append(Effect(factor.key, factor.low, factor.high, effect))
    return tuple(found)


def _best(
    effects: Sequence[Effect],
    others: np.ndarray[Any, np.dtype[np.float64]],
    rows: Sequence[tuple[Rerun, Outcome]],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Find the design's best row by main effects, if it promises more than the run's setting."""
    if not effects or not len(others):
        return {}
    mean = float(np.mean([o.stability for _, o in rows]))
    sizes = {e.setting: e.effect.mean * 2 - 1 for e in effects}
    promised = mean + sum(abs(size) for size in sizes.values()) / 2
    if promised <= float(others.mean()):
        return {}
    chosen = {e.setting: e.high if sizes[e.setting] > 0 else e.low for e in effects}
    return {key: value for key, value in chosen.items() if value != config.get(key)}
