"""Series: every quantity that a run logged, with its steps, values and clock."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dlcc.deprecation import warn_renamed
from dlcc.errors import OptionError
from dlcc.runs.hashes import digest_of_parts
from dlcc.typing import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

    from dlcc.runs.run import Run


@dataclass(frozen=True)
class Column:
    """Values of one quantity, as they were logged.

    >>> column = Column.at_every_step(np.array([0.7, 0.5, 0.4]))
    >>> column.steps.tolist()
    [0, 1, 2]
    >>> column.before(2).values.tolist()
    [0.7, 0.5]
    """

    steps: Ints
    """Steps [n], strictly ascending."""
    values: Floats
    """Values [n], in the quantity's unit."""
    clock: Floats
    """Unix time [n] in seconds at which each value was logged; NaN where none was recorded."""

    @classmethod
    def at_every_step(cls, values: Floats) -> Column:
        """Make a column of values that are known at every step from 0 on, without a clock.

        Args:
            values: Values [steps], in the quantity's unit.

        Returns:
            Column with the steps 0, 1, 2, ... and a clock of NaN.
        """
        return cls(np.arange(len(values)), values, np.full(len(values), np.nan))

    def before(self, step: int) -> Column:
        """Cut the column before a step.

        Args:
            step: First step that is left out.

        Returns:
            Column of the rows with `steps < step`, on the same memory.
        """
        end = int(np.searchsorted(self.steps, step))
        return Column(self.steps[:end], self.values[:end], self.clock[:end])


@dataclass(frozen=True)
class Series(Mapping[str, Column]):
    """Quantities of a run, up to some step: a mapping of `player/quantity` to its `Column`.

    >>> series = Series.from_start({"generator/loss": np.array([0.7, 0.5, 0.4])})
    >>> series["generator/loss"].values.tolist(), series.recorded
    ([0.7, 0.5, 0.4], 3)
    >>> [(name, len(column.steps)) for name, column in series.items()]
    [('generator/loss', 3)]
    >>> series.before(2).recorded
    2
    >>> series.digest() == series.before(None).digest()
    True
    """

    absent: ClassVar = "the run logged no series"

    columns: Mapping[str, Column] = field(default_factory=dict)
    """Quantities that were logged at least once."""
    restarts: tuple[int, ...] = ()
    """First steps that later recording sessions logged."""
    rewinds: tuple[tuple[int, int], ...] = ()
    """Rewinds (from, to): the training went back from step `from` to log step `to` again."""
    torn: bool = False
    """Whether a file ended in a block or a line that a kill cut off, which was ignored."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Series | None:
        """Read the series of a run, as stages get them.

        Args:
            run: Run to read.
            until: Step before which rows are read (`step < until`); None for all rows.

        Returns:
            Series with names in order and read-only arrays; None where the run logged nothing.

        Raises:
            SeriesError: A series file is damaged.

        >>> from dlcc.runs import Run
        >>> Series.of(Run.open("runs/digits-collapsed"), until=600)
        <Series of 23 quantities, 600 steps>
        """
        read = run.series(until=until)
        if not read.columns:
            return None
        columns = dict(sorted(read.columns.items()))
        for column in columns.values():
            for array in (column.steps, column.values, column.clock):
                array.flags.writeable = False
        return cls(columns, tuple(read.restarts), tuple(read.rewinds), read.torn)

    @classmethod
    def from_start(cls, quantities: Mapping[str, Floats]) -> Series:
        """Make series of quantities that are known at every step from 0 on.

        Args:
            quantities: `player/quantity` to its values [steps].

        Returns:
            Series without clocks, restarts and rewinds.
        """
        return cls({name: Column.at_every_step(values) for name, values in quantities.items()})

    def __getitem__(self, name: str) -> Column:
        if name in self.columns:
            return self.columns[name]
        near = difflib.get_close_matches(name, self.columns, n=1) or [*self.columns][:4]
        raise KeyError(f"no quantity {name!r} was logged; there is {', '.join(near) or 'none'}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __repr__(self) -> str:
        return f"<Series of {len(self.columns)} quantities, {self.recorded:,} steps>"

    def _repr_html_(self) -> str:
        """Charts of the first quantities, for notebooks."""
        from dlcc.runs.notebook_view import series_html

        return series_html(self.columns)

    @property
    def rows(self) -> int:
        """Number of times that the quantity that was logged most often was logged."""
        return max((len(column.steps) for column in self.columns.values()), default=0)

    @property
    def recorded(self) -> int:
        """Number of steps that the record has: one more than the last that was logged."""
        return max((int(column.steps[-1]) + 1 for column in self.columns.values()), default=0)

    def before(self, step: int | None) -> Series:
        """Cut the series before a step.

        Args:
            step: First step that is left out; None to leave out nothing.

        Returns:
            Series as they would have been read before that step.
        """
        if step is None:
            return self
        cut = {name: column.before(step) for name, column in self.columns.items()}
        return Series(
            {name: column for name, column in cut.items() if len(column.steps)},
            tuple(first for first in self.restarts if first < step),
            tuple(rewind for rewind in self.rewinds if rewind[0] < step),
            self.torn,
        )

    def to_pandas(self) -> pd.DataFrame:
        """Convert to a table of all quantities, NaN where one was not logged.

        Returns:
            A frame with the steps as its index and a column a quantity.

        Raises:
            OptionError: pandas is not installed.

        >>> series = Series.from_start({"generator/loss": np.array([0.7, 0.5])})
        >>> series.to_pandas()["generator/loss"].to_dict()
        {0: 0.7, 1: 0.5}
        """
        try:
            import pandas as pd
        except ImportError:
            raise OptionError(
                "to_pandas needs pandas; install it with: pip install pandas"
            ) from None
        columns = {
            name: pd.Series(column.values, index=column.steps)
            for name, column in self.columns.items()
        }
        return pd.DataFrame(columns).rename_axis("step")

    def digest(self) -> str:
        """Hash all that a stage could read in the series.

        Returns:
            Hash of 32 hexadecimal digits, the same for equal content.
        """
        parts: list[bytes | str] = [repr((self.restarts, self.rewinds, self.torn))]
        for name, column in self.columns.items():
            parts += [name, *(a.tobytes() for a in (column.steps, column.values, column.clock))]
        return digest_of_parts(*parts)


def __getattr__(name: str) -> Any:
    if name == "SeriesTable":  # before 0.2, in formats of other packages
        warn_renamed(__name__, name, "Series")
        return Series
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def by_quantity(
    columns: Mapping[str, Column], first: Sequence[str] = ()
) -> dict[str, dict[str, Column]]:
    """Group columns `player/quantity` by quantity, then player; those without a finite value are
    left out.

    Args:
        columns: Columns by name.
        first: Quantities that come first, in this order; the others follow by name.

    >>> one = Column.at_every_step(np.ones(2))
    >>> columns = {"g/norm": one, "g/loss": one, "d/loss": one}
    >>> {quantity: [*of] for quantity, of in by_quantity(columns, ["loss"]).items()}
    {'loss': ['g', 'd'], 'norm': ['g']}
    """
    groups: dict[str, dict[str, Column]] = {}
    for name, column in columns.items():
        player, _, quantity = name.rpartition("/")
        if np.isfinite(column.values).any():
            groups.setdefault(quantity, {})[player] = column
    places = {quantity: place for place, quantity in enumerate(first)}
    ordered = sorted(groups, key=lambda quantity: (places.get(quantity, len(places)), quantity))
    return {quantity: groups[quantity] for quantity in ordered}
