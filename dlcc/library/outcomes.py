"""The table of past runs: a vector of figures from records alone, and how the run ended.

`outcomes.npz` is made by `benchmarks/outcomes.py` from recorded trainings of many settings; only
vectors and labels ship. What is fitted on it is fitted when it is needed, in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.library.logistic import LogisticPosterior
from dlcc.records import LABELS as LABELS

TABLE = Path(__file__).with_name("outcomes.npz")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """n past runs with k figures each."""

    names: tuple[str, ...]
    """Of the figures, [k]."""
    vectors: Floats
    """[n, k]; those with samples. P(good) in them is out of fold."""
    blind_vectors: Floats
    """[n, k]: the same runs judged without samples; NaN where a figure needs them."""
    labels: NDArray[np.int64]
    """Index into LABELS, [n]."""
    stability: Floats
    """Share of good checkpoints in the second half, [n]."""
    next_quarter: Floats
    """Share of good checkpoints in the next quarter of the configured length, [n]."""
    data: NDArray[np.str_]
    """Name of the data set, [n]."""
    good: LogisticPosterior
    """P(good) of a checkpoint from the figures of its samples."""
    blind_good: LogisticPosterior
    """P(good) of a window from the figures of its series."""

    def columns(self, names: Sequence[str], *, blind: bool) -> Floats:
        """The figures `names` of every run, [n, len(names)]."""
        table = self.blind_vectors if blind else self.vectors
        return table[:, [self.names.index(name) for name in names]]

    def some(self, runs: NDArray[np.bool_]) -> Outcomes:
        """The table of those runs only; P(good) stays as it was fitted."""
        per_run = ("vectors", "blind_vectors", "labels", "stability", "next_quarter", "data")
        return replace(self, **{name: getattr(self, name)[runs] for name in per_run})

    def save(self, path: Path = TABLE) -> None:
        """Write the table; single precision is what the figures are good for."""
        columns: dict[str, Any] = {
            "names": np.array(self.names),
            "vectors": self.vectors.astype(np.float32),
            "blind_vectors": self.blind_vectors.astype(np.float32),
            "labels": self.labels.astype(np.int8),
            "stability": self.stability.astype(np.float32),
            "next_quarter": self.next_quarter.astype(np.float32),
            "data": self.data,
            **_packed("good", self.good),
            **_packed("blind_good", self.blind_good),
        }
        np.savez_compressed(path, **columns)


def row(names: Sequence[str], vector: Mapping[str, float]) -> Floats:
    """The figures `names` of one run, [len(names)]; NaN for what it lacks."""
    return np.array([vector.get(name, np.nan) for name in names], dtype=np.float64)


@cache
def outcomes(path: Path = TABLE) -> Outcomes:
    """The table that ships with the package."""
    with np.load(path, allow_pickle=False) as table:
        return Outcomes(
            names=tuple(str(n) for n in table["names"]),
            vectors=table["vectors"].astype(np.float64),
            blind_vectors=table["blind_vectors"].astype(np.float64),
            labels=table["labels"].astype(np.int64),
            stability=table["stability"].astype(np.float64),
            next_quarter=table["next_quarter"].astype(np.float64),
            data=table["data"],
            good=_unpacked("good", table),
            blind_good=_unpacked("blind_good", table),
        )


_PARTS = ("mode", "covariance", "centre", "scale")


def _packed(name: str, fit: LogisticPosterior) -> dict[str, Floats]:
    return {f"{name}_{part}": getattr(fit, part) for part in _PARTS}


def _unpacked(name: str, table: Mapping[str, Floats]) -> LogisticPosterior:
    return LogisticPosterior(*(table[f"{name}_{part}"] for part in _PARTS))
