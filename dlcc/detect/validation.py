"""Overfitting: a loss on held-out data that rises while the training's falls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.progress import has_fallen
from dlcc.detect.training_record import TrainingRecord, finite
from dlcc.findings import Finding
from dlcc.typing import Floats

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
        risen = rises_again(column.values)
        if risen is None or not has_fallen(finite(trained).values[len(trained.values) // 4 :]):
            continue
        best, end = risen
        lowest = float(column.values[best])
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


def rises_again(values: Floats) -> tuple[int, float] | None:
    """Tell whether values fall and then rise again, each by more than their noise.

    Args:
        values: Values [n] in the order of steps, finite, n at least 3.

    Returns:
        Index of the best one and the median of the last fifth; None where they do not.

    >>> rises_again(np.array([9.0, 6, 4, 3, 2, 1, 1, 1, 1, 1.5, 2, 2.5, 3, 3.5, 4]))
    (5, 3.5)
    """
    best = int(np.argmin(values))
    lowest, first = float(values[best]), float(np.median(values[:2]))
    end = float(np.median(values[-max(3, round(0.2 * len(values))) :]))
    noise = float(np.median(np.abs(np.diff(values))))
    fall, rise = first - lowest, end - lowest
    if fall <= max(0.05 * abs(first), 3 * noise) or rise <= max(_RISE * abs(lowest), 4 * noise):
        return None
    return best, end
