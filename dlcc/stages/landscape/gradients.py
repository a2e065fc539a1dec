"""Gradients of rows: noise that drowns them, and a discriminator that has none left."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dlcc.findings import Finding
from dlcc.landscape.cloud_shape import FIFTHS
from dlcc.records import Dossier, MeasuredLandscape

NOISY = 5.0
"""Batches that the noise scale exceeds at three of four measurements: 0 of 44 healthy runs passed 5
with 60 measurements, 1 with 20. (Near an equilibrium their median is often infinite.)"""
LEAST = 20
"""Measurements: of the last fifth, and where it has fewer, the last ones of the second half."""
GONE = 0.01
"""Share of the rows' gradient norms in the first fifth, and of 1: losses have slopes of that size
in networks that learn, and a norm that fell from an explosion is not gone."""


def findings_of_gradients(
    dossier: Dossier, landscape: MeasuredLandscape, length: int
) -> Iterator[Finding]:
    """Findings of the series that `Recorder.measure` recorded."""
    for name in landscape.measured:
        player, _, quantity = name.rpartition("/")
        if quantity == "grad_noise_scale" and landscape.batch is not None:
            yield from _noise(dossier, player, landscape.batch)
    yield from _no_gradients(landscape, length)


def _noise(dossier: Dossier, player: str, batch: int) -> Iterator[Finding]:
    steps, scales = _late(dossier, f"{player}/grad_noise_scale")
    _, spread = _late(dossier, f"{player}/grad_trace")
    if len(scales) < LEAST or (len(spread) and not np.median(spread) > 0):  # no gradients at all
        return
    scale = float(np.quantile(scales, 0.25, method="lower"))
    if not scale > NOISY * batch:
        return
    above = "infinite" if math.isinf(scale) else f"above {scale:,.0f} rows"
    yield Finding(
        "LND004",
        f"At three of four of its last {len(scales):,} measurements the noise scale is {above}; a "
        f"batch has {batch:,}.",
        player=player,
        first_step=int(steps[0]),
        last_step=int(steps[-1]),
        evidence={
            "noise_scale": float(f"{scale:.4g}"),
            "batch": batch,
            "measurements": len(scales),
        },
    )


def _late(dossier: Dossier, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps and values of a measured series near the end of the record; empty without it."""
    if name not in dossier.names:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    k = dossier.names.index(name)
    known = dossier.present[:, k] & ~np.isnan(dossier.values[:, k])
    steps, values = dossier.steps[known], dossier.values[known, k]
    first, length = float(dossier.steps[0]), float(dossier.steps[-1] - dossier.steps[0] + 1)
    fifth, half = (np.searchsorted(steps, first + share * length) for share in (0.8, 0.5))
    start = max(half, min(fifth, len(steps) - LEAST))
    return steps[start:], values[start:]


def _no_gradients(landscape: MeasuredLandscape, length: int) -> Iterator[Finding]:
    """A discriminator without gradients, where the generator gets none either."""
    last, now = 0, {}
    for player in ("discriminator", "generator"):
        measured = landscape.measured.get(f"{player}/sample_grad_norm")
        if measured is None:
            return
        fifths = [k for k in range(FIFTHS) if measured.rows[k]]
        if len(fifths) < 2:
            return
        began, ended = measured.medians[fifths[0]], measured.medians[fifths[-1]]
        if not (began > 0 and ended <= GONE * min(began, 1.0)):
            return
        last, now[player] = max(last, fifths[-1]), ended
    yield Finding(
        "LND003",
        f"Gradients of single rows are gone: their norms are {now['discriminator']:.2g}, and "
        f"{now['generator']:.2g} for the generator.",
        player="discriminator",
        first_step=last * length // FIFTHS,
        evidence={f"{player}_sample_grad_norm": float(f"{x:.4g}") for player, x in now.items()},
    )
