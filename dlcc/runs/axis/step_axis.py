"""Step axis: a step for each row of a raw table, from the columns that count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlcc.runs.raw_table import RawTable, Scalar
from dlcc.typing import Floats, Ints

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|#")
_NOISE = frozenset(
    [
        "train",
        "training",
        "current",
        "global",
        "total",
        "trainer",
        "progress",
        "saved",
        "number",
        "num",
        "no",
        "nr",
        "cur",
        "curr",
        "the",
        "at",
        "start",
        "evaluation",
        "network",
    ]
)
_STEP = frozenset(
    [
        "step",
        "steps",
        "iter",
        "iters",
        "iteration",
        "iterations",
        "it",
        "itr",
        "itrs",
        "updates",
        "update",
    ]
)
_EPOCH = frozenset(["epoch", "epochs", "ep", "epo", "epoche", "epochen", "epoca"])
_BATCH = frozenset(["batch", "batches", "minibatch", "i", "idx", "index", "batchidx"])
_IMAGES = frozenset(["kimg", "nimg", "images", "samples", "img"])
_TICK = frozenset(("tick", "ticks", "round", "rounds"))
_SNAPSHOT = frozenset(("snapshot", "snapshots", "checkpoint"))
_FOREIGN = {
    "第": "epoch", "轮": "epoch", "轮次": "epoch", "周期": "epoch", "迭代": "step", "步": "step",
}  # fmt: skip
_UNNAMED = re.compile(r"#\d+")
_COARSE = 3  # rows for each value of a counter, beyond which it does not tell rows apart
_UNIX_TIME = 9e8  # seconds, and milliseconds all the more: a column without a name is a clock
_RANK = {"step": 0, "kimg": 1, "images": 2, "epoch": 4, "batch": 5, "tick": 6, "unnamed": 7}
_TOTALS = (
    "total_iterations", "total_iters", "total_step", "total_steps", "max_steps", "num_steps",
    "learning_steps", "train_iters", "niter", "n_iters", "max_iter", "iterations",
)  # fmt: skip
_EPOCHS = (
    "epochs",
    "n_epochs",
    "num_epochs",
    "max_epochs",
    "num_train_epochs",
    "nepoch",
    "n_epoch",
)


@dataclass(frozen=True)
class StepAxis:
    """Step of each row, and how it was told."""

    steps: Ints
    """Step [rows]; it falls where a training went back or began anew."""
    unit: str
    """Unit of a step: `iteration`, `epoch`, `kimg`, `image`, `tick` or `row`."""
    columns: frozenset[str] = frozenset()
    """Columns that count, which are no series."""
    per_epoch: int | None = None
    """Steps of an epoch, where the axis is made of epochs and batches."""
    length: int | None = None
    """Number of steps that the training was to have; None where nothing tells."""
    said: tuple[str, ...] = ()
    """Sentences on what was assumed."""


@dataclass(frozen=True, eq=False)
class _Counter:
    """Column that counts something."""

    name: str
    what: str
    values: Floats
    """Count [rows], filled forward where a row has none."""
    falls: Ints
    """Rows at which it falls."""
    distinct: int


def step_axis(table: RawTable, column: str | None = None) -> StepAxis:
    """Find the axis of a table.

    Args:
        table: Raw table.
        column: Column that the user named for the steps; None to find one.

    Returns:
        Axis, counting rows where nothing else counts.

    >>> from pathlib import Path
    >>> from dlcc.runs.raw_table import RawColumn
    >>> cells = {"epoch": [0, 0, 1, 1], "batch": [0, 5, 0, 5], "loss": [4.0, 3.0, 2.0, 1.0]}
    >>> columns = {name: RawColumn.of_cells(values) for name, values in cells.items()}
    >>> step_axis(RawTable("CSV", (Path("a.csv"),), columns, rows=4)).steps.tolist()
    [0, 5, 10, 15]
    """
    if column is not None:
        return _named(table, column)
    if table.steps is not None:
        return StepAxis(table.steps, "step", length=_stated(table.config, _TOTALS))
    counters = _counters(table)
    whole = _whole(counters, table.rows)
    inner = _within(counters)
    if inner is not None and (
        whole is None or whole == inner[1] or whole.what in ("epoch", "tick", "unnamed")
    ):
        return _of_epochs(table, *inner, counters)
    coarse = whole is not None and whole.what != "step" and _COARSE * whole.distinct < table.rows
    if whole is None or coarse:
        return StepAxis(
            np.arange(table.rows),
            "row",
            frozenset(c.name for c in counters),
            said=(
                "no column counts the steps, so rows are counted; name one with --map step=COLUMN",
            ),
        )
    return _of_one(table, whole, counters)


def _named(table: RawTable, column: str) -> StepAxis:
    values = _filled(table.dense(column))
    steps = np.nan_to_num(np.clip(values, 0, 2.0**62)).round().astype(np.int64)
    return StepAxis(steps, "step", frozenset((column,)))


def what_counts(name: str) -> str | None:
    """Tell what a column counts from its name.

    Args:
        name: Name as a record has it.

    Returns:
        `step`, `epoch`, `batch`, `kimg`, `images`, `tick`, `unnamed` or `total`; None for a name
        that counts nothing.

    >>> what_counts("trainer/global_step"), what_counts("Epoch of"), what_counts("d_loss")
    ('step', 'total', None)
    """
    if name.endswith(" of"):
        return "total" if what_counts(name.removesuffix(" of")) else None
    if name in _FOREIGN:
        return _FOREIGN[name]
    if name.endswith(" (2)"):  # the second number after an epoch: `Epoch 3 [128/60000]`
        return "unnamed" if what_counts(name.removesuffix(" (2)")) == "epoch" else None
    if _UNNAMED.fullmatch(name) or name == "(index)" or name.startswith("Unnamed:"):
        return "unnamed"
    words = [w.lower() for w in _WORD.findall(name) if w.lower() not in _NOISE]
    if len(words) == 2 and words[0] in ("g", "d") and words[1] in _STEP:
        words = words[1:]  # each player's own count of steps
    if not words or len(words) > 2:
        return None
    for group, what in (
        (_EPOCH, "epoch"),
        (_STEP, "step"),
        (_BATCH, "batch"),
        (_TICK, "tick"),
        (_SNAPSHOT, "kimg"),
    ):
        if words[-1] in group and all(w in group or w in ("batch", "epoch") for w in words):
            return what
    if words[-1] in _IMAGES and len(words) == 1:
        return "kimg" if words[0] == "kimg" else "images"
    return None


def _filled(values: Floats) -> Floats:
    """Values [rows] with gaps filled by the value before, those at the start by the first one."""
    there = np.isfinite(values)
    if not there.any():
        return np.zeros(len(values))
    last = np.maximum.accumulate(np.where(there, np.arange(len(values)), -1))
    first = int(np.argmax(there))
    filled: Floats = values[np.where(last < 0, first, last)]
    return filled


def _counters(table: RawTable) -> list[_Counter]:
    """Columns that count, by name and by what they hold."""
    found = []
    for name, column in table.columns.items():
        what = what_counts(name)
        finite = column.values[np.isfinite(column.values)]
        if what in (None, "total") or not len(finite) or (finite < 0).any():
            continue
        if finite.max() > 2**53 or (what != "kimg" and np.any(finite != np.floor(finite))):
            continue
        if what == "unnamed" and len(finite) < 0.5 * table.rows:
            continue
        values = _filled(table.dense(name))
        falls = np.flatnonzero(np.diff(values) < 0) + 1
        if what == "unnamed" and not _counts_up(values, falls):
            continue
        found.append(_Counter(name, str(what), values, falls, len(np.unique(finite))))
    return found


def _counts_up(values: Floats, falls: Ints) -> bool:
    """Whether values without a name count: they rise steadily, and fall seldom and far."""
    rises = np.diff(values)
    if not (rises > 0).any():
        return False
    if values.min() > _UNIX_TIME:
        return False
    return len(falls) <= 0.2 * len(values) or bool(np.all(values[falls] <= np.median(values)))


def _whole(counters: list[_Counter], rows: int) -> _Counter | None:
    """Counter of the whole training: the best named that rises most of the time."""
    fitting = [
        c
        for c in counters
        if c.what != "batch" and c.distinct > 1 and len(c.falls) <= max(1, 0.05 * rows)
    ]
    fine = max((c.distinct for c in fitting), default=0)
    fitting = [c for c in fitting if 4 * c.distinct >= fine or c.what == "step"]
    if not fitting and rows <= 2:
        fitting = [c for c in counters if c.what in ("step", "epoch", "kimg")]
    if not fitting and (batch := [c for c in counters if c.what == "batch" and not len(c.falls)]):
        return batch[0] if batch[0].distinct > 1 else None
    return min(fitting, key=lambda c: (_RANK[c.what], -c.distinct), default=None)


def _within(counters: list[_Counter]) -> tuple[_Counter, _Counter] | None:
    """Counter of epochs, and one that begins anew in each of them."""
    best = None
    for epoch in counters:
        if epoch.what not in ("epoch", "unnamed") or epoch.distinct < 2:
            continue
        rises = np.flatnonzero(np.diff(epoch.values) > 0) + 1
        for inner in counters:
            if inner is epoch or inner.what in ("epoch", "kimg", "tick") or not len(inner.falls):
                continue
            near = np.isin(inner.falls, rises) | np.isin(inner.falls, epoch.falls)
            constant = inner.distinct == 1
            if near.mean() < 0.8 or len(inner.falls) < 0.5 * len(rises) or constant:
                continue
            rank = (_RANK[epoch.what], _RANK[inner.what])
            if best is None or rank < best[0]:
                best = (rank, epoch, inner)
    return None if best is None else (best[1], best[2])


def _of_epochs(
    table: RawTable, epoch: _Counter, inner: _Counter, counters: list[_Counter]
) -> StepAxis:
    """Axis of epochs and of what is counted within each."""
    stated = _total_of(table, inner)
    lowest = float(inner.values.min())
    seen = inner.values.max() - lowest
    stride = _stride(inner.values)
    said: list[str] = []
    if stated is not None:
        length = int(stated)
    else:
        length = int(seen + stride)
        said.append(
            f"an epoch is taken to have {length:,} steps: {inner.name} reaches "
            f"{inner.values.max():,.0f} and advances by {stride:,.0f}, so this is exact to within "
            f"{stride:,.0f}"
        )
    first = float(epoch.values.min())
    base = 1.0 if first >= 1 else 0.0
    offset = lowest if lowest >= stride and stated is None else 0.0
    steps = ((epoch.values - base) * length + inner.values - offset).astype(np.int64)
    epochs = _total_of(table, epoch) or _stated(table.config, _EPOCHS)
    return StepAxis(
        np.maximum(steps, 0),
        "iteration",
        _names(table, counters),
        per_epoch=length,
        length=None if epochs is None else int(epochs * length),
        said=tuple(said),
    )


def _of_one(table: RawTable, whole: _Counter, counters: list[_Counter]) -> StepAxis:
    values, unit = (
        whole.values,
        {"batch": "iteration", "step": "iteration"}.get(whole.what, whole.what),
    )
    if whole.what == "kimg":
        apart = np.diff(np.unique(values))
        if len(apart) and np.median(apart) < 0.5:
            values, unit = values * 1_000, "image"
    if unit in ("images", "unnamed"):
        unit = "image" if unit == "images" else "step"
    length = _total_of(table, whole)
    if length is None:
        length = _stated(table.config, _EPOCHS if whole.what == "epoch" else _TOTALS)
    said = () if whole.what != "unnamed" else (f"the unnamed column {whole.name} counts the steps",)
    return StepAxis(
        values.round().astype(np.int64),
        unit,
        _names(table, counters),
        length=None if length is None else int(length),
        said=said,
    )


def _names(table: RawTable, counters: list[_Counter]) -> frozenset[str]:
    """Columns that count, their totals included."""
    totals = {name for name in table.columns if what_counts(name) == "total"}
    return frozenset({c.name for c in counters} | totals)


def _total_of(table: RawTable, counter: _Counter) -> float | None:
    """Total that the record states beside a counter, as in `3/20`; None without one."""
    name = f"{counter.name} of"
    if name not in table.columns:
        return None
    total = float(np.nanmax(table.columns[name].values))
    return total if total >= counter.values.max() else None


def _stride(values: Floats) -> float:
    """Usual distance between a count and the next."""
    rises = np.diff(values)
    rises = rises[rises > 0]
    return float(np.median(rises)) if len(rises) else 1.0


def _stated(config: Mapping[str, Scalar], keys: tuple[str, ...]) -> int | None:
    """Whole number that a configuration states under one of some keys."""
    for key, value in config.items():
        known = key.rpartition(".")[2].lower() in keys and not isinstance(value, bool)
        if known and isinstance(value, int | float) and 0 < value < 1e12:
            return int(value)
    return None
