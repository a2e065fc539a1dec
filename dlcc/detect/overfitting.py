"""Overfitting of a discriminator: what it says of rows that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from dlcc.detect.progress import has_fallen
from dlcc.detect.training_record import (
    TrainingRecord,
    common,
    finite,
    lasting_from,
    smoothed,
    thinned,
)
from dlcc.detect.validation import rises_again
from dlcc.findings import Finding
from dlcc.runs.series import Column
from dlcc.typing import Bools, Floats, Ints

_FEWEST = 12
_MOST_ROWS = 5_000  # blocks of a longer record
_LAST = 0.2
_MOST_OF_IT = 0.8
_HALF = 0.5
"""Share of the way from training rows to samples at which held-out rows lie: beyond half of it the
discriminator takes rows that it never saw for samples."""
_NEARLY_ALL = 0.9  # mean sign: 95 % of the rows on their own side
_AIM = 0.6  # mean sign on training rows that adaptive augmentation aims at by default
_STILL = 1e-6  # relative change of an augmentation's strength at its bound


def check_overfitting(record: TrainingRecord) -> Iterator[Finding]:
    """Find discriminators that know their training rows by heart.

    Args:
        record: Record of the training.

    Yields:
        At most one finding for each adversarial pair, and one on an augmentation at its bound.
    """
    for pair in record.pairs if record.is_game else ():
        cases = (_by_outputs, _by_loss, _by_signs)
        found = (finding for case in cases for finding in case(record, pair))
        yield from islice(found, 1)
    yield from _augmentation(record)


def _by_outputs(record: TrainingRecord, pair: str) -> Iterator[Finding]:
    """Finding by where held-out rows lie between training rows and samples.

    The ratio (train - held out) / (train - samples) of mean outputs, or of their signs, is 0 where
    the discriminator generalises and 1 where held-out rows are samples to it (Karras 2020, r_v). It
    has no scale.
    """
    player = f"discriminator{pair}"
    for real, fake in (("real", "fake"), ("sign_real", "sign_fake")):
        names = (f"{player}/{real}", f"validation/{player}_{real}", f"{player}/{fake}")
        train, held, samples = (record.get(name) for name in names)
        if train is None or held is None or samples is None:
            continue
        steps, of_held = _values(held)
        if len(steps) < _FEWEST or min(len(train.values), len(samples.values)) < _FEWEST:
            continue
        of_train, of_samples = _at(train, steps), _at(samples, steps)
        apart = of_train - of_samples
        if not (_last_of(apart) > 4 * np.median(np.abs(np.diff(of_held)))).all():
            continue  # noise of the outputs would do
        ratio = smoothed((of_train - of_held) / np.where(apart > 0, apart, np.inf), 3)
        start = _holds_from(ratio > _HALF)
        if start is None or not has_fallen(-ratio):
            continue
        last = float(np.median(_last_of(ratio)))
        yield Finding(
            "OVF002",
            f"The {player} overfits: its output on held-out rows lies "
            f"{100 * last:.0f} % of the way from "
            f"training rows to samples over the last fifth, more than half of it from "
            f"{record.unit} {int(steps[start]):,} on ({names[1]} beside {names[0]}).",
            player=player,
            first_step=int(steps[start]),
            last_step=int(steps[-1]),
            evidence={"ratio_first": float(np.median(ratio[: len(ratio) // 5])), "ratio": last},
        )
        return


def _by_loss(record: TrainingRecord, pair: str) -> Iterator[Finding]:
    """Finding by a loss on held-out rows that rises while that on training rows falls."""
    player = f"discriminator{pair}"
    raw, held = record.get(f"{player}/loss"), record.get(f"validation/{player}_loss")
    if raw is None or held is None:
        return
    train = thinned(finite(raw), _MOST_ROWS)
    steps, of_held = _values(held)
    if len(steps) < _FEWEST or len(train.values) < _FEWEST or not has_fallen(train.values):
        return
    risen = rises_again(of_held)
    if risen is None or not has_fallen(_at(train, steps) - of_held):
        return
    best, end = risen
    yield Finding(
        "OVF002",
        f"The {player} overfits: its loss on held-out rows is best at {record.unit} "
        f"{int(steps[best]):,} ({of_held[best]:.4g}) and {end:.4g} at the end, while that on "
        "training rows still falls.",
        player=player,
        first_step=int(steps[best]),
        last_step=int(steps[-1]),
        evidence={
            "best": float(of_held[best]),
            "last": end,
            "training": float(_at(train, steps)[-1]),
        },
    )


def _by_signs(record: TrainingRecord, pair: str) -> Iterator[Finding]:
    """Finding by mean signs on training rows and on samples that drift to opposite ends."""
    player = f"discriminator{pair}"
    real, fake = record.get(f"{player}/sign_real"), record.get(f"{player}/sign_fake")
    if real is None or fake is None:
        return
    steps, p, q = common(thinned(real, _MOST_ROWS), thinned(fake, _MOST_ROWS))
    if len(steps) < _FEWEST or max(np.abs(p).max(), np.abs(q).max()) > 1 + 1e-6:
        return
    width = min(101, 2 * (len(steps) // 100) + 1)
    p, q = smoothed(p, width), smoothed(q, width)
    start = _holds_from((p > _NEARLY_ALL) & (q < -_NEARLY_ALL))
    if start is None or not has_fallen(q - p):
        return
    yield Finding(
        "ADV009",
        f"The {player}'s outputs drift apart: from {record.unit} {int(steps[start]):,} on their "
        f"mean sign is {np.median(p[start:]):.2f} on training rows and {np.median(q[start:]):.2f} "
        "on samples, so that hardly a row is on the wrong side.",
        player=player,
        first_step=int(steps[start]),
        last_step=int(steps[-1]),
        evidence={
            "sign_real": float(np.median(p[start:])),
            "sign_fake": float(np.median(q[start:])),
        },
    )


def _augmentation(record: TrainingRecord) -> Iterator[Finding]:
    """Finding on an augmentation whose strength has come to its bound, and does not suffice."""
    for name, raw in record.augmentation.items():
        column = finite(raw)
        values = column.values
        if len(values) < _FEWEST or values.min() < 0:
            continue
        top = float(values.max())
        bound = min(top, 1.0)  # a strength above 1 augments every row as one of 1 does
        start = _holds_from(values >= (1 - _STILL) * bound)
        held = top >= 1 or float(np.ptp(_last_of(values))) <= _STILL * top
        if start is None or not held or top < _HALF or values[0] > 0.9 * bound:
            continue
        aim = record.setting("ada_target") or _AIM
        level = _level_of_signs(record)
        if level is not None and level <= aim:
            continue
        beside = (
            ""
            if level is None
            else (
                f", and the discriminator's mean sign on training rows is {level:.2f}, above the "
                f"{aim:g} aimed at"
            )
        )
        yield Finding(
            "OVF003" if level is None or level < (1 + aim) / 2 else "OVF002",
            f"The augmentation ({name}) is at its bound of {bound:.3g} from {record.unit} "
            f"{int(column.steps[start]):,} on{beside}.",
            player="discriminator" if record.is_game else None,
            first_step=int(column.steps[start]),
            last_step=int(column.steps[-1]),
            evidence={"strength": bound, "largest": top, "sign_real": level, "aim": aim},
        )
        return


def _level_of_signs(record: TrainingRecord) -> float | None:
    """Mean sign of the discriminator's output on training rows over the last fifth."""
    signs = record.get("discriminator/sign_real")
    values = np.zeros(0) if signs is None else finite(signs).values
    return float(np.median(_last_of(values))) if len(values) else None


def _values(column: Column) -> tuple[Ints, Floats]:
    kept = thinned(finite(column), _MOST_ROWS)
    return kept.steps, kept.values


def _at(column: Column, steps: Ints) -> Floats:
    """Values [steps] of a column's running median at other steps."""
    own, values = _values(column)
    width = 2 * (len(values) // (2 * len(steps)) // 2) + 1
    found: Floats = np.interp(steps, own, smoothed(values, width))
    return found


def _last_of(values: Floats) -> Floats:
    return values[-max(3, round(_LAST * len(values))) :]


def _holds_from(holds: Bools) -> int | None:
    """Row from which a condition holds to the end; None where it does not over the last fifth."""
    last = holds[-max(3, round(_LAST * len(holds))) :]
    return lasting_from(holds) if last.mean() >= _MOST_OF_IT else None
