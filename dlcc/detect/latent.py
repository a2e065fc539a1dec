"""Latent codes that carry nothing: posterior collapse, a divergence that vanishes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.training_record import TrainingRecord, finite, lasting_from, tail
from dlcc.findings import Finding
from dlcc.runs.series import Column

_COLLAPSED = 0.05  # nats, of all latents together: they carry nothing
_VANISHING = 0.02  # of the divergence's largest tenth
_FEWEST = 6


def check_latent(record: TrainingRecord) -> Iterator[Finding]:
    """Find variational autoencoders whose latents carry nothing.

    Args:
        record: Record of the training.

    Yields:
        An error where the divergence is near 0 at the end, a warning where it has nearly vanished.
    """
    raw = record.get("model/kl")
    if raw is None or record.is_game:
        return
    column = finite(raw)
    if len(column.values) < _FEWEST:
        return
    end = float(np.median(tail(column, 0.1, fewest=3)))
    top = float(np.quantile(column.values, 0.9))
    if end < 0:
        yield from _negative(record, column, end)
        return
    if end <= _COLLAPSED:
        start = lasting_from(column.values <= _COLLAPSED)
        yield Finding(
            "VAE001",
            f"Posterior collapse: the divergence of the latents from their prior is {end:.2g} nats "
            "over the last tenth, so they carry nothing of the data.",
            player="model",
            first_step=None if start is None else int(column.steps[start]),
            last_step=int(column.steps[-1]),
            evidence={"kl_last": end, "kl_largest": top, "mark": _COLLAPSED},
        )
    elif end <= _VANISHING * top and top > 1:
        start = lasting_from(column.values <= 2 * _VANISHING * top)
        yield Finding(
            "VAE002",
            f"The divergence of the latents from their prior has nearly vanished: {end:.3g} nats "
            f"over the last tenth, {top:.3g} before.",
            player="model",
            first_step=None if start is None else int(column.steps[start]),
            last_step=int(column.steps[-1]),
            evidence={"kl_last": end, "kl_largest": top},
        )


def _negative(record: TrainingRecord, column: Column, end: float) -> Iterator[Finding]:
    """Finding on a divergence that is negative over the last tenth, which none can be."""
    start = lasting_from(column.values < 0)
    if start is None or end > -_COLLAPSED:
        return  # an estimate of a divergence near 0 may lie below it
    yield Finding(
        "VAE003",
        f"The divergence of the latents from their prior is {end:.3g} over the last tenth, and no "
        f"divergence is negative: from {record.unit} {int(column.steps[start]):,} on.",
        player="model",
        first_step=int(column.steps[start]),
        last_step=int(column.steps[-1]),
        evidence={"kl_last": end},
    )
