"""Tensor files that lie are refused before memory is taken for what they claim."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dlcc.errors import RunError, SnapshotError
from dlcc.runs.tensors import read_tensors, read_torch_tensors, write_tensors


def craft(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + data)
    return path


def claim(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, Any]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    arrays = {"x": np.arange(6.0).reshape(2, 3), "y": np.array([True, False]), "z": np.array(3)}
    write_tensors(path, arrays)
    back = read_tensors(path)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert np.array_equal(back[name], array)
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_types_that_numpy_lacks_come_as_float32(tmp_path: Path) -> None:
    values = torch.tensor([1.5, -2.0, 0.25, float("inf")])
    write_tensors(
        tmp_path / "a.safetensors",
        {"b": values.bfloat16(), "f": values[:3].to(torch.float8_e4m3fn)},
    )
    back = read_tensors(tmp_path / "a.safetensors")
    assert back["b"].dtype == back["f"].dtype == np.float32
    assert back["b"].tolist() == values.tolist()
    assert back["f"].tolist() == values[:3].tolist()


def test_files_of_other_writers_are_read(tmp_path: Path) -> None:
    save_file({"a": np.arange(3)}, tmp_path / "a.safetensors")
    assert read_tensors(tmp_path / "a.safetensors")["a"].tolist() == [0, 1, 2]


def test_no_tensors_at_all(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", {})
    assert read_tensors(tmp_path / "a.safetensors") == {}


@pytest.mark.parametrize("read", [read_tensors, read_torch_tensors])
@pytest.mark.parametrize(
    ("header", "data", "what"),
    [
        (claim(shape=[2**40], offsets=[0, 2**42]), bytes(8), "8 bytes|the file has|take"),
        (claim(shape=[2**31, 2**31], offsets=[0, 2**64]), bytes(8), "beyond any memory"),
        (claim(shape=[2**40]), bytes(8), "takes 4398046511104 bytes"),
        (claim(shape=[3]), bytes(8), "takes 12 bytes"),
        (claim(shape=[-2]), bytes(8), "sizes as shape"),
        (claim(shape=[True, 2]), bytes(8), "sizes as shape"),
        (claim(shape=[1] * 40), bytes(4), "sizes as shape"),
        (claim(shape="2"), bytes(8), "sizes as shape"),
        (claim(offsets=[8, 0]), bytes(8), "takes 8 bytes"),
        (claim(offsets=[4, 12]), bytes(12), "overlap|gap"),
        (claim(offsets=[0.0, 8.0]), bytes(8), "data_offsets"),
        (claim(dtype="F99"), bytes(8), "unknown dtype"),
        (claim(dtype=["F32"]), bytes(8), "unknown dtype"),
        (claim(), bytes(7), "it is cut"),
        (claim(), bytes(9), "the file has"),
        ({"a": claim()["a"], "b": claim()["a"]}, bytes(8), "overlap"),
        ({"a": 3}, b"", "expected dtype"),
        ([1], b"", "JSON object"),
        (b'{"a":1,"a":2}', b"", "twice"),
        (b"[" * 100_000, b"", "not valid JSON"),
        (b"\xff\xfe{}", b"", "not valid JSON"),
    ],
)
def test_lying_headers(tmp_path: Path, read: Any, header: Any, data: bytes, what: str) -> None:
    path = craft(tmp_path / "lie.safetensors", header, data)
    with pytest.raises(SnapshotError, match=rf"lie\.safetensors.*({what})"):
        read(path)


@pytest.mark.parametrize("length", [2**63, 2**31, 100])
def test_a_lying_header_length(tmp_path: Path, length: int) -> None:
    path = craft(tmp_path / "lie.safetensors", claim(), bytes(8), length)
    with pytest.raises(SnapshotError, match=f"claims a header of {length} bytes"):
        read_tensors(path)


@pytest.mark.parametrize("high", [2, 3, 4, 5])
def test_a_header_whose_length_begins_like_a_pickle_is_none(tmp_path: Path, high: int) -> None:
    """A length of 640 is written 80 02 00 ...: the first bytes of a pickle of protocol 2."""
    length = high << 8 | 0x80
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
    path = tmp_path / "a.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header + np.float32(7).tobytes())
    assert read_tensors(path)["a"] == 7


def test_pickles_and_zips_say_so(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    torch.save({"a": torch.ones(2)}, path)
    with pytest.raises(SnapshotError, match=r"zip archive.*torch\.save"):
        read_tensors(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(SnapshotError, match="is a pickle, not safetensors"):
        read_tensors(path)


@settings(max_examples=50, deadline=None)
@given(position=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(tmp_path_factory: Any, position: int, bit: int) -> None:
    path = tmp_path_factory.mktemp("flip") / "a.safetensors"
    digest = write_tensors(path, {"a": torch.arange(10.0), "b": torch.ones(3)})
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match=r"a\.safetensors"):
        read_tensors(path, digest=digest)


def test_flipped_data_are_noticed_without_a_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.arange(10.0)})
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match="differ from the checksum"):
        read_tensors(path)


@pytest.mark.parametrize("size", range(0, 200, 9))
def test_every_cut_is_noticed(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.arange(30.0)})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(SnapshotError, match=r"a\.safetensors"):
        read_tensors(path)


def test_limits_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(SnapshotError, match="missing"):
        read_tensors(path)
    write_tensors(path, {"a": torch.zeros(1000)})
    with pytest.raises(SnapshotError, match="expected at most 1000"):
        read_tensors(path, max_bytes=1000)
    with pytest.raises(SnapshotError, match="regular file"):
        read_tensors(tmp_path)


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(SnapshotError, match="tensor s: expected a dense tensor"):
        write_tensors(path, {"s": torch.eye(3).to_sparse()})
    with pytest.raises(SnapshotError, match="device meta"):
        write_tensors(path, {"m": torch.empty(3, device="meta")})
    assert list(tmp_path.iterdir()) == []


def test_a_refused_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.zeros(3)})

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_tensors(path, {"a": torch.ones(3)})
    assert read_tensors(path)["a"].tolist() == [0, 0, 0]
    assert len(list(tmp_path.iterdir())) == 1
