"""Hand thresholds on the same logs, with the columns named for them: written before any result.

A loss that is not finite at the end, or above 1,000; a discriminator's loss under .05 over the last
fifth; a divergence under .1 nats; a validation loss a tenth above its best; a learning rate under a
thousandth of its largest value.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcc.runs import Run
from faults.judging import Said
from faults.recording import Recording


def by_thresholds(log: Path, recording: Recording) -> Said:
    """What hand thresholds say of a log, columns read by their roles."""
    series = Run.open(log).series(None)
    codes: list[str] = []
    players: list[str | None] = []
    onsets: list[float | None] = []
    end = max((int(c.steps[-1]) for c in series.columns.values() if len(c.steps)), default=0)

    def tell(code: str, name: str, holds: np.ndarray, steps: np.ndarray) -> None:
        codes.append(code)
        players.append(name.partition("/")[0])
        onsets.append(float(steps[int(np.argmax(holds))]) / max(1, end))

    for name, column in series.columns.items():
        values, steps = np.asarray(column.values), np.asarray(column.steps)
        if not len(values):
            continue
        fifth = values[-max(1, len(values) // 5) :]
        quantity = name.rpartition("/")[2]
        if quantity in ("loss", "reconstruction", "kl"):
            if not np.isfinite(values[-1]):
                tell("NAN001", name, ~np.isfinite(values), steps)
            elif abs(values[-1]) > 1e3:
                tell("DIV001", name, np.abs(values) > 1e3, steps)
        if name == "discriminator/loss" and np.all(np.abs(fifth) < 0.05):
            tell("ADV001", name, np.abs(values) < 0.05, steps)
        if name == "model/kl" and np.all(fifth < 0.1):
            tell("VAE001", name, values < 0.1, steps)
        if name == "validation/loss" and values[-1] > 1.1 * np.min(values):
            tell("OVF001", "model/loss", values > 1.1 * np.min(values), steps)
    severities = ("error",) * len(codes)
    return Said(
        "failed" if codes else "unknown", tuple(codes), severities, tuple(players), tuple(onsets)
    )
