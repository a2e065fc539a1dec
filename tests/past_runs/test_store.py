"""The library of past runs: what is kept of them, what is refused, and which are told apart."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dlcc.errors import LibraryError
from dlcc.health.curves import (
    IN_FEATURES,
    NEEDS_SAMPLES,
    OF_ROWS_AS_GIVEN,
    SERIES_ONLY_OWN,
)
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import (
    FRACTIONS,
    read_library,
    row,
    save_all,
)
from dlcc.past_runs.twins import first_rows_hash
from dlcc.records import Column, Series


def test_every_run_has_every_figure_that_it_can_have():
    past = shipped_library()
    assert past.vectors.shape == (len(past), len(FRACTIONS), len(past.names))
    for runs, lacking in ((past.as_given, IN_FEATURES), (past.in_features, OF_ROWS_AS_GIVEN)):
        assert len(runs) > 100
        there = [name not in lacking for name in past.names]
        assert np.array_equal(np.isfinite(runs.vectors).all(axis=(0, 1)), there)
    past = past.as_given
    for k, name in enumerate(past.names):
        assert np.isnan(past.series_only_vectors[:, :, k]).all() == (name in NEEDS_SAMPLES), name
    assert set(SERIES_ONLY_OWN) <= set(past.names)


def test_shares_are_shares():
    past = shipped_library()
    for shares in (
        past.stability,
        past.next_quarter,
        past.columns(["good_half"], series_only=False),
    ):
        assert ((shares >= 0) & (shares <= 1)).all()


def test_its_forests_survive_being_written(tmp_path):
    past = shipped_library()
    past.save(tmp_path / "past.npz")
    again = read_library(tmp_path / "past.npz").forests
    assert again.keys() == past.forests.keys()
    for name, nodes in past.forests.items():
        assert all(np.array_equal(again[name][part], values) for part, values in nodes.items())


def test_it_survives_being_written(tmp_path):
    past = shipped_library().select(np.arange(30))
    past.save(tmp_path / "past.npz")
    again = read_library(tmp_path / "past.npz")
    assert again.names == past.names
    assert list(again.configs) == list(past.configs)
    for name in ("labels", "vectors", "stability", "next_quarter", "terms", "true_record"):
        assert np.array_equal(getattr(again, name), getattr(past, name), equal_nan=True), name
    assert np.array_equal(again.series_only_vectors, past.series_only_vectors, equal_nan=True)
    assert np.array_equal(again.good.with_samples.covariance, past.good.with_samples.covariance)
    assert list(tmp_path.iterdir()) == [tmp_path / "past.npz"]


def damaged(path, change):
    with np.load(path) as table:
        columns = {name: table[name] for name in table.files}
    change(columns)
    np.savez(path, **columns)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(conventions=np.array(99)), "conventions 99, expected"),
        (lambda c: c.pop("labels"), "not a readable library"),
        (lambda c: c.update(labels=c["labels"][:-1]), "not a readable library"),
        (lambda c: c.update(configs=np.array(["{"] * len(c["configs"]))), "not a readable library"),
    ],
)
def test_a_library_of_another_version_or_damaged_is_refused(tmp_path, change, message):
    path = tmp_path / "past.npz"
    shipped_library().select(np.arange(5)).save(path)
    damaged(path, change)
    with pytest.raises(LibraryError, match=message) as caught:
        read_library(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [b"", b"no library", b"PK\x03\x04 cut"])
def test_what_is_no_library_is_refused(tmp_path, content):
    (tmp_path / "past.npz").write_bytes(content)
    with pytest.raises(LibraryError, match="not a readable library"):
        read_library(tmp_path / "past.npz")


def test_a_missing_library_says_how_to_make_one(tmp_path):
    with pytest.raises(LibraryError, match="dlcc library build"):
        read_library(tmp_path / "none.npz")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="cannot be written"):
        shipped_library().select(np.arange(5)).save(tmp_path / "file" / "past.npz")


def test_of_several_libraries_all_are_written_or_none(tmp_path):
    few, other = (shipped_library(group).select(np.arange(7)) for group in ("gan", "single"))
    few.save(tmp_path / "one.npz")
    before = (tmp_path / "one.npz").read_bytes()
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError, match=r"two.npz: cannot be written"):
        save_all({tmp_path / "one.npz": other, tmp_path / "file" / "two.npz": other})
    assert (tmp_path / "one.npz").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "one.npz"]


def test_libraries_of_other_figures_do_not_join():
    past = shipped_library().select(np.arange(3))
    with pytest.raises(LibraryError, match="different figures"):
        past.joined(replace(past, names=(*past.names[:-1], "other")))


def series(seed, rows=100):
    rng = np.random.default_rng(seed)
    return Series(
        {
            name: Column(np.arange(rows), rng.random(rows), np.zeros(0))
            for name in ("discriminator/loss", "generator/loss", "generator/grad_norm")
        }
    )


def test_twins_share_their_first_rows_and_nothing_else_does():
    run = series(0)
    assert first_rows_hash(run) == first_rows_hash(run.before(40))
    two = {n: c for n, c in run.columns.items() if n.endswith("loss")}
    assert first_rows_hash(run) == first_rows_hash(Series(two))
    assert first_rows_hash(run) != first_rows_hash(series(1))
    assert first_rows_hash(run.before(31)) == ""


def test_apart_from_a_run_are_all_but_its_setting():
    past = shipped_library().select(np.arange(20))
    assert past.excluding(series(0)) is past.excluding(None) is past
    same = [dict(config) for config in past.configs]
    same[7] = {**same[3], "seed": 1}
    twin = replace(
        past,
        configs=np.array(same, dtype=object),
        first_rows=np.array([first_rows_hash(series(0)) if k == 3 else "" for k in range(20)]),
    )
    apart = twin.excluding(series(0))
    assert len(apart) == 18
    assert json.dumps(same[3]) not in map(json.dumps, apart.configs)
    assert len(replace(twin, first_rows=np.full(20, "")).excluding(series(0).before(31))) == 20


def test_honest_runs_are_those_with_a_true_record():
    past = shipped_library()
    assert past.untampered.true_record.all()
    assert len(past.untampered) == past.true_record.sum() < len(past)


def test_columns_and_rows_by_name():
    past = shipped_library()
    names = ["swing", "good_half"]
    vector = dict(zip(past.names, past.vectors[3, 1], strict=True))
    expected = pytest.approx(row(names, vector))
    assert past.columns(names, series_only=False, fraction=1)[3] == expected
    assert np.isnan(row(["unheard-of"], vector)).all()
