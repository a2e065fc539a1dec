"""Event files: what TensorBoard's own reader gives, and what damage leaves."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_HALF, DT_STRING
from torch.utils.tensorboard import SummaryWriter

from dlcc.errors import DlccError, RunError
from dlcc.runs.formats import crc32c, open_path
from dlcc.runs.formats.discovery import find_runs
from dlcc.runs.raw_table import RawTable
from tests.runs.formats.wire import event_file, framed, scalar, session_start, varint, version


def read(path: Path) -> RawTable:
    (record,) = find_runs(path).records
    return record.read()


def cells(table: RawTable, name: str) -> list[tuple[int, float]]:
    column = table.columns[name]
    assert table.steps is not None
    return list(zip(table.steps[column.rows].tolist(), column.values.tolist(), strict=True))


def test_equals_the_accumulator(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(300):
            writer.add_scalar("loss/d", rng.standard_normal(), step)
            writer.add_scalar("loss/g", rng.standard_normal(), step, new_style=True)
            if step % 7 == 0:
                writer.add_scalar("score", rng.standard_normal(), step, new_style=True)
                writer.add_histogram("weights", rng.standard_normal(50), step)
                writer.add_text("note", "some text", step)
        writer.add_scalar("loss/d", float("inf"), 300)
        writer.add_scalar("loss/d", float("nan"), 301)
    table = read(tmp_path)
    accumulator = EventAccumulator(str(tmp_path), {"scalars": 0, "tensors": 0})
    accumulator.Reload()
    assert set(table.columns) == {"loss/d", "loss/g", "score"}
    assert cells(table, "loss/d")[:-1] == [
        (e.step, e.value) for e in accumulator.Scalars("loss/d")[:-1]
    ]
    assert np.isnan(table.columns["loss/d"].values[-1])
    for name in ("loss/g", "score"):
        events = accumulator.Tensors(name)
        assert cells(table, name) == [(e.step, e.tensor_proto.float_val[0]) for e in events]
    assert table.clock is not None
    walls = [e.wall_time for e in accumulator.Scalars("loss/d")]
    assert table.clock[table.columns["loss/d"].rows].tolist() == walls
    assert table.rows == 302
    assert not table.notes


def tensor(**parts: Any) -> bytes:
    value = Summary.Value(tag="t", tensor=TensorProto(**parts))
    return framed(Event(wall_time=1.0, step=3, summary=Summary(value=[value])).SerializeToString())


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ({"dtype": DT_FLOAT, "float_val": [0.5]}, 0.5),
        ({"dtype": DT_FLOAT, "tensor_content": struct.pack("<f", 0.25)}, 0.25),
        ({"dtype": DT_DOUBLE, "tensor_content": struct.pack("<d", 0.1)}, 0.1),
        ({"dtype": DT_DOUBLE, "double_val": [0.1]}, 0.1),
        ({"dtype": DT_HALF, "tensor_content": np.float16(1.5).tobytes()}, 1.5),
        ({"dtype": DT_HALF, "half_val": [int(np.float16(-2.5).view(np.uint16))]}, -2.5),
        ({"dtype": 9, "int64_val": [-7]}, -7.0),
    ],
)
def test_tensor_scalars(tmp_path: Path, parts: dict[str, object], value: float) -> None:
    event_file(tmp_path, [tensor(**parts)])
    assert cells(read(tmp_path), "t") == [(3, value)]


def test_tensors_that_are_no_scalars_are_left_out(tmp_path: Path) -> None:
    pair = tensor(dtype=DT_FLOAT, tensor_content=struct.pack("<ff", 1, 2))
    text = tensor(dtype=DT_STRING, string_val=[b"x"])
    event_file(tmp_path, [pair, text, scalar("loss", 1, 2.0)])
    assert set(read(tmp_path).columns) == {"loss"}


def test_several_values_of_one_event(tmp_path: Path) -> None:
    records = []
    for step in range(200):  # merged summaries, with a picture between
        summary = Summary(
            value=[
                Summary.Value(tag="d", simple_value=step + 0.5),
                Summary.Value(tag="picture", image=Summary.Image(encoded_image_string=b"x" * 3000)),
                Summary.Value(tag="g", simple_value=-step),
            ]
        )
        records.append(framed(Event(wall_time=1.0, step=step, summary=summary).SerializeToString()))
    event_file(tmp_path, records)
    table = read(tmp_path)
    assert cells(table, "d") == [(s, s + 0.5) for s in range(200)]
    assert cells(table, "g") == [(s, -float(s)) for s in range(200)]


def test_add_scalars_and_hparams_belong_to_the_run_above(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(30):
            writer.add_scalar("fid", 100.0 - step, step)
            writer.add_scalars("loss/all", {"d": step * 0.5, "g": step * 2.0}, step)
        writer.add_hparams({"lr": 0.5, "mode": "hinge", "flag": True}, {"final": 1.0})
    table = read(tmp_path)
    assert {"fid", "loss/all/d", "loss/all/g"} <= set(table.columns)
    assert cells(table, "loss/all/g") == [(s, 2.0 * s) for s in range(30)]
    assert table.rows == 30
    assert dict(table.config) == {"lr": 0.5, "mode": "hinge", "flag": True}


def test_a_tree_gives_several_runs(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        event_file(tmp_path / name, [scalar("loss", s, 1.0) for s in range(3)])
    assert find_runs(tmp_path).names == ("a", "b/c")


def test_validation_beside_training_is_one_run(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        event_file(tmp_path / name, [scalar("epoch_loss", s, 1.0 + s) for s in range(20)])
    table = read(tmp_path)
    assert set(table.columns) == {"epoch_loss", "validation/epoch_loss"}
    assert table.rows == 20
    series = open_path(tmp_path, {}).series(None)
    assert "validation/loss" in series.columns


def test_a_later_file_that_begins_anew_is_a_session(tmp_path: Path) -> None:
    first = [scalar("loss", s, 1.0, 100.0 + s) for s in range(50)]
    again = [scalar("loss", s, 2.0, 900.0 + s) for s in range(40)]
    further = [scalar("loss", s, 3.0, 1900.0 + s) for s in range(40, 60)]
    event_file(tmp_path, further, 1_700_000_002)
    event_file(tmp_path, again, 1_700_000_001)
    event_file(tmp_path, first, 1_700_000_000)
    table = read(tmp_path)
    assert table.sessions == (50,)
    expected = [(s, 1.0) for s in range(50)] + [(s, 2.0) for s in range(40)]
    assert cells(table, "loss") == expected + [(s, 3.0) for s in range(40, 60)]
    judged = open_path(tmp_path, {}).series(None)
    assert set(judged.columns["model/loss"].values.tolist()) == {2.0, 3.0}


def test_two_writers_at_a_time_are_no_restart(tmp_path: Path) -> None:
    event_file(tmp_path, [scalar("d", s, 1.0, 100.0 + s) for s in range(20)])
    event_file(tmp_path, [scalar("g", s, 2.0, 100.5 + s) for s in range(20)], 1_700_000_001)
    table = read(tmp_path)
    assert (table.rows, table.sessions) == (20, ())


def test_a_session_start_within_a_file(tmp_path: Path) -> None:
    before = [scalar(t, s, 1.0) for s in range(30) for t in ("d", "g")]
    after = [scalar(t, s, 2.0) for s in range(20, 40) for t in ("d", "g", "new")]
    event_file(tmp_path, [*before, session_start(20), *after])
    table = read(tmp_path)
    assert table.sessions == (30,)
    assert table.rows == 50
    assert cells(table, "g") == [(s, 1.0) for s in range(30)] + [(s, 2.0) for s in range(20, 40)]
    assert table.columns["new"].rows.tolist() == list(range(30, 50))
    assert set(open_path(tmp_path, {}).series(None).columns["generator/loss"].values[:20]) == {1.0}


def test_steps_that_begin_anew_without_a_word(tmp_path: Path) -> None:
    records = [scalar(t, s, k) for k in (1.0, 2.0) for s in range(30) for t in ("d", "g")]
    event_file(tmp_path, records)
    table = read(tmp_path)
    assert table.rows == 60
    assert table.steps is not None
    assert table.steps.tolist() == [*range(30), *range(30)]


def test_a_step_that_comes_again_is_a_row_of_its_own(tmp_path: Path) -> None:
    records = [scalar("d", s // 3, float(s)) for s in range(9)]
    event_file(tmp_path, [*records, scalar("g", 1, 7.0)])
    table = read(tmp_path)
    assert table.steps is not None
    assert table.steps.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert table.columns["g"].rows.tolist() == [3]


def damaged_base() -> tuple[bytes, dict[tuple[str, int], float]]:
    truth, data = {}, version()
    rng = random.Random(1)
    for step in range(120):
        for tag in ("d", "gen"):
            truth[tag, step] = struct.unpack("<f", struct.pack("<f", rng.random()))[0]
            data += scalar(tag, step, truth[tag, step])
    return data, truth


def read_damaged(path: Path, truth: dict[tuple[str, int], float]) -> tuple[int, tuple[str, ...]]:
    """Number of scalars that are left, none of them wrong, and the notes."""
    found = find_runs(path)
    if not found.records:
        return 0, ("not recognised",)
    try:
        table = found.records[0].read()
    except RunError as error:
        return 0, (str(error),)
    count = 0
    for tag in table.columns:
        for step, value in cells(table, tag):
            assert truth[tag, step] == value
            count += 1
    return count, table.notes


def test_cut_anywhere(tmp_path: Path) -> None:
    data, truth = damaged_base()
    size = len(scalar("d", 1, 1.0))
    path = tmp_path / "events.out.tfevents.1.host"
    rng = random.Random(2)
    for _ in range(20):
        at = rng.randrange(100, len(data))
        path.write_bytes(data[:at])
        count, notes = read_damaged(path, truth)
        assert count >= (at - len(version())) // (size + 5) - 1
        assert notes or at in whole_ends(data)


def whole_ends(data: bytes) -> set[int]:
    ends, at = set(), 0
    while at < len(data):
        at += int.from_bytes(data[at : at + 8], "little") + 16
        ends.add(at)
    return ends


def test_flipped_bits_cost_a_record_each(tmp_path: Path) -> None:
    data, truth = damaged_base()
    path = tmp_path / "events.out.tfevents.1.host"
    rng = random.Random(3)
    for _ in range(20):
        at = rng.randrange(len(version()), len(data))
        flipped = bytearray(data)
        flipped[at] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        count, notes = read_damaged(path, truth)
        assert count == len(truth) - 1
        assert any("damaged" in note and "byte" in note for note in notes)


def test_damage_within_a_long_file_of_one_pattern(tmp_path: Path) -> None:
    records = [scalar(tag, s, s + 0.5) for s in range(2000) for tag in ("d", "gen", "lr")]
    places = np.cumsum([len(version()), *map(len, records)])
    data = version() + b"".join(records)
    truth = {(tag, s): s + 0.5 for s in range(2000) for tag in ("d", "gen", "lr")}
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(data)
    assert read_damaged(path, truth) == (6000, ())
    for number in (0, 900, 1500, 3000, 5990):
        for within in (0, 3, 9, 20):  # length, its checksum, payload
            flipped = bytearray(data)
            flipped[int(places[number]) + within] ^= 1
            path.write_bytes(flipped)
            count, notes = read_damaged(path, truth)
            assert count == 5999
            assert len(notes) == 1
    path.write_bytes(data[: int(places[4000])] + data[int(places[4001]) :])  # a lost record
    assert read_damaged(path, truth) == (5999, ())


def test_a_claimed_length_of_four_gigabytes(tmp_path: Path) -> None:
    length = struct.pack("<Q", 1 << 32)
    record = length + struct.pack("<I", crc32c.masked(length)) + bytes(100)
    path = event_file(tmp_path, [scalar("loss", s, 1.0) for s in range(3)])
    path.write_bytes(path.read_bytes() + record)
    table = read(tmp_path)
    assert table.rows == 3
    assert "ends within" in table.notes[0]


def test_lengths_within_a_message_that_lie(tmp_path: Path) -> None:
    lying = framed(b"\x09" + bytes(8) + b"\x2a" + varint(1 << 40) + b"xx")
    endless = framed(b"\x09" + bytes(8) + b"\x10" + b"\xff" * 30)
    event_file(tmp_path, [lying, endless, scalar("loss", 1, 1.0)])
    assert cells(read(tmp_path), "loss") == [(1, 1.0)]


def test_noise_never_raises_another_error(tmp_path: Path) -> None:
    rng = random.Random(4)
    for _ in range(20):
        event_file(tmp_path, [framed(b"\x09" + rng.randbytes(rng.randrange(200)))])
        try:
            read(tmp_path)
        except DlccError as error:
            assert "no scalar" in str(error)  # noqa: PT017  # not all damage is an error


def test_without_scalars_the_error_says_what_to_do(tmp_path: Path) -> None:
    event_file(tmp_path, [])
    with pytest.raises(RunError, match="no scalar in 1 event files"):
        read(tmp_path)


def test_examples_of_tensorflow_are_no_event_files(tmp_path: Path) -> None:
    (tmp_path / "train-00000-of-00001").write_bytes(framed(b"\x0a\x05hello"))
    assert not find_runs(tmp_path).records
