"""Nearest rows, held against a search by brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from dlcc.errors import LibraryError
from dlcc.past_runs.neighbours import NeighbourIndex

K = 10


def rows(n: int, width: int, seed: int) -> np.ndarray:
    """Rows that lie near eight directions, as figures of runs do."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(width).normal(size=(8, width))
    return rng.normal(size=(n, 8)) @ directions + 0.5 * rng.normal(size=(n, width))


def recall(index: NeighbourIndex, there: np.ndarray, asked: np.ndarray) -> float:
    found, _ = index.search(asked, K)
    exact = np.argsort(cdist(asked, there), axis=1)[:, :K]
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found, exact, strict=True)]))


@pytest.mark.parametrize("width", [5, 64])
def test_few_rows_are_searched_exactly(width: int) -> None:
    there, asked = rows(3_000, width, 0), rows(50, width, 1)
    index = NeighbourIndex.of(there)
    assert index.is_exact
    assert recall(index, there, asked) > 0.999
    found, squared = index.search(asked, K)
    expected = np.take_along_axis(cdist(asked, there, "sqeuclidean"), found, axis=1)
    np.testing.assert_allclose(squared, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("width", [33, 64])
def test_codes_find_nearly_all_of_the_nearest(width: int) -> None:
    there, asked = rows(20_000, width, 0), rows(100, width, 1)
    index = NeighbourIndex.of(there, exact_up_to=5_000)
    assert not index.is_exact
    assert recall(index, there, asked) > 0.95


def test_rows_are_added_without_building_anew(tmp_path: Path) -> None:
    there, asked = rows(20_000, 32, 0), rows(100, 32, 1)
    index = NeighbourIndex.of(there[:4_000], exact_up_to=5_000)
    assert index.is_exact
    for part in np.array_split(there[4_000:], 5):
        index.add(part)
    assert len(index) == 20_000
    assert not index.is_exact
    assert recall(index, there, asked) > 0.95


@pytest.mark.parametrize("exact_up_to", [1_000, 100_000])
def test_a_file_gives_the_same_index_mapped_or_not(tmp_path: Path, exact_up_to: int) -> None:
    there, asked = rows(4_000, 33, 0), rows(20, 33, 1)
    index = NeighbourIndex.of(there, exact_up_to)
    index.save(tmp_path / "rows.faiss")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.faiss"]
    for mapped in (True, False):
        opened = NeighbourIndex.open(tmp_path / "rows.faiss", exact_up_to, mapped=mapped)
        for mine, theirs in zip(index.search(asked, K), opened.search(asked, K), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    opened.add(asked)
    assert opened.search(asked[:1], 1)[0][0, 0] == 4_000
    mapped_one = NeighbourIndex.open(tmp_path / "rows.faiss", exact_up_to)
    with pytest.raises(LibraryError, match="mapped=False"):
        mapped_one.add(asked)


def test_files_that_are_no_index_are_refused_in_a_sentence(tmp_path: Path) -> None:
    NeighbourIndex.of(rows(3_000, 32, 0), 1_000).save(tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-5_000])
    flipped = bytearray((tmp_path / "whole").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (tmp_path / "flipped").write_bytes(flipped)
    (tmp_path / "text").write_text("not an index")
    (tmp_path / "empty").touch()
    for name in ("cut", "flipped", "text", "empty", "none"):
        for mapped in (True, False):
            with pytest.raises(LibraryError, match=f"{name}: no readable index"):
                NeighbourIndex.open(tmp_path / name, mapped=mapped)
    with pytest.raises(LibraryError, match="cannot be written"):
        NeighbourIndex.of(rows(30, 4, 0)).save(tmp_path / "none" / "index")
