"""Tables that scikit-learn ships: measurements, and the class of each row as the last column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DATA = ("wine", "breast_cancer")
"""Names of the tables."""


@dataclass(frozen=True)
class Table:
    """Table of n rows and d columns, of which the last holds a class."""

    rows: NDArray[np.float64]
    """Rows [n, d]."""

    @property
    def measured(self) -> NDArray[np.float64]:
        """Columns that are measurements, [n, d - 1]."""
        return self.rows[:, :-1]

    @property
    def classes(self) -> NDArray[np.int64]:
        """Class of each row, 0, 1, ... [n]."""
        return self.rows[:, -1].astype(np.int64)

    @property
    def number(self) -> int:
        """Number of classes."""
        return int(self.classes.max()) + 1


@lru_cache(maxsize=len(DATA))
def load_table(name: str) -> Table:
    """Load a table by its name, one of `DATA`.

    >>> table = load_table("wine")
    >>> table.rows.shape, table.number
    ((178, 14), 3)
    """
    from sklearn import datasets  # slow to import

    loaded = getattr(datasets, f"load_{name}")()
    return Table(np.column_stack([loaded.data, loaded.target]).astype(np.float64))
