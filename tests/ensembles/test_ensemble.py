"""Every member against its solo training; what one member's fate does to the others: nothing."""

import copy

import numpy as np
import pytest
import torch

from dlcc.ensembles import Ensemble, by_shape
from dlcc.errors import OptionError
from dlcc.recipes.small_gan import training as small_gan
from tests.ensembles.solo import deviation, double, double_sample, mixed, weight_deviation


def equal_states(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal_states(a[key], b[key]) for key in a)
    return a.dtype == b.dtype and torch.equal(a, b)


def close_states(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close_states(a[key], b[key]) for key in a)
    return a.dtype == b.dtype and torch.allclose(a, b, rtol=1e-5, atol=1e-7)


# --- members and their solo trainings -------------------------------------------------------------


@pytest.mark.parametrize("data", ["ring", "digits"])
def test_members_are_their_solo_trainings_in_double_precision(data):
    configs = mixed(data)
    ensemble = Ensemble(configs, dtype=torch.float64)
    solos = [double(config) for config in configs]
    assert deviation(ensemble, solos, range(100)) < 1e-9
    assert weight_deviation(ensemble, solos) < 1e-9
    sampled = ensemble.sample(50, seed=9)
    for i, solo in enumerate(solos):
        assert torch.allclose(sampled[i], double_sample(solo, 50, 9), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "shape", [{"width": 3, "zdim": 2, "batch": 5}, {"depth": 4, "width": 7}, {"depth": 1}]
)
def test_other_shapes_too(shape):
    configs = mixed("grid25", **shape)
    ensemble = Ensemble(configs, dtype=torch.float64)
    assert deviation(ensemble, [double(config) for config in configs], range(30)) < 1e-9


@pytest.mark.parametrize("data", ["ring", "digits"])
def test_members_are_their_solo_trainings_in_single_precision(data):
    configs = mixed(data)
    ensemble = Ensemble(configs)
    solos = [small_gan.build(config) for config in configs]
    begun = ensemble.member_state(1)
    assert equal_states(begun, solos[1].state_dict())  # bit for bit: weights and empty optimisers
    assert deviation(ensemble, solos, range(10)) < 2e-4
    assert weight_deviation(ensemble, solos) < 2e-4
    sampled = ensemble.sample(20, seed=3)
    assert sampled.dtype == torch.float32
    for i in (4, 2):
        assert torch.allclose(sampled[i], solos[i].sample(20, seed=3), atol=1e-3)


def test_steps_may_begin_anywhere():
    """As a fork does that goes on from a state under other batches."""
    configs = mixed("ring")
    ensemble = Ensemble(configs, dtype=torch.float64)
    solos = [double(config) for config in configs]
    assert deviation(ensemble, solos, [61, 62, 63, 64, 7, 8, 8, 130]) < 1e-9


def test_a_member_alone():
    ensemble = Ensemble([{"seed": 3, "r1": 0.1}], dtype=torch.float64)
    assert deviation(ensemble, [double({"seed": 3, "r1": 0.1})], range(20)) < 1e-9


# --- states ---------------------------------------------------------------------------------------


def test_a_member_goes_on_in_a_solo_training():
    configs = mixed("ring")
    ensemble = Ensemble(configs, dtype=torch.float64)
    for step in range(30):
        ensemble.step(step)
    solos = [double(config) for config in configs]
    for i, solo in enumerate(solos):
        solo.load_state_dict(ensemble.member_state(i))
    assert deviation(ensemble, solos, range(30, 60)) < 1e-9


def test_a_solo_training_goes_on_as_a_member():
    configs = mixed("ring")
    solos = [double(config) for config in configs]
    for step in range(31):
        for solo in solos:
            solo.step(step)
    ensemble = Ensemble(configs, dtype=torch.float64)
    for step in range(7):  # what is loaded replaces all
        ensemble.step(step)
    for i, solo in enumerate(solos):
        ensemble.load_member_state(i, solo.state_dict())
    assert deviation(ensemble, solos, range(31, 61)) < 1e-9


def test_states_have_the_solo_layout():
    configs = mixed("digits")
    ensemble = Ensemble(configs)
    solos = [small_gan.build(config) for config in configs]
    for step in range(2):
        ensemble.step(step)
        for solo in solos:
            solo.step(step)
    for i, solo in enumerate(solos):
        state, wanted = ensemble.member_state(i), solo.state_dict()
        for player in ("generator", "discriminator"):
            assert state[player].keys() == wanted[player].keys()
        optimizers = [f"{player}_optimizer" for player in solo.players]
        for name in optimizers:
            assert state[name].keys() == wanted[name].keys()
            for key, tensor in wanted[name].items():
                assert state[name][key].dtype == tensor.dtype
                assert state[name][key].shape == tensor.shape
        loaded = Ensemble([configs[i]])
        loaded.load_member_state(0, wanted)
        assert close_states(loaded.member_state(0), wanted)


def test_a_state_is_a_copy():
    ensemble = Ensemble([{"seed": 1}, {"seed": 2}])
    ensemble.step(0)
    state = ensemble.member_state(0)
    kept = copy.deepcopy(state)
    ensemble.step(1)
    assert equal_states(state, kept)


# --- rest -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_who_rests_stays_bit_for_bit_and_is_measured(optimizer):
    common = {"optimizer": optimizer, "lr_g": 1e-3, "lr_d": 1e-3}
    ensemble = Ensemble([{"seed": 1, "g_every": 4, "d_every": 3, **common}, {"seed": 2, **common}])
    for step in range(4):
        ensemble.step(step)
    before = ensemble.member_state(0)
    row = ensemble.step(5)
    assert equal_states(ensemble.member_state(0), before)
    assert row["generator/grad_norm"][0] > 0
    ensemble.step(6)
    after = ensemble.member_state(0)
    for part in ("generator", "generator_optimizer"):
        assert equal_states(after[part], before[part])
    for part in ("discriminator", "discriminator_optimizer"):
        assert not equal_states(after[part], before[part])


# --- changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "changes"),
    [
        (0, {"lr_g": 5e-3, "lr_d": 1e-4}),
        (0, {"beta1": 0.9, "beta2": 0.9}),
        (0, {"beta1": 0.0, "loss": "wgangp"}),
        (1, {"beta1": 0.9}),
        (2, {"beta1": 0.0}),
        (2, {"loss": "mm", "beta1": 0.3, "r1": 0.5}),
        (3, {"r1": 0.0, "d_every": 1, "g_every": 2}),
        (4, {"beta2": 0.99, "loss": "hinge"}),
    ],
)
def test_a_changed_member_is_a_solo_training_under_the_changed_configuration(member, changes):
    configs = mixed("ring")
    ensemble = Ensemble(configs, dtype=torch.float64)
    other = (member + 1) % len(configs)  # stays as it is
    solos = {i: double(configs[i]) for i in (member, other)}
    assert deviation(ensemble, solos, range(12)) < 1e-9
    state = solos[member].state_dict()
    solos[member] = double(configs[member] | changes)
    solos[member].load_state_dict(state)
    ensemble.reconfigure(member, **changes)
    assert ensemble.configs[member] == solos[member].config
    assert deviation(ensemble, solos, range(12, 80)) < 1e-9


@pytest.mark.parametrize(
    "changes", [{"width": 8}, {"optimizer": "sgd"}, {"seed": 4}, {"lr_x": 1.0}, {"lr_g": -1.0}]
)
def test_what_cannot_change_is_refused_and_changes_nothing(changes):
    ensemble = Ensemble([{"seed": 1}, {"seed": 2}])
    before = ensemble.configs
    with pytest.raises(ValueError, match=next(iter(changes))):
        ensemble.reconfigure(0, lr_d=1e-4, **changes)
    assert ensemble.configs == before


# --- independence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("sick", [2, 5])
def test_a_member_that_is_lost_leaves_the_others_bit_for_bit(poison, sick):
    configs = mixed("ring")
    rows = []
    for lost in (True, False):
        ensemble = Ensemble(configs)
        if lost:
            state = ensemble.member_state(sick)
            for player in ("generator", "discriminator"):
                state[player] = {k: torch.full_like(v, poison) for k, v in state[player].items()}
            ensemble.load_member_state(sick, state)
        rows.append([ensemble.step(step) for step in range(20)])
        rows[-1].append({"weights": ensemble.sample(8, seed=1)})
    others = [i for i in range(len(configs)) if i != sick]
    for with_it, without in zip(*rows, strict=True):
        for name in with_it:
            assert torch.equal(with_it[name][others], without[name][others])
    assert not torch.isfinite(rows[0][-1]["weights"][sick]).all()


# --- shapes ---------------------------------------------------------------------------------------


def test_members_of_different_shapes_are_refused():
    with pytest.raises(OptionError, match="member 1 has width 16 and member 0 has 32"):
        Ensemble([{"width": 32}, {"width": 16}])
    with pytest.raises(OptionError, match="no members"):
        Ensemble([])
    with pytest.raises(ValueError, match="unknown key"):
        Ensemble([{"widht": 32}])


def test_groups_by_shape():
    configs = [{"width": 8}, {}, {"width": 8, "seed": 3}, {"batch": 16}, {"lr_g": 1.0}]
    assert by_shape(configs) == [[0, 2], [1, 4], [3]]
    assert np.sum([len(Ensemble([configs[i] for i in g])) for g in by_shape(configs)]) == 5
