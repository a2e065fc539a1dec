"""Figures of known series, drawn by matplotlib in the looks that people use."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np

NAMES = ("generator", "discriminator", "loss", "FID", "validation loss", "KL")
LABELS = ("step", "epoch", "iteration", "training steps")


@dataclass
class DrawnFigure:
    """Figure with the series that it shows."""

    content: bytes
    steps: np.ndarray
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    logarithmic: bool = False


def draw_figure(seed: int, style: str = "default") -> DrawnFigure:
    """Draw one to three losses of a training, with a linear or a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    random = np.random.default_rng(seed)
    count = int(random.choice([100, 400, 2_000, 20_000]))
    steps = np.arange(count) * int(random.choice([1, 10, 50]))
    found = DrawnFigure(b"", steps, {}, bool(random.random() < 0.35))
    names = random.choice(NAMES, int(random.integers(1, 4)), replace=False)
    with plt.style.context(style):
        size = (random.choice([5, 6.4, 8]), random.choice([3.5, 4.8]))
        figure, axes = plt.subplots(figsize=size)
        for name in names:
            values = _loss(random, steps, found.logarithmic)
            axes.plot(steps, values, label=str(name), lw=random.choice([1, 1.5, 2]))
            found.curves[str(name)] = values
        if found.logarithmic:
            axes.set_yscale("log")
        if random.random() < 0.5:
            axes.grid(True, alpha=0.4)
        if len(names) > 1 or random.random() < 0.5:
            axes.legend()
        axes.set_xlabel(str(random.choice(LABELS)))
        if random.random() < 0.7:
            axes.set_ylabel(str(names[0]) if len(names) == 1 else "loss")
        if random.random() < 0.5:
            axes.set_title("A run")
        buffer = io.BytesIO()
        tight = "tight" if random.random() < 0.5 else None
        dpi = int(random.choice([80, 100, 150, 200]))
        figure.savefig(buffer, dpi=dpi, bbox_inches=tight)
        plt.close(figure)
    found.content = buffer.getvalue()
    return found


def _loss(random: np.random.Generator, steps: np.ndarray, logarithmic: bool) -> np.ndarray:
    height, floor = random.uniform(0.5, 3), random.uniform(0.05, 1)
    values = floor + height * np.exp(-steps / (random.uniform(0.1, 0.6) * steps[-1]))
    noise = random.choice([0.002, 0.02]) * random.standard_normal(len(steps))
    return values * np.exp(noise) if logarithmic else values + noise


def curve_errors(
    figure: DrawnFigure, curves: list[tuple[str, np.ndarray, np.ndarray]]
) -> list[float]:
    """Median error of each drawn curve, against the one read back that is nearest.

    An error is a share of what all curves of the figure span; 1 for a curve that none is near to.
    """

    def shown(values: np.ndarray) -> np.ndarray:
        return np.log10(np.maximum(values, 1e-12)) if figure.logarithmic else values

    everything = np.concatenate([shown(values) for values in figure.curves.values()])
    errors = []
    for values in figure.curves.values():
        best = 1.0
        for _, at, read in curves:
            inside = (at >= figure.steps[0]) & (at <= figure.steps[-1])
            if inside.any():
                there = np.interp(at[inside], figure.steps, values)
                error = np.median(np.abs(shown(read[inside]) - shown(there)))
                best = min(best, float(error / np.ptp(everything)))
        errors.append(best)
    return errors
