"""What is to be expected of a run."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.errors import OptionError
from dlcc.forecast.forecaster import Forecaster
from dlcc.records import HealthRecord
from dlcc.stage import NotApplicable
from dlcc.stages.impact import Impact
from tests.stages.past_runs import call, parts_of


def test_of_a_collapsed_run_little_is_to_be_expected(few_past_runs):
    result = call(Impact(shown=3), *parts_of("digits-collapsed"))
    (record,) = result.records
    assert result.terms["impact"].interval(0.9)[1] < 0.3  # what collapsed runs came to
    assert record.p_healthy.mean < 0.2
    assert [point.seen for point in record.over_time] == [0.1, 0.2, 0.5, 1.0]
    assert record.over_time[-1].p_healthy == record.p_healthy
    assert len(record.moved) == 3
    assert record.diffusion is not None
    assert result.findings == []  # the record is complete: the verdict speaks, not the forecast


def test_an_unfinished_run_that_looks_like_failed_ones_is_a_finding(few_past_runs):
    parts, length = parts_of("digits-collapsed")
    half = replace(parts[HealthRecord], seen=0.5)
    result = call(Impact(), {**parts, HealthRecord: half}, length)
    assert result.terms["impact"] == result.records[0].next_quarter
    assert [f.code for f in result.findings] == ["IMP001"]
    assert [point.seen for point in result.records[0].over_time] == [0.1, 0.2, 0.5]


def test_nothing_is_fitted_twice(few_past_runs, monkeypatch):
    """At six tenths the present is forecast by what is known of runs at their half."""
    fits = []
    plain = Forecaster.of

    def counted(space, **options):
        fits.append(space.fraction)
        return plain(space, **options)

    monkeypatch.setattr(Forecaster, "of", counted)
    parts, length = parts_of("digits-collapsed")
    later = replace(parts[HealthRecord], seen=0.6)
    result = call(Impact(), {**parts, HealthRecord: later}, length)
    assert [point.seen for point in result.records[0].over_time] == [0.1, 0.2, 0.5, 0.6]
    assert fits == [0, 1, 2]


def test_a_network_corrects_the_forecast_where_it_is_asked_for(few_past_runs):
    parts, length = parts_of("digits-collapsed")
    alone, corrected = (
        call(Impact(network=asked), parts, length).records[0].probabilities
        for asked in (False, True)
    )
    assert alone != corrected


def test_none_to_be_shown_is_refused():
    with pytest.raises(OptionError, match=r"impact.shown -2: expected 1 or more"):
        Impact(shown=-2)


def test_a_library_with_too_few_runs(few_past_runs, monkeypatch):
    few = few_past_runs.select(np.arange(20))
    monkeypatch.setattr("dlcc.past_runs.in_use.library", lambda *group: few)
    with pytest.raises(NotApplicable, match="the library has 20 runs"):
        call(Impact(), *parts_of("digits-collapsed"))
