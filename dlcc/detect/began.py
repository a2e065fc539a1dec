"""Convergence measure of a boundary-equilibrium GAN: whether it falls, rests or rises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcc.detect.departure import departure
from dlcc.detect.progress import has_fallen
from dlcc.detect.training_record import TrainingRecord, common, finite, lasting_from, thinned
from dlcc.findings import Finding
from dlcc.runs.series import Column

_FEWEST = 12
_BLOCKS = 100  # over whose means the measure is judged: single batches scatter
_WORSE = 1.25  # times its lowest
_NEAR = 1.15  # the same, up to which it is at its best
_NOISES = 4.0
_RESTS = 0.4  # of the training, from which on a measure that rests is worth a note


@dataclass(frozen=True)
class Measure:
    """Course of the convergence measure L(x) + |γ L(x) - L(G(z))| of Berthelot 2017."""

    column: Column
    """Means over blocks of rows."""
    where: str
    """Series that it was read or computed from."""
    first: float
    last: float

    @property
    def lowest(self) -> float:
        """Lowest mean of a block."""
        return float(self.column.values.min())

    @property
    def at_its_best(self) -> bool:
        """Whether it has fallen and ends near its lowest, or has it in the last fifth."""
        values = self.column.values
        late = int(np.argmin(values)) >= 0.8 * len(values)
        return self.fallen and (late or self.last <= _NEAR * self.lowest)

    @property
    def noise(self) -> float:
        """Median change from one block to the next."""
        return float(np.median(np.abs(np.diff(self.column.values))))

    @property
    def fallen(self) -> bool:
        """Whether it falls by more than chance makes of values in any order, or from the first few
        values by more than its noise."""
        beyond = self.first - self.last > _NOISES * self.noise
        return has_fallen(self.column.values) or (beyond and self.first > _WORSE * self.last)


def measure_of(record: TrainingRecord, pair: str = "") -> Measure | None:
    """Find BEGAN's convergence measure, or compute it where both of its terms are logged.

    Args:
        record: Record of the training.
        pair: Ending of the pair's players, such as `_a`.

    Returns:
        Course of the measure; None where there is none, or it is negative somewhere.

    >>> from dlcc.runs.series import Series
    >>> falling = np.linspace(0.5, 0.1, 60)
    >>> series = {"discriminator/convergence": falling, "generator/loss": falling / 2}
    >>> found = measure_of(TrainingRecord(Series.from_start(series), "gan"))
    >>> found is not None and found.at_its_best
    True
    """
    found = _logged_or_computed(record, pair)
    if found is None:
        return None
    whole, where = finite(found[0]), found[1]
    if len(whole.values) < _FEWEST or whole.values.min() < 0:
        return None
    column = thinned(whole, _BLOCKS)
    fifth = max(3, len(column.values) // 5)
    return Measure(
        column,
        where,
        first=float(np.median(column.values[: max(3, fifth // 4)])),
        last=float(np.median(column.values[-fifth:])),
    )


def _logged_or_computed(record: TrainingRecord, pair: str) -> tuple[Column, str] | None:
    logged = record.get(f"discriminator{pair}/convergence")
    played = any(
        f"{player}{pair}/loss" in record.series for player in ("generator", "discriminator")
    )
    if logged is not None and played:  # else a column of that name is of something else
        return logged, f"discriminator{pair}/convergence"
    real, fake = record.get(f"discriminator{pair}/loss_real"), record.get(f"generator{pair}/loss")
    balance = record.setting("gamma")
    if record.objective != "began" or real is None or fake is None or balance is None:
        return None
    steps, of_real, of_fake = common(real, fake)
    values = of_real + np.abs(balance * of_real - of_fake)
    names = f"discriminator{pair}/loss_real and generator{pair}/loss"
    return Column(steps, values, np.full(len(steps), np.nan)), f"computed from {names}"


def check_began(record: TrainingRecord) -> Iterator[Finding]:
    """Find boundary-equilibrium GANs whose convergence measure rises or rests.

    Args:
        record: Record of the training.

    Yields:
        A warning where it rises again, a note where it rests; at most one for each pair.
    """
    for pair in record.pairs if record.is_game else ():
        measure = measure_of(record, pair)
        if measure is None:
            continue
        risen = _rise(measure)
        if risen is not None:
            yield _finding(record, pair, measure, "BGN001", risen, "rises")
            continue
        rests = _rest(measure)
        if rests is not None:
            text = "rests" if rests else "has not fallen"
            yield _finding(record, pair, measure, "BGN002", rests, text)


def _finding(
    record: TrainingRecord, pair: str, measure: Measure, code: str, row: int, text: str
) -> Finding:
    step = int(measure.column.steps[row])
    return Finding(
        code,
        f"BEGAN's convergence measure {text}: {measure.first:.3g} at the start, "
        f"{measure.lowest:.3g} at its lowest and {measure.last:.3g} over the last fifth, since "
        f"{record.unit} {step:,} ({measure.where}).",
        player=f"generator{pair}",
        first_step=step,
        last_step=int(measure.column.steps[-1]),
        evidence={"first": measure.first, "lowest": measure.lowest, "last": measure.last},
    )


def _rise(measure: Measure) -> int | None:
    """Row at which the measure begins to rise for good, by more than its noise."""
    values = measure.column.values
    best = int(np.argmin(values))
    mark = max(_WORSE * measure.lowest, measure.lowest + _NOISES * measure.noise)
    if measure.last <= mark or not has_fallen(-values[best:]):
        return None
    start = lasting_from(values > mark)
    return None if start is None else max(best, departure(values, start))


def _rest(measure: Measure) -> int | None:
    """Row from which on the measure does not fall any more, 0 where it never did; None where it
    falls to the end, or nearly so."""
    values = measure.column.values
    if not measure.fallen:
        return 0
    start = lasting_from(values <= measure.last + _NOISES * measure.noise)
    if start is None or len(values) - start < max(_FEWEST, _RESTS * len(values)):
        return None
    return None if has_fallen(values[start:]) else start
