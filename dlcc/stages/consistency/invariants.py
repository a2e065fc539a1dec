"""Invariants among the numbers of an untampered record, whatever was trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dlcc.findings import Finding
from dlcc.records import Column, Config, Series, Snapshots
from dlcc.stages.consistency.held_out import check_held_out
from dlcc.stages.consistency.ledger import Ledger
from dlcc.typing import Floats

_RUNNING = ("running_mean", "running_var")
_EVERY = {"generator": "g_every", "discriminator": "d_every"}  # how recipes call the cadence
_FELT = 1e-6  # a gradient norm under which float32 weights need not move
_FELT_SHARE = 1e-3  # of the largest norm so far: under it an adaptive step may be lost in rounding


def check_record(
    ledger: Ledger, config: Config, series: Series, snapshots: Snapshots | None
) -> None:
    """Check clocks, parts of the data, counts, and snapshots against the updates between them."""
    _check_clocks(ledger, series)
    check_held_out(ledger, series)
    for player in sorted({name.partition("/")[0] for name in series.columns}):
        _check_counts(ledger, config, series, player)
    if snapshots is not None:
        tensors = {s.step: s.weights() for s in snapshots}
        moved = {step: _flat_weights(_moved(config, named)) for step, named in tensors.items()}
        _check_distances(ledger, series, moved)
        check_finite(ledger, series, tensors)


def _check_clocks(ledger: Ledger, series: Series) -> None:
    statement = "within a session the clock never runs backwards"
    if not any(np.isfinite(column.clock).any() for column in series.columns.values()):
        return  # another tool's folder has no clock
    for name, column in series.columns.items():
        back = np.flatnonzero(np.diff(column.clock) < 0)
        sessions = np.isin(column.steps[back + 1], series.restarts)
        if len(bad := back[~sessions]):
            step = int(column.steps[bad[0] + 1])
            finding = Finding(
                "LOG003",
                f"The clock of {name} runs backwards at step {step:,}.",
                player=name.partition("/")[0],
                first_step=step,
            )
            ledger.refuted("record/clock", "record", statement, "read", finding)
            return
    ledger.proved("record/clock", "record", statement, "read")


def _check_counts(ledger: Ledger, config: Config, series: Series, player: str) -> None:
    column = series.columns.get(f"{player}/updates")
    if column is None:
        return
    key = _EVERY.get(player, "")
    every = config.config.get(key)
    statement = f"{player}: the number of optimiser steps only grows"
    wrong = np.diff(column.values) < 0
    if isinstance(every, int) and every > 0 and _is_unbroken(column, series):
        statement = f"{player}: its optimiser stepped as often as {key} says"
        cadence = _cadence(every, series.columns.get(f"control/{key}"), column.steps[1:])
        wrong = np.diff(column.values) != (column.steps[1:] % cadence == 0)
    if wrong.any():
        step = int(column.steps[1:][wrong][0])
        finding = Finding(
            "LOG003",
            f"{player}/updates goes from {column.values[:-1][wrong][0]:g} to "
            f"{column.values[1:][wrong][0]:g} at step {step:,}.",
            player=player,
            first_step=step,
        )
        ledger.refuted(f"record/counts/{player}", "record", statement, "counted", finding)
    else:
        ledger.proved(f"record/counts/{player}", "record", statement, "counted")


def _cadence(every: int, control: Column | None, steps: NDArray[np.int64]) -> Floats:
    """Interval [n] between updates of a player at each of n steps, in steps.

    It is the one with which the run began, or the one set on the way, from the step after the row
    that says so.
    """
    cadence = np.full(len(steps), float(every))
    if control is not None:
        for step, value in zip(control.steps, control.values, strict=True):
            if value > 0:
                cadence[steps > step] = value
    return cadence


def _is_unbroken(column: Column, series: Series) -> bool:
    """Whether every step has its row, in one session: only then do counts follow from steps."""
    return not series.restarts and bool((np.diff(column.steps) == 1).all())


def check_updates(ledger: Ledger, series: Series, by_hand: Collection[str] = frozenset()) -> None:
    """Check that weights changed exactly when an optimiser stepped.

    Args:
        ledger: Ledger to note it in.
        series: Recorded rows.
        by_hand: Players whose weights the code writes itself, too: these may move without a step.
    """
    for player in sorted({name.partition("/")[0] for name in series.columns}):
        _check_updates(ledger, series, player, player in by_hand)


def _check_updates(ledger: Ledger, series: Series, player: str, by_hand: bool) -> None:
    counts = series.columns.get(f"{player}/updates")
    norms = series.columns.get(f"{player}/update_norm")
    if counts is None or norms is None or len(counts.steps) < 2:
        return
    statement = f"{player}: weights changed exactly when an optimiser stepped"
    steps, at_count, at_norm = np.intersect1d(counts.steps, norms.steps, return_indices=True)
    stepped = np.diff(counts.values[at_count]) > 0
    norm = norms.values[at_norm][1:]
    moved, stood = norm > 0, norm == 0
    felt = _gradient_felt(series, player, steps[1:])
    alone, still = moved & ~stepped, stood & stepped & felt
    never = not (counts.values > 0).any()
    wrong = still if by_hand or never else alone | still
    if alone.any() and not wrong.any():
        reason = "no optimiser was seen stepping" if never else "the code writes the weights itself"
        ledger.unknown(f"record/updates/{player}", "record", statement, f"{reason}, and they move")
        return
    if not wrong.any():
        ledger.proved(f"record/updates/{player}", "record", statement, "compared row by row")
        return
    k = int(np.flatnonzero(wrong)[0])
    what = (
        "moved without a step of its optimiser" if moved[k] else "stood still although it stepped"
    )
    finding = Finding(
        "LOG002",
        f"The {player}'s weights {what} at step {int(steps[1:][k]):,} "
        f"(in {int(wrong.sum()):,} rows).",
        player=player,
        first_step=int(steps[1:][k]),
        last_step=int(steps[1:][np.flatnonzero(wrong)[-1]]),
    )
    ledger.refuted(f"record/updates/{player}", "record", statement, "compared row by row", finding)


def _gradient_felt(series: Series, player: str, steps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the steps at which the gradient was large enough that the weights must have moved."""
    column = series.columns.get(f"{player}/grad_norm")
    if column is None:
        return np.zeros(len(steps), dtype=bool)
    largest = np.fmax.accumulate(column.values)  # what adaptive optimisers divide by
    felt = (column.values > _FELT) & (column.values > _FELT_SHARE * largest)
    return np.isin(steps, column.steps[np.isfinite(column.values) & felt])


def _check_distances(
    ledger: Ledger, series: Series, weights: Mapping[int, Mapping[str, Floats]]
) -> None:
    """Check the triangle inequality: snapshots are no farther apart than the updates between."""
    for (a, before), (b, after) in pairwise(weights.items()):
        for player in sorted(set(before) & set(after)):
            norms = series.columns.get(f"{player}/update_norm")
            if norms is None:
                continue
            between = norms.values[(norms.steps >= a) & (norms.steps < b)]
            distance = float(np.linalg.norm(after[player] - before[player]))
            whole = b - 1 in norms.steps and (a == 0 or a - 1 in norms.steps)
            if not whole or not np.isfinite(between).all() or not np.isfinite(distance):
                continue
            id_ = f"record/path/{player}/{b}"
            statement = f"{player}: snapshots {a:,} and {b:,} lie within the updates between them"
            path = float(between.sum())
            if distance <= path * (1 + 1e-4) + 1e-6:
                ledger.proved(id_, "record", statement, "triangle inequality")
                continue
            finding = Finding(
                "LOG006",
                f"The {player} moved by {distance:.4g} from snapshot {a:,} to {b:,}; the updates "
                f"recorded between add up to {path:.4g}.",
                player=player,
                first_step=b,
                place=f"snapshots/{b:08d}",
                evidence={"distance": distance, "path": path},
            )
            ledger.refuted(id_, "record", statement, "triangle inequality", finding)


def check_finite(
    ledger: Ledger, series: Series, tensors: Mapping[int, Mapping[str, NDArray[np.generic]]]
) -> None:
    """Finite losses after weights that are not: `tensors` are a snapshot's by name, by step."""
    statement = "once weights are not finite, the losses that follow are not either"
    lost = [
        (step, name.partition("/")[0])
        for step, named in tensors.items()
        for name, array in _floating(named)
        if not np.isfinite(array).all()
    ]
    for step, player in dict.fromkeys(lost):
        column = series.columns.get(f"{player}/loss")
        if column is None:
            continue
        later = (column.steps >= step) & np.isfinite(column.values)
        if later.any():
            first = int(column.steps[later][0])
            finding = Finding(
                "LOG007",
                f"The {player}'s weights are not finite before step {step:,}, its loss at step "
                f"{first:,} is.",
                player=player,
                first_step=step,
                place=f"snapshots/{step:08d}",
            )
            ledger.refuted("record/finite", "record", statement, "compared", finding)
            return
    ledger.proved("record/finite", "record", statement, "compared")


def _moved(
    config: Config, tensors: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    """Select the tensors that optimisers move: all but buffers.

    Buffers of batch normalisation are known by their names. Any other tensor that a record calls a
    buffer is one if the rest are as many numbers as the record has parameters.
    """
    moved = {name: array for name, array in tensors.items() if not name.endswith(_RUNNING)}
    for player, entry in config.players.items():
        buffers = {f"{player}/{name}" for name in entry.get("buffers", ())}
        rest = {n: a for n, a in tensors.items() if n.startswith(f"{player}/") and n not in buffers}
        if sum(array.size for array in rest.values()) == entry.get("parameters"):
            moved = {name: array for name, array in moved.items() if name not in buffers}
    return moved


def _flat_weights(tensors: Mapping[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """Flatten all floating-point tensors of each player: player -> vector."""
    parts: dict[str, list[Floats]] = {}
    for name, array in _floating(tensors):
        parts.setdefault(name.partition("/")[0], []).append(array.ravel().astype(np.float64))
    return {player: np.concatenate(arrays) for player, arrays in parts.items()}


def _floating(
    tensors: Mapping[str, NDArray[np.generic]],
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    return ((n, a) for n, a in sorted(tensors.items()) if np.issubdtype(a.dtype, np.floating))
