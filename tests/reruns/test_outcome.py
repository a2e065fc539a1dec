"""Ends of trainings, judged from their records alone."""

import pytest

from dlcc.health.run_features import reference_of
from dlcc.past_runs import shipped_library
from dlcc.records import Column, Samples, Series
from dlcc.reruns.outcome import Judge, Recorded
from dlcc.runs import Run
from tests.conftest import example


def judged(name, *, until=1.0, with_samples=True, like_reruns=True, thinned=lambda series: series):
    """End of an example, seen up to a share of its length, as its reruns would be judged."""
    run = Run.open(example(name))
    series, samples = Series.of(run, round(until * run.length)), Samples.of(run, None)
    reference = reference_of(samples) if like_reruns else None
    judge = Judge(shipped_library().excluding(series), reference)
    given, like = samples if with_samples else None, Recorded(series, ())
    return judge.of_run(thinned(series), given, run.length, like)


@pytest.mark.parametrize(
    ("name", "label"), [("digits-healthy", "healthy"), ("digits-collapsed", "collapsed")]
)
def test_the_run_itself_is_judged_as_its_reruns_are(name, label):
    by_samples, by_series = (judged(name, like_reruns=like) for like in (True, False))
    assert by_samples.label == label
    assert by_series.stability != by_samples.stability


def test_what_has_not_come_to_its_end_or_lacks_samples_has_no_end():
    assert judged("digits-healthy", until=0.5) is None
    assert judged("digits-healthy", with_samples=False) is None


def test_by_series_what_logged_less_than_its_reruns_has_no_end():
    def every_tenth(series):
        columns = {
            name: Column(c.steps[::10], c.values[::10], c.clock[::10])
            for name, c in series.columns.items()
        }
        return Series(columns)

    def without_gradients(series):
        return Series({n: c for n, c in series.columns.items() if "grad" not in n})

    for thinned in (every_tenth, without_gradients):
        assert judged("digits-healthy", like_reruns=False, thinned=thinned) is None
