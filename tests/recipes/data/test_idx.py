"""IDX files: what is read is what was written, and a header is not believed."""

from __future__ import annotations

import gzip
import os
import re
import struct
import tracemalloc
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dlcc.errors import RunError
from dlcc.recipes.data.idx import find_idx, read_idx, read_idx_shape
from tests.recipes.data.writing import idx, pixels, write_idx

IN_TMP = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ARRAYS = npst.arrays(np.uint8, npst.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=9))


@IN_TMP
@given(array=ARRAYS, end=st.sampled_from(["", ".gz"]))
def test_round_trip(tmp_path: Path, array: np.ndarray, end: str) -> None:
    path = write_idx(tmp_path / f"any{end}", array)
    back = read_idx(path, array.ndim)
    assert back.dtype == np.uint8
    assert np.array_equal(back, array)
    assert read_idx_shape(path, array.ndim) == array.shape


@IN_TMP
@given(array=ARRAYS, data=st.data(), end=st.sampled_from(["", ".gz"]))
def test_every_cut_is_seen(
    tmp_path: Path, array: np.ndarray, data: st.DataObject, end: str
) -> None:
    path = write_idx(tmp_path / f"any{end}", array)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(RunError, match="any"):
        read_idx(path, array.ndim)


@IN_TMP
@given(array=ARRAYS, data=st.data())
def test_every_flipped_bit_of_a_gzipped_file_is_seen_or_harmless(
    tmp_path: Path, array: np.ndarray, data: st.DataObject
) -> None:
    path = write_idx(tmp_path / "any.gz", array)
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    try:
        back = read_idx(path, array.ndim)
    except RunError:
        return
    assert np.array_equal(back, array)  # the time of writing, or the like


@IN_TMP
@given(junk=st.binary(max_size=64), ndim=st.integers(1, 3))
def test_junk_is_refused(tmp_path: Path, junk: bytes, ndim: int) -> None:
    (tmp_path / "junk").write_bytes(b"\x01" + junk)
    with pytest.raises(RunError):
        read_idx(tmp_path / "junk", ndim)


def test_the_name_need_not_say_that_it_is_gzipped(tmp_path: Path) -> None:
    array = pixels(2, 3, 3)
    (tmp_path / "plain.gz").write_bytes(idx(array))
    (tmp_path / "packed").write_bytes(gzip.compress(idx(array)))
    for name in ("plain.gz", "packed"):
        assert np.array_equal(read_idx(tmp_path / name, 3), array)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\0\0\x08\x03" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1), "claims the sizes"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 60_000, 28, 28), "expected 47,040,016 by its header"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 0, 28, 28), "claims the sizes"),
        (b"\0\0\x0d\x03" + struct.pack(">3I", 1, 1, 1), "begins with 00000d03"),
        (b"\0\0\x08\x01" + struct.pack(">I", 60_000) + bytes(8), "begins with 00000801"),
        (b"\0\0\x08", "3 bytes, fewer than the header"),
        (b"", "0 bytes, fewer"),
        (b"<!DOCTYPE html><title>404</title>", "begins with 3c21444f"),
    ],
)
def test_a_header_that_lies_takes_no_memory(tmp_path: Path, head: bytes, what: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(head)
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match=re.escape(what)) as refused:
            read_idx(path, 3)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert str(path) in str(refused.value)
    assert "put the published train-images-idx3-ubyte (47,040,016 bytes) there" in str(
        refused.value
    )


@lru_cache(maxsize=1)
def bombs() -> dict[str, tuple[bytes, str]]:
    header = b"\0\0\x08\x03"
    small = header + struct.pack(">3I", 2, 4, 4)
    zeros = gzip.compress(bytes(64 * 2**20), 9)
    packed = gzip.compress(small + bytes(64 * 2**20), 9)
    lies = gzip.compress(header + struct.pack(">3I", 1_000_000, 28, 28))
    cut_short = gzip.compress(header + struct.pack(">3I", 60, 28, 28) + pixels(500).tobytes())
    return {
        "goes on": (packed, "goes on after the 32 bytes"),
        "second member": (gzip.compress(small + bytes(32)) + zeros, "goes on after the 32"),
        "claims too much": (lies, "claims 784,000,000 numbers, more than"),
        "ends early": (cut_short, "ends after 500 of 47,040 bytes"),
        "no header": (zeros, "begins with 00000000"),
        "empty": (gzip.compress(b""), "0 bytes, fewer"),
    }


@pytest.mark.parametrize("name", bombs())
def test_a_gzip_bomb_is_not_inflated(tmp_path: Path, name: str) -> None:
    data, what = bombs()[name]
    path = tmp_path / "bomb.gz"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match=what):
            read_idx(path, 3)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_a_constant_image_packs_better_than_any(tmp_path: Path) -> None:
    array = np.zeros((5_000, 28, 28), np.uint8)
    assert np.array_equal(read_idx(write_idx(tmp_path / "flat.gz", array), 3), array)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RunError, match="regular file"):
        read_idx(tmp_path / "pipe", 3)


def test_any_of_the_usual_names_and_places(tmp_path: Path) -> None:
    array = pixels(2, 28, 28)
    places = ("MNIST/raw",)
    for name in (
        "MNIST/raw/train-images.idx3-ubyte.gz",
        "MNIST/raw/train-images-idx3-ubyte.gz",
        "MNIST/raw/train-images-idx3-ubyte",
        "train-images.idx3-ubyte",
        "train-images-idx3-ubyte",
    ):
        path = write_idx(tmp_path / name, array)
        assert find_idx("mnist", str(tmp_path), places, "train", "images") == path
    with pytest.raises(RunError, match=r"t10k-labels-idx1-ubyte\.gz \(4,542 bytes"):
        find_idx("mnist", str(tmp_path), places, "test", "labels")
