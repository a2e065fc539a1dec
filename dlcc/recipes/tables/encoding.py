"""Encoding of table rows for networks: normal scores of measurements, and a class one-hot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from dlcc.recipes.tables.data import Table


@dataclass(frozen=True)
class Encoding:
    """Encoding of a table's rows; measurements keep their order, so that ranks come back.

    >>> from dlcc.recipes.tables.data import load_table
    >>> table = load_table("wine")
    >>> encoding = Encoding.of(table)
    >>> coded = encoding.encode(table.rows)
    >>> coded.shape, bool(np.allclose(encoding.decode(coded), table.rows, rtol=1e-4))
    ((178, 16), True)
    """

    quantiles: NDArray[np.float64]
    """Measurements in ascending order, column by column, [n, d - 1]."""
    classes: int
    """Number of classes."""

    @classmethod
    def of(cls, table: Table) -> Encoding:
        """Make the encoding of a table."""
        return cls(np.sort(table.measured, axis=0), table.number)

    @property
    def width(self) -> int:
        """Number of values of an encoded row."""
        return int(self.quantiles.shape[1]) + self.classes

    @property
    def _shares(self) -> NDArray[np.float64]:
        """Shares of rows below each quantile, [n]."""
        return (np.arange(len(self.quantiles)) + 0.5) / len(self.quantiles)

    def encode(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Encode rows [n, d] to [n, width]."""
        columns = [
            ndtri(np.interp(column, quantiles, self._shares))
            for column, quantiles in zip(rows[:, :-1].T, self.quantiles.T, strict=True)
        ]
        one_hot = np.eye(self.classes)[rows[:, -1].astype(np.int64)]
        return np.column_stack([*columns, one_hot]).astype(np.float32)

    def decode(self, coded: NDArray[np.float32]) -> NDArray[np.float64]:
        """Decode [n, width] to rows [n, d]; the class is that of the largest value."""
        scores, one_hot = np.split(coded.astype(np.float64), [self.quantiles.shape[1]], axis=1)
        columns = [
            np.interp(ndtr(column), self._shares, quantiles)
            for column, quantiles in zip(scores.T, self.quantiles.T, strict=True)
        ]
        return np.column_stack([*columns, one_hot.argmax(axis=1)])
