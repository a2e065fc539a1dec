"""Training record: what checks from first principles look at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dlcc.runs.series import Column, Series
from dlcc.typing import Bools, Floats, Ints

_PAIR = re.compile(r"discriminator(_[a-z0-9]+)?/")


@dataclass(frozen=True)
class TrainingRecord:
    """Series of a training, with what is known about it.

    >>> record = TrainingRecord(Series.from_start({"generator/loss": np.array([0.7, 0.5])}), "gan")
    >>> record.pairs, record.loss_of("generator").values.tolist()
    (('',), [0.7, 0.5])
    """

    series: Series
    kind: str = "unknown"
    objective: str | None = None
    """Objective that the run states, such as `hinge`; None where it states none."""
    stated_in: str = ""
    """Place that states the objective."""
    unmapped: Series = field(default_factory=Series)
    """Columns without a role, under their own names."""
    clock: tuple[Floats, Floats] = field(default_factory=lambda: (np.zeros(0), np.zeros(0)))
    """Steps [n] and Unix times [n] in seconds at which rows were written."""
    sessions: int = 1
    """Number of sessions in the record, of which one is judged."""
    session_words: str = ""
    """Sentence on the sessions."""
    unit: str = "step"
    """Unit of a step, such as `epoch` or `kimg`."""
    length: int | None = None
    """Number of steps that the training was to have."""
    rates: Mapping[str, Column] = field(default_factory=dict)
    """Learning rates that the record logs, by their column."""
    augmentation: Mapping[str, Column] = field(default_factory=dict)
    """Strengths of an augmentation that the training adapts, by their column."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Configuration, by keys whose levels are joined with points."""
    outputs: Literal["raw", "probability"] | None = None
    """Scale on which the discriminator's outputs are logged; None where nothing says so."""

    def setting(self, *keys: str) -> float | None:
        """Find a number in the configuration.

        Args:
            keys: Names of the setting, without the levels above it, in lower case.

        Returns:
            Number of the first key that has one; None without any.

        >>> TrainingRecord(Series(), settings={"model.codebook_size": 512}).setting("codebook_size")
        512.0
        """
        ends = {key.rpartition(".")[2].lower(): value for key, value in self.settings.items()}
        for key in keys:
            value = ends.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
        return None

    @property
    def pairs(self) -> tuple[str, ...]:
        """Endings of the adversarial pairs: `('',)` for one, `('_a', '_b')` for two."""
        found = {m[1] or "" for name in self.series if (m := _PAIR.match(name))}
        generators = {
            name.partition("/")[0].removeprefix("generator")
            for name in self.series
            if name.startswith("generator")
        }
        return tuple(sorted(found or generators))

    @property
    def is_game(self) -> bool:
        """Whether a player of a game has a series: a generator plays, though its rival is not
        logged."""
        return any(name.startswith(("discriminator", "generator")) for name in self.series)

    def get(self, name: str) -> Column | None:
        """Find a series.

        Args:
            name: Name `player/quantity`.

        Returns:
            Column of it; None where it was not logged.

        >>> TrainingRecord(Series()).get("model/loss") is None
        True
        """
        return self.series.columns.get(name)

    def loss_of(self, player: str) -> Column | None:
        """Find the loss that a player has in the game: its adversarial part, where it has one.

        Args:
            player: Player, such as `generator_a`.

        Returns:
            Column of it; None where it was not logged.
        """
        part = self.get(f"{player}/adversarial")
        return part if part is not None else self.get(f"{player}/loss")

    def has_other_terms(self, player: str) -> bool:
        """Whether a player's loss has terms beside the game's, and these are not told apart.

        Args:
            player: Player, such as `generator`.

        Returns:
            True where its loss is a sum of which the adversarial part is not logged.

        >>> TrainingRecord(Series()).has_other_terms("generator")
        False
        """
        if self.get(f"{player}/adversarial") is not None:
            return False
        parts = ("reconstruction", "cycle", "identity", "perceptual", "feature_matching", "kl")
        return any(f"{player}/{part}" in self.series for part in parts)

    def losses(self) -> Iterator[tuple[str, Column]]:
        """Iterate over the series that players minimise, or parts of it.

        Yields:
            Name and column.

        >>> list(TrainingRecord(Series()).losses())
        []
        """
        for name, column in self.series.columns.items():
            quantity = name.rpartition("/")[2]
            if quantity in _MINIMISED or quantity.startswith("loss"):
                yield name, column


_MINIMISED = frozenset(
    [
        "loss",
        "adversarial",
        "reconstruction",
        "kl",
        "cycle",
        "identity",
        "perceptual",
        "feature_matching",
        "penalty",
    ]
)


def tail(column: Column, share: float, fewest: int = 1) -> Floats:
    """Take the last values of a column.

    Args:
        column: Column of n values.
        share: Share of the values.
        fewest: Number of values that are taken at least, as far as there are so many.

    Returns:
        Values [max(fewest, share·n)].
    """
    count = min(len(column.values), max(fewest, round(share * len(column.values))))
    return column.values[len(column.values) - count :]


def lasting_from(holds: Bools, allowed: float = 0.2) -> int | None:
    """Find where a condition begins to hold until the end.

    Args:
        holds: Whether it holds [n], in the order of steps.
        allowed: Share of the rows from there on that may be exceptions.

    Returns:
        First index from which on it holds for all but the allowed share; None where it does not
        hold at the end.

    >>> lasting_from(np.array([False, True, False, False, True, True, True]), allowed=0.0)
    4
    """
    n = len(holds)
    if not n or not holds[-max(1, n // 20) :].any():
        return None
    share = np.cumsum(holds[::-1])[::-1] / np.arange(n, 0, -1)
    fits = np.flatnonzero((share >= 1 - allowed) & holds)
    return int(fits[0]) if len(fits) else None


def smoothed(values: Floats, width: int) -> Floats:
    """Compute running medians, which leave single values out.

    Args:
        values: Values [n].
        width: Number of values in a window, odd.

    Returns:
        Medians [n]; windows at the ends are cut.
    """
    half = width // 2
    if half < 1 or len(values) <= 2:
        return values
    padded = np.pad(values, half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    medians: Floats = np.median(windows, axis=1)
    return medians


def thinned(column: Column, most: int = 2_000) -> Column:
    """Average a column over blocks of rows, so that its size is bounded.

    Args:
        column: Column of n values.
        most: Number of blocks at most.

    Returns:
        Column of the last step and the mean of each block; the column itself where it is short.
    """
    n = len(column.values)
    if n <= most:
        return column
    edges = np.linspace(0, n, most + 1).astype(np.int64)
    there = np.isfinite(column.values)
    sums = np.add.reduceat(np.where(there, column.values, 0.0), edges[:-1])
    counts = np.add.reduceat(there.astype(np.float64), edges[:-1])
    means = np.full(most, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return Column(column.steps[edges[1:] - 1], means, column.clock[edges[1:] - 1])


def finite(column: Column) -> Column:
    """Keep the finite values of a column.

    Args:
        column: Column of n values.

    Returns:
        Column of those that are finite.
    """
    there = np.isfinite(column.values)
    if there.all():
        return column
    return Column(column.steps[there], column.values[there], column.clock[there])


def common(first: Column, second: Column) -> tuple[Ints, Floats, Floats]:
    """Read two columns at the steps that both have.

    Args:
        first: Column.
        second: Column.

    Returns:
        Steps [k] and the values [k] of each, finite ones alone.
    """
    if np.array_equal(first.steps, second.steps):
        steps, left, right = first.steps, first.values, second.values
    else:
        steps, a, b = np.intersect1d(first.steps, second.steps, return_indices=True)
        left, right = first.values[a], second.values[b]
    there = np.isfinite(left) & np.isfinite(right)
    return steps[there], left[there], right[there]
