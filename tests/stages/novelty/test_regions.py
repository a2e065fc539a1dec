"""Regions in which runs fail, in words."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.kinds.map import MAP
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.records import LABELS
from dlcc.stages.novelty.regions import region_of

LOSS = "generator_loss_last"


@pytest.fixture(scope="module")
def space():
    """A library in which a run has collapsed if and only if its generator's loss is above 10."""
    past = shipped_library()
    past = past.select(np.arange(0, len(past), 8))
    loss = np.linspace(0, 20, len(past))
    vectors = past.series_only_vectors.copy()
    vectors[:, :, past.names.index(LOSS)] = np.arcsinh(loss)[:, None]
    ends = np.where(loss > 10, LABELS.index("collapsed"), LABELS.index("weak"))
    return Space(
        replace(past, series_only_vectors=vectors, labels=ends), fraction=3, series_only=True
    )


def test_a_region_is_told_by_its_marks_and_counts_its_runs(space):
    bad = region_of(space, {LOSS: np.arcsinh(15)})
    assert bad.words == "the generator's loss above 10"
    assert bad.failed == bad.runs == np.sum(space.library.labels == LABELS.index("collapsed"))
    assert bad.usual == pytest.approx(0.5, abs=0.01)
    assert bad.share.interval(0.9)[0] > 0.9


def test_a_network_alone_has_no_opponent_to_be_told_from(space):
    assert region_of(space, {LOSS: np.arcsinh(15)}, MAP).words == "the loss above 10"


def test_weak_runs_have_not_failed(space):
    good = region_of(space, {LOSS: 0.0})
    assert good.words == "the generator's loss below 10"
    assert good.failed == 0


def test_a_range_has_two_ends(space):
    loss = np.sinh(space.library.columns([LOSS], series_only=True)[:, 0])
    ends = np.where((loss > 5) & (loss < 10), LABELS.index("diverged"), LABELS.index("weak"))
    between = replace(space, library=replace(space.library, labels=ends))
    words = region_of(between, {LOSS: np.arcsinh(7)}).words
    assert words.startswith("the generator's loss from ")
    low, high = (float(w) for w in words.rpartition("from ")[2].split(" to "))
    assert (low, high) == pytest.approx((5, 10), abs=0.1)
