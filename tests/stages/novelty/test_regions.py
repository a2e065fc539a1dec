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
    assert bad.words == "the generator's loss is above 10"
    assert bad.failed == bad.runs == np.sum(space.library.labels == LABELS.index("collapsed"))
    assert bad.usual == pytest.approx(0.5, abs=0.01)
    assert bad.share.interval(0.9)[0] > 0.9


def test_a_network_alone_has_no_opponent_to_be_told_from(space):
    assert region_of(space, {LOSS: np.arcsinh(15)}, MAP).words == "the loss is above 10"


def test_weak_runs_have_not_failed(space):
    good = region_of(space, {LOSS: 0.0})
    assert good.words == "the generator's loss is below 10"
    assert good.failed == 0


def test_a_range_has_two_ends(space):
    loss = np.sinh(space.library.columns([LOSS], series_only=True)[:, 0])
    ends = np.where((loss > 5) & (loss < 10), LABELS.index("diverged"), LABELS.index("weak"))
    between = replace(space, library=replace(space.library, labels=ends))
    words = region_of(between, {LOSS: np.arcsinh(7)}).words
    assert words.startswith("the generator's loss is from ")
    low, high = (float(w) for w in words.rpartition("from ")[2].split(" to "))
    assert (low, high) == pytest.approx((5, 10), abs=0.1)


def test_levels_far_from_equilibrium_and_trends_are_said_as_such(space):
    past = space.library
    vectors = past.series_only_vectors.copy()
    vectors[:, :, past.names.index(LOSS)] = 0.0
    growth = np.linspace(-1, 1, len(past))
    vectors[:, :, past.names.index("generator_grad_change")] = growth[:, None]
    level = np.where(np.arange(len(past)) % 2, np.arcsinh(0.05), np.arcsinh(1.4))
    vectors[:, :, past.names.index("discriminator_loss_last")] = level[:, None]
    bad = (growth > 0) & (level < 0.5)
    ends = np.where(bad, LABELS.index("collapsed"), LABELS.index("healthy"))
    grown = replace(space, library=replace(past, series_only_vectors=vectors, labels=ends))
    own = {"discriminator_loss_last": np.arcsinh(0.05), "generator_grad_change": 0.5}
    region = region_of(grown, own, loss="ns")
    assert region.failed == region.runs
    parts = sorted(region.words.split(" and "))
    assert parts[0].startswith("the discriminator's loss is below 0.6")
    assert parts[0].endswith(" of its equilibrium)")
    assert parts[1] == "the generator's gradient norm grows"
    assert "equilibrium" not in region_of(grown, own, loss="wgangp").words


def test_what_nearly_every_past_run_does_goes_without_saying(space):
    past = space.library
    vectors = past.series_only_vectors.copy()
    spread = np.linspace(0, 1, len(past))
    vectors[:, :, past.names.index(LOSS)] = 0.0
    vectors[:, :, past.names.index("generator_loss_sd_last")] = spread[:, None]
    ends = np.where(spread > 0.75, LABELS.index("collapsed"), LABELS.index("healthy"))
    spread_out = replace(space, library=replace(past, series_only_vectors=vectors, labels=ends))
    words = region_of(spread_out, {"generator_loss_sd_last": 0.9}).words
    assert words == "the generator's loss scatters more than in 75 % of past runs"


def test_what_a_run_lacks_does_not_place_it(space):
    """Losses only, and rows too far apart for a scatter."""
    past = space.library
    vectors = past.series_only_vectors.copy()
    spread = np.linspace(0, 1, len(past))
    vectors[:, :, past.names.index("generator_loss_sd_last")] = spread[:, None]
    ends = np.where(spread < 0.3, LABELS.index("collapsed"), LABELS.index("healthy"))
    still = replace(space, library=replace(past, series_only_vectors=vectors, labels=ends))
    lacking = region_of(still, {LOSS: 0.7, "generator_loss_sd_last": np.nan})
    assert "scatters" not in lacking.words
    assert region_of(still, {}) is None
    assert region_of(still, {LOSS: np.inf}) is None


def test_falls_are_told_from_the_other_end(space):
    past = space.library
    vectors = past.series_only_vectors.copy()
    change = np.linspace(-1, 1, len(past))
    vectors[:, :, past.names.index("generator_loss_change")] = change[:, None]
    ends = np.where(change < -0.5, LABELS.index("collapsed"), LABELS.index("healthy"))
    fallen = replace(space, library=replace(past, series_only_vectors=vectors, labels=ends))
    words = region_of(fallen, {"generator_loss_change": -0.8}).words
    assert words == "the generator's loss falls more than in 75 % of past runs"
