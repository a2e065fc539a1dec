"""Figures of known series, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure

matplotlib.use("Agg")


def draw(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    log: bool = False,
    grid: bool = False,
    legend: bool = True,
    labels: tuple[str, str] = ("step", "loss"),
    dpi: int = 100,
    twin: bool = False,
    panels: int = 1,
) -> bytes:
    """Draw curves by name, as (steps, values), into a PNG."""
    figure = Figure(figsize=(6.4, 4.8), dpi=dpi)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for each in axes:
        for name, (steps, values) in curves.items():
            each.plot(steps, values, label=name)
        if log:
            each.set_yscale("log")
        if grid:
            each.grid(alpha=0.4)
        if legend:
            each.legend()
        each.set_xlabel(labels[0])
        each.set_ylabel(labels[1])
    if twin:
        axes[0].twinx().plot(*next(iter(curves.values())), color="red")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
