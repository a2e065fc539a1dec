"""Parquet files of columns, where pyarrow is installed to read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.axis.step_axis import what_counts
from dlcc.runs.files import opened_regular
from dlcc.runs.formats.quoting import listed, one_line, short
from dlcc.runs.formats.reader import FoundRecord, Listing, Reader
from dlcc.runs.raw_table import RawColumn, RawTable
from dlcc.runs.series_format import MAX_COLUMNS

_MARK = b"PAR1"
_MOST_NUMBERS = 50_000_000
_MOST_BYTES = 1 << 30


class Parquet(Reader):
    """Reader of Parquet files, as pandas and experiment trackers export histories."""

    title: ClassVar = "Parquet"
    rank: ClassVar = 16

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if file.head.startswith(_MARK):
                yield FoundRecord(self, file.path.parent, (file.path,))

    def read(self, record: FoundRecord) -> RawTable:
        path = record.files[0]
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise RunError(
                f"{path}: a Parquet file, which takes pyarrow to read: install dlcc[parquet], or "
                "export the history as CSV"
            ) from None
        try:
            with opened_regular(path, RunError) as stream:
                return _table(path, parquet.ParquetFile(stream, page_checksum_verification=True))
        except (pyarrow.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RunError(
                f"{path}: cannot be read as Parquet ({short(reason)}); write it anew from its "
                "source, or export the history as CSV"
            ) from None


def _table(path: Path, file: Any) -> RawTable:
    """Table of the columns of numbers.

    Raises:
        RunError: It is no history, or larger than any.
    """
    fields = {field.name: field for field in file.schema_arrow}
    names = [name for name, field in fields.items() if _is_number(str(field.type))]
    shown = [one_line(name) for name in names]
    if not any(what_counts(name) or "loss" in name.lower() for name in shown):
        raise RunError(
            f"{path}: expected a history, with a column of steps, epochs or a loss; it has "
            f"{listed('column', [one_line(name) for name in fields])}"
        )
    rows = file.metadata.num_rows
    size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
    if rows * len(names) > _MOST_NUMBERS or size > _MOST_BYTES or len(names) > MAX_COLUMNS:
        raise RunError(
            f"{path}: {rows:,} rows of {len(names):,} columns, expected at most {_MOST_NUMBERS:,} "
            "numbers; keep every tenth row, or the columns that are needed"
        )
    content = file.read(columns=names)
    columns = {}
    for name, title in zip(names, shown, strict=True):
        cells = content.column(name)
        there = np.flatnonzero(np.asarray(cells.is_valid()))
        if len(there):
            values = np.asarray(cells.drop_null(), dtype=np.float64)
            columns[title] = RawColumn(there.astype(np.int64), values)
    if not columns:
        raise RunError(f"{path}: no number in {rows:,} rows; expected one at least")
    return RawTable(title=Parquet.title, files=(path,), columns=columns, rows=content.num_rows)


def _is_number(kind: str) -> bool:
    return kind in ("double", "float", "halffloat") or kind.startswith(("int", "uint"))
