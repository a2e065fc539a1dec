"""Runs in the SQLite database of MLflow, read without ever writing beside it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import copysign, inf, nan
from pathlib import Path
from typing import ClassVar

from dlcc.errors import RunError
from dlcc.runs.formats.log_config import scalar_of
from dlcc.runs.formats.mlflow_points import MOST_POINTS, Points, table_of
from dlcc.runs.formats.quoting import listed, one_line, short
from dlcc.runs.formats.reader import FoundRecord, Listing, Reader
from dlcc.runs.raw_table import RawTable

_HEAD = b"SQLite format 3\0"
_SECONDS = 8.0
_STEPS_BETWEEN = 100_000  # steps of SQLite's machine between looks at the clock
_LONGEST_VALUE = 1 << 20
_INFINITE = 1.797e308
_MOST_RUNS = 10_000
_TABLES = ("runs", "metrics", "params")
_OF_RUNS = (
    "SELECT run_uuid, name, lifecycle_stage = 'deleted', "
    "EXISTS (SELECT 1 FROM metrics WHERE metrics.run_uuid = runs.run_uuid) FROM runs ORDER BY rowid"
)
_OF_METRICS = (
    "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? ORDER BY rowid"
)


class MlflowDatabase(Reader):
    """Reader of mlflow.db, whatever its name is."""

    title: ClassVar = "MLflow database"
    rank: ClassVar = 15

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if not file.head.startswith(_HEAD):
                continue
            folder = file.path.parent
            try:
                runs = _runs(file.path)
            except RunError:  # said again when it is read
                yield FoundRecord(self, folder, (file.path,))
                continue
            rest = [run.part for run in runs if not run.measured]
            said: tuple[str, ...] = ()
            if rest:
                said = (f"{file.path}: {listed('run', rest)} without metrics: left out",)
            for run in runs:
                if run.measured:
                    yield FoundRecord(self, folder, (file.path,), part=run.part, said=said)
                    said = ()

    def read(self, record: FoundRecord) -> RawTable:
        path = record.files[0]
        run = next((run for run in _runs(path) if run.part == record.part), None)
        if run is None:
            raise RunError(f"{path}: holds no run {record.part}; name another")
        points: dict[str, Points] = {}
        notes: list[str] = []
        wrong = 0
        with _opened(path) as database:
            rows = database.execute(_OF_METRICS, (run.key,))
            for count, row in enumerate(rows):
                if count >= MOST_POINTS:
                    raise RunError(f"{path}: more than {MOST_POINTS:,} values of one run")
                wrong += not _take(points, *row)
            cells = database.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run.key,))
            config = {
                one_line(str(key)): scalar_of(str(value)) for key, value in cells.fetchmany(2_000)
            }
        if wrong:
            notes.append(f"{path}: {wrong:,} values of metrics are no numbers and are left out")
        if path.with_name(f"{path.name}-wal").exists():
            notes.append(
                f"{path}: {path.name}-wal beside it may hold later values, which are not read; "
                "open the store once with MLflow to move them into it"
            )
        return table_of(self.title, record.files, points, config, tuple(notes))


@dataclass(frozen=True)
class _Run:
    """Run in a database."""

    key: object
    part: str
    """Name by which it is shown, unique within the file."""
    measured: bool


def _take(points: dict[str, Points], *row: object) -> bool:
    """Take in a row of the table of metrics; False where it is no number."""
    name, value, timestamp, step, is_nan = row
    if not isinstance(value, int | float) or not isinstance(step, int):
        return False
    number = nan if is_nan else float(value)
    if abs(number) >= _INFINITE:
        number = copysign(inf, number)
    when = float(timestamp) if isinstance(timestamp, int | float) else 0.0
    try:
        points.setdefault(str(name), Points()).add(when, number, step)
    except ValueError:
        return False
    return True


def _runs(path: Path) -> list[_Run]:
    """Runs of a database in the order of their beginnings; none where it is not MLflow's.

    Raises:
        RunError: The database cannot be read.
    """
    with _opened(path) as database:
        schema = database.execute("SELECT name, type, sql FROM sqlite_master").fetchmany(5_000)
        kinds = {name: (kind, str(sql or "")) for name, kind, sql in schema if kind != "index"}
        if not all(name in kinds for name in _TABLES):
            return []
        for name in _TABLES:
            kind, sql = kinds[name]
            if kind != "table" or "VIRTUAL" in sql[:40].upper():
                raise RunError(
                    f"{path}: expected {name} to be a table as MLflow makes it, found a {kind}; "
                    "this is no store of MLflow"
                )
        rows = database.execute(_OF_RUNS).fetchmany(_MOST_RUNS)
    names = [
        one_line(str(name or key)) + (" (deleted)" if deleted else "")
        for key, name, deleted, _ in rows
    ]
    return [
        _Run(
            row[0],
            name if names.count(name) == 1 else f"{name} ({str(row[0])[:8]})",
            bool(row[3]),
        )
        for name, row in zip(names, rows, strict=True)
    ]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading alone, with bounds on time and on sizes.

    Raises:
        RunError: It is damaged, or takes too long; also of what is done within.
    """
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    until = time.monotonic() + _SECONDS
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            database.set_progress_handler(lambda: time.monotonic() > until, _STEPS_BETWEEN)
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            yield database
    except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError) as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise RunError(
            f"{path}: cannot be read as a database of MLflow ({short(reason)}); restore it from a "
            "copy, or export the run with MLflow"
        ) from None
