"""A user's own runs in a library of theirs."""

import numpy as np
import pytest

from dlcc.errors import LibraryError, OptionError, RunError
from dlcc.library.own import add_runs, row_of
from dlcc.library.store import FRACTIONS, library, read_library, shipped_library
from dlcc.records import LABELS, Series
from dlcc.runs import Run


def test_a_run_is_added_once_and_used(small_run, tmp_path, monkeypatch):
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "own.npz"))
    run = Run.open(small_run)
    assert len(add_runs([run, run])) == 1
    own = read_library(tmp_path / "own.npz")
    assert own.judged_by[0] == "verdict"
    assert own.vectors.shape == (1, len(FRACTIONS), len(shipped_library().names))
    assert len(library()) == len(shipped_library()) + 1
    assert len(library().apart_from(Series.of(run, None))) == len(shipped_library())


def test_a_label_for_a_run_that_is_in_it_takes_the_place_of_the_verdict(small_run, tmp_path):
    run, path = Run.open(small_run), tmp_path / "own.npz"
    add_runs([run], path=path)
    for label in ("weak", "diverged", None):
        own = add_runs([run], label, path)
        assert len(own) == 1
        assert own.judged_by[0] == "review"
    assert LABELS[own.labels[0]] == "diverged"


def test_runs_of_which_no_twin_can_be_told_are_all_added(small_run, tmp_path, monkeypatch):
    monkeypatch.setattr("dlcc.library.own.first_rows_hash", lambda series: "")
    run = Run.open(small_run)
    assert len(add_runs([run, run], "weak", tmp_path / "own.npz")) == 2


def test_a_label_that_the_user_knows_goes_before_the_verdict(small_run):
    made = row_of(Run.open(small_run), shipped_library(), "weak")
    assert LABELS[made.labels[0]] == "weak"
    assert made.judged_by[0] == "review"
    assert np.isfinite(made.blind_vectors[:, :, made.names.index("good_half")]).all()


def test_what_cannot_be_learnt_from(small_run, tmp_path):
    with pytest.raises(OptionError, match="expected one of healthy"):
        add_runs([Run.open(small_run)], "splendid", tmp_path / "own.npz")
    with pytest.raises(LibraryError, match="no run was given"):
        add_runs([], None, tmp_path / "own.npz")
    with pytest.raises(RunError, match="only a run that came to its end"):
        add_runs([_longer(small_run)], None, tmp_path / "own.npz")
    assert not (tmp_path / "own.npz").exists()


def _longer(small_run):
    """The run as if it had been configured to be longer."""
    path = small_run / "run.json"
    path.write_text(path.read_text().replace('"length": 200', '"length": 1000'))
    run = Run.open(small_run)
    assert run.length == 1000
    return run


def test_a_blind_run_can_be_added(small_run):
    for path in (small_run / "samples").iterdir():
        path.unlink()
    made = row_of(Run.open(small_run), shipped_library(), "weak")
    assert np.isnan(made.vectors).all()
    assert np.isfinite(made.blind_vectors[0, :, made.names.index("generator_loss_last")]).all()
