"""Tuning: a search for the settings of a training by Optuna, with the forecast as its pruner.

Trials run in warm sandboxes, as many side by side as there are processors. Where a trial pauses, a
quarter, a half and three quarters through, its end is forecast; it is stopped where that pays
(`dlcc.forecast.stopping`). The study is kept in a file, so that another call goes on with it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from dlcc.advice.evidence import with_usual_names
from dlcc.advice.source_keys import SourceKeys
from dlcc.errors import OptionError
from dlcc.estimate import Estimate
from dlcc.forecast.stopping import COST, stopping
from dlcc.health.feature_reference import FeatureReference
from dlcc.health.samples import AnyReference
from dlcc.metrics import sliced_wasserstein
from dlcc.reruns.outcome import Refused, steps_to_sample
from dlcc.reruns.plan import HIGHEST_RATE
from dlcc.reruns.pool import Leg, Made, Paused, SandboxPool
from dlcc.reruns.prediction import Predictor
from dlcc.settings.keys import Key, Role, keys_of
from dlcc.settings.nested import flattened, is_number, replaced
from dlcc.typing import Floats, Progress

PRUNERS = ("forecast", "median", "none")
"""Names of what stops trials early."""
SAMPLERS = ("tpe", "random", "gp")
"""Names of Optuna's samplers that may propose settings."""
_PAUSES = (0.25, 0.5, 0.75)
_AROUND = 30.0  # factor below and above the present value that is searched
_WIDE = 10.0  # ratio of bounds from which on a search is over orders of magnitude
_WEIGHTS: tuple[Role, ...] = ("penalty", "r2", "kl", "mmd", "kernel")
_LOW_WEIGHT, _HIGH_WEIGHT = 1e-3, 30.0
_DIRECTIONS = 64
_FIXED: Mapping[Role, tuple[float, float]] = {"beta1": (0.0, 0.9), "smoothing": (0.0, 0.2)}


@dataclass(frozen=True)
class Dimension:
    """Setting that is searched, between bounds."""

    path: str
    """Path of the value; of a nested configuration the names are joined by dots."""
    low: float
    high: float
    whole: bool = False
    """Whether it is a whole number."""

    @property
    def log(self) -> bool:
        """Whether the search is over orders of magnitude."""
        return self.low > 0 and self.high / self.low >= _WIDE

    def suggest(self, trial: optuna.Trial) -> float:
        """Have a trial suggest a value."""
        if self.whole:
            return trial.suggest_int(self.path, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.path, self.low, self.high, log=self.log)

    def holds(self, value: Any) -> bool:
        """Whether a value lies within the bounds."""
        return is_number(value) and self.low <= value <= self.high

    @property
    def words(self) -> str:
        """Key and bounds in words."""
        return f"{self.path} {self.low:g} to {self.high:g}"


def space_of(
    config: Mapping[str, Any],
    remedies: str,
    bounds: Mapping[str, tuple[float, float]],
    code: Collection[str] = (),
) -> list[Dimension]:
    """Choose what is searched.

    Args:
        config: Whole configuration.
        remedies: Name of the changes known for the kind, which tells what keys mean.
        bounds: Key -> bounds that the user gave. With any, these keys alone are searched; else
            learning rates, weights of penalties and terms, and Adam's first moment, around their
            present values.
        code: Texts of the training's files; keys that these do not read are not searched.

    Returns:
        Dimensions, in the configuration's order.

    Raises:
        OptionError: A key is none of the configuration or no number, or the code does not read it;
            bounds exclude its present value, or nothing is known to be searched.
    """
    flat, source = flattened(config), SourceKeys.of(code)
    for key, (low, high) in bounds.items():
        _check_bounds(key, low, high, flat)
        if code and not source.reads(key):
            raise OptionError(
                f"--bound {key}: the code does not read this key, so it has no effect"
            )
    if bounds:
        return [
            Dimension(path, *bounds[path], whole=isinstance(value, int))
            for path, value in flat.items()
            if path in bounds
        ]
    keys = [k for k in keys_of(config, remedies) if not code or source.reads(k.path)]
    found = [d for key in keys if (d := _around(key)) is not None]
    if not found:
        raise OptionError(
            "the configuration has no learning rate, penalty or weight by a name that is known; "
            "name what to search: --bound key=lo..hi"
        )
    return found


def _check_bounds(key: str, low: float, high: float, flat: Mapping[str, Any]) -> None:
    if key not in flat:
        known = ", ".join(path for path, value in flat.items() if is_number(value))
        raise OptionError(f"--bound {key}: the configuration has no such key; it has {known}")
    value = flat[key]
    if not is_number(value):
        raise OptionError(f"--bound {key}: expected a key with a number, and {key} is {value!r}")
    if not low < high:
        raise OptionError(f"--bound {key}={low:g}..{high:g}: expected the lower bound first")
    if not low <= value <= high:
        raise OptionError(
            f"--bound {key}={low:g}..{high:g}: the present value {value:g} lies outside; widen "
            "the bounds, for a search begins with what is"
        )


def _around(key: Key) -> Dimension | None:
    """Search around the present value of a key; None for keys that are left as they are."""
    if not is_number(key.value):
        return None
    if key.role == "rate" and key.number > 0:
        high = min(_AROUND * key.number, max(HIGHEST_RATE, key.number))
        return Dimension(key.path, key.number / _AROUND, high)
    if key.role in _WEIGHTS and isinstance(key.value, float):
        low, high = (_LOW_WEIGHT, _HIGH_WEIGHT) if key.number == 0 else (0.0, 0.0)
        if key.number > 0:
            low, high = min(_LOW_WEIGHT, key.number), max(_HIGH_WEIGHT, key.number)
        return Dimension(key.path, low, high)
    if key.role in _FIXED:
        low, high = _FIXED[key.role]
        return Dimension(key.path, min(low, key.number), max(high, key.number))
    return None


@dataclass(frozen=True)
class Tuned:
    """Result of a search, so far."""

    best: Mapping[str, float]
    """Path -> value of the best trial; empty before the first whole trial."""
    value: float
    """Quality of the best trial, 0 to 1."""
    present: float | None
    """Quality of the present values; None where their trial is not whole."""
    trials: int
    """Number of trials that ended, whole or stopped."""
    stopped: int
    """Number of trials that were stopped early."""
    refused: int
    """Number of trials whose settings the code refused."""
    trainings: float
    """Steps done by all trials of this call, in whole trainings."""
    interrupted: bool = False
    """Whether Ctrl-C ended it."""


@dataclass
class _Running:
    """Trial on its way."""

    trial: optuna.Trial
    config: Mapping[str, Any]
    paused: Paused | None = None


@dataclass
class Tuning:
    """Search for the settings of one training.

    Args:
        config: Whole configuration.
        length: Number of steps of a training.
        space: What is searched.
        pool: Pool of sandboxes, open.
        predictor: Predictor of how trials end; its judge judges those that came to their end.
        study_file: File in which the study is kept.
        name: Name of the study in it.
        pruner: What stops trials early, one of `PRUNERS`.
        sampler: What proposes settings, one of `SAMPLERS`.
        keys: Keys of the configuration with their meaning.
        seed: Seed of the sampler and of the trials' seeds.
    """

    config: Mapping[str, Any]
    length: int
    space: Sequence[Dimension]
    pool: SandboxPool
    predictor: Predictor
    study_file: Path
    name: str
    pruner: str = "forecast"
    sampler: str = "tpe"
    keys: Sequence[Key] = ()
    seed: int = 0
    _running: dict[int, _Running] = field(default_factory=dict)
    _steps: int = 0

    def run(self, progress: Progress = lambda share, what: None, most: int = 10**6) -> Tuned:
        """Search to the end of the pool's time.

        Args:
            progress: Function that is called with the share of the time that is gone.
            most: Number of trials at most, those of earlier calls included.

        Returns:
            The best trial; after Ctrl-C that of the search so far.

        Raises:
            OptionError: The study's file cannot be used.
        """
        study = self._study()
        deadline, interrupted = self.pool.deadline, False
        total = max(deadline.remaining, 1e-9)
        try:
            while deadline.remaining > 0:
                while self.pool.waiting < self.pool.workers and _begun(study) < most:
                    self.pool.order(self._begin(study))
                if not self.pool.waiting:
                    break
                made = self.pool.next(min(1.0, deadline.remaining))
                if made is not None:
                    self._take(study, made)
                done = sum(t.state.is_finished() for t in study.get_trials(deepcopy=False))
                progress(1 - deadline.remaining / total, f"{done} trials")
        except KeyboardInterrupt:
            interrupted = True
        for running in self._running.values():
            study.tell(running.trial.number, state=TrialState.FAIL)
        return self._result(study, interrupted)

    def _study(self) -> optuna.Study:
        """Open the study, begin it where there is none, and end what a kill left running."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            storage = JournalStorage(JournalFileBackend(str(self.study_file)))
            study = optuna.create_study(
                storage=storage,
                study_name=self.name,
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(),
            )
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                study.tell(trial.number, state=TrialState.FAIL)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            raise OptionError(
                f"--study {self.study_file}: no study can be kept there ({str(error)[:200]}); "
                "name another file"
            ) from None
        study.sampler = _sampler(self.sampler, self.seed + len(study.trials))
        flat = flattened(self.config)
        if not study.trials:
            study.enqueue_trial({d.path: flat[d.path] for d in self.space if d.holds(flat[d.path])})
        return study

    def _begin(self, study: optuna.Study) -> Leg:
        trial = study.ask()
        config = dict(self.config)
        for dimension in self.space:
            config = replaced(config, dimension.path, dimension.suggest(trial))
        rng = np.random.default_rng([self.seed, trial.number])
        config["seed"] = int(rng.integers(2**31))
        self._running[trial.number] = _Running(trial, config)
        return self._leg(trial.number)

    def _leg(self, number: int) -> Leg:
        """Next leg of a trial: to its next pause, or to its end."""
        running = self._running[number]
        done = 0 if running.paused is None else running.paused.done
        steps = steps_to_sample(self.length)
        pauses = [min(steps, key=lambda s: abs(s - share * self.length)) for share in _PAUSES]
        until = self.length
        if self.pruner != "none":
            until = min((p for p in pauses if p > done), default=self.length)
        return Leg(number, running.config, until, running.paused)

    def _take(self, study: optuna.Study, made: Made) -> None:
        """Take in a leg: go on, stop, or tell the trial's quality."""
        number, result = made.leg.name, made.result
        running = self._running[number]
        if isinstance(result, Refused):
            del self._running[number]
            study.tell(number, state=TrialState.FAIL)
            return
        before = 0 if running.paused is None else running.paused.done
        self._steps += max(0, result.done - before) if made.seconds else 0
        running.paused = result
        if result.done >= self.length:
            del self._running[number]
            study.tell(number, quality(self.predictor, result, self.length))
            return
        named = with_usual_names(running.config, self.keys)
        estimate = self.predictor(result.recorded, result.done, self.length, named)
        running.trial.report(estimate.mean, result.done)
        if self._stops(running.trial, estimate, result.done / self.length):
            del self._running[number]
            study.tell(number, state=TrialState.PRUNED)
            return
        self.pool.order(self._leg(number))

    def _stops(self, trial: optuna.Trial, estimate: Estimate, seen: float) -> bool:
        if self.pruner == "median":
            return trial.should_prune()
        return self.pruner == "forecast" and stopping(estimate, seen, COST).action == "stop"

    def _result(self, study: optuna.Study, interrupted: bool) -> Tuned:
        trials = study.get_trials(deepcopy=False)
        whole = [t for t in trials if t.state == TrialState.COMPLETE]
        best = max(whole, key=lambda t: t.value or 0.0, default=None)
        first = next((t.value for t in whole if t.number == 0), None)
        states = [t.state for t in trials]
        return Tuned(
            best={} if best is None else dict(best.params),
            value=0.0 if best is None else float(best.value or 0.0),
            present=first,
            trials=len(whole) + states.count(TrialState.PRUNED),
            stopped=states.count(TrialState.PRUNED),
            refused=states.count(TrialState.FAIL),
            trainings=self._steps / self.length,
            interrupted=interrupted,
        )


def _begun(study: optuna.Study) -> int:
    """Number of trials that were begun, those that ended included."""
    trials = study.get_trials(deepcopy=False)
    return sum(trial.state != TrialState.WAITING for trial in trials)


def quality(predictor: Predictor, paused: Paused, length: int) -> float:
    """Quality of a whole trial, 0 to 1: the mean of P(healthy), of the share of good samples, and
    where there are data, of how near to these the last samples are."""
    outcome, reference = predictor.judge(paused.recorded, length), predictor.judge.reference
    parts = [outcome.p_healthy, outcome.stability]
    if reference is not None and paused.recorded.samples:
        parts.append(closeness(paused.recorded.samples[-1], reference))
    found = float(np.mean(parts))
    return found if math.isfinite(found) else 0.0


def closeness(samples: Floats, reference: AnyReference) -> float:
    """Compute how near samples are to data: 1 at the same distribution, 0 where one point would do.

    It is 1 less the ratio of two sliced Wasserstein distances (this package's own figure): of the
    samples to the data, and of the data's mean, repeated, to the data.

    Args:
        samples: Samples [n, ...].
        reference: Data to compare with, in the space in which health compares them.

    Returns:
        Closeness, 0 to 1; 0 for samples that are not finite.

    >>> from dlcc.health.samples import Reference
    >>> data = np.random.default_rng(0).standard_normal((400, 2))
    >>> reference = Reference.of(data)
    >>> closeness(data[::2], reference) > 0.8, closeness(0 * data, reference) < 0.1
    (True, True)
    """
    if not np.isfinite(samples).all():
        return 0.0
    if isinstance(reference, FeatureReference):
        rows = np.asarray(reference.features(samples), dtype=np.float64)
    else:
        rows = samples.reshape(len(samples), -1)
    data = reference.rows
    point = np.broadcast_to(data.mean(axis=0), (2, data.shape[1]))
    try:
        of_point = sliced_wasserstein(point, data, projections=_DIRECTIONS).value
        of_samples = sliced_wasserstein(rows, data, projections=_DIRECTIONS).value
    except ValueError:
        return 0.0
    return max(0.0, 1 - of_samples / of_point) if of_point > 0 else 0.0


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    match name:
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, constant_liar=True, multivariate=True)
