"""Gradients that vanish, by player."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.training_record import TrainingRecord, finite, lasting_from, tail
from dlcc.findings import Finding

_VANISHED = 1e-3  # of the median over the first tenth
_FEWEST = 20


def check_gradients(record: TrainingRecord) -> Iterator[Finding]:
    """Find players whose gradient has vanished.

    Args:
        record: Record of the training.

    Yields:
        A finding for each player whose gradient norm is under a thousandth of its beginning.
    """
    for name, raw in record.series.columns.items():
        player, _, quantity = name.rpartition("/")
        column = finite(raw)
        if quantity != "grad_norm" or len(column.values) < _FEWEST:
            continue
        start = float(np.median(column.values[: max(3, len(column.values) // 10)]))
        end = float(np.median(tail(column, 0.1, fewest=3)))
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
