"""Where a run lies among past ones."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.errors import OptionError
from dlcc.past_runs.twins import first_rows_hash
from dlcc.records import HealthRecord, Series
from dlcc.stage import NotApplicable
from dlcc.stages.novelty import Novelty
from tests.stages.past_runs import call, parts_of


def test_the_neighbours_of_a_collapsed_run_failed(few_past_runs):
    result = call(Novelty(), *parts_of("digits-collapsed"))
    (record,) = result.records
    ends = [near.label for near in record.nearest]
    assert len(ends) == Novelty().shown
    assert ends.count("healthy") <= 1
    distances = [near.distance for near in record.nearest]
    assert distances == sorted(distances)
    assert result.terms["novelty"].mean == pytest.approx(record.independence)


def test_a_run_far_from_all_others_is_said_to_be_so(few_past_runs):
    parts, length = parts_of("digits-healthy")
    health = parts[HealthRecord]
    wild = replace(health, features=dict.fromkeys(health.features, 1000.0))
    codes = {f.code for f in call(Novelty(), {**parts, HealthRecord: wild}, length).findings}
    assert "NOV002" in codes
    assert "NOV002" not in {f.code for f in call(Novelty(), parts, length).findings}


def test_neither_the_run_itself_nor_doctored_ones_are_neighbours(few_past_runs, monkeypatch):
    parts, length = parts_of("digits-healthy")
    twins = np.full(len(few_past_runs), "", dtype="<U16")
    twins[3] = first_rows_hash(parts[Series])
    honest = np.arange(len(twins)) % 2 == 1
    few = replace(few_past_runs, first_rows=twins, true_record=honest)
    monkeypatch.setattr("dlcc.past_runs.in_use.library", lambda *group: few)
    found = call(Novelty(shown=len(twins)), parts, length).records[0].nearest
    assert len(found) == np.sum(honest & (few.settings != few.settings[3]))
    assert few.configs[3] not in [near.config for near in found]


def test_none_to_be_shown_is_refused():
    with pytest.raises(OptionError, match=r"novelty.shown 0: expected 1 or more"):
        Novelty(shown=0)


def test_a_library_with_too_few_runs(few_past_runs, monkeypatch):
    few = few_past_runs.select(np.arange(20))
    monkeypatch.setattr("dlcc.past_runs.in_use.library", lambda *group: few)
    with pytest.raises(NotApplicable, match="the library has 20 runs; 40 are needed"):
        call(Novelty(), *parts_of("digits-healthy"))
