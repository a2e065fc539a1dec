"""Arrays of images: any of the layouts, and nothing that is not one."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.errors import RunError
from dlcc.recipes.data.npy import count_npy, read_npy
from tests.recipes.data.writing import pixels


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 4),
    side=st.sampled_from([2, 5, 8]),
    channels=st.sampled_from([0, 1, 3]),
    last=st.booleans(),
    fortran=st.booleans(),
    code=st.sampled_from(["u1", "<f2", "<f4", ">f8"]),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    n: int, side: int, channels: int, last: bool, fortran: bool, code: str,
) -> None:  # fmt: skip
    images = pixels(n, max(channels, 1), side, side)
    images[0, 0, 0, 0] = 0  # or floats could be taken for those of [0, 1]
    given_ = images if code == "u1" else (images / 127.5 - 1).astype(code)
    stored = given_[:, 0] if channels == 0 else np.moveaxis(given_, 1, 3) if last else given_
    stored = np.asfortranarray(stored) if fortran else stored
    path = saved(tmp_path_factory.mktemp("npy") / "a.npy", stored)
    back = read_npy(path)
    assert back.dtype == np.float32
    assert back.flags.c_contiguous
    assert back.shape == images.shape
    assert np.allclose(back, images / 127.5 - 1, atol=1e-3 if code == "<f2" else 1e-6)
    assert count_npy(path) == n


def test_floats_of_either_range(tmp_path: Path) -> None:
    unit = np.linspace(0, 1, 32, dtype=np.float32).reshape(2, 4, 4)
    one = read_npy(saved(tmp_path / "unit.npy", unit))
    other = read_npy(saved(tmp_path / "both.npy", 2 * unit - 1))
    assert np.allclose(one, other)
    assert (one.min(), one.max()) == (-1, 1)


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "a.npy"
    np.save(path, np.array([Canary(canary)] * 4, dtype=object).reshape(1, 2, 2), allow_pickle=True)
    with pytest.raises(RunError, match="holds object, expected uint8 or floats"):
        read_npy(path)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.zeros((2, 4, 5), np.uint8), "has 3 sizes [2, 4, 5], expected [n, side, side]"),
        (np.zeros((2, 2, 4, 4), np.uint8), "has 4 sizes [2, 2, 4, 4]"),
        (np.zeros((2, 16), np.uint8), "has 2 sizes"),
        (np.zeros((1, 2, 3, 4, 4), np.uint8), "has 5 sizes"),
        (np.uint8(3), "has 0 sizes"),
        (np.zeros((0, 4, 4), np.uint8), "expected 1 to"),
        (np.zeros((2, 0, 0), np.uint8), "expected 1 to"),
        (np.zeros((2, 4, 4), np.int64), "holds int64, expected uint8 or floats"),
        (np.zeros((2, 4, 4), np.complex64), "holds complex64"),
        (np.zeros((2, 4, 4), [("a", "u1")]), "expected uint8 or floats"),
        (np.full((2, 4, 4), 1.5), "numbers from 1.5 to 1.5"),
        (np.full((2, 4, 4), 255.0), "numbers from 255 to 255"),
        (np.full((2, 4, 4), -2.0), "numbers from -2"),
        (np.full((2, 4, 4), np.nan), "numbers from nan"),
        (np.full((2, 4, 4), np.inf), "numbers from inf"),
    ],
)
def test_what_is_not_images(tmp_path: Path, array: Any, what: str) -> None:
    path = saved(tmp_path / "a.npy", array)
    with pytest.raises(RunError, match=re.escape(what)) as refused:
        read_npy(path)
    assert str(refused.value).endswith("replace it, or name another with the key folder")


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    data = text.encode() + b"\n"
    return b"\x93NUMPY" + version + len(data).to_bytes(2, "little") + data


def of(shape: object, descr: object = "|u1", order: object = False) -> bytes:
    return header(f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape!r}}}")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (of((2**40, 28, 28)), "expected 1 to"),
        (of((-1, -28, -28)), "header|expected|sizes"),
        (of((2**62, 2**62, 2**62)), "expected 1 to"),
        (of((60_000, 28, 28)), "has 64 bytes of numbers, expected 47,040,000"),
        (of((1, 2, 2), "|O"), "holds object"),
        (of((1, 2, 2), [("a", "|u1"), ("b", "|O")]), "expected uint8"),
        (of((1, 2, 2), "|V9999999"), "expected uint8"),
        (of("all"), "does not describe"),
        (of((1, 2, 2), order="x"), "does not describe"),
        (header("__import__('os').system('true')"), "does not describe"),
        (header("(" * 9_000), "does not describe"),
        (header("[" * 60_000), "does not describe"),
        (header("{"), "does not describe"),
        (b"\x93NUMPY\x02\x00" + b"\xff" * 4, "is of version 2.0"),
        (b"\x93NUMPY\x03\x00" + b"\xff" * 4, "is of version 3.0"),
        (b"\x93NUM", "does not begin"),
        (b"PK\x03\x04", "does not begin"),
    ],
)
def test_a_header_that_lies_takes_no_memory(tmp_path: Path, head: bytes, what: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(head + bytes(64))
    tracemalloc.start()
    try:
        for read in (read_npy, count_npy):
            with pytest.raises(RunError, match=what):
                read(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_every_cut_is_seen(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", pixels(2, 3, 3))
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(RunError):
            read_npy(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(RunError, match="has 19 bytes of numbers, expected 18"):
        read_npy(path)
