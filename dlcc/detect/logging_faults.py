"""Faults of the record itself: sessions, gaps, clocks that jump, values that never change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.training_record import TrainingRecord
from dlcc.findings import Finding

_GAP = 20.0  # times the usual distance between rows
_GAP_SHARE = 0.1  # of the whole range of steps


def check_logging(record: TrainingRecord) -> Iterator[Finding]:
    """Find what is odd about a record rather than about its training.

    Args:
        record: Record of the training.

    Yields:
        Notes and warnings.
    """
    if record.sessions > 1:
        yield Finding("SES001", f"{record.session_words[:1].upper()}{record.session_words[1:]}.")
    yield from _gaps(record)
    yield from _clock(record)
    yield from _swapped(record)


def _gaps(record: TrainingRecord) -> Iterator[Finding]:
    """Longest gap in the quantity that was logged most often."""
    column = max(record.series.columns.values(), key=lambda c: len(c.steps), default=None)
    if column is None or len(column.steps) < 8:
        return
    apart = np.diff(column.steps)
    at = int(np.argmax(apart))
    whole = int(column.steps[-1] - column.steps[0])
    usual = float(np.median(apart))
    if apart[at] > max(_GAP * usual, _GAP_SHARE * whole):
        first, last = int(column.steps[at]), int(column.steps[at + 1])
        yield Finding(
            "LGG001",
            f"Nothing was logged between {record.unit} {first:,} and {last:,}; rows are usually "
            f"{usual:,.0f} apart.",
            first_step=first,
            last_step=last,
            evidence={"steps": last - first, "usual": usual},
        )


def _clock(record: TrainingRecord) -> Iterator[Finding]:
    steps, times = record.clock
    back = np.flatnonzero(np.diff(times) < -60.0)
    if len(back):
        step = int(steps[back[0] + 1])
        yield Finding(
            "LGG002",
            f"The clock goes back by {-float(np.diff(times)[back[0]]):,.0f} s at {record.unit} "
            f"{step:,}; rows may be of another training, or from another machine.",
            first_step=step,
            evidence={"seconds": float(-np.diff(times)[back[0]])},
        )


def _swapped(record: TrainingRecord) -> Iterator[Finding]:
    """Outputs on samples that lie above those on real rows nearly always."""
    for pair in record.pairs if record.is_game else ():
        real = record.get(f"discriminator{pair}/real")
        fake = record.get(f"discriminator{pair}/fake")
        if real is None or fake is None or len(real.values) < 20:
            continue
        steps, a, b = np.intersect1d(real.steps, fake.steps, return_indices=True)
        p, q = real.values[a], fake.values[b]
        there = np.isfinite(p) & np.isfinite(q)
        above = (q > p)[there]
        if len(above) >= 20 and above.mean() > 0.95 and np.median((q - p)[there]) > 0.2:
            yield Finding(
                "LGG003",
                f"The discriminator's output on samples lies above that on real rows in "
                f"{100 * above.mean():.0f} % of the rows: the labels may be swapped, or its loss "
                "has the wrong sign.",
                player=f"discriminator{pair}",
                first_step=int(steps[0]),
                last_step=int(steps[-1]),
                evidence={"share": float(above.mean())},
            )
