"""Features of table rows: each column by its ranks in the data, categories, and products of pairs.

Columns of a table have units of their own and long tails, and what a generator of tables gets wrong
is often how two columns go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dlcc.typing import Floats, Rows

_MOST_PAIRS = 300
_MOST_CATEGORIES = 30  # of a column; rarer ones are one
_QUANTILES = 1_000


@dataclass(frozen=True)
class TableColumns:
    """Features of rows [n, d]: normal scores of numbers, indicators of categories, pairs' products.

    >>> rng = np.random.default_rng(0)
    >>> rows = np.column_stack([np.exp(rng.normal(size=50)), rng.integers(0, 3, 50)])
    >>> features = TableColumns.of(rows, categorical=[1])
    >>> features(rows[:4]).shape
    (4, 4)
    """

    quantiles: Floats
    """Quantiles of the numeric columns in the data, [quantiles, numeric columns]."""
    numeric: tuple[int, ...]
    """Numeric columns."""
    categories: tuple[tuple[int, tuple[float, ...]], ...]
    """Columns of categories, each with the values that have an indicator."""
    name: str = "normal scores of columns and products of pairs"
    """Name that reports show."""

    @classmethod
    def of(cls, reference: Rows, categorical: Sequence[int] = ()) -> TableColumns:
        """Make the features for tables like a reference.

        Args:
            reference: Rows [n, d], finite.
            categorical: Numbers of the columns that hold categories, from 0.

        Returns:
            Features.
        """
        table = np.asarray(reference, dtype=np.float64)
        numeric = tuple(k for k in range(table.shape[1]) if k not in set(categorical))
        categories = []
        for column in categorical:
            values, counts = np.unique(table[:, column], return_counts=True)
            common = values[np.argsort(-counts, kind="stable")][:_MOST_CATEGORIES]
            categories.append((int(column), tuple(np.sort(common).tolist())))
        at = np.linspace(0, 1, min(_QUANTILES, len(table)))
        quantiles = np.quantile(table[:, numeric], at, axis=0)
        named = ", ".join(str(column) for column, _ in categories) or "none"
        name = f"normal scores of columns and products of pairs; columns of categories: {named}"
        return cls(quantiles, numeric, tuple(categories), name)

    def __call__(self, rows: Rows) -> Floats:
        """Compute features.

        Args:
            rows: Rows [n, d], finite.

        Returns:
            Features [n, k]: numbers, categories, then products of pairs of numbers.
        """
        from scipy.special import ndtri  # slow to import

        table = np.asarray(rows, dtype=np.float64)
        at = np.linspace(0, 1, len(self.quantiles))
        scores = np.empty((len(table), len(self.numeric)))
        for k, column in enumerate(self.numeric):
            known = self.quantiles[:, k]
            below = np.interp(table[:, column], known, at)
            scores[:, k] = ndtri(np.clip(below, 0.5 / len(at), 1 - 0.5 / len(at)))
            spread = max(float(np.ptp(known)), 1e-12)  # outside of the data: as far as it lies out
            outside = np.clip(table[:, column] - known[-1], 0, None)
            outside -= np.clip(known[0] - table[:, column], 0, None)
            scores[:, k] += np.clip(outside / spread, -1e3, 1e3) * 4
        indicators = [
            table[:, column, None] == np.array(values) for column, values in self.categories
        ]
        pairs = list(combinations(range(len(self.numeric)), 2))[:_MOST_PAIRS]
        products = [scores[:, i] * scores[:, j] for i, j in pairs]
        return np.column_stack([scores, *indicators, *products]).astype(np.float64)
