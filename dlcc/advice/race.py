"""Race of changes in reruns of a run's own code, side by side, until the time is over.

Asynchronous successive halving (Li and others 2020): every change begins with a first leg, a
quarter of the training; the best third of what has paused there goes on to its end, and what is
sure to fail does not. Then the best changes and "another seed" are repeated with further seeds, by
Thompson sampling. What is known at any moment is a ranking, so that Ctrl-C and the end of the time
lose nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcc.advice.change import MOST_FIELDS, Change
from dlcc.advice.evidence import Advised, Trial, ranked, with_usual_names
from dlcc.errors import ForeignCodeStopped, LimitExceeded
from dlcc.estimate import Estimate
from dlcc.reruns.outcome import Refused, steps_to_sample
from dlcc.reruns.pool import Leg, Made, Paused, SandboxPool
from dlcc.reruns.prediction import Predictor
from dlcc.settings.keys import Key
from dlcc.typing import Progress

_FIRST_LEG = 1 / 4  # share of the training
_PROMOTED = 3  # one in so many of those that paused goes on at once
_HOPELESS = 0.1  # upper end of the interval of P(healthy) from which on a rerun is given up
_MOST_CHANGES = 32
_REPEATED = 3  # changes apart from the best that another seed is compared with
_MOST_REPEATS = 8
_CONTROLS = 2  # reruns with another seed that begin with the first changes
_ROOM = 1.1  # a leg is begun where the time left is this times what it is expected to take


@dataclass
class _Run:
    """Rerun of a trial with one seed."""

    trial: Trial
    seed: int
    paused: Paused | None = None
    prediction: Estimate | None = None


@dataclass
class Race:
    """Race of the changes of one run.

    Args:
        config: Whole configuration of the run.
        length: Number of steps of a rerun.
        trials: Control, and changes, the likeliest first.
        pool: Pool of sandboxes, open.
        predictor: Predictor of how reruns end; its judge judges those that came to their end.
        keys: Keys of the configuration with their meaning.
        seed: Seed of the reruns' seeds.
    """

    config: Mapping[str, Any]
    length: int
    trials: Sequence[Trial]
    pool: SandboxPool
    predictor: Predictor
    keys: Sequence[Key] = ()
    seed: int = 0
    refused: list[Change] = field(default_factory=list)
    """Changes with which the code failed."""
    _begun: dict[int, int] = field(default_factory=dict)
    _paused: list[_Run] = field(default_factory=list)
    _paused_ever: int = 0
    _promotions: int = 0
    _seconds: list[float] = field(default_factory=list)
    _running: dict[int, _Run] = field(default_factory=dict)
    _number: int = 0

    def run(self, progress: Progress = lambda share, what: None) -> Advised:
        """Run the race to the end of the pool's time.

        Args:
            progress: Function that is called with the share of the time that is gone.

        Returns:
            The ranking; what cut it short is said in it.

        Raises:
            ForeignCodeError: The code fails with its own configuration and another seed.
            LimitExceeded: Not one rerun with another seed, or of a change, was done in time.
        """
        deadline = self.pool.deadline
        total, why = max(deadline.remaining, 1e-9), ""
        started = time.monotonic()
        try:
            while deadline.remaining > 0:
                while self.pool.waiting < self.pool.workers and (leg := self._next()) is not None:
                    self.pool.order(leg)
                if not self.pool.waiting:
                    break  # everything is done, or nothing more fits into the time
                made = self.pool.next(min(1.0, deadline.remaining))
                if made is not None:
                    self.take(made)
                share = min(1.0, (time.monotonic() - started) / total)
                progress(share, f"{self._done} reruns, {self._tried} changes tried")
        except KeyboardInterrupt:
            why = "interrupted"
        except ForeignCodeStopped:
            if not self._done:
                raise
        if not self._done:
            if why:
                raise KeyboardInterrupt
            raise LimitExceeded("not one rerun was done in time")
        self._give_up_paused()
        kept = [trial for trial in self.trials if trial.change not in self.refused]
        return ranked(kept, self.refused, why)

    @property
    def _done(self) -> int:
        return sum(trial.tried for trial in self.trials) + len(self._paused)

    @property
    def _tried(self) -> int:
        paused = {id(run.trial) for run in self._paused}
        return sum(t.tried > 0 or id(t) in paused for t in self.trials[1:])

    def _next(self) -> Leg | None:
        """Choose what to do next; None where nothing fits into the time, or all is done."""
        control = self.trials[0]
        begun = self._begun.get(0, 0)
        if begun < 1:
            return self._begin(0)
        promoted = self._promoted()
        if promoted is not None:
            return self._leg(promoted, self.length)
        changes = [k for k in range(1, len(self.trials)) if self._is_in(k)]
        new = [k for k in changes[:_MOST_CHANGES] if not self._begun.get(k)]
        if new and self._fits(self._first_leg):
            if begun < _CONTROLS and len(changes) - len(new) >= _REPEATED:
                return self._begin(0)
            return self._begin(new[0])
        if self._paused and self._fits(self.length - self._first_leg):
            best = max(self._paused, key=lambda run: _promise(run))
            if _promise(best) > control.mean or not any(t.tried for t in self.trials[1:]):
                return self._leg(best, self.length)
        return self._repeat(changes)

    def _repeat(self, changes: Sequence[int]) -> Leg | None:
        """Repeat the best with another seed, and the control about half as often."""
        tried = [k for k in changes if self.trials[k].outcomes]
        if not self._fits(self.length):
            return None
        most = max((self._begun[k] for k in tried), default=1)
        if self._begun.get(0, 0) < max(2, most):
            return self._begin(0)
        rng = np.random.default_rng([self.seed, self._number])
        open_ = [k for k in tried if self._begun[k] < _MOST_REPEATS]
        if not open_:
            return None
        drawn = [self.trials[k].advice().expected.quantile(rng.random()) for k in open_]
        return self._begin(open_[int(np.argmax(drawn))])

    def _is_in(self, k: int) -> bool:
        return self.trials[k].change not in self.refused

    def _promoted(self) -> _Run | None:
        """Paused rerun of the best third that goes on, where one does."""
        if not self._paused or not self._fits(self.length - self._first_leg):
            return None
        best = max(self._paused, key=_promise)
        if best.trial is self.trials[0]:
            return best
        return best if self._promotions < self._paused_ever // _PROMOTED else None

    def _begin(self, k: int) -> Leg:
        trial, repeat = self.trials[k], self._begun.get(k, 0)
        self._begun[k] = repeat + 1
        run = _Run(trial, seed_of(trial.change, repeat, self.seed))
        whole = (repeat > 0 and k > 0) or self.is_quick
        return self._leg(run, self.length if whole else self._first_leg)

    @property
    def is_quick(self) -> bool:
        """Whether there is time enough to make every rerun whole, several times."""
        if not self._seconds:
            return False
        room = self.pool.deadline.remaining * self.pool.workers
        return room > 3 * len(self.trials) * self._expected(self.length)

    def _leg(self, run: _Run, until: int) -> Leg:
        if run in self._paused:
            self._paused.remove(run)
            self._promotions += run.trial is not self.trials[0]
        self._number += 1
        self._running[self._number] = run
        config = {**run.trial.change.applied(self.config), "seed": run.seed}
        return Leg(self._number, config, until, run.paused)

    @property
    def _first_leg(self) -> int:
        steps = steps_to_sample(self.length)
        return min(steps, key=lambda step: abs(step - _FIRST_LEG * self.length))

    def _expected(self, steps: int) -> float:
        """Seconds that steps are expected to take, by the slower half of what was seen."""
        return float(np.quantile(self._seconds, 0.75)) * steps if self._seconds else 0.0

    def _fits(self, steps: int) -> bool:
        return _ROOM * self._expected(steps) < self.pool.deadline.remaining

    def take(self, made: Made) -> None:
        """Take in what became of a leg.

        Args:
            made: Leg with its result.

        Raises:
            ForeignCodeError: The code fails with its own configuration and another seed.
        """
        run = self._running.pop(made.leg.name)
        result = made.result
        if isinstance(result, Refused):
            if run.trial is self.trials[0]:
                raise result.error
            if run.trial.change not in self.refused:
                self.refused.append(run.trial.change)
            return
        before = 0 if run.paused is None or run.paused.state is None else run.paused.done
        if made.seconds > 0:
            self._seconds.append(made.seconds / max(1, result.done - before))
        run.paused = result
        if result.done >= self.length:
            run.trial.outcomes.append(self.predictor.judge(result.recorded, self.length))
            return
        config = with_usual_names(made.leg.config, self.keys)
        run.prediction = self.predictor(result.recorded, result.done, self.length, config)
        self._paused_ever += run.trial is not self.trials[0]
        if run.prediction.interval(0.9)[1] < _HOPELESS:
            run.trial.predicted.append(run.prediction)
        else:
            self._paused.append(run)

    def _give_up_paused(self) -> None:
        """Count predictions for what paused and did not go on."""
        for run in self._paused:
            assert run.prediction is not None
            run.trial.predicted.append(run.prediction)
        self._paused.clear()


def _promise(run: _Run) -> float:
    return run.prediction.mean if run.prediction is not None else 0.0


def seed_of(change: Change, repeat: int, seed: int) -> int:
    """Seed of a rerun, the same whenever it is asked for: what is done is found again.

    >>> seed_of(Change({"lr": 0.1}), 0, 0) == seed_of(Change({"lr": 0.1}), 0, 0)
    True
    """
    text = json.dumps([change.key, repeat, seed])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def in_order(trials: Sequence[Trial]) -> list[Trial]:
    """Order trials for a race: the control, then the likeliest changes, of different fields first.

    A change whose fields were varied by one before it waits, the longer the more there were.

    Args:
        trials: Control, and changes.

    Returns:
        The same in the order in which they begin.
    """
    control, *others = trials
    seen: dict[frozenset[str], int] = {}
    placed = []
    for trial in sorted(others, key=lambda t: -t.past):
        fields = frozenset(trial.change.fields)
        again = seen.get(fields, 0)
        seen[fields] = again + 1
        large = 0.05 * (trial.change.size > MOST_FIELDS)
        placed.append((trial.past - 0.08 * again - large, trial))
    return [control, *(trial for _, trial in sorted(placed, key=lambda pair: -pair[0]))]
