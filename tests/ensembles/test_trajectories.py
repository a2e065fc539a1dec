"""What a training of an ensemble leaves behind, beside what solo trainings leave."""

import numpy as np
import pytest

from dlcc.ensembles import Ensemble, train_ensemble
from dlcc.errors import OptionError
from dlcc.recipes.small_gan import training as small_gan
from tests.ensembles.solo import mixed


def test_series_and_samples_are_those_of_solo_trainings():
    configs = mixed("digits", steps=40)[:6]
    done = []
    found = train_ensemble(
        configs,
        steps=8,
        sample_steps=[4, 8, 12],
        samples=10,
        progress=lambda step, total: done.append((step, total)),
    )
    assert len(found) == 6
    assert found.configs[1].loss == "mm"
    assert done == [(step + 1, 8) for step in range(8)]
    assert found.steps.tolist() == list(range(8))
    assert found.sample_steps == (4, 8)
    assert found.samples.shape == (6, 2, 10, 64)
    assert found.samples.dtype == np.float16
    for i, config in enumerate(configs):
        solo = small_gan.build(config)
        rows = []
        samples = {}
        for step in range(9):
            if step in found.sample_steps:
                samples[step] = solo.sample(10, seed=step).numpy()
            if step < 8:
                rows.append(solo.step(step))
        series, drawn = found.member(i)
        assert series.keys() == rows[0].keys()
        for name, values in series.items():
            assert values.dtype == np.float64
            assert np.allclose(values, [row[name] for row in rows], rtol=1e-3, atol=1e-4)
        assert np.allclose(drawn, np.stack(list(samples.values())), atol=5e-3)
        assert np.isnan(found.series["discriminator/penalty"][i]).all() == (
            "discriminator/penalty" not in series
        )


def test_the_length_is_that_of_the_longest_member():
    found = train_ensemble([{"steps": 40}, {"steps": 45}])
    assert found.steps.tolist() == list(range(45))
    assert found.samples.shape == (2, 0, 256, 2)
    assert found.series["generator/loss"].shape == (2, 45)


def test_a_training_goes_on_from_states():
    configs = mixed("ring")
    whole = train_ensemble(configs, steps=20, sample_steps=[15, 20], samples=6)
    ensemble = Ensemble(configs)
    for step in range(10):
        ensemble.step(step)
    states = {i: ensemble.member_state(i) for i in range(len(configs))}
    rest = train_ensemble(
        configs, steps=20, start=10, sample_steps=[5, 15, 20], samples=6, states=states
    )
    assert rest.steps.tolist() == list(range(10, 20))
    assert rest.sample_steps == (15, 20)
    for name, values in rest.series.items():
        wanted = whole.series[name][:, 10:]
        assert np.allclose(values, wanted, rtol=1e-3, atol=1e-4, equal_nan=True)
    assert np.allclose(rest.samples, whole.samples, atol=1e-3)


def test_a_member_without_a_state_begins_as_its_configuration_has_it():
    configs = [{"seed": seed} for seed in range(3)]
    other = Ensemble([{"seed": 8}]).member_state(0)
    plain, led = (
        train_ensemble(configs, steps=5, sample_steps=[0, 5], samples=7, states=states)
        for states in (None, {1: other})
    )
    same = [np.array_equal(plain.samples[i], led.samples[i]) for i in range(3)]
    assert same == [True, False, True]


def test_what_progress_raises_ends_it():
    def stop(done, total):
        if done == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        train_ensemble([{}], steps=10**6, progress=stop)


def test_nothing_to_train_is_refused():
    with pytest.raises(OptionError, match="from step 5 to 5"):
        train_ensemble([{}], steps=5, start=5)
