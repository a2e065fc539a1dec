"""Forests in a library's file."""

import numpy as np
import pytest

from dlcc.past_runs import shipped_library
from dlcc.past_runs.forest_files import packed_forests, right_of
from dlcc.past_runs.store import read_library


def drawn_tree(rng, depth):
    """Right pointers of a random tree, depth first."""
    if depth == 0 or rng.random() < 0.3:
        return [0]
    left, right = drawn_tree(rng, depth - 1), drawn_tree(rng, depth - 1)
    return [len(left) + 1, *left, *right]


@pytest.mark.parametrize("seed", range(20))
def test_pointers_follow_from_which_nodes_are_leaves(seed):
    rng = np.random.default_rng(seed)
    pointers = np.concatenate([drawn_tree(rng, 7) for _ in range(rng.integers(1, 9))])
    found = right_of(pointers > 0)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, pointers)


def test_a_forest_comes_back_as_it_was(tmp_path):
    past = shipped_library()
    past.save(tmp_path / "past.npz")
    again = read_library(tmp_path / "past.npz")
    assert {*again.forests} == {*past.forests}
    for name in list(past.forests)[::9]:
        before, after = past.forests[name], again.forests[name]
        assert before.keys() == after.keys()
        for part, values in before.items():
            assert after[part].dtype == values.dtype
            np.testing.assert_array_equal(after[part], values)


def test_files_that_kept_pointers_are_still_read(tmp_path):
    past = shipped_library()
    few = past.select(np.arange(50))
    few.save(tmp_path / "few.npz")
    name = next(iter(past.forests))
    forest = past.forests[name]
    columns = packed_forests({name: forest})
    columns |= {f"trees {name}/{part}": values for part, values in forest.items()}
    with np.load(tmp_path / "few.npz") as table:
        np.savez(tmp_path / "old.npz", **{**table, **columns})
    old = read_library(tmp_path / "old.npz").forests[name]
    for part, values in forest.items():
        np.testing.assert_array_equal(old[part], values)
