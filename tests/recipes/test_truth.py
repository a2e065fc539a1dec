"""The definitions of the truth, on sample steps made by hand and on samples with a known answer."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dlcc.health.definitions import sample_steps
from dlcc.recipes import digits_classifier, truth
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.truth import SampledStep

LENGTH = 400
HALF = truth.SAMPLE_STEPS // 2


def checkpoints(coverage, quality=0.9, frechet=20.0, reach=2.0, n=truth.SAMPLE_STEPS):
    """Sample steps with these curves; a number stands for a constant one."""
    curves = [np.broadcast_to(c, n).tolist() for c in (coverage, quality, frechet, reach)]
    return [
        SampledStep(10 * (k + 1), (), *values) for k, values in enumerate(zip(*curves, strict=True))
    ]


def calm_series(**changed):
    """Series of both players that nothing is wrong with."""
    series = {
        f"{player}/{quantity}": np.ones(LENGTH)
        for player in ("generator", "discriminator")
        for quantity in ("loss", "grad_norm")
    }
    return series | {name.replace("__", "/"): values for name, values in changed.items()}


def late(value, share=0.2):
    """Ones, and `value` over the last share of the length."""
    values = np.ones(LENGTH)
    values[-round(share * LENGTH) :] = value
    return values


def step_curve(before, after, at):
    return np.where(np.arange(truth.SAMPLE_STEPS) < at, before, after)


# --- labels ---------------------------------------------------------------------------------------


def test_a_good_run_is_healthy():
    judged = truth.judge("digits", LENGTH, checkpoints(1.0), calm_series())
    assert (judged.label, judged.onset, judged.stability) == ("healthy", None, 1.0)
    assert judged.next_quarter is None


@pytest.mark.parametrize(
    "curves",
    [
        {"coverage": 0.6},
        {"coverage": 1.0, "quality": 0.5},
        {"coverage": 1.0, "frechet": 151.0},
    ],
)
def test_a_run_that_misses_one_bound_is_weak(curves):
    judged = truth.judge("digits", LENGTH, checkpoints(**curves), calm_series())
    assert (judged.label, judged.onset, judged.stability) == ("weak", None, 0.0)


@pytest.mark.parametrize(("data", "quality"), [("ring", 0.5), ("grid9", 0.4), ("grid25", 0.3)])
def test_mixtures_have_bounds_of_their_own(data, quality):
    at_bound = checkpoints(0.65, quality, frechet=None)
    below = checkpoints(0.65, quality - 0.01, frechet=None)
    assert truth.good_steps(data, at_bound).all()
    assert not truth.good_steps(data, below).any()


def test_collapsed_looks_at_the_last_four_checkpoints():
    end = truth.SAMPLE_STEPS
    low = checkpoints(step_curve(0.7, 0.45, end - 4))
    assert truth.label("ring", low, calm_series()) == "collapsed"
    short = checkpoints(step_curve(0.7, 0.45, end - 3))  # the mean of the four is above one half
    assert truth.label("ring", short, calm_series()) == "weak"


def test_oscillating_is_scatter_around_the_trend_and_comes_before_collapsed():
    wave = 0.3 + 0.2 * np.where(np.arange(truth.SAMPLE_STEPS) % 4 < 2, 1, -1)
    assert truth.label("ring", checkpoints(wave), calm_series()) == "oscillating"
    assert truth.label("ring", checkpoints(0.9, wave), calm_series()) == "oscillating"
    decline = np.linspace(1.0, 0.2, truth.SAMPLE_STEPS)  # a trend is no oscillation
    assert truth.label("ring", checkpoints(decline), calm_series()) == "collapsed"
    early = np.where(np.arange(truth.SAMPLE_STEPS) < HALF, wave, 1.0)  # nor is a stormy first half
    assert truth.label("ring", checkpoints(early), calm_series()) == "healthy"


@pytest.mark.parametrize(
    ("series", "diverged"),
    [
        ({"generator__loss": late(2e3)}, True),
        ({"discriminator__loss": late(-2e3)}, True),
        ({"discriminator__loss": late(9e2)}, False),
        ({"generator__grad_norm": late(2e4)}, True),
        ({"generator__grad_norm": late(9e3)}, False),
        ({"generator__loss": late(2e3, share=0.09)}, False),  # less than half of the last fifth
        ({"generator__loss": late(np.nan, share=0.01)}, True),
        ({"generator__grad_norm": late(np.inf, share=0.01)}, True),
    ],
)
def test_diverged_by_series(series, diverged):
    judged = truth.judge("digits", LENGTH, checkpoints(1.0), calm_series(**series))
    assert (judged.label == "diverged") is diverged


def test_diverged_by_samples():
    far = step_curve(2.0, 26.0, truth.SAMPLE_STEPS - 1)
    assert truth.label("ring", checkpoints(1.0, reach=far), calm_series()) == "diverged"
    assert truth.label("digits", checkpoints(1.0, reach=far), calm_series()) == "healthy"
    once = step_curve(26.0, 2.0, 5)  # long before the last fifth
    assert truth.label("ring", checkpoints(1.0, reach=once), calm_series()) == "healthy"


def test_stability_is_zero_where_anything_was_not_finite():
    broken = calm_series(generator__loss=late(np.nan, share=0.01))
    judged = truth.judge("digits", LENGTH, checkpoints(1.0), broken)
    assert (judged.label, judged.stability) == ("diverged", 0.0)


def test_healthy_needs_four_fifths_of_the_last_quarter():
    def label(bad):
        coverage = step_curve(0.75, 0.75, 0)
        coverage[-9 : -9 + bad] = 0.55  # smoothed, the stretch is as wide where it is below .65
        return truth.label("ring", checkpoints(coverage), calm_series())

    assert label(2) == "healthy"
    assert label(3) == "weak"


def test_what_comes_after_the_length_changes_no_label():
    beyond = np.concatenate([np.ones(truth.SAMPLE_STEPS), np.zeros(10)])
    series = {name: np.append(values, [np.nan] * 100) for name, values in calm_series().items()}
    judged = truth.judge("ring", LENGTH, checkpoints(beyond, n=50), series)
    assert (judged.label, judged.stability) == ("healthy", 1.0)
    assert judged.next_quarter == 0.0
    assert len(judged.good) == 50


# --- onset and smoothing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("good", "onset"),
    [
        ("++++", None),
        ("....", None),
        ("++..", 30),
        ("+.+.", 40),
        ("+..+", None),
        (".+..", 30),
    ],
)
def test_onset_begins_the_final_bad_stretch(good, onset):
    flags = np.array([mark == "+" for mark in good])
    assert truth.onset([10, 20, 30, 40], flags) == onset


def test_onset_of_a_run_that_collapses_midway():
    judged = truth.judge("ring", LENGTH, checkpoints(step_curve(1.0, 0.2, 18)), calm_series())
    assert judged.label == "collapsed"
    assert judged.onset == 190  # sample step 19 of 40, the first whose three have a mean below .65


def test_one_bad_sample_step_among_good_ones_is_smoothed_away():
    coverage = step_curve(0.9, 0.9, 0)
    coverage[30] = 0.3
    assert truth.good_steps("ring", checkpoints(coverage)).all()


def test_sample_steps_are_equally_spaced_and_end_with_the_length():
    steps = sample_steps(2500, truth.SAMPLE_STEPS, 1.25)
    assert len(steps) == 50
    assert (steps[0], steps[39], steps[-1]) == (62, 2500, 3125)
    assert set(np.diff(steps)) == {62, 63}


# --- samples --------------------------------------------------------------------------------------


def test_training_data_themselves_are_good():
    for data in small_gan.DATA:
        drawn = small_gan.draw_data(data, (truth.SAMPLES[data],), np.random.default_rng(1))
        judged = truth.judge_samples(data, 0, drawn)
        assert judged.coverage == 1.0
        assert judged.quality > 0.98
        assert truth.good_steps(data, [judged]).all()


def test_histogram_counts_what_lies_within_three_deviations():
    centre = np.array(small_gan.MIXTURES["ring"].centres[3], dtype=np.float32)
    samples = np.stack([centre, centre + np.array([0.44, 0]), centre + np.array([0, 0.46])])
    judged = truth.judge_samples("ring", 7, samples)
    assert judged.histogram == (0, 0, 0, 2, 0, 0, 0, 0)
    assert judged.quality == pytest.approx(2 / 3)
    assert judged.coverage == 1 / 8
    assert judged.step == 7


def test_a_mode_counts_from_a_fifth_of_its_share():
    """Of 512 samples a mode of eight should have 64, so 12.8 are needed."""
    centres = np.asarray(small_gan.MIXTURES["ring"].centres, dtype=np.float32)
    samples = np.repeat(centres[[0, 1, 2]], [487, 13, 12], axis=0)
    assert truth.judge_samples("ring", 0, samples).coverage == 2 / 8


def test_digits_of_three_classes_cover_three_tenths():
    images, classes = small_gan.load_digits()
    three = images[np.isin(classes, [1, 4, 7])][:256]
    judged = truth.judge_samples("digits", 0, three)
    assert judged.coverage == pytest.approx(0.3)
    assert judged.quality == 1.0
    assert judged.frechet > 70


def test_noise_is_no_digit():
    noise = np.random.default_rng(0).uniform(-1, 1, (256, 64)).astype(np.float32)
    judged = truth.judge_samples("digits", 0, noise)
    assert judged.quality < 0.01
    assert judged.frechet > truth.GOOD_FRECHET["digits"]


@pytest.mark.parametrize("data", ["ring", "digits"])
def test_samples_that_are_not_finite(data):
    features = 64 if data == "digits" else 2
    samples = np.zeros((10, features))
    samples[3, 1] = np.nan
    judged = truth.judge_samples(data, 0, samples)
    assert (judged.coverage, judged.quality, judged.reach) == (0.0, 0.0, np.inf)
    assert not truth.good_steps(data, [judged]).any()
    assert truth.is_diverged(data, [judged], calm_series())


def test_frechet_distance_agrees_with_the_matrix_square_root():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((300, 6)) @ rng.standard_normal((6, 6))
    b = rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6)) + 1
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    wanted = shift + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert truth.frechet_distance(a, b) == pytest.approx(wanted, rel=1e-9)


def test_frechet_distance_to_a_point_and_to_itself():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((100, 4))
    point = np.full((50, 4), 2.0)
    wanted = ((a.mean(0) - 2) ** 2).sum() + np.trace(np.cov(a.T))
    assert truth.frechet_distance(a, point) == pytest.approx(wanted)
    assert truth.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


# --- the classifier and the file ------------------------------------------------------------------


def test_the_shipped_classifier_knows_digits():
    images, classes = small_gan.load_digits()
    classifier = digits_classifier.load()
    assert classifier.features(images).shape == (1797, 32)
    assert (classifier.classify(images) == classes).mean() > 0.995


def test_the_classifier_generalises():
    images, classes = small_gan.load_digits()
    held_out = np.arange(len(images)) % 5 == 0
    trained = digits_classifier.train(images[~held_out], classes[~held_out])
    assert (trained.classify(images[held_out]) == classes[held_out]).mean() > 0.95


def test_a_truth_reads_back(tmp_path):
    reach = step_curve(2.0, np.inf, 39)
    judged = truth.judge("digits", LENGTH, checkpoints(0.9, 0.5, reach=reach), calm_series())
    judged.write(tmp_path)
    assert truth.read(tmp_path) == judged
    assert [path.name for path in tmp_path.iterdir()] == [truth.TRUTH_FILE]
