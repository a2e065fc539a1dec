"""Parquet files of histories."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dlcc.errors import RunError
from dlcc.runs.formats import open_path
from dlcc.runs.formats.discovery import find_runs


def leave(folder: Path, **columns: object) -> Path:
    path = folder / "history"
    parquet.write_table(pa.table(columns), path)
    return path


def losses(count: int = 300) -> dict[str, object]:
    cells = [None if i % 3 else 1 / (i + 1) for i in range(count)]
    cells[0] = float("nan")
    return {
        "_step": list(range(count)),
        "d_loss": cells,
        "g_loss": pa.array([i / 4 for i in range(count)], type=pa.float32()),
        "note": ["text"] * count,
    }


def test_equals_what_was_written(tmp_path: Path) -> None:
    leave(tmp_path, **losses())
    table = find_runs(tmp_path).records[0].read()
    assert list(table.columns) == ["_step", "d_loss", "g_loss"]
    assert table.columns["d_loss"].rows.tolist() == list(range(0, 300, 3))
    assert np.isnan(table.columns["d_loss"].values[0])
    assert table.columns["d_loss"].values[1:].tolist() == [1 / (i + 1) for i in range(3, 300, 3)]
    assert table.dense("g_loss").tolist() == [i / 4 for i in range(300)]
    assert set(open_path(tmp_path, {}).series(None).columns) == {
        "discriminator/loss",
        "generator/loss",
    }


def test_without_pyarrow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path, **losses())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RunError, match=r"install dlcc\[parquet\], or export the history as CSV"):
        open_path(tmp_path, {})


def test_a_data_set_is_no_history(tmp_path: Path) -> None:
    leave(tmp_path, label=[1, 2, 3], text=["a", "b", "c"])
    with pytest.raises(RunError, match="expected a history"):
        open_path(tmp_path, {})


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    path = leave(tmp_path, **losses())
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(20):
        path.write_bytes(whole[: rng.randrange(4, len(whole))])
        with pytest.raises(RunError, match="cannot be read as Parquet"):
            open_path(tmp_path, {})


def test_flipped_bits_of_pages_with_checksums(tmp_path: Path) -> None:
    path = leave(tmp_path, **losses(3000))
    parquet.write_table(parquet.read_table(path), path, write_page_checksum=True)
    expected = find_runs(tmp_path).records[0].read().dense("g_loss")
    whole = path.read_bytes()
    rng = random.Random(1)
    for _ in range(20):
        data = bytearray(whole)
        data[rng.randrange(4, len(whole) // 2)] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        try:
            table = find_runs(tmp_path).records[0].read()
        except RunError:
            continue
        assert np.array_equal(table.dense("g_loss"), expected)
