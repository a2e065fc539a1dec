"""Overfitting: a loss on held-out data that rises while the training's falls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.progress import has_fallen
from dlcc.detect.training_record import TrainingRecord, finite, tail
from dlcc.findings import Finding

_FEWEST = 8
_RISE = 0.1
"""Share of the validation loss's fall, or of its best value, by which it must rise again."""


def check_validation(record: TrainingRecord) -> Iterator[Finding]:
    """Find trainings whose validation loss once fell and then rose.

    Args:
        record: Record of the training.

    Yields:
        A warning with the best step; a game's sums are not judged by it.
    """
    for quantity in ("loss", "reconstruction"):
        held, trained = record.get(f"validation/{quantity}"), record.get(f"model/{quantity}")
        if held is None or trained is None or record.is_game:
            continue
        column = finite(held)
        if len(column.values) < _FEWEST:
            continue
        best = int(np.argmin(column.values))
        lowest, first = float(column.values[best]), float(np.median(column.values[:2]))
        end = float(np.median(tail(column, 0.2, fewest=3)))
        noise = float(np.median(np.abs(np.diff(column.values))))
        fall, rise = first - lowest, end - lowest
        if fall <= max(0.05 * abs(first), 3 * noise) or rise <= max(_RISE * abs(lowest), 4 * noise):
            continue
        if not has_fallen(finite(trained).values[len(trained.values) // 4 :]):
            continue
        yield Finding(
            "OVF001",
            f"Overfitting: validation/{quantity} is best at {record.unit} "
            f"{int(column.steps[best]):,} ({lowest:.4g}) and {end:.4g} at the end, while the "
            "training's still falls.",
            player="model",
            first_step=int(column.steps[best]),
            last_step=int(column.steps[-1]),
            evidence={"best": lowest, "last": end, "best_step": int(column.steps[best])},
        )
        return
