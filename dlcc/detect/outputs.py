"""Loss of a discriminator against its outputs, where the run states the objective."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from dlcc.detect.bounds import least_loss
from dlcc.detect.training_record import TrainingRecord, common, finite, lasting_from, thinned
from dlcc.findings import Finding
from dlcc.runs.series import Column
from dlcc.typing import Bools, Floats, Ints

_FEWEST = 12
_MOST_ROWS = 5_000  # blocks of a longer record, whose means keep to the bounds
_LAST = 0.2
_MOST_OF_IT = 0.8
_NOT_NEGATIVE = ("ns", "mm", "ls", "hinge", "relativistic")
_LINEAR = ("wgan", "wgangp")
_HALF = 0.5  # a loss may be the mean of its two sides
_UNDER = 0.8  # of the bound, which rounding and the moment of a measurement cannot explain
_SUBSTANCE = 0.1  # bound from which on a loss under it is not one of rounding
_TIGHT = 0.02  # relative spread of a factor that is constant
_VARIES = 0.1  # relative spread of the bound without which a factor says nothing
_LEAST_BATCH = 8


def check_outputs(record: TrainingRecord) -> Iterator[Finding]:
    """Find losses that the stated objective cannot give for the outputs that are logged.

    Nothing is said where the run does not state its objective, or where outputs may be on a scale
    other than the loss's: a mean sigmoid says little about a mean logit.

    Args:
        record: Record of the training.

    Yields:
        At most one finding for each adversarial pair.
    """
    if record.objective is None:
        return
    for pair in record.pairs if record.is_game else ():
        raw = record.get(f"discriminator{pair}/loss")
        if raw is None or len(raw.values) < _FEWEST:
            continue
        loss = thinned(finite(raw), _MOST_ROWS)
        if record.objective in _NOT_NEGATIVE and _falls_below_0(loss.values):
            yield from _finding(record, pair, loss.steps, loss.values, np.zeros(len(loss.values)))
            continue
        together = _together(record, pair, loss)
        if together is None:
            continue
        steps, of_loss, real, fake = together
        least = [
            bound
            for scale in _scales(record, real, fake)
            if (bound := least_loss(record.objective, real, fake, scale)) is not None
        ]
        if not least:
            continue
        factors = [f for bound in least if (f := _factor(of_loss, bound)) is not None]
        if factors:
            yield from _summed(record, pair, steps, factors[0])
        else:
            yield from _below(record, pair, steps, of_loss, least)


def _falls_below_0(loss: Floats) -> bool:
    """Whether a loss that begins above 0 ends below: one that is negative from the start may be
    logged with the other sign."""
    first, last = loss[: max(3, len(loss) // 20)], loss[-max(3, round(_LAST * len(loss))) :]
    return bool(np.median(first) > 0 and (last < 0).mean() >= _MOST_OF_IT)


def _together(
    record: TrainingRecord, pair: str, loss: Column
) -> tuple[Ints, Floats, Floats, Floats] | None:
    """Steps at which loss and outputs are logged, and the three; None for too few."""
    real = record.get(f"discriminator{pair}/real")
    fake = record.get(f"discriminator{pair}/fake")
    if real is None or fake is None:
        return None
    steps, p, q = common(thinned(real, _MOST_ROWS), thinned(fake, _MOST_ROWS))
    kept, at, other = np.intersect1d(loss.steps, steps, return_indices=True)
    if len(kept) < _FEWEST:
        return None
    return kept, loss.values[at], p[other], q[other]


def _scales(
    record: TrainingRecord, real: Floats, fake: Floats
) -> Sequence[Literal["raw", "probability"]]:
    """Scales that the outputs may have; none where they may have one that bounds nothing."""
    shares = min(real.min(), fake.min()) >= 0 and max(real.max(), fake.max()) <= 1
    if record.outputs is not None:
        return (record.outputs,) if shares or record.outputs == "raw" else ()
    if not shares:
        return ("raw",)
    return ("raw", "probability") if record.objective in ("ns", "mm") else ()


def _below(
    record: TrainingRecord, pair: str, steps: Ints, loss: Floats, least: Sequence[Floats]
) -> Iterator[Finding]:
    """Finding on a loss under its bound, whichever scale the outputs have.

    The Wasserstein distance has none: with a weight, or the critic's other sign, it may be any.
    """
    if record.objective in _LINEAR or np.mean(loss < 0) > _MOST_OF_IT:
        return  # a loss that is negative from the start may be logged with the other sign
    lowest = np.min(least, axis=0) * _HALF
    holds = (loss < _UNDER * lowest) & (lowest > _SUBSTANCE)
    yield from _finding(record, pair, steps, loss, lowest, holds)


def _finding(
    record: TrainingRecord,
    pair: str,
    steps: Ints,
    loss: Floats,
    lowest: Floats,
    holds: Bools | None = None,
) -> Iterator[Finding]:
    holds = loss < lowest if holds is None else holds
    last = holds[-max(3, round(_LAST * len(holds))) :]
    start = lasting_from(holds) if last.mean() >= _MOST_OF_IT else None
    if start is None:
        return
    level, bound = float(np.median(loss[start:])), float(np.median(lowest[start:]))
    yield Finding(
        "OBJ001",
        f"The discriminator's loss is lower than {record.objective} allows "
        f"({record.stated_in or 'the run states it'}): {level:.3g} from {record.unit} "
        f"{int(steps[start]):,} on, and with these outputs it is {bound:.3g} at least.",
        player=f"discriminator{pair}",
        first_step=int(steps[start]),
        last_step=int(steps[-1]),
        evidence={"loss": level, "least": bound, "objective": record.objective},
    )


def _factor(loss: Floats, bound: Floats) -> float | None:
    """Factor by which a loss is that of its mean outputs in all rows; None where there is none."""
    size = float(np.median(np.abs(bound)))
    inside = np.abs(bound) > _VARIES * size
    if size <= 0 or inside.sum() < _FEWEST or np.std(bound[inside]) < _VARIES * size:
        return None
    ratio = loss[inside] / bound[inside]
    factor = float(np.median(ratio))
    if factor == 0 or float(np.quantile(np.abs(ratio / factor - 1), 0.9)) > _TIGHT:
        return None
    return factor


def _summed(record: TrainingRecord, pair: str, steps: Ints, factor: float) -> Iterator[Finding]:
    """Finding on a loss that is a batch's size times that of its outputs: a sum, not a mean."""
    batch = record.setting("batch_size", "batch", "batchsize", "bs")
    if not _is_batch(abs(factor), batch):
        return
    yield Finding(
        "OBJ002",
        f"The discriminator's loss is {abs(factor):.3g} times that of its mean outputs under "
        f"{record.objective}, in all rows: it is a sum over the batch, not a mean.",
        player=f"discriminator{pair}",
        first_step=int(steps[0]),
        last_step=int(steps[-1]),
        evidence={"factor": factor, "batch": batch, "objective": record.objective},
    )


def _is_batch(factor: float, batch: float | None) -> bool:
    """Whether a factor is the size of a batch: the stated one, or else a power of two."""
    if batch is None:
        size = float(2.0 ** round(math.log2(factor)))
        return size >= _LEAST_BATCH and abs(factor / size - 1) < _TIGHT
    sizes = (batch, batch / 2, 2 * batch)  # a loss may be half of its formula's, or twice
    return batch >= _LEAST_BATCH and any(abs(factor / size - 1) < _TIGHT for size in sizes)
