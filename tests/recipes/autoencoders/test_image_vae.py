"""Variational autoencoders of images: the bound, its pace, samples, and going on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from dlcc.recipes import get_recipe, truth
from dlcc.recipes.autoencoders import image_vae
from dlcc.recipes.data.images import load_images, smallest
from dlcc.recipes.latents import divergence
from dlcc.recipes.train import train
from dlcc.runs import Run


def built(**settings: Any) -> image_vae.ImageVAE:
    images = np.random.default_rng(0).uniform(0, 1, (24, 1, 8, 8)).astype(np.float32)
    given = {"batch": 6, "width": 4, "latents": 3, "steps": 20, **settings}
    return image_vae.ImageVAE(image_vae.Config.parse(given), images)


@pytest.mark.parametrize("net", ["dense", "conv"])
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 8)])
def test_the_model_fits_its_images(net: str, channels: int, side: int) -> None:
    config = image_vae.Config.parse({"net": net, "width": 4, "latents": 5})
    model = image_vae.VAE(config, channels, side)
    x = torch.zeros(3, channels, side, side)
    assert model.encode(x).mean.shape == (3, 5)
    assert model(x).shape == x.shape


def test_the_loss_is_the_negative_evidence_bound() -> None:
    """Of torch's distributions, term by term."""
    training = built()
    x = training.batch(0)
    latents = training.model.encode(x)
    decoded = training.model.decoder(latents.mean)
    likelihood = Independent(Bernoulli(logits=decoded, validate_args=False), 3)
    expected = -likelihood.log_prob(x).mean()
    assert torch.isclose(image_vae.reconstruction_error(training.config, decoded, x), expected)
    normal = image_vae.Config.parse({"likelihood": "normal", "sd": 0.3})
    constant = Independent(Normal(x, 0.3), 3).log_prob(x).mean()
    expected = constant - Independent(Normal(decoded, 0.3), 3).log_prob(x).mean()
    assert torch.isclose(image_vae.reconstruction_error(normal, decoded, x), expected, rtol=1e-4)
    posterior = Normal(latents.mean, (latents.log_variance / 2).exp())
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1).mean()
    assert torch.isclose(divergence(latents), kl, rtol=1e-4)


def test_the_divergence_sets_in_over_a_share_of_the_steps() -> None:
    for step, weight in ((0, 0.0), (5, 1.0), (10, 2.0), (15, 2.0)):
        row = built(beta=2.0, anneal=0.5).step(step)
        shares = row["model/loss"] - row["model/reconstruction"]
        assert shares == pytest.approx(weight * row["model/kl"], abs=1e-4)


@pytest.mark.parametrize(
    "settings", [{"net": "conv", "dropout": 0.5}, {"optimizer": "sgd", "likelihood": "normal"}]
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
    made = whole.sample(4, 0)
    assert made.shape == (4, 1, 8, 8)
    assert 0 <= float(made.min()) <= float(made.max()) <= 1


def test_a_heavy_divergence_makes_latents_carry_nothing() -> None:
    ends = {}
    for beta in (0.01, 100.0):
        training = built(beta=beta, steps=300, lr=5e-3)
        ends[beta] = [training.step(step)["model/kl"] for step in range(300)][-1]
    assert ends[100.0] < 0.05 < 1 < ends[0.01]


def test_digits_are_trained_recorded_and_judged(tmp_path: Path) -> None:
    judged = train("image-vae", tmp_path / "run", {"width": 2, "steps": 40, "batch": 16})
    run = Run.open(tmp_path / "run")
    assert judged is not None
    assert judged.data == "digits"
    assert run.manifest.objective == {"kind": "vae", "loss": "elbo"}
    assert run.samples(40).shape == (256, 1, 28, 28)


def test_real_digits_are_good_samples() -> None:
    rows = smallest(load_images("digits", "")[:256, 0])
    assert truth.judge_samples("digits", 1, rows).quality > 0.95


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal"])
def test_the_page_has_the_formula_of_the_configuration(likelihood: str) -> None:
    recipe = get_recipe("image-vae")
    page = recipe.family.page(
        recipe, recipe.configure({"likelihood": likelihood, "beta": 2.5, "anneal": 0.25})
    )
    assert "2.5\\,b_t" in page
    assert "\\min(1, t/(0.25\\,T))" in page
    assert ("\\log\\sigma(G(z_i)_k)" in page) == (likelihood == "bernoulli")
