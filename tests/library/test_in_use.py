"""The libraries in use: what ships, and what a user's own runs add."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dlcc.errors import LibraryError
from dlcc.library.in_use import (
    SHIPPED,
    SHIPPED_ALONE,
    library,
    library_digest,
    outcomes,
    shipped_library,
    user_library_path,
)
from dlcc.records import LABELS


def test_what_ships_is_small_and_has_enough_runs_of_every_label():
    past = shipped_library()
    assert SHIPPED.stat().st_size <= 2 << 20
    assert len(past) >= 1000
    assert np.bincount(past.labels, minlength=len(LABELS)).min() >= 60
    assert set(past.data) == {"ring", "grid9", "digits"}
    losses = {config["loss"] for config in past.configs}
    optimizers = {config["optimizer"] for config in past.configs}
    assert losses == {"ns", "mm", "ls", "hinge", "wgangp"}
    assert optimizers == {"adam", "rmsprop", "sgd"}


def test_networks_alone_ship_apart_from_gans():
    past = shipped_library(alone=True)
    assert SHIPPED_ALONE.stat().st_size <= 1 << 20
    assert set(past.data) == {"square", "gaussian", "cube_surface", "cube"}
    assert len(past) >= 400
    ends = np.bincount(past.labels, minlength=len(LABELS))
    assert min(ends[LABELS.index(end)] for end in ("healthy", "weak", "collapsed")) >= 40
    assert past.names == shipped_library().names
    assert np.isfinite(past.vectors).all()
    assert np.isfinite(past.next_quarter).all()
    assert np.isfinite(past.terms[:, 1:3]).all()
    assert len({*past.first_rows} - {""}) == len(past)
    assert past.alone


def test_forecasts_of_networks_alone_know_gans_too(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "none.npz"))
    gans, own = shipped_library(), shipped_library(alone=True)
    assert len(outcomes()) == len(gans)
    assert {*outcomes(alone=True).data} == {*gans.data} | {*own.data}


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
    own = shipped_library().some(np.arange(7))
    replace(own, data=np.array(["mine"] * 7)).save(tmp_path / "own.npz")
    joined = library()
    assert len(joined) == len(shipped_library()) + 7
    assert list(joined.data[-7:]) == ["mine"] * 7
    digest = library_digest()
    assert digest != ":"
    (tmp_path / "own.npz").rename(tmp_path / "own-alone.npz")
    assert library_digest() not in {":", digest}


def test_a_library_of_the_other_kind_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "own.npz"))
    shipped_library().some(np.arange(7)).save(tmp_path / "own-alone.npz")
    assert library() is shipped_library()
    with pytest.raises(LibraryError, match="of GANs where one of networks alone should be"):
        library(alone=True)
    shipped_library(alone=True).some(np.arange(7)).save(tmp_path / "own.npz")
    with pytest.raises(LibraryError, match="of networks alone where one of GANs should be"):
        library()


@pytest.mark.parametrize("odd", ["/", ".", "./"])
def test_a_path_without_a_name_is_refused(odd, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", odd)
    with pytest.raises(LibraryError, match=r"DLCC_LIBRARY is .* expected a file"):
        user_library_path()
