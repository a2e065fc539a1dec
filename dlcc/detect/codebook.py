"""Codebooks of vector-quantised trainings: codes that nobody uses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcc.detect.progress import has_fallen, progress_of
from dlcc.detect.training_record import TrainingRecord, finite, lasting_from, tail
from dlcc.findings import Finding
from dlcc.runs.series import Column

_FEWEST = 6
_ONE_CODE = 1.5
"""Effective number of codes under which a code carries less than .6 bit: nearly all rows have the
same one."""
_SMALL_SHARE = 0.05  # of a codebook of unknown size: as good as none of it is used
_FALLEN = 0.1  # of the codes that were once in use
_NO_DISTANCE = 1e-3  # of a commitment loss's largest tenth: the encoder gives its code for all rows
_SIZES = (
    "codebook_size", "vq_codebook_size", "num_embeddings", "n_embeddings", "n_embed", "num_codes",
    "n_codes", "num_codebook_vectors", "n_e",
)  # fmt: skip
"""Settings that give the number of codes."""


@dataclass(frozen=True)
class _Use:
    """Use of a codebook over time."""

    name: str
    column: Column
    """Number of codes in use; or their share, where the number of all is not known."""
    size: float | None
    """Number of codes in the same unit: 1 for a share."""
    of_one: float
    """Use under which as good as a single code is left; 0 where that cannot be told."""
    of_few: float
    """Use under which a code carries less than half of the bits that it could: the square root of
    the number of codes."""


def check_codebook(record: TrainingRecord) -> Iterator[Finding]:
    """Find codebooks of which one code, or few, are in use.

    The perplexity of a codebook is the effective number of codes in use, exp of the entropy of
    their frequencies: 1 where all rows get the same code, and the size of the codebook where all
    codes are as frequent.

    Args:
        record: Record of the training.

    Yields:
        An error where one code is left, a warning where few are; at most one.
    """
    for player in ("model", "generator"):
        use = _use_of(record, player)
        if use is not None:
            yield from _few_codes(record, player, use)
            return
        if f"{player}/codebook" in record.series:
            yield from _no_distance(record, player)
            return


def _use_of(record: TrainingRecord, player: str) -> _Use | None:
    """Use of a player's codebook, by its perplexity or by the codes that are in use."""
    size = record.setting(*_SIZES)
    size = size if size is not None and size >= 1 else None
    name = f"{player}/perplexity"
    if name not in record.series and size is not None:
        name = "metrics/perplexity"  # where the settings have a codebook, it is the codebook's
    perplexity, usage = record.get(name), record.get(f"{player}/codebook_usage")
    if perplexity is not None:
        column = finite(perplexity)
        known = len(column.values) >= _FEWEST and column.values.min() > 0.99
        return _Use(name, column, size, _ONE_CODE, math.sqrt(size or 0.0)) if known else None
    if usage is None:
        return None
    column = finite(usage)
    if len(column.values) < _FEWEST or column.values.min() < 0:
        return None
    name = f"{player}/codebook_usage"
    if column.values.max() <= 1:
        if size is None:
            return _Use(name, column, 1.0, 0.0, _SMALL_SHARE)
        return _Use(name, column, 1.0, _ONE_CODE / size, 1 / math.sqrt(size))
    if size is not None and column.values.max() > size:
        return None  # in no unit that is known
    return _Use(name, column, size, _ONE_CODE, math.sqrt(size or 0.0))


def _few_codes(record: TrainingRecord, player: str, use: _Use) -> Iterator[Finding]:
    """Finding on a use that is small to the end, and does not grow any more."""
    values = use.column.values
    end = float(np.median(tail(use.column, 0.1, fewest=3)))
    top = float(np.quantile(values, 0.9))
    if has_fallen(-values) and end > 0.5 * top:
        return  # codes are still being taken into use
    few = max(use.of_few, _FALLEN * top if top > 2 * use.of_one else 0.0)
    if (use.size is None or use.size > 2 * use.of_one) and end < use.of_one:
        code, mark, text = "VQC001", use.of_one, "The codebook is dead: all rows get one code"
    elif end < few:
        code, mark, text = "VQC002", few, "Few codes of the codebook are in use"
    else:
        return
    start = lasting_from(values < mark)
    if start is None:
        return
    of = "" if use.size is None else f" of {use.size:g}"
    yield Finding(
        code,
        f"{text}: {use.name} is {end:.3g}{of} over the last tenth, and was {top:.3g} at its "
        f"highest; under {mark:.3g} from {record.unit} {int(use.column.steps[start]):,} on.",
        player=player,
        first_step=int(use.column.steps[start]),
        last_step=int(use.column.steps[-1]),
        evidence={"last": end, "largest": top, "mark": mark, "codes": use.size},
    )


def _no_distance(record: TrainingRecord, player: str) -> Iterator[Finding]:
    """Finding on a distance to the codes that vanishes while nothing is reconstructed.

    A distance of 0 from rows to their codes means that rows are where codes are. A codebook in use
    would then reconstruct them; where the loss has not fallen, all rows are at the same place.
    """
    column = finite(record.series[f"{player}/codebook"])
    course = progress_of(record)
    if len(column.values) < 2 * _FEWEST or course is None or course.fallen:
        return
    end = float(np.median(tail(column, 0.1, fewest=3)))
    top = float(np.quantile(column.values, 0.9))
    start = lasting_from(column.values <= _NO_DISTANCE * top)
    if top <= 0 or end > _NO_DISTANCE * top or start is None:
        return
    yield Finding(
        "VQC002",
        f"Few codes of the codebook seem to be in use: rows lie at their codes ({player}/codebook "
        f"is {end:.2g} over the last tenth, {top:.2g} before), and {course.name} has not fallen.",
        player=player,
        first_step=int(column.steps[start]),
        last_step=int(column.steps[-1]),
        evidence={"last": end, "largest": top, "mark": _NO_DISTANCE * top},
    )
