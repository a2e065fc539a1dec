"""Quality metrics: the best step, since when it is worse, and values that cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlcc.detect.evidence import evidence_of
from dlcc.detect.training_record import TrainingRecord, finite
from dlcc.findings import Finding
from dlcc.runs.series import Column
from dlcc.typing import Floats

LOWER: Mapping[str, tuple[float, float]] = {
    "fid": (0.0, 5_000.0),
    "kid": (-0.1, 10.0),
    "lpips": (0.0, 2.0),
    "fvd": (0.0, 1e5),
    "fad": (0.0, 1e4),
    "swd": (0.0, 1e6),
    "mmd": (-0.1, 100.0),
    "jsd": (0.0, 1.0),
    "mcd": (0.0, 1e3),
    "ndb": (0.0, 1e4),
}
"""Metrics of which less is better, with the range that they can have."""
HIGHER: Mapping[str, tuple[float, float]] = {
    "is": (1.0, 1_000.0),
    "psnr": (-20.0, 150.0),
    "ssim": (-1.0, 1.0),
    "precision": (0.0, 100.0),
    "recall": (0.0, 100.0),
    "density": (0.0, 100.0),
    "coverage": (0.0, 100.0),
    "pesq": (-0.5, 5.0),
    "stoi": (-1.0, 100.0),
    "bleu": (0.0, 100.0),
    "f1": (0.0, 100.0),
    "auc": (0.0, 100.0),
}
"""Metrics of which more is better, with the range that they can have."""
_ORDER = (
    "metrics/fid", "metrics/kid", "metrics/fvd", "metrics/fad", "metrics/lpips", "metrics/is",
    "metrics/psnr", "metrics/ssim", "metrics/swd", "metrics/mmd", "metrics/mcd",
    "metrics/pesq", "metrics/coverage", "validation/loss", "validation/reconstruction",
)  # fmt: skip
_WORSE = 1.25
_COLLAPSED = 2.5
_NOISES = 4.0  # of a metric's noise above its best, beyond which the best is not one of chance
_FEWEST = 4
_ENOUGH = 8
"""Evaluations from which on a metric that never got better tells that nothing was learnt."""
_BEGINNING = 0.1  # of the record: a metric that begins later has its fall behind it
_STEADY = 0.05  # noise of a metric, over its size, up to which "no better" is sure
_SAME = 0.85  # of its first value


@dataclass(frozen=True)
class Quality:
    """Course of the metric that tells most about a run's samples."""

    name: str
    """Series, such as `metrics/fid`."""
    better: Literal["lower", "higher"]
    """Direction in which the metric is better."""
    best: float
    """Best value."""
    best_step: int
    """Step of the best value."""
    last: float
    """Last value."""
    last_step: int
    """Step of the last value."""
    worse_since: int | None = None
    """First step of the stretch to the end that is worse than the best by more than its noise."""
    ratio: float = 1.0
    """Factor by which the median of the last three is worse than the best, at least 1."""
    improved: bool = False
    """Whether it is better at the end than at the start by more than its noise."""
    count: int = 0
    """Number of values that can be."""


def quality_of(record: TrainingRecord) -> Quality | None:
    """Find the metric that tells most, and its course.

    Args:
        record: Record of the training.

    Returns:
        Course of the first metric that is there, of those that can be; None without any.

    >>> from dlcc.runs.series import Series
    >>> fid = np.array([90.0, 40.0, 21.0, 20.0, 60.0, 61.0, 64.0])
    >>> found = quality_of(TrainingRecord(Series.from_start({"metrics/fid": fid})))
    >>> found.best_step, found.worse_since
    (3, 4)
    """
    for name in _ORDER:
        column = record.get(name)
        if column is None:
            continue
        quantity = name.rpartition("/")[2]
        inside = _possible(column, _range_of(name, quantity))
        if inside.sum() < 1 or inside.mean() < 0.8:
            continue
        kept = Column(column.steps[inside], column.values[inside], column.clock[inside])
        return _course(name, kept, higher=quantity in HIGHER)
    return None


def _range_of(name: str, quantity: str) -> tuple[float, float]:
    if not name.startswith("metrics/"):
        return (-np.inf, np.inf)
    return LOWER.get(quantity) or HIGHER.get(quantity) or (-np.inf, np.inf)


def _possible(column: Column, bounds: tuple[float, float]) -> np.ndarray:
    low, high = bounds
    return np.isfinite(column.values) & (column.values >= low) & (column.values <= high)


def _course(name: str, column: Column, *, higher: bool) -> Quality:
    values = column.values
    loss = _as_loss(name, values, higher=higher)
    at = int(np.argmin(loss))
    best = float(loss[at])
    ratio = _ratio(name, loss, best)
    return Quality(
        name=name,
        better="higher" if higher else "lower",
        best=float(values[at]),
        best_step=int(column.steps[at]),
        last=float(values[-1]),
        last_step=int(column.steps[-1]),
        worse_since=_worse_since(column, loss, at, ratio),
        ratio=ratio,
        improved=_improved(loss),
        count=len(values),
    )


def _as_loss(name: str, values: Floats, *, higher: bool) -> Floats:
    """Metric as a quantity of which less is better and ratios have a meaning."""
    if not higher:
        return values
    if name.endswith("/psnr"):
        return np.asarray(10 ** (-values / 20))
    if name.endswith(("/ssim", "/coverage", "/precision", "/recall", "/stoi")):
        top = 1.0 if values.max() <= 1 else 100.0
        return np.asarray(top - values + 0.02 * top)
    return np.asarray(1 / np.maximum(values, 1e-9))


def _ratio(name: str, loss: Floats, best: float) -> float:
    last = float(np.median(loss[-3:]))
    if best <= 0:  # a difference, which may cross zero: its range is the unit
        spread = float(np.quantile(loss, 0.75) - best) or 1.0
        return 1.0 + (last - best) / max(spread, abs(best)) * 0.5
    return last / best


def _worse_since(column: Column, loss: Floats, at: int, ratio: float) -> int | None:
    """First step after the best from which on the metric stays worse than its noise allows."""
    if ratio <= 1 or len(loss) - at < 2:
        return None
    noise = _noise(loss)
    after = loss[at + 1 :] > loss[at] + 2 * noise
    if not after[-1]:
        return None
    last_good = np.flatnonzero(~after)
    first = int(last_good[-1]) + 1 if len(last_good) else 0
    return int(column.steps[at + 1 + first])


def _noise(loss: Floats) -> float:
    """Standard deviation of a metric around its course, from values and the mean of their
    neighbours; a few jumps do not move the median."""
    if len(loss) < 3:
        return 0.0
    off = np.abs(loss[1:-1] - (loss[:-2] + loss[2:]) / 2)
    return float(np.median(off)) / 0.826


def _improved(loss: Floats) -> bool:
    """Whether the end lies below the start, by more than chance makes of values in any order."""
    if len(loss) < _FEWEST:
        return False
    third = max(2, len(loss) // 3)
    first, last = loss[:third], loss[-third:]
    if np.median(last) >= np.median(first):
        return False
    wins = float((first[:, None] > last[None, :]).mean())
    deviation = np.sqrt((2 * third + 1) / (12 * third * third))
    falls = float((np.diff(loss) < 0).mean())
    if third < 4:
        far = np.median(last) < 0.7 * np.median(first)
        return bool(wins >= 1 and (falls >= 0.6 or far))
    return bool((wins - 0.5) / deviation > 3.5 or (third < 8 and wins == 1.0))


def check_quality(record: TrainingRecord) -> Iterator[Finding]:
    """Find metrics that cannot be, and runs that are worse than they once were.

    Args:
        record: Record of the training.

    Yields:
        Findings with the best step and since when the metric is worse.
    """
    for name, column in record.series.columns.items():
        if name.startswith("metrics/"):
            yield from _impossible(record, name, column)
    quality = quality_of(record)
    if quality is None or not quality.name.startswith("metrics/"):
        return
    column = record.series[quality.name]
    yield from _never_better(record, quality, column)
    worse = quality.ratio > _WORSE and quality.count >= _FEWEST and _is_worse(quality, column)
    if not worse:
        return
    title = quality.name.rpartition("/")[2].upper()
    collapsed = quality.ratio > _COLLAPSED
    yield Finding(
        "QLT003" if collapsed else "QLT001",
        f"The quality metric {title} regresses: best {quality.best:.4g} at {record.unit} "
        f"{quality.best_step:,}, {quality.last:.4g} at the end ({record.unit} "
        f"{quality.last_step:,}), {quality.ratio:.2g} times as bad"
        + (f"; worse since {quality.worse_since:,}." if quality.worse_since is not None else "."),
        player="generator" if record.is_game else None,
        first_step=quality.worse_since,
        last_step=quality.last_step,
        evidence={
            "best": quality.best,
            "best_step": quality.best_step,
            "last": quality.last,
            "ratio": quality.ratio,
        },
    )


def _never_better(record: TrainingRecord, quality: Quality, column: Column) -> Iterator[Finding]:
    """Finding on a metric that a game begins with and never leaves behind."""
    if not record.is_game or quality.count < _ENOUGH or quality.improved:
        return
    steps = [c.steps for c in record.series.columns.values() if len(c.steps)]
    begin, end = min(int(s[0]) for s in steps), max(int(s[-1]) for s in steps)
    if int(column.steps[0]) - begin > _BEGINNING * (end - begin):
        return
    loss = _as_loss(quality.name, finite(column).values, higher=quality.better == "higher")
    if len(loss) < _ENOUGH or loss[0] <= 0 or float(np.median(loss[-3:])) < _SAME * loss[0]:
        return
    if float(loss.min()) < _SAME * loss[0]:
        return  # it was better for a while: the regression is told elsewhere
    if _noise(loss) > _STEADY * float(np.median(loss)):
        return  # so much noise could hide that it got better
    if not any(True for _ in record.losses()) or not evidence_of(record).says_something:
        return  # noise beside noise is no training that went wrong
    yield Finding(
        "QLT004",
        f"The quality metric {quality.name.rpartition('/')[2].upper()} never got better: "
        f"{column.values[0]:.4g} at {record.unit} {int(column.steps[0]):,}, best "
        f"{quality.best:.4g}, {quality.last:.4g} at the end.",
        player="generator",
        first_step=int(column.steps[0]),
        last_step=quality.last_step,
        evidence={"first": float(column.values[0]), "best": quality.best, "last": quality.last},
    )


def _is_worse(quality: Quality, column: Column) -> bool:
    """Whether the metric is worse at the end by more than its noise: the last values far above the
    best, or a whole quarter above the best quarter."""
    inside = _possible(column, _range_of(quality.name, quality.name.rpartition("/")[2]))
    loss = _as_loss(quality.name, column.values[inside], higher=quality.better == "higher")
    best = float(loss.min())
    if best <= 0:
        return bool((loss[-2:] > best + _NOISES * _noise(loss)).all())
    far = (loss[-2:] > max(_WORSE * best, best + _NOISES * _noise(loss))).all()
    width = len(loss) // 4
    windows = np.lib.stride_tricks.sliding_window_view(loss, max(width, 1))
    quarter = width >= 5 and np.median(loss[-width:]) > _WORSE * np.median(windows, axis=1).min()
    return bool(far or quarter)


def _impossible(record: TrainingRecord, name: str, column: Column) -> Iterator[Finding]:
    quantity = name.rpartition("/")[2]
    bounds = _range_of(name, quantity)
    wrong = ~_possible(column, bounds)
    if not wrong.any():
        return
    at = int(np.flatnonzero(wrong)[0])
    low, high = bounds
    yield Finding(
        "QLT002",
        f"{quantity.upper()} cannot be {column.values[at]:.3g} ({record.unit} "
        f"{int(column.steps[at]):,}): it lies between {low:g} and {high:g}. {int(wrong.sum())} of "
        f"{len(wrong)} values are out of that range.",
        first_step=int(column.steps[at]),
        last_step=int(column.steps[np.flatnonzero(wrong)[-1]]),
        evidence={"value": float(column.values[at]), "values": int(wrong.sum())},
    )
