"""GANs of the study of loss-gradient clouds: exact to the parameter, padded as the study has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlcc.recipes import get_recipe, truth
from dlcc.recipes.image_gans import loss_gradient_clouds as lgc
from dlcc.recipes.optimised import STREAM_LAYERS, seeded
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.train import train
from dlcc.runs import Recorder, Run

SETTINGS = {"steps": 40, "batch": 16, "seed": 4}


@pytest.mark.parametrize(
    ("recipe", "data", "generator", "discriminator"),
    [
        ("lgc-vanilla", "mnist", 81_184, 78_601),
        ("lgc-vanilla", "cifar10", 312_272, 307_401),
        ("lgc-dcgan", "mnist", 804_832, 1_039_539),
        ("lgc-dcgan", "cifar10", 848_672, 1_042_754),
    ],
)
def test_the_sizes_are_those_of_the_study(
    recipe: str, data: str, generator: int, discriminator: int
) -> None:
    sizes = get_recipe(recipe).parameters()[data]
    assert sizes == {"generator": generator, "discriminator": discriminator}


def test_the_odd_row_of_padding_is_at_the_end() -> None:
    """A kernel of ones over ones counts what of it lies inside: 4 pixels, kernel 5, stride 2."""
    layer = lgc.same(1, 1, 5, 2)
    for parameter in layer.parameters():
        nn.init.ones_(parameter) if parameter.ndim > 1 else nn.init.zeros_(parameter)
    inside = torch.tensor([4.0, 3.0])  # windows −1 … 3 and 1 … 5
    with torch.no_grad():
        assert torch.equal(layer(torch.ones(1, 1, 4, 4))[0, 0], inside[:, None] * inside)


@pytest.mark.parametrize(("stride", "side"), [(1, 7), (2, 7), (2, 14), (1, 28)])
def test_the_transposed_is_the_gradient_of_the_convolution(stride: int, side: int) -> None:
    torch.manual_seed(0)
    transposed = lgc.same_transposed(3, 2, stride).double()
    (weight,) = transposed.parameters()  # [3, 2, 5, 5]: as that of a convolution from 2 to 3
    forward = lgc.same(2, 3, 5, stride).double()
    x = torch.randn(1, 2, side * stride, side * stride, dtype=torch.float64, requires_grad=True)
    convolution = next(m for m in forward.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        convolution.weight.copy_(weight)
    y = torch.randn(1, 3, side, side, dtype=torch.float64)
    (expected,) = torch.autograd.grad(forward(x), x, y)
    assert torch.allclose(transposed(y), expected, atol=1e-12)


def test_layers_are_what_keras_has_by_default() -> None:
    training = lgc.build({"net": "dcgan", "batch": 4})
    for module in (m for net in training.players.values() for m in net.modules()):
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert (module.eps, module.momentum) == (1e-3, 0.01)
        if isinstance(module, nn.LeakyReLU):
            assert module.negative_slope == 0.3
        if isinstance(module, nn.Linear | nn.Conv2d):
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(module.weight)
            bound = (6 / (fan_in + fan_out)) ** 0.5
            assert module.weight.abs().max() <= bound
            assert float(module.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.15)
            assert module.bias is None or not module.bias.any()
    (group,) = training.optimizers["generator"].param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (1e-3, (0.9, 0.999), 1e-7)


def test_both_players_are_updated_from_the_same_state() -> None:
    one, other = (lgc.build({"net": "vanilla", "batch": 8, "seed": 2}) for _ in range(2))
    real, z = one.batch(0)
    row = one.step(0)
    with seeded(2, STREAM_LAYERS, 0):
        of_real, of_fake = other.discriminator(real), other.discriminator(other.generator(z))
    expected = F.softplus(-of_real).mean() + F.softplus(of_fake).mean()
    assert row["discriminator/loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert row["generator/loss"] == pytest.approx(F.softplus(-of_fake).mean().item(), rel=1e-5)


def test_an_epoch_shows_every_image_once() -> None:
    training = lgc.build({"batch": 100})
    seen = torch.cat([training.batch(step)[0] for step in range(18)])
    assert len(seen) == len(training.images) == 1797
    assert torch.allclose(seen.sum(dim=0), training.images.sum(dim=0), atol=1e-2)
    other = torch.cat([training.batch(step)[0] for step in range(18, 36)])
    assert not torch.equal(seen, other)


@pytest.mark.parametrize("loss", ["ns", "wgan", "wgangp"])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_every_loss_trains(loss: str, optimizer: str) -> None:
    training = lgc.build({"loss": loss, "optimizer": optimizer, "batch": 8})
    before = training.state_dict()["players"]
    rows = [training.step(step) for step in range(3)]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    for name, net in training.players.items():
        weights = dict(net.named_parameters())
        # a Wasserstein discriminator's last bias has no gradient
        moved = [not torch.equal(w, before[name][key]) for key, w in weights.items()]
        assert sum(moved) >= len(moved) - 1
    if loss == "wgan":
        assert max(p.abs().max() for p in training.discriminator.parameters()) <= lgc.CLIP


def test_digits_come_back_as_they_were() -> None:
    family = get_recipe("lgc-vanilla").family
    config = {"data": "digits", "folder": ""}
    images = family.reference(config)
    assert images.shape == (1797, 1, 28, 28)
    assert np.abs(family.as_target(images, config) - small_gan.load_digits()[0]).max() < 1e-5


def test_the_run_says_what_it_is(tmp_path: Path) -> None:
    judged = train("lgc-vanilla", tmp_path / "run", SETTINGS, snapshots=1)
    assert judged == truth.read(tmp_path / "run")
    manifest = Run.open(tmp_path / "run").manifest
    assert manifest.length == 40
    assert manifest.data == {"name": "digits"}
    assert manifest.objective == {"kind": "gan", "loss": "ns"}


def test_its_landscape_can_be_looked_at(tmp_path: Path) -> None:
    settings = SETTINGS | {"loss": "wgangp"}
    train("lgc-vanilla", tmp_path / "plain", settings, snapshots=2)
    train("lgc-vanilla", tmp_path / "seen", settings, snapshots=2, landscape=True)
    plain, seen = Run.open(tmp_path / "plain"), Run.open(tmp_path / "seen")
    for a, b in zip(plain.snapshots(), seen.snapshots(), strict=True):
        assert _same(a.state(), b.state())
        assert b.landscape() is not None


def test_rows_of_players_with_normalisations_are_measured_without_a_trace(tmp_path: Path) -> None:
    ends = []
    for measured in (False, True):
        training = lgc.build({"net": "dcgan", "batch": 2})
        with Recorder(tmp_path / str(measured), players=training.players, length=2) as recorder:
            look: Any = get_recipe("lgc-dcgan").family.look(recorder, training)
            look.measure.is_due = lambda step: True
            for step in range(2):
                training.step(step)
                if measured:
                    look.at_row(step)
        ends.append(training.state_dict())
    assert _same(*ends)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)
