"""Oscillation: losses of a game that swing with a period of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.training_record import TrainingRecord, common, thinned
from dlcc.findings import Finding
from dlcc.runs.series import Column
from dlcc.typing import Floats

_FEWEST = 60
_PEAK = 0.5  # autocorrelation at the period, of either player
_SWING = 0.5  # of the loss, relative to its median size
_CYCLES = 4


def check_oscillation(record: TrainingRecord) -> Iterator[Finding]:
    """Find games whose losses swing together, with their period.

    Args:
        record: Record of the training.

    Yields:
        A finding for each adversarial pair that swings over the second half.
    """
    for pair in record.pairs if record.is_game else ():
        d, g = record.loss_of(f"discriminator{pair}"), record.loss_of(f"generator{pair}")
        if d is None or g is None:
            continue
        steps, a, b = common(d, g)
        half = len(steps) // 2
        if len(steps) - half < _FEWEST:
            continue
        first = thinned(Column(steps[half:], a[half:], np.zeros(len(steps) - half)), 600)
        second = thinned(Column(steps[half:], b[half:], np.zeros(len(steps) - half)), 600)
        lag, peak = _period(first.values, second.values)
        swing = min(_swing(first.values), _swing(second.values))
        if lag is None or peak < _PEAK or swing < _SWING:
            continue
        period = float(np.median(np.diff(first.steps)) * lag)
        yield Finding(
            "OSC001",
            f"The losses swing together with a period of about {period:,.0f} {record.unit}s over "
            f"the second half (autocorrelation {peak:.2f}, swing {swing:.1f} of the loss's size).",
            player=f"generator{pair}",
            first_step=int(first.steps[0]),
            last_step=int(first.steps[-1]),
            evidence={"period": period, "autocorrelation": peak, "swing": swing},
        )


def _period(first: Floats, second: Floats) -> tuple[int | None, float]:
    """Lag of the first peak that both autocorrelations have, and the lower of them there."""
    both = np.minimum(_autocorrelation(first), _autocorrelation(second))
    n = len(both)
    negative = np.flatnonzero(both < 0)
    if not len(negative):
        return None, 0.0
    start = max(3, int(negative[0]))
    stop = n // _CYCLES
    if stop <= start:
        return None, 0.0
    lag = start + int(np.argmax(both[start:stop]))
    return lag, float(both[lag])


def _autocorrelation(values: Floats) -> Floats:
    """Autocorrelation [n] of values without their linear trend."""
    n = len(values)
    t = np.arange(n) - (n - 1) / 2
    rest = values - values.mean() - t * (t @ values) / (t @ t)
    spectrum = np.abs(np.fft.rfft(rest, 2 * n)) ** 2
    found = np.fft.irfft(spectrum)[:n] / np.arange(n, 0, -1)
    variance = found[0] if found[0] > 0 else 1.0
    result: Floats = found / variance
    return result


def _swing(values: Floats) -> float:
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return float((high - low) / max(abs(middle), 1e-9))
