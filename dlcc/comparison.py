"""Comparison of runs: what differs in their configurations, and where their series part."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcc.diagnosis import Diagnosis
from dlcc.errors import OptionError
from dlcc.runs.series import Column
from dlcc.typing import Floats

_POINTS = 400
_WINDOW = 15
_SIGMAS = 5.0
_LASTING = 0.8


@dataclass(frozen=True)
class Parting:
    """First step at which a series of a run lies outside of the first run's, and its noise."""

    series: str
    run: str
    step: int | None
    """First step of the lasting difference; None where there is none."""
    difference: float
    """Median difference from there on, or over the whole range, in the series' unit."""
    noise: float
    """Standard deviation of the difference that noise alone makes."""


@dataclass(frozen=True)
class Comparison:
    """Comparison of runs with the first of them."""

    runs: tuple[Diagnosis, ...]
    settings: Mapping[str, tuple[object, ...]]
    """Key of the configuration to the value in each run, for keys that differ."""
    partings: tuple[Parting, ...]

    def to_json(self) -> dict[str, Any]:
        """Put the comparison into plain values.

        Returns:
            Object as `dlcc compare --json` prints it.
        """
        return {
            "runs": [diagnosis.to_json() for diagnosis in self.runs],
            "settings": {key: list(values) for key, values in self.settings.items()},
            "partings": [
                {
                    "series": p.series,
                    "run": p.run,
                    "step": p.step,
                    "difference": _number(p.difference),
                    "noise": _number(p.noise),
                }
                for p in self.partings
            ],
        }


def named_apart(runs: Sequence[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Name runs of the same name by their paths below the folder that all are in.

    Args:
        runs: Diagnoses, each with the name of its run.

    Returns:
        The same, no two with one name; a run that is there twice is numbered.
    """
    names = [run.run for run in runs]
    if len(set(names)) < len(names):
        common = os.path.commonpath([run.path.resolve().parent for run in runs])
        below = [os.path.relpath(run.path.resolve(), common) for run in runs]
        names = [
            path if names.count(name) > 1 else name for name, path in zip(names, below, strict=True)
        ]
    seen = [names[:k].count(name) for k, name in enumerate(names)]
    numbered = [f"{name} ({n + 1})" if n else name for name, n in zip(names, seen, strict=True)]
    return tuple(replace(run, run=name) for run, name in zip(runs, numbered, strict=True))


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def compare(
    runs: Sequence[Diagnosis], configurations: Sequence[Mapping[str, object]]
) -> Comparison:
    """Compare runs with the first of them.

    Args:
        runs: Diagnoses of at least two runs.
        configurations: Configuration of each.

    Returns:
        What differs in the configurations, and where each shared series parts beyond its noise.

    Raises:
        OptionError: There are fewer than two runs.

    >>> from dlcc.diagnosis import diagnose
    >>> run = diagnose("runs/digits-collapsed")
    >>> found = compare([run, run], [{"lr": 0.1}, {"lr": 0.2}])
    >>> dict(found.settings), {parting.step for parting in found.partings}
    ({'lr': (0.1, 0.2)}, {None})
    """
    if len(runs) < 2:
        raise OptionError("compare: expected two runs or more; name the others too")
    keys = dict.fromkeys(key for config in configurations for key in config)
    settings = {
        key: tuple(config.get(key) for config in configurations)
        for key in keys
        if len({repr(config.get(key)) for config in configurations}) > 1
    }
    runs = named_apart(runs)
    first, *others = runs
    partings = [
        parting(name, other.run, column, other.record.series.columns[name])
        for other in others
        for name, column in first.record.series.columns.items()
        if name in other.record.series
    ]
    return Comparison(tuple(runs), settings, tuple(partings))


def parting(name: str, run: str, first: Column, second: Column) -> Parting:
    """Find where two series part for good.

    Args:
        name: Name of the series.
        run: Name of the second run.
        first: Series of the first run.
        second: Series of the second run.

    Returns:
        First step from which on the running means differ by more than five standard deviations of
        their noise, for most of what both have.

    >>> steps = np.arange(300)
    >>> noise = np.random.default_rng(0).normal(size=(2, 300))
    >>> late = noise[1] + np.where(steps < 150, 0.0, 9.0)
    >>> a, b = (Column.at_every_step(v) for v in (noise[0], late))
    >>> 130 < parting("model/loss", "b", a, b).step < 160
    True
    """
    grid = _grid(first, second)
    if len(grid) < 8:
        return Parting(name, run, None, math.nan, math.nan)
    a, b = _on(first, grid), _on(second, grid)
    width = min(_WINDOW, max(1, len(grid) // 8))
    apart = _means(a - b, width)
    noise = math.sqrt((_noise(a) ** 2 + _noise(b) ** 2) / width)
    size = max(float(np.median(np.abs(a))), 1e-12)
    differs = np.abs(apart) > max(_SIGMAS * noise, 1e-9 * size)
    share = np.cumsum(differs[::-1])[::-1] / np.arange(len(differs), 0, -1)
    lasting = np.flatnonzero(differs & (share >= _LASTING))
    start = int(lasting[0]) if len(lasting) else None
    rest = apart if start is None else apart[start:]
    step = None if start is None else int(grid[start])
    return Parting(name, run, step, float(np.median(rest)), noise)


def _grid(first: Column, second: Column) -> Floats:
    """Steps that both series cover, thinned."""
    if not len(first.steps) or not len(second.steps):
        return np.zeros(0)
    low = max(first.steps[0], second.steps[0])
    high = min(first.steps[-1], second.steps[-1])
    fewer = min((first.steps, second.steps), key=len)
    inside = fewer[(fewer >= low) & (fewer <= high)].astype(np.float64)
    step = -(-len(inside) // _POINTS) if len(inside) else 1
    thinned: Floats = inside[::step]
    return thinned


def _on(column: Column, grid: Floats) -> Floats:
    there = np.isfinite(column.values)
    if not there.any():
        return np.full(len(grid), np.nan)
    found: Floats = np.interp(grid, column.steps[there], column.values[there])
    return found


def _means(values: Floats, width: int) -> Floats:
    padded = np.pad(values, (0, width - 1), mode="edge")
    found: Floats = np.convolve(padded, np.ones(width) / width, mode="valid")
    return found


def _noise(values: Floats) -> float:
    """Standard deviation of a series around its course, from differences of neighbours."""
    return float(np.median(np.abs(np.diff(values))) / 0.954) if len(values) > 2 else 0.0
