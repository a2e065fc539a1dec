"""Latent codes that carry nothing: posterior collapse, a divergence that vanishes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.progress import has_fallen
from dlcc.detect.training_record import TrainingRecord, common, finite, lasting_from, tail
from dlcc.findings import Finding
from dlcc.runs.series import Column

_COLLAPSED = 0.05  # nats, of all latents together: they carry nothing
_VANISHING = 0.02  # of the divergence's largest tenth
_FEWEST = 6
_USED = 1.0  # nats from which on a divergence must show in a loss that has it
_PRINTED = 1e-6  # of the reconstruction error: equal to the digits that logs have
_ENOUGH = 24  # rows of a record that shows whether an error falls
_BEGINNING = 0.05  # of the last step, up to which a record is one of the training's beginning
_NOISES = 4.0  # median changes from row to row, up to which a series stands still
_STEADY = 0.02  # relative spread of the weight, over the rows, of a loss that is that sum


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
    wrong = list(_weight_in_the_loss(record, raw))
    yield from wrong
    if wrong:
        return
    yield from _error_stands_still(record, column)
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


def _error_stands_still(record: TrainingRecord, kl: Column) -> Iterator[Finding]:
    """Finding on a reconstruction error that does not fall while the divergence moves.

    The divergence is the encoder's alone. A decoder that learns brings the error down at once, if
    only to that of the data's mean. A record that begins late may have that behind it.
    """
    raw = record.get("model/reconstruction")
    if raw is None:
        return
    error = finite(raw)
    values = error.values
    late = len(values) and error.steps[0] > _BEGINNING * error.steps[-1]
    if len(values) < _ENOUGH or late or has_fallen(values):
        return
    if abs(_moved_by(error)) > _NOISES or abs(_moved_by(kl)) <= _NOISES:
        return
    first, last = float(np.median(values[:3])), float(np.median(tail(error, 0.2, fewest=3)))
    yield Finding(
        "VAE006",
        f"The reconstruction does not get better, while the latents move: model/reconstruction is "
        f"{first:.4g} at the start and {last:.4g} over the last fifth.",
        player="model",
        first_step=int(error.steps[0]),
        last_step=int(error.steps[-1]),
        evidence={"first": first, "last": last, "changes": _moved_by(error)},
    )


def _moved_by(column: Column) -> float:
    """Distance from the first three values to the last fifth, in changes from row to row."""
    noise = float(np.median(np.abs(np.diff(column.values))))
    apart = float(np.median(tail(column, 0.2, fewest=3)) - np.median(column.values[:3]))
    return apart / max(noise, 1e-12)


def _weight_in_the_loss(record: TrainingRecord, kl: Column) -> Iterator[Finding]:
    """Finding on a divergence that the loss has not in it, or has with the wrong sign.

    The loss is the reconstruction error plus a weight times the divergence. Where all three are
    logged, the weight is what the loss exceeds the reconstruction by, over the divergence. A log
    that gives the divergence a sign of its own is turned when it is read.
    """
    loss, reconstruction = record.get("model/loss"), record.get("model/reconstruction")
    if loss is None or reconstruction is None:
        return
    steps, total, error = common(loss, reconstruction)
    kept, at, other = np.intersect1d(steps, kl.steps, return_indices=True)
    half = len(kept) // 2
    if len(kept) - half < _FEWEST:
        return
    total, error, of_kl = total[at][half:], error[at][half:], kl.values[other][half:]
    beyond = total - error
    if not np.isfinite(of_kl).all() or float(of_kl.min()) <= _USED:
        return
    evidence = {"kl_last": float(of_kl[-1]), "weight": float(np.median(beyond / of_kl))}
    if (np.abs(beyond) <= _PRINTED * np.abs(error)).all():
        yield Finding(
            "VAE004",
            f"The divergence of the latents from their prior is not in the loss: model/loss equals "
            f"model/reconstruction in every row of the second half, with a divergence of "
            f"{of_kl[-1]:.3g}.",
            player="model",
            first_step=int(kl.steps[0]),
            last_step=int(kept[-1]),
            evidence=evidence,
        )
        return
    weight = beyond / of_kl
    middle = float(np.median(weight))
    if middle < 0 and float(np.quantile(np.abs(weight / middle - 1), 0.9)) < _STEADY:
        yield Finding(
            "VAE003",
            f"The divergence of the latents from their prior is in the loss with the wrong sign: "
            f"model/loss is model/reconstruction {middle:+.3g} times the divergence, which is "
            f"{of_kl[-1]:.3g} at the end.",
            player="model",
            first_step=int(kl.steps[0]),
            last_step=int(kept[-1]),
            evidence=evidence,
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
