"""Forest, graph network and their blend, on the library itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save
from sklearn.metrics import roc_auc_score

from dlcc.errors import LibraryError
from dlcc.forecast.attribution import what_moved
from dlcc.forecast.forecaster import Forecaster, blend, weighted
from dlcc.forecast.forecasters import Forecasters
from dlcc.forecast.forest import TREES, OutcomeForest, in_steps
from dlcc.forecast.gnn import OutcomeGNN
from dlcc.forecast.gnn_training import OutcomeNetwork
from dlcc.past_runs.build.forests import TREES_OF_PARTS
from dlcc.past_runs.configuration import CONFIG_FEATURES
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.patterns import figures_of, patterns
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, nearest_fraction
from dlcc.records import LABELS

HEALTHY = LABELS.index("healthy")


@pytest.fixture(scope="module")
def halves():
    """Two halves of the library that share no setting."""
    past = shipped_library().untampered.as_given
    past = past.select(np.arange(0, len(past), 3))
    first = np.array([int(key, 16) % 2 == 0 for key in past.settings])
    return past.select(first), past.select(~first)


@pytest.fixture(scope="module")
def fitted(halves):
    """A forecaster at a fifth of the training, fitted to the first half of the past runs."""
    return Forecaster.fit(halves[0], 0.2, series_only=False, network=True)


def raw_of(past, forecaster):
    return Space(past, forecaster.space.fraction, forecaster.space.series_only).raw


def test_forecasts_of_unseen_settings_tell_healthy_from_others(halves, fitted):
    found = fitted.many(raw_of(halves[1], fitted))
    healthy = halves[1].labels == HEALTHY
    assert roc_auc_score(healthy, [p.p_healthy.mean for p in found]) >= 0.85
    assert np.corrcoef([p.stability.mean for p in found], halves[1].stability)[0, 1] >= 0.6


def test_probabilities_sum_to_one_and_estimates_lie_where_they_should(halves, fitted):
    for found in fitted.many(raw_of(halves[1], fitted)[:20]):
        assert sum(found.probabilities.values()) == pytest.approx(1)
        assert found.label in LABELS
        low, high = found.p_healthy.interval(0.9)
        assert 0 <= low < found.p_healthy.mean < high <= 1


def test_one_at_a_time_is_the_same_as_many(halves, fitted):
    past = halves[1]
    vector = dict(zip(past.names, past.vectors[5, fitted.space.fraction], strict=True))
    alone = fitted(vector, past.configs[5])
    among = fitted.many(raw_of(past, fitted))[5]
    assert alone.p_healthy.mean == pytest.approx(among.p_healthy.mean, abs=1e-6)


def test_the_same_library_gives_the_same_forecaster(halves, fitted):
    again = Forecaster.fit(halves[0], 0.2, series_only=False, network=True)
    raw = raw_of(halves[1], fitted)[:5]
    assert [p.probabilities for p in again.many(raw)] == [p.probabilities for p in fitted.many(raw)]


def test_intervals_widen_and_forecasts_fade_with_distance(halves, fitted):
    raw = raw_of(halves[1], fitted)
    near = fitted.many(raw)
    sure = raw[int(np.argmax([p.p_healthy.mean for p in near]))]
    scale = np.nanstd(fitted.space.raw, axis=0)
    widths, means = [], []
    for shift in (0.0, 2.0, 50.0):
        (found,) = fitted.many((sure + shift * scale)[None, :])
        low, high = found.p_healthy.interval(0.9)
        widths.append(high - low)
        means.append(found.distance)
    assert means == sorted(means)
    assert widths[-1] > widths[0]


def test_forest_weights_are_those_of_its_own_predictions(halves):
    past = halves[0]
    space = Space(past, 1, series_only=False)
    forest = OutcomeForest.fit(space.points, past.labels, past.stability, 5)
    rows = space.points[:12] + 0.1
    weights = forest.weights(rows)
    assert weights.sum(axis=1) == pytest.approx(1)
    predicted = forest.trees.predict(in_steps(rows))
    assert weights @ np.eye(len(LABELS))[past.labels] == pytest.approx(predicted[:, :-1])
    assert weights @ past.stability == pytest.approx(predicted[:, -1])


def test_the_network_alone_tells_healthy_from_others_and_hears_its_neighbours(halves, fitted):
    raw = raw_of(halves[1], fitted)
    points = fitted.space.standardised(raw)
    found = fitted.gnn.probabilities(points)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert roc_auc_score(halves[1].labels == HEALTHY, found[:, HEALTHY]) >= 0.8
    ends = np.full(len(fitted.space.library), LABELS.index("collapsed"))
    other = replace(fitted.space, library=replace(fitted.space.library, labels=ends))
    lied = OutcomeGNN(fitted.gnn.weights, other).probabilities(points)
    assert np.abs(lied - found).max() > 0.03


def test_the_network_leaves_the_global_generator_alone(halves):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    OutcomeGNN.fit(Space(halves[0].select(np.arange(60)), 1, series_only=False))
    assert torch.equal(before, torch.get_rng_state())


def test_a_network_is_trained_once(halves, own_cache, monkeypatch):
    space = Space(halves[0].select(np.arange(60)), 1, series_only=False)
    trained = OutcomeGNN.fit(space).weights
    with monkeypatch.context() as patch:
        patch.setattr(torch.optim, "Adam", None)  # who trains needs it
        again = OutcomeGNN.fit(space).weights
    assert all(np.array_equal(again[name], trained[name]) for name in trained)
    (kept,) = own_cache.rglob("*.safetensors")
    for damaged in (kept.read_bytes()[:100], save({"encode.weight": torch.zeros(2, 2)})):
        kept.write_bytes(damaged)
        anew = OutcomeGNN.fit(space).weights
        assert all(np.array_equal(anew[name], trained[name]) for name in trained)


def test_probabilities_are_those_of_the_network_that_was_trained(halves):
    space = Space(halves[0].select(np.arange(60)), 1, series_only=False)
    fitted, points = OutcomeGNN.fit(space), space.points[:7] + 0.3
    network = OutcomeNetwork(space.points.shape[1], len(LABELS)).eval()
    network.load_state_dict({name: torch.tensor(w) for name, w in fitted.weights.items()})
    found, _ = space.nearest(points, space.neighbours[0].shape[1])
    sources = np.concatenate([space.neighbours[0], found])
    edges = np.stack([sources.ravel(), np.repeat(np.arange(67), sources.shape[1])])
    shown = np.zeros((67, len(LABELS) + 1), np.float32)
    shown[:60, -1] = shown[np.arange(60), space.library.labels] = 1
    x = torch.tensor(np.vstack([space.points, points]), dtype=torch.float32)
    with torch.no_grad():
        logits = network(x, torch.tensor(shown), torch.tensor(edges))[60:]
    assert fitted.probabilities(points) == pytest.approx(logits.softmax(dim=1).numpy(), abs=1e-6)


def test_a_forest_is_grown_once_and_finds_the_leaves_of_its_trees(halves, own_cache, monkeypatch):
    past = halves[0]
    x = Space(past, 1, series_only=False).points
    grown = OutcomeForest.fit(x, past.labels, past.stability, 5)
    rows = np.vstack([x + 0.1, x])
    assert np.array_equal(grown.leaves_of(rows), grown.trees.apply(in_steps(rows)))
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.ensemble.ExtraTreesRegressor", None)  # who grows needs it
        again = OutcomeForest.fit(x, past.labels, past.stability, 5)
        assert np.array_equal(again.weights(rows[:5]), grown.weights(rows[:5]))
    (kept,) = own_cache.rglob("forest.safetensors")
    kept.write_bytes(kept.read_bytes()[:1000])
    anew = OutcomeForest.fit(x, past.labels, past.stability, 5)
    assert np.array_equal(anew.weights(rows[:5]), grown.weights(rows[:5]))


@pytest.mark.parametrize("series_only", [False, True])
@pytest.mark.parametrize("fraction", [0, 3])
def test_the_shipped_forests_are_those_that_would_be_grown(fraction, series_only, monkeypatch):
    past = shipped_library().untampered.as_given
    every = Space(past, fraction, series_only)
    chosen = patterns(series_only=series_only)
    grown = {}
    for lacking in (chosen[0], chosen[-1]):
        only = figures_of(lacking, every.names) if lacking else None
        space = Space(past, fraction, series_only, only)
        number = TREES_OF_PARTS if lacking else TREES
        grown[lacking] = (
            space,
            OutcomeForest.fit(space.points, past.labels, past.stability, 5, number),
        )
    monkeypatch.setattr("sklearn.ensemble.ExtraTreesRegressor", None)  # who grows needs it
    monkeypatch.setattr("dlcc.cache.find", lambda *of: None)
    for space, forest in grown.values():
        brought = Forecaster.of(space)
        assert brought.gnn is None
        assert np.array_equal(brought.forest.leaves, forest.leaves)
        few = space.points[:9]
        assert np.array_equal(brought.forest.weights(few), forest.weights(few))


@pytest.mark.parametrize("series_only", [False, True])
def test_every_record_is_forecast_by_a_forest_that_ships(series_only, monkeypatch):
    """Whatever part of the configuration and of the series it has, as long as it has losses."""
    monkeypatch.setattr("sklearn.ensemble.ExtraTreesRegressor", None)  # who grows needs it
    monkeypatch.setattr("dlcc.cache.find", lambda *of: None)
    past = shipped_library()
    table = past.series_only_vectors if series_only else past.vectors  # of a run on points
    vector = {name: v for name, v in zip(past.names, table[3, 1], strict=True) if np.isfinite(v)}
    forecasters = Forecasters(past)
    records = (
        (lambda name: True, past.configs[3]),
        (lambda name: True, {"lr_g": 1e-3, "lr_d": 1e9}),
        (lambda name: "_sd_" not in name, past.configs[3]),
        (lambda name: "grad" not in name and "margin" not in name, {}),
        (lambda name: "margin" not in name and "_sd_" not in name, {"batch": 32}),
    )
    for kept, config in records:
        record = {name: value for name, value in vector.items() if kept(name)}
        forecaster = forecasters.at(0.2, record, config, series_only=series_only)
        assert {*forecaster.space.names} <= {*record, *CONFIG_FEATURES}
        assert 0 < forecaster(record, config).p_healthy.mean < 1


def test_what_lacks_figures_and_what_was_selected_have_no_shipped_forest():
    past = shipped_library().untampered.as_given
    assert past.forests
    assert not past.select(np.arange(100)).forests
    assert not past.joined(past).forests
    few = Space(past, 1, series_only=False, only=("good_last", "lr_g"))
    forest = OutcomeForest.fit(few.points, past.labels, past.stability, 5)
    assert np.array_equal(Forecaster.of(few).forest.leaves, forest.leaves)


def test_the_network_corrects_only_those_who_ask(halves, fitted):
    plain = Forecaster.fit(halves[0], 0.2, series_only=False)
    raw = raw_of(halves[1], fitted)[:20]
    alone, corrected = ([p.probabilities for p in f.many(raw)] for f in (plain, fitted))
    assert plain.gnn is None
    assert alone != corrected


def test_what_moved_adds_up_to_the_forest(halves, fitted):
    past = halves[1]
    vector = dict(zip(past.names, past.vectors[2, 1], strict=True))
    everything = what_moved(fitted, vector, past.configs[2], most=10_000)
    point = fitted.space.standardised(fitted.space.raw_of(vector, past.configs[2]))[None, :]
    said = fitted.forest.trees.predict(in_steps(point))[0, HEALTHY]
    mean = fitted.forest.trees.predict(in_steps(fitted.space.points))[:, HEALTHY].mean()
    assert sum(m.effect for m in everything) == pytest.approx(said - mean, abs=0.05)
    sizes = [abs(m.effect) for m in everything]
    assert sizes == sorted(sizes, reverse=True)
    assert len(what_moved(fitted, vector, past.configs[2], most=3)) == 3


def test_a_library_with_too_few_runs(halves):
    with pytest.raises(LibraryError, match="a forecast needs 40"):
        Forecaster.fit(halves[0].select(np.arange(10)), 0.2, series_only=False)


@pytest.mark.parametrize("label", ["healthy", "collapsed"])
def test_a_library_in_which_all_ended_alike_is_not_sure_for_all_that(halves, label):
    past = halves[0].select(np.arange(60))
    alike = replace(past, labels=np.full(60, LABELS.index(label)))
    found = Forecaster.fit(alike, 0.2, series_only=True)({}, {})
    assert found.label == label
    assert 0 < found.p_healthy.mean < 1


def test_doctored_records_teach_nothing(halves):
    past = halves[0]
    marked = replace(past, true_record=np.arange(len(past)) >= 50)
    assert len(Forecaster.fit(marked, 0.2, series_only=True).space.library) == len(past) - 50


@pytest.mark.parametrize(("seen", "fraction"), [(0.01, 0.1), (0.14, 0.1), (0.2, 0.2), (0.4, 0.5),
                                                (0.8, 1.0), (1.0, 1.0)])  # fmt: skip
def test_the_nearest_fraction(seen, fraction):
    assert FRACTIONS[nearest_fraction(seen)] == fraction


def test_blend_is_between_and_a_distribution():
    a, b = np.array([0.7, 0.1, 0.1, 0.05, 0.05]), np.array([0.2, 0.5, 0.1, 0.1, 0.1])
    mixed = blend(a, b, 0.3)
    assert mixed.sum() == pytest.approx(1)
    assert blend(a, b, 0.0) == pytest.approx(a)
    assert blend(a, b, 1.0) == pytest.approx(b)
    assert 0.2 < mixed[0] < 0.7


def test_weighted_distribution():
    values = np.array([0.0, 1.0, 0.5, np.nan])
    found = weighted(values, np.array([0.2, 0.3, 0.5, 9.0]))
    assert found.mean == pytest.approx(0.3 + 0.25, abs=0.02)
