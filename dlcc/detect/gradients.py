"""Gradients that vanish, and players that are not updated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.training_record import TrainingRecord, finite, lasting_from, tail
from dlcc.findings import Finding
from dlcc.runs.series import Column

_VANISHED = 1e-3  # of the median over the first tenth
_FEWEST = 20


def check_gradients(record: TrainingRecord) -> Iterator[Finding]:
    """Find players whose gradient has vanished, or whose weights do not change.

    Args:
        record: Record of the training.

    Yields:
        A finding for each player whose gradient norm is under a thousandth of its beginning, or 0
        from the first row on; and for each whose weights stand still while another's change.
    """
    yield from _never_moved(record)
    for name, raw in record.series.columns.items():
        player, _, quantity = name.rpartition("/")
        column = finite(raw)
        if quantity != "grad_norm" or len(column.values) < _FEWEST:
            continue
        start = float(np.median(column.values[: max(3, len(column.values) // 10)]))
        end = float(np.median(tail(column, 0.1, fewest=3)))
        if start <= 0 and not column.values.any():
            yield from _no_gradient(record, player, column)
        if start <= 0 or end > _VANISHED * start:
            continue
        first = lasting_from(column.values <= _VANISHED * start)
        if first is None:
            continue
        yield Finding(
            "GRD001",
            f"The {player}'s gradient has vanished: its norm is {end:.3g} over the last tenth and "
            f"was {start:.3g} over the first.",
            player=player,
            first_step=int(column.steps[first]),
            last_step=int(column.steps[-1]),
            evidence={"first_tenth": start, "last_tenth": end},
        )


def _no_gradient(record: TrainingRecord, player: str, column: Column) -> Iterator[Finding]:
    """Finding on a norm of 0 in all rows, where it is not the habit of the record.

    A norm that is read after the gradients were set to 0 is 0 for all players. A hinge that all
    rows satisfy has no gradient either, and a loss of 0.
    """
    others = [
        finite(other).values
        for name, other in record.series.columns.items()
        if name.endswith("/grad_norm") and name != f"{player}/grad_norm"
    ]
    loss = record.loss_of(player)
    satisfied = loss is not None and float(np.median(np.abs(finite(loss).values))) == 0
    if satisfied or not any(values.any() for values in others):
        return
    yield Finding(
        "GRD001",
        f"The {player} has no gradient: its norm is 0 in all {len(column.values):,} rows, and "
        "another player's is not.",
        player=player,
        first_step=int(column.steps[0]),
        last_step=int(column.steps[-1]),
        evidence={"first_tenth": 0.0, "last_tenth": 0.0},
    )


def _never_moved(record: TrainingRecord) -> Iterator[Finding]:
    """Findings on players whose weights stand still over the last fifth while another's change."""
    norms = {
        name.rpartition("/")[0]: finite(column)
        for name, column in record.series.columns.items()
        if name.endswith("/update_norm") and len(finite(column).values) >= _FEWEST
    }
    moving = {player for player, column in norms.items() if tail(column, 0.2).any()}
    for player in norms.keys() - moving if moving else ():
        column = norms[player]
        moved = np.flatnonzero(column.values)
        first = int(moved[-1]) + 1 if len(moved) else 0
        yield Finding(
            "GRD003",
            f"The {player} is not updated: its weights do not change from {record.unit} "
            f"{int(column.steps[first]):,} on, while those of the {min(moving)} do.",
            player=player,
            first_step=int(column.steps[first]),
            last_step=int(column.steps[-1]),
            evidence={"rows": len(column.values) - first},
        )
