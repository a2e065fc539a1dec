"""Sensitivity of replayed steps: to another seed, to threads, and to how machines compute."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import ForeignCodeError
from dlcc.sandbox import Session
from dlcc.stages.execution.compare import Tensors, deviations
from dlcc.stages.execution.replays import OutOfTimeError
from dlcc.stages.execution.rows import LoggedRows
from dlcc.stages.recorded_state import RecordedState
from dlcc.typing import Floats

STEPS = 4
_SEEDS = 3
AGAIN, SEED = "again", "another seed"


@dataclass(frozen=True)
class Condition:
    """Condition under which steps are replayed once more."""

    name: str
    threads: int
    products: str | None = None
    deterministic: bool = False
    seed: int | None = None
    """Seed that the training is built with; None for its own."""


@dataclass(frozen=True)
class Moved:
    """Distance that a few replayed steps moved under one condition."""

    condition: str
    steps: int
    """Number of steps."""
    quantities: Mapping[str, float | None] = field(default_factory=dict)
    """Quantity -> largest |a − b| / max(|a|, 1); 0 to the last bit, None where one is not finite.
    Of several seeds the median."""
    of_change: Mapping[str, float] = field(default_factory=dict)
    """Quantity -> largest |a − b| in units of how far the record moves from this snapshot to the
    next; without those that do not move."""
    weights: Mapping[str, float | None] = field(default_factory=dict)
    """Player -> distance between the weights that were reached, in units of the way there."""
    reason: str | None = None
    """Reason why it was not measured; None where it was."""

    @property
    def largest(self) -> float | None:
        """Largest deviation of a quantity; None where one is not finite, or none is known."""
        values = list(self.quantities.values())
        known = [value for value in values if value is not None]
        return max(known) if known and len(known) == len(values) else None


def measure_sensitivity(
    session: Session,
    rows: LoggedRows,
    snapshots: Sequence[RecordedState],
    entry: str,
    config: Mapping[str, Any],
    threads: int,
    *,
    seconds: float,
    check_time: Callable[[], None],
) -> list[Moved]:
    """Replay the same few steps under other conditions, and measure how far they move.

    Steps with another seed are those of a training that is built with it and loads the same state,
    random states left out: its batches and noise are others where they depend on the seed.

    Args:
        session: Session of the sandbox.
        rows: Logged quantities.
        snapshots: Snapshots of the run; the middle one that steps were logged from is taken.
        entry: Entry point of the training.
        config: Configuration of the training.
        threads: Number of threads that the run was recorded with.
        seconds: Time that it may take, about; what there is no time for is named.
        check_time: Function that raises OutOfTimeError when the stage's time is nearly up.
    """
    begun = [s for s in snapshots if rows.count_from(s.step)]
    if not begun:
        return []
    stored = begun[(len(begun) - 1) // 2]
    count = min(STEPS, rows.count_from(stored.step))
    walker = _Walker(session, rows, stored, entry, config, count)
    change = _recorded_change(rows, snapshots, stored.step, count)
    began = time.monotonic()
    base = walker.outcome(Condition(AGAIN, threads))
    each = time.monotonic() - began
    found = []
    for conditions in _conditions(threads, config):
        name = conditions[0].name
        others: list[_Outcome] = []
        try:
            for condition in conditions:
                check_time()
                if time.monotonic() - began + each > seconds:
                    raise OutOfTimeError(f"{count} steps take too long to be done more often")
                others.append(walker.outcome(condition))
        except (ForeignCodeError, OutOfTimeError) as error:
            found.append(Moved(name, 0, reason=str(error)))
            if not session.alive:
                break
        else:
            found.append(_moved(name, rows, stored.weights, base, others, change))
    if session.alive:
        session.build(entry, config, threads)  # with its own seed again
    return found


def _conditions(threads: int, config: Mapping[str, Any]) -> list[list[Condition]]:
    """List the conditions, several seeds as one."""
    other = 2 if threads == 1 else 1
    found = [
        [Condition(AGAIN, threads)],
        [Condition(f"{other} thread{'s' if other > 1 else ''}", other)],
        [Condition("deterministic algorithms", threads, deterministic=True)],
        [Condition("products in float64", threads, "float64")],
        [Condition("products in tf32", threads, "tf32")],
        [Condition("products in bfloat16", threads, "bfloat16")],
    ]
    seed = config.get("seed")
    own = seed if type(seed) is int else 0
    return [*found, [Condition(SEED, threads, seed=own + 1 + i) for i in range(_SEEDS)]]


@dataclass(frozen=True)
class _Outcome:
    """Quantities and weights that steps led to."""

    values: Floats
    present: NDArray[np.bool_]
    weights: Tensors


@dataclass
class _Walker:
    """Walker of the same steps from the same snapshot."""

    session: Session
    rows: LoggedRows
    stored: RecordedState
    entry: str
    config: Mapping[str, Any]
    count: int

    def outcome(self, condition: Condition) -> _Outcome:
        """Do the steps under a condition."""
        tree, config = self.stored.tree, self.config
        if condition.seed is not None:
            config = {**config, "seed": condition.seed}
            tree = {**tree, "random": None}
        self.session.build(self.entry, config, condition.threads)
        self.session.load(tree, self.stored.data)
        self.session.set(condition.threads, condition.products, condition.deterministic)
        try:
            made = self.session.step(self.stored.step, self.count, self.rows.names)
            return _Outcome(made.values, made.present, self.session.weights())
        finally:
            if self.session.alive:
                self.session.set(condition.threads)


def _moved(
    name: str,
    rows: LoggedRows,
    start: Tensors,
    base: _Outcome,
    others: Sequence[_Outcome],
    change: Floats,
) -> Moved:
    """Hold outcomes of one condition against that of the run's own."""
    quantities: dict[str, float | None] = {}
    of_change: dict[str, float] = {}
    for j, quantity in enumerate(rows.names):
        there = base.present[:, j]
        if not there.any() or not all(one.present[there, j].all() for one in others):
            continue
        own = base.values[there, j]
        apart = [deviations(own, one.values[there, j]).max() for one in others]
        worst = float(np.median(apart))
        quantities[quantity] = worst if np.isfinite(worst) else None
        if np.isfinite(worst) and change[j] > 0:
            differences = [np.abs(own - one.values[there, j]).max() for one in others]
            of_change[quantity] = float(np.median(differences) / change[j])
    weights = {
        player: _share_of_way(player, start, base.weights, [one.weights for one in others])
        for player in dict.fromkeys(name.partition("/")[0] for name in base.weights)
    }
    return Moved(name, len(base.values), quantities, of_change, weights)


def _share_of_way(
    player: str, start: Tensors, reached: Tensors, others: Sequence[Tensors]
) -> float | None:
    """Median distance from where the others are, over that from the start; None where the player
    did not move, or not everything is finite."""
    way = _distance(player, reached, start)
    shares = [_distance(player, reached, other) / way if way else np.nan for other in others]
    share = float(np.median(shares))
    return share if np.isfinite(share) else None


def _distance(player: str, a: Tensors, b: Tensors) -> float:
    names = [n for n in a if n.startswith(f"{player}/") and n in b and a[n].dtype.kind == "f"]
    apart = [
        np.square(a[n].astype(np.float64) - b[n]).sum() for n in names if a[n].shape == b[n].shape
    ]
    return float(np.sqrt(sum(apart)))


def _recorded_change(
    rows: LoggedRows, snapshots: Sequence[RecordedState], first: int, count: int
) -> Floats:
    """Distance [k] between the means of the rows after this snapshot and after the next; 0 where
    they are not both known."""
    later = [s.step for s in snapshots if s.step > first]
    if not later:
        return np.zeros(len(rows.names))
    means = []
    for begin in (first, later[0]):
        window = rows.window(begin, count)
        with np.errstate(all="ignore"):
            held = np.where(window.present, window.values, 0.0).sum(axis=0)
            means.append(held / window.present.sum(axis=0))
    change: Floats = np.nan_to_num(np.abs(means[1] - means[0]), nan=0.0, posinf=0.0)
    return change


def summary(found: Sequence[Moved]) -> str:
    """Say in a sentence how far replays move."""
    known = {one.condition: one for one in found if one.steps}
    if AGAIN not in known:
        return "how far replayed steps move was not measured"
    again = known[AGAIN].largest
    parts = ["replayed steps repeat to the last bit"]
    if again:
        parts = [f"replayed steps repeat within {again:.0e} only"]
    for name, one in known.items():
        if name in (AGAIN, SEED):
            continue
        parts.append(f"{_within(one.largest)} with {name}")
    if SEED in known:
        parts.append(f"another seed moves them by {_size(known[SEED].largest)}")
    return ", ".join(parts)


def _within(largest: float | None) -> str:
    return "to the last bit" if largest == 0 else f"within {_size(largest)}"


def _size(largest: float | None) -> str:
    if largest is None:
        return "more than any number"
    return "nothing" if largest == 0 else f"{largest:.0e}"
