"""Values that are not finite: their first source, and whether the training recovered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.training_record import TrainingRecord
from dlcc.findings import Finding
from dlcc.runs.series import Column

_OF_NETWORKS = ("grad_norm", "real", "fake")
"""Quantities beside losses that are finite as long as weights are. Others may be infinite without a
fault, as a noise scale is where the mean gradient is zero."""
_MEASURED = ("metrics/", "validation/")
_RECOVERED = 3
"""Finite values that must follow the last one that is not, for a training to have recovered."""


def check_finite(record: TrainingRecord) -> Iterator[Finding]:
    """Find NaN and infinities.

    Args:
        record: Record of the training.

    Yields:
        One finding: that values are not finite to the end, or that they were for a while.
    """
    trained = dict(record.losses()) | {
        name: column
        for name, column in record.series.columns.items()
        if name.rpartition("/")[2] in _OF_NETWORKS
    }
    lost = {
        name: column
        for name, column in trained.items()
        if not np.isfinite(column.values).all() and not name.startswith(_MEASURED)
    }
    found = lost or _unmapped(record)
    if not found:
        return
    first = min(found, key=lambda name: (_first(found[name]), name))
    column = found[first]
    step = _first(column)
    also = [name for name in found if name != first][:4]
    beside = f", then {', '.join(also)}" if also else ""
    count = int((~np.isfinite(column.values)).sum())
    what = "infinite" if np.isinf(column.values[_index(column)]) else "NaN"
    evidence = {"first_step": step, "not_finite": count, "values": len(column.values)}
    player = first.partition("/")[0] if first in record.series else None
    if all(_recovered(c) for c in found.values()):
        last = int(column.steps[np.flatnonzero(~np.isfinite(column.values))[-1]])
        yield Finding(
            "NAN002",
            f"{first} is not finite ({what}) at {record.unit} {step:,} to {last:,}{beside}, and "
            f"finite again after it: {len(column.values) - count} of {len(column.values)} are.",
            player=player,
            first_step=step,
            last_step=last,
            evidence=evidence,
        )
        return
    yield Finding(
        "NAN001",
        f"{first} is not finite ({what}) from {record.unit} {step:,} on{beside}; "
        f"{count:,} of {len(column.values):,} values are not.",
        player=player,
        first_step=step,
        last_step=int(column.steps[-1]),
        evidence=evidence,
    )


def _unmapped(record: TrainingRecord) -> dict[str, Column]:
    """Columns without a role that are not finite; one alone may be a quantity never computed."""
    found = {
        name: column
        for name, column in record.unmapped.columns.items()
        if not np.isfinite(column.values[-1:]).all() or _changes(column)
    }
    named = {name: c for name, c in found.items() if "loss" in name.lower()}
    return named or (found if len(found) > 1 else {})


def _changes(column: Column) -> bool:
    lost = ~np.isfinite(column.values)
    return bool(lost.any() and not lost.all())


def _index(column: Column) -> int:
    return int(np.flatnonzero(~np.isfinite(column.values))[0])


def _first(column: Column) -> int:
    return int(column.steps[_index(column)])


def _recovered(column: Column) -> bool:
    """Whether finite values follow the last one that is not."""
    last = int(np.flatnonzero(~np.isfinite(column.values))[-1])
    after = len(column.values) - 1 - last
    return after >= min(_RECOVERED, max(1, len(column.values) // 3))
