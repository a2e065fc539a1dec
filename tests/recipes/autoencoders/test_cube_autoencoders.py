"""Autoencoders of a cube: layers, terms of the losses, samples, what their names stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dlcc.errors import OptionError
from dlcc.recipes import get_recipe, truth
from dlcc.recipes.autoencoders import cube_autoencoders as ae
from dlcc.recipes.data.points import POINTS

MODELS = [f"ae-{model}" for model in ae.MODELS]


def built(name: str, **settings: Any) -> ae.CubeAutoencoder:
    """A small training of a recipe."""
    recipe = get_recipe(name)
    training: ae.CubeAutoencoder = recipe.module.build(
        recipe.configure({"epochs": 1, "batch": 64, **settings})
    )
    return training


def row(training: ae.CubeAutoencoder, step: int = 0) -> dict[str, float]:
    """What is recorded of a step, without the player's name."""
    return {key.partition("/")[2]: value for key, value in training.step(step).items()}


@pytest.mark.parametrize(
    ("name", "settings", "total"),
    [
        ("ae-f1", {}, {"reconstruction": 1}),
        ("ae-f2", {}, {"reconstruction": 1, "latent_penalty": 1}),
        ("ae-f3", {"beta": 0.3}, {"reconstruction": 1, "kl": 0.3}),
        ("ae-f4", {"mmd": 2.0}, {"reconstruction": 1, "mmd": 2}),
        ("ae-f5", {"beta": 0.5, "mmd": 3.0}, {"reconstruction": 1, "kl": 0.5, "mmd": 3}),
        ("ae-sliced", {}, {"reconstruction": 1, "latent_distance": 1, "data_distance": 1}),
    ],
)
def test_the_loss_is_the_sum_of_its_terms(
    name: str, settings: dict[str, Any], total: dict[str, float]
) -> None:
    found = row(built(name, **settings))
    assert found["loss"] == pytest.approx(sum(w * found[k] for k, w in total.items()), rel=1e-5)
    rest = {"loss", "grad_norm", "information_rate"}
    assert found.keys() - rest == total.keys()


def test_weights_rise_over_their_share_of_the_training() -> None:
    """β_t = min(1, t/T): no divergence at first, half at a quarter, whole from the half on."""
    training = built("ae-beta", beta=2.0)
    for step, weight in ((0, 0.0), (training.length // 4, 1.0), (training.length - 1, 2.0)):
        found = row(training, step)
        part = found["loss"] - found["reconstruction"]
        assert part == pytest.approx(weight * found["kl"], rel=0.02, abs=1e-6)


@pytest.mark.parametrize("snr", [0.0, 10.0])
def test_the_noise_of_f1_follows_its_latents_and_that_of_f2_does_not(snr: float) -> None:
    x = torch.from_numpy(POINTS["cube_surface"].draw(256, np.random.default_rng(0)))
    for name, of_variance in (("ae-f1", True), ("ae-f2", False)):
        latents = built(name, snr=snr).encode(x)
        scale = latents.mean.var(dim=0) if of_variance else torch.ones(6)
        assert torch.allclose(latents.log_variance.exp(), scale * 10 ** (-snr / 10))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("data", ["cube_surface", "cube"])
def test_samples_are_points_and_the_same_for_the_same_seed(name: str, data: str) -> None:
    training = built(name, data=data, latents=2)
    one, again, other = training.sample(50, 4), training.sample(50, 4), training.sample(50, 5)
    assert one.shape == (50, 3)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_reconstructions_are_the_samples_of_those_without_a_prior() -> None:
    """A decoder that repeats its latents, beside an encoder that repeats the point."""
    training = built("ae-f1", latents=3, snr=100.0)
    training.model.encoder = training.model.decoder = torch.nn.Sequential(torch.nn.Identity())
    distances = POINTS["cube_surface"].cells(training.sample(500, 0).numpy(), 3).distance
    assert distances.max() < 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_layers(name: str) -> None:
    recipe = get_recipe(name)
    config = recipe.configure({"latents": 5})
    (player,) = recipe.family.players(config).values()
    sizes = [(m.in_features, m.out_features) for m in player.modules() if hasattr(m, "in_features")]
    outputs = 10 if config["model"] in ae.VARIATIONAL else 5
    inputs = 6 if config["model"] == "sliced" else 3
    assert sizes == [
        (inputs, 128), (128, 128), (128, outputs), (5, 128), (128, 128), (128, 3),
    ]  # fmt: skip


def test_a_name_has_the_options_that_it_uses_and_defaults_of_its_own() -> None:
    keys = {name: {option.key for option in get_recipe(name).options} for name in MODELS}
    common = {"data", "latents", "epochs", "batch", "seed"}
    assert keys["ae-f2"] == common | {"snr"}
    assert keys["ae-f4"] == common | {"mmd", "anneal_mmd", "prior"}
    assert keys["ae-sliced"] == common
    beta = next(o for o in get_recipe("ae-beta").options if o.key == "beta")
    assert beta.default == 0.01
    assert get_recipe("ae-beta").configure({})["beta"] == 0.01
    assert get_recipe("ae-beta").configure({"beta": 0.5})["beta"] == 0.5
    assert get_recipe("ae-f4").configure({})["beta"] == 0
    with pytest.raises(OptionError, match=r"ae-f2 has no key 'beta'; its keys are .*snr \(-60 to"):
        get_recipe("ae-f2").configure({"beta": 1.0})
    with pytest.raises(OptionError, match=r"anneal_beta is 2.0: give a value from 0 to 1"):
        get_recipe("ae-f3").configure({"anneal_beta": 2.0})


def test_the_truth_of_surface_points_of_the_volume_and_of_a_point() -> None:
    rng = np.random.default_rng(0)
    on = truth.judge_samples("cube_surface", 0, POINTS["cube_surface"].draw(2000, rng))
    assert (on.coverage, on.quality) == (1.0, 1.0)
    inside = truth.judge_samples("cube_surface", 0, POINTS["cube"].draw(2000, rng))
    assert inside.quality == pytest.approx(1 - 0.85**3, abs=0.04)  # within .15 of a face
    point = truth.judge_samples("cube_surface", 0, np.zeros((2000, 3)))
    assert (point.coverage, point.quality) == (0.0, 0.0)
    filled = truth.judge_samples("cube", 0, POINTS["cube"].draw(2000, rng))
    assert (filled.coverage, filled.quality) == (1.0, 1.0)
