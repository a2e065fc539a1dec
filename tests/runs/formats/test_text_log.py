"""Text logs of any tool: rows, sessions, configuration, damage."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import RunError
from dlcc.runs import Run
from dlcc.runs.formats.reader import FoundRecord
from dlcc.runs.formats.text_log import TextLog
from dlcc.runs.raw_table import RawTable


def read(tmp_path: Path, text: str | bytes) -> RawTable:
    path = tmp_path / "train.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    reader = TextLog()
    return reader.read(FoundRecord(reader, tmp_path, (path,)))


def column(table: RawTable, name: str) -> list[float]:
    return table.columns[name].values.tolist()


def test_rows_of_several_lines(tmp_path: Path) -> None:
    text = "".join(
        f"---\n| step | {i} |\n| loss | {i}.5 |\n| mse  | 0.{i} |\n" for i in range(1, 6)
    )
    table = read(tmp_path, text)
    assert table.rows == 5
    assert column(table, "loss") == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert table.columns["mse"].rows.tolist() == [0, 1, 2, 3, 4]


def test_metrics_between_the_rows_belong_to_the_row_before(tmp_path: Path) -> None:
    rows = [f"iter {i} d_loss 0.{i:02d} g_loss 1.{i:02d}\n" for i in range(40)]
    for at in (30, 20, 10):
        rows.insert(at, f"FID: {at}.25\n")
    table = read(tmp_path, "Namespace(lr=0.0002, loss='hinge')\n" + "".join(rows))
    assert table.rows == 40
    assert table.columns["FID"].rows.tolist() == [9, 19, 29]
    assert table.config["loss"] == "hinge"
    assert table.config["lr"] == 0.0002


def test_headers_of_epochs_are_rows_of_what_follows(tmp_path: Path) -> None:
    text = "".join(
        f"Epoch: {e}\n" + "".join(f"  loss: {e}.{b} acc: 0.{b}\n" for b in range(4))
        for e in range(5)
    )
    table = read(tmp_path, text)
    assert table.rows == 20
    assert table.columns["Epoch"].rows.tolist() == [0, 4, 8, 12, 16]


def test_banners_and_options_are_no_rows(tmp_path: Path) -> None:
    text = (
        "---- Options ----\n  batch_size: 16   [default: 1]\n  beta1: 0.5\n"
        "Generator 262656 - [4, 512]\n"
        + "".join(
            f"[{e}/20][{b}/30] Loss_D: 0.{e}{b} Loss_G: 1.{b}\n"
            for e in range(3)
            for b in (0, 10, 20)
        )
        + "Training took 3.5 hours\n"
    )
    table = read(tmp_path, text)
    assert table.rows == 9
    assert table.config["batch_size"] == 16
    assert set(table.columns) == {"#1", "#1 of", "#2", "#2 of", "Loss_D", "Loss_G"}


def test_an_absent_value_is_no_value(tmp_path: Path) -> None:
    table = read(tmp_path, "".join(f"step {i} g 0.{i} aux: N/A\n" for i in range(5)))
    assert "aux" not in table.columns


@pytest.mark.parametrize("tail", ["step 5 g 0.1", "step 5 g 0.", "step 5 g", "step"])
def test_a_cut_number_is_left_out(tail: str, tmp_path: Path) -> None:
    table = read(tmp_path, "".join(f"step {i} g 0.{i}25\n" for i in range(5)) + tail)
    assert column(table, "g") == [0.025, 0.125, 0.225, 0.325, 0.425]


def test_a_paste_without_a_last_line_end_is_whole(tmp_path: Path) -> None:
    table = read(tmp_path, "\n".join(f"epoch {i} g 0.{i}25" for i in range(5)))
    assert column(table, "g")[-1] == 0.425


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    table = read(tmp_path, "".join(f"époque {i} g {i}.5\n" for i in range(4)).encode(encoding))
    assert column(table, "g") == [0.5, 1.5, 2.5, 3.5]


def test_cut_at_any_byte_whole_rows_stand(tmp_path: Path) -> None:
    text = "".join(f"epoch {i} d_loss {1 / (i + 1):.4f} g_loss {i / 7:.4f}\n" for i in range(60))
    whole = read(tmp_path, text)
    rng = random.Random(3)
    for cut in (rng.randrange(200, len(text)) for _ in range(20)):
        table = read(tmp_path, text[:cut])
        rows = text[:cut].count("\n")
        for name in ("d_loss", "g_loss"):
            assert column(table, name)[:rows] == column(whole, name)[:rows]
            assert len(column(table, name)) <= rows + 1
            if len(column(table, name)) == rows + 1:
                assert column(table, name)[rows] == column(whole, name)[rows]


def test_flipped_bits_cost_their_own_rows(tmp_path: Path) -> None:
    text = "".join(f"epoch {i} d_loss {1 / (i + 1):.4f} g_loss {i / 7:.4f}\n" for i in range(60))
    rng = random.Random(4)
    for _ in range(20):
        data = bytearray(text.encode())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        table = read(tmp_path, bytes(data))
        assert len(table.columns["d_loss"].values) >= 58


def test_long_lines_and_zeros_are_bounded(tmp_path: Path) -> None:
    rows = "".join(f"epoch {i} g {i}.5\n" for i in range(10))
    table = read(tmp_path, rows + "x" * 3_000_000 + "\n" + rows.replace("epoch ", "epoch 1"))
    assert table.rows == 20
    assert any("line 11 has more than" in note for note in table.notes)
    path = tmp_path / "sparse.log"
    with open(path, "wb") as stream:
        stream.truncate(10 << 30)
    with pytest.raises(RunError, match="found none"):
        Run.open(path)


def test_learnt_lines_equal_those_read_one_by_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(300, 3))
    text = "".join(
        f"it {i}: tensor({a:.6g}) | d {b:.5f} ({c:.3e}) lr 2.0e-04\n"
        for i, (a, b, c) in enumerate(numbers.tolist())
    )
    table = read(tmp_path, text)
    assert column(table, "d") == [float(f"{b:.5f}") for b in numbers[:, 1]]
    assert column(table, "d (mean)") == [float(f"{c:.3e}") for c in numbers[:, 2]]
