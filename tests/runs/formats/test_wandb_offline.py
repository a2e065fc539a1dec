"""Offline runs of wandb, from files of the same shape as wandb 0.31 writes."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import DlccError, RunError
from dlcc.runs.formats import open_path
from dlcc.runs.formats.discovery import find_runs
from dlcc.runs.raw_table import RawTable
from tests.runs.formats.wire import leveldb_log, message, varint


def item(key: str, value: object, nested: bool = True) -> bytes:
    names = [(2, part) for part in key.split("/")] if nested else [(1, key)]
    return message(*names, (16, json.dumps(value)))


def history(step: int, nested: bool = True, **values: object) -> bytes:
    named = {"_step": step, "_timestamp": 1.7e9 + step, "_runtime": 0.5 * step} | values
    items = [(1, item(key.replace("__", "/"), value, nested)) for key, value in named.items()]
    return message((1, step + 5), (2, message(*items, (2, message((1, step))))))


def run_record(**config: object) -> bytes:
    items = [(1, item(key, value, nested=False)) for key, value in config.items()]
    return message((1, 1), (17, message((1, "abc"), (4, message(*items)), (8, "my-run"))))


EXIT = message((18, message((1, 0))))


def leave(folder: Path, records: list[bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run-abc.wandb"
    path.write_bytes(leveldb_log(records))
    return path


def read(path: Path) -> RawTable:
    (record,) = find_runs(path).records
    return record.read()


@pytest.mark.parametrize("nested", [True, False])
def test_history_and_configuration(tmp_path: Path, nested: bool) -> None:
    rows = [history(3 * s, nested, d_loss=1 / (s + 1), epoch=s) for s in range(3000)]
    rows[5] = history(15, nested, d_loss=float("nan"))
    rows[6] = history(18, nested, d_loss=float("-inf"), note="text")
    leave(tmp_path, [run_record(lr=0.5, net={"ch": 64}, _wandb={}), *rows, EXIT])
    table = read(tmp_path)
    assert table.steps is not None
    assert table.steps.tolist() == [3 * s for s in range(3000)]
    assert table.clock is not None
    assert table.clock[7] == 1.7e9 + 21
    values = table.dense("d_loss")
    expected = [1 / (s + 1) for s in range(3000)]
    assert values[:5].tolist() == expected[:5]
    assert values[7:].tolist() == expected[7:]
    assert np.isnan(values[5])
    assert values[6] == -np.inf
    assert 5 not in table.columns["epoch"].rows
    assert set(table.columns) == {"d_loss", "epoch"}
    assert dict(table.config) == {"lr": 0.5, "net.ch": 64}
    assert not table.notes


def test_values_of_the_typed_kind(tmp_path: Path) -> None:
    zigzag = varint(5 << 3) + varint(13)  # -7
    half = message((6, 0.5))
    typed = [message((2, "a")) + zigzag, message((2, "b")) + half]
    leave(tmp_path, [message((2, message((1, typed[0]), (1, typed[1]), (2, message((1, 4))))))])
    table = read(tmp_path)
    assert (table.dense("a")[0], table.dense("b")[0]) == (-7.0, 0.5)
    assert table.steps is not None
    assert table.steps.tolist() == [4]
    assert "not recorded" in table.notes[0]


def test_media_are_left_out(tmp_path: Path) -> None:
    picture = {"picture___type": "image-file", "picture__width": 64, "loss": 1.0}
    whole = history(1, nested=False, h={"_type": "histogram", "bins": [1, 2]}, loss=2.0)
    leave(tmp_path, [history(0, **picture), whole, EXIT])
    assert set(read(tmp_path).columns) == {"loss"}


def test_files_beside_belong_to_the_run(tmp_path: Path) -> None:
    leave(tmp_path / "offline-run-1", [history(s, loss=1.0) for s in range(20)])
    files = tmp_path / "offline-run-1" / "files"
    (files / "media" / "table").mkdir(parents=True)
    (files / "output.log").write_text("".join(f"epoch {s} loss 0.{s}\n" for s in range(30)))
    (files / "wandb-summary.json").write_text('{"loss": [1.0, 2.0]}')
    (files / "media" / "table" / "t.json").write_text('{"loss": [1.0, 2.0]}')
    assert find_runs(tmp_path).names == ("offline-run-1",)
    assert open_path(tmp_path, {}).series(None).columns["model/loss"].values.tolist() == [1.0] * 20


def test_a_record_over_several_blocks(tmp_path: Path) -> None:
    long = history(1, loss=2.0, note="x" * 100_000)
    leave(tmp_path, [history(0, loss=1.0), long, history(2, loss=3.0), EXIT])
    assert read(tmp_path).dense("loss").tolist() == [1.0, 2.0, 3.0]


def base() -> tuple[bytes, dict[int, float]]:
    rng = random.Random(0)
    truth = {s: rng.random() for s in range(900)}
    return leveldb_log([*(history(s, loss=v) for s, v in truth.items()), EXIT]), truth


def left(path: Path, truth: dict[int, float]) -> tuple[int, tuple[str, ...]]:
    found = find_runs(path)
    if not found.records:
        return 0, ("not recognised",)
    try:
        table = found.records[0].read()
    except RunError as error:
        return 0, (str(error),)
    assert table.steps is not None
    for step, value in zip(table.steps.tolist(), table.dense("loss").tolist(), strict=True):
        assert truth[step] == value
    return table.rows, table.notes


def test_cut_anywhere(tmp_path: Path) -> None:
    data, truth = base()
    rng = random.Random(1)
    path = tmp_path / "run-abc.wandb"
    for _ in range(20):
        at = rng.randrange(len(data))
        path.write_bytes(data[:at])
        rows, notes = left(path, truth)
        assert rows >= at * len(truth) // len(data) - 3
        assert notes


def test_flipped_bits_cost_a_record(tmp_path: Path) -> None:
    data, truth = base()
    rng = random.Random(2)
    path = tmp_path / "run-abc.wandb"
    for _ in range(20):
        flipped = bytearray(data)
        at = rng.randrange(7, len(data))
        flipped[at] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        rows, notes = left(path, truth)
        lost_block = 32768 * len(truth) // len(data) + 2
        assert rows >= len(truth) - lost_block
        assert any("damaged record" in note for note in notes)


def test_a_payload_that_is_damaged_costs_itself_alone(tmp_path: Path) -> None:
    data, truth = base()
    place = data.index(struct.pack("<d", 0.5)[:0] + repr(truth[400]).encode())
    path = tmp_path / "run-abc.wandb"
    path.write_bytes(data[:place] + b"7" + data[place + 1 :])
    assert left(path, truth)[0] == len(truth) - 1


def test_hostile_messages(tmp_path: Path) -> None:
    deep = "[" * 50_000
    deeper = message((2, message((1, message((2, "deep"), (16, deep))))))
    lying = varint(2 << 3 | 2) + varint(1 << 32) + b"x"
    leave(tmp_path, [deeper, lying, history(1, loss=1.0), EXIT])
    table = read(tmp_path)
    assert table.columns["loss"].values.tolist() == [1.0]
    assert "1 records are no messages" in table.notes[0]


def test_noise_raises_nothing_else(tmp_path: Path) -> None:
    rng = random.Random(3)
    for _ in range(20):
        leave(tmp_path, [rng.randbytes(rng.randrange(300)) for _ in range(20)])
        try:
            read(tmp_path)
        except DlccError as error:
            assert "no number in" in str(error)  # noqa: PT017  # not all damage is an error


def test_without_history_the_error_says_what_to_do(tmp_path: Path) -> None:
    leave(tmp_path, [run_record(lr=1.0), EXIT])
    with pytest.raises(RunError, match=r"log losses with wandb\.log"):
        read(tmp_path)
