"""Rows come back exactly; damage is refused; a torn tail is not damage; rewinds supersede."""

from __future__ import annotations

import math
import os
import struct
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.errors import SeriesError
from dlcc.runs import Recorder, Run
from dlcc.runs.series_format import encode_file_header
from dlcc.runs.series_reader import read_series_file
from tests.conftest import unlisted

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, width=64)


def bits(values: object) -> bytes:
    return np.asarray(values, dtype=np.float64).tobytes()


def record(path: Path, steps: list[int], name: str = "model/loss") -> None:
    with Recorder(path) as recorder:
        for step in steps:
            recorder.log(step, {name: float(step)})


def series_file(path: Path) -> Path:
    return path / "series" / "000.series"


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 2**40), st.booleans(), ANY_FLOAT, ANY_FLOAT), max_size=40
    )
)
def test_round_trip_is_exact(rows: list[tuple[int, bool, float, float]]) -> None:
    expected: dict[str, list[tuple[int, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        step = -1
        with Recorder(Path(folder) / "run") as recorder:
            for gap, both, a, b in rows:
                step += gap
                values = {"model/a": a, "model/b": b} if both else {"model/b": b}
                recorder.log(step, values)
                for name, value in values.items():
                    expected.setdefault(name, []).append((step, value))
        columns = Run.open(Path(folder) / "run").series().columns
    assert columns.keys() == expected.keys()
    for name, pairs in expected.items():
        assert columns[name].steps.tolist() == [step for step, _ in pairs]
        assert bits(columns[name].values) == bits([value for _, value in pairs])


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.integers(0, 12), min_size=1, max_size=30))
def test_kept_rows_follow_the_rule(steps: list[int]) -> None:
    """Row i is kept iff its step is below all later ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        with Recorder(path) as recorder:
            for row, step in enumerate(steps):
                recorder.log(step, {"model/row": float(row)})
        column = Run.open(path).series().columns["model/row"]
    kept = [i for i, s in enumerate(steps) if all(s < later for later in steps[i + 1 :])]
    assert column.values.tolist() == kept
    assert column.steps.tolist() == [steps[i] for i in kept]


def test_special_values(tmp_path: Path) -> None:
    values = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
    with Recorder(tmp_path / "run") as recorder:
        for step, value in enumerate(values):
            recorder.log(step, {"model/x": value})
    assert bits(Run.open(tmp_path / "run").series().columns["model/x"].values) == bits(values)


def test_many_blocks_and_clock(tmp_path: Path) -> None:
    record(tmp_path / "run", list(range(20_000)))
    file = read_series_file(series_file(tmp_path / "run"))
    assert len(file.blocks) >= 3
    assert not file.torn
    assert np.all(np.diff(file.clock) >= 0)
    column = Run.open(tmp_path / "run").series().columns["model/loss"]
    assert np.array_equal(column.values, np.arange(20_000))


def test_until(tmp_path: Path) -> None:
    record(tmp_path / "run", [0, 5, 10, 15])
    run = Run.open(tmp_path / "run")
    assert run.series(until=10).columns["model/loss"].steps.tolist() == [0, 5]
    assert run.series(until=0).columns == {}


def test_names_in_another_order_share_a_file(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, {"model/a": 1.0, "model/b": 2.0})
        recorder.log(1, {"model/b": 4.0, "model/a": 3.0})
    columns = Run.open(tmp_path / "run").series().columns
    assert columns["model/a"].values.tolist() == [1, 3]
    assert columns["model/b"].values.tolist() == [2, 4]
    assert len(list((tmp_path / "run" / "series").iterdir())) == 1


def test_a_quantity_logged_in_two_sets_is_one_column(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run") as recorder:
        for step in range(6):
            values = {"model/a": float(step)}
            recorder.log(step, values | ({"model/b": 1.0} if step % 2 else {}))
    columns = Run.open(tmp_path / "run").series().columns
    assert columns["model/a"].steps.tolist() == list(range(6))
    assert columns["model/b"].steps.tolist() == [1, 3, 5]


def test_a_rewind_reaches_quantities_that_are_not_logged_again(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run") as recorder:
        for step in range(10):
            recorder.log(step, {"model/loss": float(step)})
            if step in (3, 6):
                recorder.log(step, {"model/rare": float(step)})
        recorder.log(5, {"model/loss": 50.0})
        recorder.log(6, {"model/loss": 60.0})
    table = Run.open(tmp_path / "run").series()
    assert table.columns["model/loss"].values.tolist() == [0, 1, 2, 3, 4, 50, 60]
    assert table.columns["model/rare"].steps.tolist() == [3]
    assert table.rewinds == ((9, 5),)
    assert table.restarts == ()


def test_late_rare_quantities_are_no_rewind(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run") as recorder:
        for step in range(10):
            recorder.log(step, {"model/loss": float(step)})
        recorder.log(4, {"evaluation/fid": 1.0})
    table = Run.open(tmp_path / "run").series()
    assert len(table.columns["model/loss"].steps) == 10
    assert table.rewinds == ()


def test_restarts(tmp_path: Path) -> None:
    record(tmp_path / "run", [0, 1, 2, 3])
    record(tmp_path / "run", [4, 5])
    record(tmp_path / "run", [3, 4])
    table = Run.open(tmp_path / "run").series()
    assert table.columns["model/loss"].steps.tolist() == [0, 1, 2, 3, 4]
    assert table.restarts == (4, 3)
    assert table.rewinds == ((5, 3),)
    assert Run.open(tmp_path / "run").series(until=4).rewinds == ()


@pytest.mark.parametrize("cut", [1, 7, 20, 47, 48, 60])
def test_a_torn_tail_is_ignored_reported_and_dropped(tmp_path: Path, cut: int) -> None:
    record(tmp_path / "run", [0, 1, 2])
    intact = series_file(tmp_path / "run").stat().st_size
    record(tmp_path / "run", [3, 4])  # one further block: 48 + 2 · 20 bytes
    path = series_file(tmp_path / "run")
    with path.open("r+b") as file:
        file.truncate(intact + cut)
    table = Run.open(tmp_path / "run").series()
    assert table.torn
    assert table.columns["model/loss"].steps.tolist() == [0, 1, 2]
    record(tmp_path / "run", [3])
    table = Run.open(tmp_path / "run").series()
    assert not table.torn
    assert table.columns["model/loss"].steps.tolist() == [0, 1, 2, 3]


def test_zeros_at_the_end_are_a_torn_tail(tmp_path: Path) -> None:
    """A file system may have lengthened a file before a power cut and not filled it."""
    record(tmp_path / "run", [0, 1])
    with series_file(tmp_path / "run").open("ab") as file:
        file.write(bytes(500))
    table = Run.open(tmp_path / "run").series()
    assert table.torn
    assert table.columns["model/loss"].steps.tolist() == [0, 1]


def test_any_flipped_bit_is_refused_or_a_torn_tail(tmp_path: Path) -> None:
    for steps in ([0, 1, 2], [3, 4], [5]):
        record(tmp_path / "run", steps)
    path = series_file(tmp_path / "run")
    data = path.read_bytes()
    last_rows = len(data) - 20
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        if position >= last_rows:
            assert read_series_file(path).torn
            assert read_series_file(path).steps.tolist() == [0, 1, 2, 3, 4]
        else:
            with pytest.raises(SeriesError, match=r"000\.series"):
                read_series_file(path)


def test_a_missing_block_is_refused(tmp_path: Path) -> None:
    for steps in ([0, 1], [2, 3], [4]):
        record(tmp_path / "run", steps)
    path = series_file(tmp_path / "run")
    data = path.read_bytes()
    block = 48 + 2 * 20
    header = len(encode_file_header(["model/loss"]))
    path.write_bytes(data[:header] + data[header + block :])
    with pytest.raises(SeriesError, match=r"expected block 0 .* found 1"):
        read_series_file(path)


def test_a_later_version_says_so(tmp_path: Path) -> None:
    record(tmp_path / "run", [0])
    path = series_file(tmp_path / "run")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 8, 2)
    path.write_bytes(data)
    with pytest.raises(SeriesError, match=r"version 2.*update dlcc"):
        read_series_file(path)


def test_something_else_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "run", [0])
    for content in (b"", b"DLCCSER\n", b"step,loss\n0,1\n" * 10):
        series_file(tmp_path / "run").write_bytes(content)
        with pytest.raises(SeriesError, match=r"000\.series: differs from what was recorded"):
            Run.open(tmp_path / "run").series()
    unlisted(tmp_path / "run")
    for content in (b"", b"DLCCSER\n", b"step,loss\n0,1\n" * 10):
        series_file(tmp_path / "run").write_bytes(content)
        with pytest.raises(SeriesError, match="not one, or it is cut"):
            Run.open(tmp_path / "run").series()


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_a_file_that_grows_while_it_is_read_is_read_as_far_as_it_was(
    blocks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder writes a block between a reader's look at the size and its reading."""
    sizes = [len(encode_file_header(["model/loss"]))]
    for first, count in ((0, 1), (1, 3), (4, 2)):  # a session a block
        record(tmp_path, list(range(first, first + count)))
        sizes.append(series_file(tmp_path).stat().st_size)
    path = series_file(tmp_path)
    then = SimpleNamespace(st_size=sizes[blocks], st_mode=path.stat().st_mode)
    monkeypatch.setattr(os, "fstat", lambda descriptor: then)
    read = read_series_file(path)
    assert len(read.steps) == [0, 1, 4][blocks]
    assert sum(block.rows for block in read.blocks) == len(read.steps)
    assert not read.torn
