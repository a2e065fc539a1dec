"""Databases of MLflow, with the tables that MLflow 3.17 makes."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import DlccError, RunError
from dlcc.runs.formats import open_path
from dlcc.runs.formats.discovery import find_runs

SCHEMA = """
CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), status VARCHAR(9),
    lifecycle_stage VARCHAR(20), experiment_id INTEGER, CONSTRAINT run_pk PRIMARY KEY (run_uuid));
CREATE TABLE metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN NOT NULL,
    CONSTRAINT metric_pk PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE TABLE params (key VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32));
"""
LARGEST = 1.7976931348623157e308


def store(folder: Path, schema: str = SCHEMA, rows: int = 40) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mlflow.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(schema)
        for key, name in (("a1", "first"), ("b2", "second"), ("c3", "empty")):
            database.execute("INSERT INTO runs VALUES (?, ?, 'FINISHED', 'active', 1)", (key, name))
        for key, count in (("a1", rows), ("b2", 5)):
            for step in range(count):
                for metric, value in (("d_loss", 1 / (step + 1)), ("g_loss", step / 4)):
                    database.execute(
                        "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)",
                        (metric, value, 1000 * step, key, 10 * step),
                    )
        for step, (value, is_nan) in enumerate([(0.0, 1), (LARGEST, 0), (-LARGEST, 0), (2.5, 0)]):
            database.execute(
                "INSERT INTO metrics VALUES ('odd', ?, ?, 'a1', ?, ?)",
                (value, 1000 * step, 10 * step, is_nan),
            )
        database.execute("INSERT INTO params VALUES ('loss', 'hinge', 'a1')")
    return path


def test_values_of_each_run(tmp_path: Path) -> None:
    path = store(tmp_path)
    before = path.read_bytes()
    found = find_runs(tmp_path)
    assert found.names == ("first", "second")
    assert "run empty without metrics" in found.notes[0]
    table = found.records[0].read()
    assert table.steps is not None
    assert table.steps.tolist() == [10 * s for s in range(40)]
    assert table.dense("d_loss").tolist() == [1 / (s + 1) for s in range(40)]
    odd = table.columns["odd"].values
    assert np.isnan(odd[0])
    assert odd[1:].tolist() == [np.inf, -np.inf, 2.5]
    assert dict(table.config) == {"loss": "hinge"}
    assert found.records[1].read().rows == 5
    assert open_path(tmp_path, {}).manifest.name == "first"
    assert open_path(tmp_path, {}, "second").manifest.name == "second"
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mlflow.db"]


def test_runs_of_one_name_get_their_ids(tmp_path: Path) -> None:
    path = store(tmp_path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE runs SET name = 'same'")
    assert find_runs(tmp_path).names == ("same (a1)", "same (b2)")


def test_a_log_that_was_left_is_named(tmp_path: Path) -> None:
    path = store(tmp_path)
    path.with_name("mlflow.db-wal").write_bytes(b"x" * 100)
    assert "mlflow.db-wal beside it" in find_runs(tmp_path).records[0].read().notes[0]


def test_a_file_that_only_begins_like_a_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"\x07" * 5000)
    (record,) = find_runs(tmp_path).records
    with pytest.raises(RunError, match="cannot be read as a database of MLflow"):
        record.read()


def test_a_database_of_something_else_is_no_record(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as database, database:
        database.execute("CREATE TABLE runs (a)")
    assert not find_runs(tmp_path).records


@pytest.mark.parametrize(
    "metrics",
    [
        "CREATE VIEW metrics AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        "SELECT x AS key, x AS value, x AS timestamp, 'a1' AS run_uuid, x AS step, 0 AS is_nan "
        "FROM c",
        "CREATE VIRTUAL TABLE metrics USING fts5(key, value, timestamp, run_uuid, step, is_nan)",
        "CREATE TABLE metrics (other)",
    ],
)
def test_hostile_schemas(tmp_path: Path, metrics: str) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(
            "CREATE TABLE runs (run_uuid, name, lifecycle_stage); CREATE TABLE params (key);"
            f"INSERT INTO runs VALUES ('a1', 'x', 'active'); {metrics}"
        )
    begun = time.monotonic()
    (record,) = find_runs(tmp_path).records
    with pytest.raises(RunError, match=r"mlflow\.db"):
        record.read()
    assert time.monotonic() - begun < 5


def test_cells_of_other_types(tmp_path: Path) -> None:
    path = store(tmp_path)
    with closing(sqlite3.connect(path)) as database, database:
        for value, step in (("text", 1), (b"\x00blob", 2), (1.0, "x"), (1.0, -4), (3.5, 7)):
            database.execute(
                "INSERT INTO metrics VALUES ('mixed', ?, 0, 'a1', ?, 0)", (value, step)
            )
    table = find_runs(tmp_path).records[0].read()
    assert table.columns["mixed"].values.tolist() == [3.5]
    assert "4 values of metrics are no numbers" in table.notes[0]


def test_cut_anywhere_and_flipped_bits(tmp_path: Path) -> None:
    path = store(tmp_path, rows=300)
    whole = path.read_bytes()
    rng = random.Random(0)
    for number in range(40):
        at = rng.randrange(100, len(whole))
        data = bytearray(whole)
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(whole[:at] if number % 2 else data)
        for record in find_runs(tmp_path).records:
            try:
                record.read()
            except DlccError as error:
                assert str(path) in str(error)  # noqa: PT017  # not all damage is an error
