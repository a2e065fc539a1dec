"""GANs in usual architectures: players, losses, penalties, averaged weights, and going on."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlcc.errors import OptionError
from dlcc.recipes import get_recipe
from dlcc.recipes.image_gans import usual_gan
from dlcc.recipes.train import train
from dlcc.runs import Run

LOSSES = ("ns", "mm", "ls", "hinge", "wgangp", "relativistic")


def built(**settings: Any) -> usual_gan.UsualGAN:
    images = np.random.default_rng(0).uniform(-1, 1, (24, 1, 8, 8)).astype(np.float32)
    config = usual_gan.Config.parse({"batch": 6, "width": 4, "zdim": 3, **settings})
    return usual_gan.UsualGAN(config, images)


@pytest.mark.parametrize(
    ("net", "norm"),
    [*itertools.product(("conv", "dense", "residual"), ("batch", "generator", "spectral"))],
)
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 8)])
def test_players_fit_their_images(net: str, norm: str, channels: int, side: int) -> None:
    config = usual_gan.Config.parse({"net": net, "norm": norm, "width": 4, "dropout": 0.3})
    players = usual_gan.make_players(config, channels, side)
    made = players["generator"](torch.zeros(3, config.zdim))
    assert made.shape == (3, channels, side, side)
    assert players["discriminator"](made).shape == (3, 1)
    normed = [m for m in players["discriminator"].modules() if "BatchNorm" in type(m).__name__]
    assert bool(normed) == (norm == "batch")


def test_spectral_norm_bounds_every_layer() -> None:
    training = built(norm="spectral", net="dense")
    for step in range(30):
        training.step(step)
    for module in training.discriminator.modules():
        if isinstance(module, nn.Linear):
            assert torch.linalg.matrix_norm(module.weight, 2).item() < 1.2


def test_relativistic_losses_are_cross_entropies_of_the_difference() -> None:
    real, fake = torch.tensor([[-2.0], [0.5]]), torch.tensor([[1.0], [3.0]])
    entropy = nn.functional.binary_cross_entropy_with_logits
    ones = torch.ones(2, 1)
    assert torch.isclose(
        usual_gan.discriminator_loss("relativistic", real, fake), entropy(real - fake, ones)
    )
    assert torch.isclose(
        usual_gan.generator_loss("relativistic", real, fake), entropy(fake - real, ones)
    )


@pytest.mark.parametrize("loss", ["ns", "wgangp"])
@pytest.mark.parametrize(("r1", "r2"), [(0.0, 0.0), (3.0, 0.0), (0.0, 2.0), (3.0, 2.0)])
def test_penalties_of_a_linear_rival_are_those_of_its_weights(
    loss: str, r1: float, r2: float
) -> None:
    training = built(loss=loss, r1=r1, r2=r2)
    training.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    norm = training.discriminator[1].weight.norm().item()  # its gradient, wherever it is taken
    real, z = training.batch(0)
    with torch.no_grad():
        fake = training.generator(z)
        plain = usual_gan.discriminator_loss(
            loss, training.discriminator(real), training.discriminator(fake)
        )
    total, _, _ = training.loss_of_rival(real, fake, 0)
    expected = plain.item() + (r1 + r2) / 2 * norm**2
    expected += 10 * (norm - 1) ** 2 if loss == "wgangp" else 0.0
    assert total.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_records_both_players_and_moves_both(loss: str) -> None:
    training = built(loss=loss)
    before = {n: [p.clone() for p in net.parameters()] for n, net in training.players.items()}
    row = training.step(0)
    assert set(row) == {
        f"{player}/{name}"
        for player, names in {
            "generator": ("loss", "grad_norm"),
            "discriminator": ("loss", "grad_norm", "real", "fake"),
        }.items()
        for name in names
    }
    assert all(map(np.isfinite, row.values()))
    for name, net in training.players.items():
        assert any(
            not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True)
        )
    if loss in ("ns", "mm"):
        assert 0 < row["discriminator/real"] < 1


@pytest.mark.parametrize(
    "settings",
    [
        {"net": "residual", "dropout": 0.5, "ema": 0.9},
        {"net": "conv", "norm": "spectral", "optimizer": "sgd", "loss": "wgangp"},
        {
            "net": "dense",
            "optimizer": "rmsprop",
            "loss": "relativistic",
            "r1": 1.0,
            "r2": 1.0,
            "d_steps": 2,
        },
    ],
)
def test_a_training_goes_on_from_its_state_as_if_it_had_never_stopped(
    settings: dict[str, Any],
) -> None:
    whole, first, second = (built(**settings) for _ in range(3))
    rows = [whole.step(step) for step in range(6)]
    for step in range(3):
        first.step(step)
    second.load_state_dict(first.state_dict())
    assert [second.step(step) for step in range(3, 6)] == rows[3:]
    assert torch.equal(second.sample(5, 1), whole.sample(5, 1))


def test_samples_are_of_averaged_weights_which_leave_the_training_alone() -> None:
    averaged, plain = built(ema=0.75), built()
    weight = plain.generator[0].weight.detach().clone()
    for step in range(3):
        assert averaged.step(step) == plain.step(step)
        weight = 0.75 * weight + 0.25 * plain.generator[0].weight.detach()
        averaged.sample(4, step)
    assert averaged.average is not None
    assert torch.allclose(averaged.average["0.weight"], weight, atol=1e-6)
    assert not torch.equal(averaged.sample(4, 0), plain.sample(4, 0))
    assert torch.equal(averaged.generator[0].weight, plain.generator[0].weight)


def test_the_rival_is_updated_as_often_as_it_is_told() -> None:
    training = built(d_steps=3)
    training.step(0)
    state = training.optimizers["discriminator"].state
    assert {int(entry["step"]) for entry in state.values()} == {3}


@pytest.mark.parametrize("loss", LOSSES)
def test_the_page_has_the_formulas_of_the_configuration(loss: str) -> None:
    recipe = get_recipe("image-gan")
    config = recipe.configure({"loss": loss, "r1": 0.5, "ema": 0.9, "d_steps": 2})
    page = recipe.family.page(recipe, config)
    assert f"| loss | {loss} |" in page
    assert "\\gamma = 0.5" in page
    assert "updated 2 times" in page
    assert ("gradient penalty" in page) == (loss == "wgangp")


def test_digits_are_trained_recorded_and_judged(tmp_path: Path) -> None:
    settings = {"width": 2, "steps": 40, "batch": 8, "net": "dense"}
    judged = train("image-gan", tmp_path / "run", settings)
    run = Run.open(tmp_path / "run")
    assert judged is not None
    assert judged.label in ("weak", "collapsed", "oscillating")
    assert run.length == 40
    assert run.samples(40).shape == (256, 1, 28, 28)
    assert run.manifest.training == "source/train.py:build"


@pytest.mark.parametrize(
    "settings", [{"net": "transformer"}, {"ema": 1.0}, {"d_steps": 0}, {"nets": "conv"}]
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="image-gan"):
        get_recipe("image-gan").configure(settings)
