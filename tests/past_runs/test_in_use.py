"""The libraries in use: what ships, and what a user's own runs add."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dlcc.errors import LibraryError
from dlcc.health.curves import IN_FEATURES
from dlcc.kinds.gan import GAN
from dlcc.kinds.map import MAP
from dlcc.past_runs.in_use import (
    forecast_runs,
    library,
    library_digest,
    shipped_library,
    shipped_path,
    user_library_path,
)
from dlcc.records import LABELS


def test_what_ships_is_small_and_has_enough_runs_of_every_label():
    past = shipped_library()
    assert sum(shipped_path(group).stat().st_size for group in ("gan", "single")) <= 5_000_000
    assert len(past) >= 1000
    assert np.bincount(past.labels, minlength=len(LABELS)).min() >= 60
    assert set(past.data) == {"ring", "grid9", "digits", "mnist5k", "fashion", "letters"}
    losses = {config["loss"] for config in past.configs}
    optimizers = {config["optimizer"] for config in past.configs}
    assert losses == {"ns", "mm", "ls", "hinge", "wgangp", "relativistic"}
    assert optimizers == {"adam", "rmsprop", "sgd"}


def test_single_networks_ship_apart_from_gans():
    past = shipped_library("single")
    assert shipped_path("single").stat().st_size <= 1 << 20
    of_points, of_images = past.as_given, past.in_features
    assert set(of_points.data) == {"square", "gaussian", "cube_surface", "cube"}
    assert set(of_images.data) == {"mnist5k", "fashion", "letters"}
    assert len(of_points) >= 400
    ends = np.bincount(past.labels, minlength=len(LABELS))
    assert min(ends[LABELS.index(end)] for end in ("healthy", "weak", "collapsed")) >= 40
    assert {*past.names} == {*shipped_library().names}
    with_samples = [name for name in past.names if name not in IN_FEATURES]
    assert np.isfinite(of_points.columns(with_samples, series_only=False)).all()
    assert np.isfinite(past.next_quarter).all()
    assert np.isfinite(past.terms[:, 1:3]).all()
    assert len({*past.first_rows} - {""}) == len(past)
    assert past.group == "single"


def test_forecasts_of_single_networks_know_gans_too(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "none.npz"))
    gans, own = shipped_library(), shipped_library("single")
    assert len(forecast_runs(GAN)) == len(gans)
    assert {*forecast_runs(MAP).data} == {*gans.data} | {*own.data}


def test_records_were_put_to_the_test_in_number():
    past = shipped_library()
    tested = np.isfinite(past.terms[:, 0, 0])
    assert tested.sum() >= 190
    assert (~past.true_record).sum() >= 0.15 * tested.sum()
    assert tested[~past.true_record].all()
    assert np.isfinite(past.terms[:, 3, 0]).sum() >= 190


def test_a_folder_in_the_place_of_the_users_library(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path))
    with pytest.raises(LibraryError, match=re.escape(str(tmp_path))):
        library()
    with pytest.raises(LibraryError, match="cannot be read"):
        library_digest()


def test_the_users_own_runs_come_with_those_that_ship(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "own.npz"))
    assert user_library_path() == tmp_path / "own.npz"
    assert library() is shipped_library()
    assert library_digest() == ":"
    own = shipped_library().select(np.arange(7))
    replace(own, data=np.array(["mine"] * 7)).save(tmp_path / "own.npz")
    joined = library()
    assert len(joined) == len(shipped_library()) + 7
    assert list(joined.data[-7:]) == ["mine"] * 7
    digest = library_digest()
    assert digest != ":"
    (tmp_path / "own.npz").rename(tmp_path / "own-single.npz")
    assert library_digest() not in {":", digest}


def test_a_library_of_another_group_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "own.npz"))
    shipped_library().select(np.arange(7)).save(tmp_path / "own-single.npz")
    assert library() is shipped_library()
    with pytest.raises(LibraryError, match="group 'gan' where those of 'single' should be"):
        library("single")
    shipped_library("single").select(np.arange(7)).save(tmp_path / "own.npz")
    with pytest.raises(LibraryError, match="group 'single' where those of 'gan' should be"):
        library()


@pytest.mark.parametrize("odd", ["/", ".", "./"])
def test_a_path_without_a_name_is_refused(odd, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", odd)
    with pytest.raises(LibraryError, match=r"DLCC_LIBRARY is .* expected a file"):
        user_library_path()


def test_a_library_of_0_1_is_still_read(tmp_path, monkeypatch):
    """Its file was called -alone, and said whether its runs are of GANs in place of their group."""
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "own.npz"))
    shipped_library("single").select(np.arange(7)).save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as table:
        columns = {k: v for k, v in table.items() if k not in ("group", "label_names")}
        np.savez(tmp_path / "own-alone.npz", **columns, alone=np.array(True))
    assert user_library_path("single") == tmp_path / "own-alone.npz"
    assert len(library("single")) == len(shipped_library("single")) + 7
    (tmp_path / "new.npz").rename(tmp_path / "own-single.npz")
    assert user_library_path("single") == tmp_path / "own-single.npz"


def test_labels_of_two_libraries_are_told_apart_when_joined():
    gans, own = (
        shipped_library().select(np.arange(5)),
        shipped_library("single").select(np.arange(3)),
    )
    other = replace(own, label_names=("stalled", "healthy"), labels=np.array([0, 1, 0]))
    joined = gans.joined(other)
    assert joined.label_names == (*LABELS, "stalled")
    assert [joined.label_of(k) for k in range(5)] == [gans.label_of(k) for k in range(5)]
    assert [joined.label_of(k) for k in range(5, 8)] == ["stalled", "healthy", "stalled"]
