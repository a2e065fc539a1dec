"""Figures of losses, gradients and the discriminator's outputs, in windows over the training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dlcc.kinds import TrainingKind
from dlcc.kinds.gan import GAN
from dlcc.records import Series
from dlcc.typing import Floats

WINDOWS = 40
"""Number of equal windows that a record is cut into."""
QUANTITIES = (
    "generator/loss",
    "discriminator/loss",
    "generator/grad_norm",
    "discriminator/grad_norm",
    "discriminator/real",
    "discriminator/fake",
)
"""Quantities that windows are judged by."""
PLAYERS = ("generator", "discriminator")
WINDOW_FEATURES = (
    "generator_loss",
    "generator_loss_sd",
    "discriminator_loss",
    "discriminator_loss_sd",
    "generator_grad",
    "generator_grad_sd",
    "discriminator_grad",
    "discriminator_grad_sd",
    "margin",
    "margin_sd",
    "not_finite",
)
"""Names of the figures of `window_features`, which explains them."""


_DEVIATIONS = [k for k, name in enumerate(WINDOW_FEATURES) if name.endswith("_sd")]


def window_figure(table: Floats, name: str) -> Floats:
    """Figure of one name of `WINDOW_FEATURES` in a table [..., 11]."""
    return np.asarray(table[..., WINDOW_FEATURES.index(name)])


def window_edges(until: int, start: int = 0, windows: int = WINDOWS) -> NDArray[np.int64]:
    """Steps [windows + 1] that cut [start, until) into equal parts."""
    return np.linspace(start, until, windows + 1).astype(np.int64)


def first_step(series: Series, until: int) -> int:
    """Step at which windows begin: 0, or the first row of a training that went on from another."""
    first = min((int(c.steps[0]) for c in series.columns.values() if len(c.steps)), default=0)
    return first if first > until / WINDOWS else 0


def window_features(series: Series, until: int, kind: TrainingKind = GAN) -> Floats:
    """Compute the figures of each window, [WINDOWS, 11]; NaN where a quantity was not logged.

    Losses are squashed by asinh (they span decades), gradient norms taken as log10, the margin is
    the mean output on real data less that on samples. "sd" is the deviation within the window; it
    is NaN throughout where rows are further apart than one step, since means of rows deviate less
    than rows, and nobody can tell them from rows that were left out. Which column is which, the
    kind says by a name of `COLUMNS`.
    """
    edges = window_edges(until, first_step(series, until))
    names = COLUMNS[kind.run_features](series)
    parts = {name: _cut(series, column, edges) for name, column in names.items()}
    figures = np.array([_one({n: p[w] for n, p in parts.items()}) for w in range(WINDOWS)])
    if _row_distance(series, names.values()) > 1:
        figures[:, _DEVIATIONS] = np.nan
    return figures


def first_lost(series: Series, kind: TrainingKind = GAN) -> int | None:
    """First step at which a quantity that is judged is not finite; None where all are."""
    names = set(COLUMNS[kind.run_features](series).values())
    columns = [series.columns[name] for name in names if name in series.columns]
    lost = [int(steps[0]) for c in columns if len(steps := c.steps[~np.isfinite(c.values)])]
    return min(lost, default=None)


def stops_being_finite(series: Series, kind: TrainingKind = GAN) -> bool:
    """Tell whether a quantity that is judged stops being finite."""
    return first_lost(series, kind) is not None


def _row_distance(series: Series, names: Iterable[str]) -> float:
    """Steps from row to row, of the column that was logged least often; 1 where none was."""
    columns = [series.columns[name] for name in names if name in series.columns]
    apart = [float(np.median(np.diff(c.steps))) for c in columns if len(c.steps) > 1]
    return max(apart, default=1.0)


def _by_player(series: Series) -> dict[str, str]:
    """Columns of the quantities: each the one that bears its name."""
    return {name: name for name in QUANTITIES}


def _in_order(series: Series) -> dict[str, str]:
    """Columns of the quantities, whatever the players are called.

    The first and second losses and gradient norms stand in the players' places; further ones count
    for what is not finite.
    """
    names = dict.fromkeys(QUANTITIES, "")
    for quantity in ("loss", "grad_norm"):
        found = sorted(n for n in series.columns if n.rpartition("/")[2] == quantity)
        for player, name in zip(("generator", "discriminator"), found, strict=False):
            names[f"{player}/{quantity}"] = name
        names |= {name: name for name in found[2:]}
    return names


COLUMNS: Mapping[str, Callable[[Series], Mapping[str, str]]] = {
    "by player": _by_player,
    "in order": _in_order,
}
"""Rules that assign columns to quantities, by the name that a kind gives."""


def _cut(series: Series, name: str, edges: NDArray[np.int64]) -> Sequence[Floats]:
    """Cut a column's values into windows; empty ones where it was not logged."""
    column = series.columns.get(name)
    if column is None:
        return [np.zeros(0)] * (len(edges) - 1)
    return np.split(column.values, np.searchsorted(column.steps, edges[1:-1]))


def _one(rows: Mapping[str, Floats]) -> Floats:
    """Figures `WINDOW_FEATURES` of one window, [11]."""
    finite = {name: values[np.isfinite(values)] for name, values in rows.items()}
    logged = sum(len(values) for values in rows.values())
    lost = 1 - sum(len(values) for values in finite.values()) / logged if logged else np.nan
    figures: list[float] = []
    for name in QUANTITIES[:4]:
        values = finite[name]
        squashed = np.arcsinh(values) if name.endswith("loss") else np.log10(1e-12 + np.abs(values))
        figures += _mean_and_sd(squashed)
    real, fake = finite["discriminator/real"], finite["discriminator/fake"]
    n = min(len(real), len(fake))
    figures += _mean_and_sd(np.arcsinh(real[:n] - fake[:n]))
    return np.array([*figures, lost])


def _mean_and_sd(values: Floats) -> tuple[float, float]:
    """Mean and standard deviation of values [n]; NaN without any."""
    if not len(values):
        return np.nan, np.nan
    return float(values.mean()), float(values.std())
