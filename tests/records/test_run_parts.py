"""A run's series as a record of its own."""

import numpy as np
import pytest

from dlcc.records import Series
from dlcc.runs import Recorder, Run


@pytest.fixture(scope="module")
def gone_back(tmp_path_factory) -> Run:
    """A run of two sessions that went back once in the first, and once between them."""
    path = tmp_path_factory.mktemp("runs") / "run"
    for first in ([*range(10), *range(6, 20)], range(15, 30)):
        with Recorder(path) as recorder:
            for step in first:
                recorder.log(step, {"model/loss": float(step)})
    return Run.open(path)


@pytest.mark.parametrize("until", [0, 3, 7, 10, 16, 20, 40])
def test_before_a_step_is_what_would_have_been_read_up_to_it(gone_back, until):
    whole, cut = Series.of(gone_back, None), Series.of(gone_back, until)
    assert whole.restarts
    assert len(whole.rewinds) == 2
    before = whole.before(until)
    assert before.digest() == (Series({}) if cut is None else cut).digest()


def test_rows_and_steps_of_a_record(gone_back):
    whole = Series.of(gone_back, None)
    assert (whole.rows, whole.recorded) == (30, 30)
    assert (whole.before(12).rows, whole.before(12).recorded) == (12, 12)
    assert (Series({}).rows, Series({}).recorded) == (0, 0)


def test_from_the_start():
    found = Series.from_start({"generator/loss": np.array([3.0, 1.0])})
    assert found.columns["generator/loss"].steps.tolist() == [0, 1]
    assert np.isnan(found.columns["generator/loss"].clock).all()
    assert found.recorded == 2
