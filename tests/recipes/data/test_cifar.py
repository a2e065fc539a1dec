"""CIFAR-10 in both forms: the same images, and damage named with what to put in its place."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.errors import RunError
from dlcc.recipes.data.cifar import count_batch, find_batches, read_batch
from tests.recipes.data.writing import binary_batch, pixels, python_batch, write_cifar


@settings(deadline=None, max_examples=20)
@given(labels=st.lists(st.integers(0, 9), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_both_forms_hold_the_same(
    tmp_path_factory: pytest.TempPathFactory, labels: list[int], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("cifar")
    rows = pixels(len(labels), 3072, seed=seed)
    made = {"a.bin": binary_batch(rows, labels), "b": python_batch(rows, labels)}
    for protocol in (2, 3, 4, 5):  # saved again by Python 3
        resaved = {"data": rows, "labels": np.array(labels) if protocol == 4 else labels}
        made[f"c{protocol}"] = pickle.dumps(resaved, protocol)
    for name, data in made.items():
        (folder / name).write_bytes(data)
        images, classes = read_batch(folder / name)
        assert images.dtype == np.uint8
        assert images.shape == (len(labels), 3, 32, 32)
        assert np.array_equal(images.reshape(-1, 3072), rows)
        assert classes.tolist() == labels
        assert count_batch(folder / name) == len(labels)


def test_red_comes_first_line_by_line(tmp_path: Path) -> None:
    row = np.zeros((1, 3072), np.uint8)
    row[0, [1, 1024 + 32, 2048 + 33]] = 10, 20, 30
    (tmp_path / "a.bin").write_bytes(binary_batch(row, [0]))
    image = read_batch(tmp_path / "a.bin")[0][0]
    assert (image[0, 0, 1], image[1, 1, 0], image[2, 1, 1]) == (10, 20, 30)
    assert image.astype(int).sum() == 60


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("place", ["", "cifar-10-batches"])
def test_found_in_the_folder_or_where_the_archive_puts_them(
    tmp_path: Path, binary: bool, place: str
) -> None:
    kind, end = ("bin", ".bin") if binary else ("py", "")
    folder = tmp_path / f"{place}-{kind}" if place else tmp_path
    write_cifar(folder, 1, binary=binary)
    paths = find_batches(str(tmp_path), "train")
    assert paths == [folder / f"data_batch_{k}{end}" for k in range(1, 6)]
    assert find_batches(str(tmp_path), "test") == [folder / f"test_batch{end}"]


def test_one_of_five_is_missing(tmp_path: Path) -> None:
    write_cifar(tmp_path, 1, binary=False)
    (tmp_path / "data_batch_3").unlink()
    with pytest.raises(RunError, match=r"data_batch_3: missing.* \(31,035,999 bytes\) there"):
        find_batches(str(tmp_path), "train")


def test_none_is_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"data_batch_1 \(31,035,704 bytes\) or .*set folder to"):
        find_batches(str(tmp_path), "train")


def batch(**changes: Any) -> bytes:
    values = {"data": pixels(2, 3072), "labels": [1, 2]} | changes
    return pickle.dumps({key: value for key, value in values.items() if value is not None})


BAD = {
    "no data": (batch(data=None), "lacks the key data"),
    "no labels": (batch(labels=None), "lacks the key labels"),
    "floats": (batch(data=np.zeros((2, 3072))), "data are not bytes [2, 3072]"),
    "fewer": (batch(data=pixels(1, 3072)), "data are not bytes [2, 3072]"),
    "narrow": (batch(data=pixels(2, 1024)), "data are not bytes [2, 3072]"),
    "text": (batch(data="x"), "data are not bytes"),
    "none at all": (batch(data=pixels(0, 3072), labels=[]), "data are not bytes [0, 3072]"),
    "class 10": (batch(labels=[1, 10]), "labels are not whole numbers below 10"),
    "class -1": (batch(labels=np.array([1, -1])), "has a class that is not below 10"),
    "huge class": (batch(labels=[1, 2**70]), "labels are not whole numbers"),
    "a half": (batch(labels=[1, 0.5]), "FLOAT"),
    "true": (batch(labels=[1, True]), "labels are not"),
    "a list of itself": (b"\x80\x04}X\x06\x00\x00\x00labels]q\x00h\x00as"
                         b"X\x04\x00\x00\x00dataK\x01s.", "labels are not"),
    "a command": (b"cos\nsystem\n(S'true'\ntR.", "asks for os.system, which was not run"),
    "half of it": (python_batch(pixels(2, 3072), [1, 2])[:4000], "is cut or no pickle"),
    "a web page": (b"<!DOCTYPE html>", "is cut or no pickle"),
    "empty": (b"", "is cut or no pickle"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_pickles_that_are_no_batch(tmp_path: Path, case: str) -> None:
    data, what = BAD[case]
    path = tmp_path / "data_batch_2"
    path.write_bytes(data)
    with pytest.raises(RunError, match=re.escape(what)) as refused:
        read_batch(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith("put the published data_batch_2 (31,035,320 bytes) there again")


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 2 * 3073 - 1])
def test_a_binary_batch_of_another_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(bytes(size))
    for read in (read_batch, count_batch):
        with pytest.raises(RunError, match=rf"{size:,} bytes, expected a multiple of 3,073"):
            read(path)


def test_a_binary_batch_with_an_eleventh_class(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(binary_batch(pixels(2, 3072), [3, 10]))
    with pytest.raises(RunError, match="class that is not below 10"):
        read_batch(tmp_path / "a.bin")


@pytest.mark.parametrize("name", ["a.bin", "a"])
def test_a_file_too_large_is_not_read(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        os.truncate(file.fileno(), 3073 * 2**20)  # sparse
    with pytest.raises(RunError, match="at most 67,108,864"):
        read_batch(tmp_path / name)
