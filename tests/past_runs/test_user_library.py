"""A user's own runs in a library of theirs."""

import shutil

import numpy as np
import pytest

from dlcc.errors import LibraryError, OptionError, RunError
from dlcc.past_runs.in_use import library, shipped_library
from dlcc.past_runs.store import FRACTIONS, read_library
from dlcc.past_runs.user_library import add_runs, row_of
from dlcc.records import LABELS, Series
from dlcc.runs import Run


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Of the user's library."""
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "own.npz"))
    return tmp_path / "own.npz"


def test_a_run_is_added_once_and_used(small_run, path):
    run = Run.open(small_run)
    assert [*add_runs([run, run])] == [path]
    own = read_library(path)
    assert len(own) == 1
    assert own.judged_by[0] == "verdict"
    assert own.vectors.shape == (1, len(FRACTIONS), len(shipped_library().names))
    assert len(library()) == len(shipped_library()) + 1
    assert len(library().excluding(Series.of(run, None))) == len(shipped_library())


def test_a_label_for_a_run_that_is_in_it_takes_the_place_of_the_verdict(small_run, path):
    run = Run.open(small_run)
    add_runs([run])
    for label in ("weak", "diverged", None):
        own = add_runs([run], label)[path]
        assert len(own) == 1
        assert own.judged_by[0] == "review"
    assert LABELS[own.labels[0]] == "diverged"


def test_runs_of_which_no_twin_can_be_told_are_all_added(small_run, path, monkeypatch):
    monkeypatch.setattr("dlcc.past_runs.user_library.first_rows_hash", lambda series: "")
    run = Run.open(small_run)
    assert len(add_runs([run, run], "weak")[path]) == 2


def test_a_label_that_the_user_knows_goes_before_the_verdict(small_run):
    made = row_of(Run.open(small_run), shipped_library(), "weak")
    assert LABELS[made.labels[0]] == "weak"
    assert made.judged_by[0] == "review"
    assert np.isfinite(made.series_only_vectors[:, :, made.names.index("good_half")]).all()


def test_what_cannot_be_learnt_from(small_run, path):
    with pytest.raises(OptionError, match="expected one of healthy"):
        add_runs([Run.open(small_run)], "splendid")
    with pytest.raises(LibraryError, match="no run was given"):
        add_runs([])
    with pytest.raises(RunError, match="only a run that came to its end"):
        add_runs([_longer(small_run)])
    assert not path.exists()


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
    assert np.isfinite(
        made.series_only_vectors[0, :, made.names.index("generator_loss_last")]
    ).all()


def test_networks_alone_go_to_a_library_of_their_own(small_run, path, recorded_map):
    beside = path.with_name("own-single.npz")
    written = add_runs([Run.open(small_run), Run.open(recorded_map)])
    assert [*written] == [path, beside]
    assert [len(own) for own in written.values()] == [1, 1]
    assert read_library(beside).data.tolist() == ["square"]
    assert len(library("single")) == len(shipped_library("single")) + 1
    assert len(library()) == len(shipped_library()) + 1


@pytest.mark.slow
def test_of_a_network_alone_twins_are_told_too(path, recorded_map):
    run, beside = Run.open(recorded_map), path.with_name("own-single.npz")
    assert len(add_runs([run, run])[beside]) == 1
    own = add_runs([run], "weak")[beside]
    assert len(own) == 1
    assert LABELS[own.labels[0]] == "weak"
    past = library("single").excluding(Series.of(run, run.length))
    assert len(past) == len(shipped_library("single"))


def test_a_network_alone_without_samples_cannot_be_learnt_from(path, recorded_map, tmp_path):
    shutil.copytree(recorded_map, tmp_path / "map")
    shutil.rmtree(tmp_path / "map" / "samples")
    with pytest.raises(RunError, match="kind 'map' is judged by its samples"):
        add_runs([Run.open(tmp_path / "map")])


def test_a_training_of_an_unknown_kind_cannot_be_learnt_from(small_run, path):
    file = small_run / "run.json"
    file.write_text(file.read_text().replace('"kind": "gan"', '"kind": "diffusion"'))
    with pytest.raises(RunError, match=r"cannot be added .* kind 'diffusion'"):
        add_runs([Run.open(small_run)])
    assert not path.exists()


def left_by_another(folder, losses):
    folder.mkdir()
    rows = (f"{step},{d},{g}\n" for step, (d, g) in enumerate(losses))
    (folder / "metrics.csv").write_text("step,d_loss,g_loss\n" + "".join(rows))
    return Run.open(folder)


def test_a_record_that_is_still_needs_a_label(path, tmp_path):
    run = left_by_another(tmp_path / "still", [(1.2, 0.8)] * 200)
    with pytest.raises(RunError, match=r"changes anywhere in the record.* --label"):
        add_runs([run])
    assert LABELS[add_runs([run], "collapsed")[path].labels[0]] == "collapsed"


def test_a_record_that_stood_still_at_first_can_be_learnt_from(path, tmp_path):
    moving = np.random.default_rng(0).random((100, 2))
    late = left_by_another(tmp_path / "late", [(1.2, 0.8)] * 100 + [*moving])
    assert len(add_runs([late], "weak")) == 1


def test_what_a_verdict_could_not_be_given_on_is_learnt_from_by_its_label_alone(path, tmp_path):
    rows = np.random.default_rng(0).random((200, 2))
    run = left_by_another(tmp_path / "foreign", [*rows])
    with pytest.raises(RunError, match="outside of what was verified"):
        add_runs([run])
    assert len(add_runs([run], "collapsed")) == 1
