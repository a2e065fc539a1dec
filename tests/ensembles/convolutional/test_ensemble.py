"""Convolutional members against their solo trainings; one member's fate does nothing to others."""

import pytest
import torch

from dlcc.control.adjustable import ImageGANSettings, MemberSettings
from dlcc.ensembles import ConvEnsemble, by_conv_shape
from dlcc.errors import OptionError
from tests.ensembles.convolutional.solo import (
    GROUPS,
    deviation,
    images,
    members,
    solo,
    state_deviation,
)

STEPS = (0, 1, 2, 3, 8, 9)  # an epoch has three


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return images(tmp_path_factory.mktemp("images"))


# --- members and their solo trainings -------------------------------------------------------------


@pytest.mark.parametrize("group", GROUPS)
def test_members_are_their_solo_trainings_in_double_precision(group, folder):
    configs = members(group, folder)
    ensemble = ConvEnsemble(configs, dtype=torch.float64)
    solos = [solo(config, torch.float64) for config in configs]
    assert deviation(ensemble, solos, STEPS) < 1e-9
    for i, one in enumerate(solos):  # weights, buffers, averages and optimisers
        found = ensemble.member(i).state_dict()
        assert state_deviation(found, one.state_dict()) < 1e-6  # the copy is in single precision


@pytest.mark.parametrize("group", GROUPS)
def test_members_are_their_solo_trainings_in_single_precision(group, folder):
    configs = members(group, folder)
    ensemble = ConvEnsemble(configs)
    solos = [solo(config, torch.float32) for config in configs]
    for i, one in enumerate(solos):
        assert state_deviation(ensemble.member(i).state_dict(), one.state_dict()) == 0
    assert deviation(ensemble, solos, range(3)) < 2e-4


def test_digits_too():
    configs = [{"width": 4, "batch": 16, "seed": seed} for seed in range(2)]
    ensemble = ConvEnsemble(configs, dtype=torch.float64)
    solos = [solo(config, torch.float64) for config in configs]
    assert deviation(ensemble, solos, [0, 112, 113]) < 1e-9  # the second batch is short


def test_more_members_than_are_trained_in_one_operation(folder):
    configs = [{**members("spectral norm", folder)[0], "seed": seed} for seed in range(19)]
    ensemble = ConvEnsemble(configs, dtype=torch.float64)
    solos = [solo(config, torch.float64) for config in configs]
    assert deviation(ensemble, solos, range(2)) < 1e-9
    assert ensemble.member(-1).seed == 18


@pytest.mark.parametrize("group", GROUPS)
def test_a_member_goes_on_alone(group, folder):
    configs = members(group, folder)
    ensemble = ConvEnsemble(configs, dtype=torch.float64)
    for step in range(4):
        ensemble.step(step)
    solos = [solo(config, torch.float64) for config in configs]
    for i, one in enumerate(solos):
        one.load_state_dict(ensemble.member(i).state_dict())
        one.double()
    assert deviation(ensemble, solos, [4, 5]) < 1e-5  # what is copied is in single precision


def test_settings_that_change_on_the_way_are_those_of_solo_trainings(folder):
    configs = [{**members("spectral norm", folder)[0], "seed": seed} for seed in range(2)]
    ensemble = ConvEnsemble(configs, dtype=torch.float64)
    solos = [solo(config, torch.float64) for config in configs]
    assert deviation(ensemble, solos, range(2)) < 1e-9
    changes = {"lr_g": 3e-3, "lr_d": 5e-4, "r1": 0.7}
    MemberSettings(ensemble, 1).adjust(**changes)
    ImageGANSettings(solos[1]).adjust(**changes)
    assert MemberSettings(ensemble, 1).settings() == ImageGANSettings(solos[1]).settings()
    assert deviation(ensemble, solos, range(2, 5)) < 1e-9


def test_what_cannot_change_on_the_way_is_refused(folder):
    ensemble = ConvEnsemble([{"width": 4, "batch": 8, "norm": "batch"}])
    with pytest.raises(OptionError, match="those that can are lr_g, lr_d, r1"):
        ensemble.reconfigure(0, beta1=0.9)
    with pytest.raises(OptionError, match="beside batch norm"):
        ensemble.reconfigure(0, r1=1.0)


# --- independence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("factor", [float("inf"), 1e12])
def test_a_member_that_is_lost_leaves_the_others_bit_for_bit(group, factor, folder):
    check_that_others_stay(members(group, folder), factor)


@pytest.mark.parametrize("count", [2, 7, 16])  # what vectors are filled with is another's
def test_the_same_in_usual_widths(count):
    configs = [{"width": 8, "batch": 16, "seed": seed} for seed in range(count)]
    check_that_others_stay(configs, float("inf"))


def check_that_others_stay(configs, factor):
    rows = []
    for lost in (True, False):
        ensemble = ConvEnsemble(configs)
        if lost:
            with torch.no_grad():
                for weights in ensemble.weights(1).values():
                    weights *= factor
        rows.append([ensemble.step_values(step) for step in range(3)])
    others = [i for i in range(len(configs)) if i != 1]
    for with_it, without in zip(*rows, strict=True):
        assert torch.equal(with_it[:, others], without[:, others])
    assert not torch.equal(rows[0][-1][:, 1], rows[1][-1][:, 1])


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"width": 4}, "member 1 has width 4 and member 0 has 3"),
        ({"norm": "spectral"}, "member 1 has norm 'spectral' and member 0 has 'batch'"),
        ({"d_steps": 2}, "member 1 has d_steps 2 and member 0 has 1"),
        ({"r1": 1.0}, "member 1 has batch norm in D False and member 0 has True"),
        ({"loss": "wgangp"}, "member 1 has batch norm in D False and member 0 has True"),
        ({"net": "dense"}, "member 1 has net 'dense': only 'conv' is trained together"),
    ],
)
def test_members_of_different_shapes_are_refused(own, words):
    with pytest.raises(OptionError, match=words):
        ConvEnsemble([{"width": 3}, {"width": 3, **own}])


def test_bad_configurations_are_refused():
    with pytest.raises(OptionError, match="no members"):
        ConvEnsemble([])
    with pytest.raises(ValueError, match="unknown key"):
        ConvEnsemble([{"widht": 32}])


def test_groups_by_shape(folder):
    configs = [config for group in GROUPS for config in members(group, folder)]
    groups = by_conv_shape([{"net": "residual"}, *configs, {"net": "dense"}])
    assert [len(group) for group in groups] == [len(group) for group in GROUPS.values()]
    assert sorted(i for group in groups for i in group) == list(range(1, len(configs) + 1))
