"""What a training of an ensemble leaves behind, beside what solo trainings leave."""

import time

import numpy as np
import pytest

from dlcc.ensembles import Ensemble, train_ensemble
from dlcc.errors import OptionError
from dlcc.recipes import small_gan
from tests.ensembles.solo import mixed


def test_series_and_samples_are_those_of_solo_trainings():
    configs = mixed("digits", steps=40)[:6]
    done = []
    found = train_ensemble(
        configs,
        steps=8,
        checkpoint_steps=[4, 8, 12],
        samples=10,
        progress=lambda step, total: done.append((step, total)),
    )
    assert len(found) == 6
    assert found.configs[1].loss == "mm"
    assert done == [(step + 1, 8) for step in range(8)]
    assert found.steps.tolist() == list(range(8))
    assert found.checkpoint_steps == (4, 8)
    assert found.samples.shape == (6, 2, 10, 64)
    assert found.samples.dtype == np.float16
    assert found.averaged is None
    for i, config in enumerate(configs):
        solo = small_gan.build(config)
        rows = []
        samples = {}
        for step in range(9):
            if step in found.checkpoint_steps:
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
    whole = train_ensemble(configs, steps=20, checkpoint_steps=[15, 20], samples=6)
    ensemble = Ensemble(configs)
    for step in range(10):
        ensemble.step(step)
    states = [ensemble.member_state(i) for i in range(len(configs))]
    rest = train_ensemble(
        configs, steps=20, start=10, checkpoint_steps=[5, 15, 20], samples=6, states=states
    )
    assert rest.steps.tolist() == list(range(10, 20))
    assert rest.checkpoint_steps == (15, 20)
    for name, values in rest.series.items():
        wanted = whole.series[name][:, 10:]
        assert np.allclose(values, wanted, rtol=1e-3, atol=1e-4, equal_nan=True)
    assert np.allclose(rest.samples, whole.samples, atol=1e-3)


def test_averages_are_sampled_too():
    found = train_ensemble(
        [{}, {"seed": 1}], steps=5, checkpoint_steps=[0, 5], samples=7, average=True
    )
    assert found.averaged is not None
    assert found.averaged.shape == found.samples.shape == (2, 2, 7, 2)
    assert np.array_equal(found.averaged[:, 0], found.samples[:, 0])
    assert not np.array_equal(found.averaged[:, 1], found.samples[:, 1])


def test_a_deadline_ends_it_with_what_is_there():
    found = train_ensemble(
        [{}],
        steps=10**6,
        checkpoint_steps=[0, 10**6],
        samples=3,
        deadline=time.monotonic() + 0.2,
    )
    assert 0 < len(found.steps) < 10**6
    assert found.checkpoint_steps == (0,)
    assert found.series["generator/loss"].shape == (1, len(found.steps))


def test_nothing_to_train_is_refused():
    with pytest.raises(OptionError, match="from step 5 to 5"):
        train_ensemble([{}], steps=5, start=5)
    with pytest.raises(OptionError, match="1 states for 2 members"):
        train_ensemble([{}, {}], steps=5, states=[{}])
