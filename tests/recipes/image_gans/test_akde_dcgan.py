"""The deep convolutional GAN: layers, split, turns and pages."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlcc.recipes import get_recipe
from dlcc.recipes.data.images import as_shares
from dlcc.recipes.image_gans import akde_dcgan


def images(n: int = 40, channels: int = 1, side: int = 8) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Each of them one shade of its own."""
    shades = np.linspace(0, 1, n, dtype=np.float32)
    return np.broadcast_to(shades[:, None, None, None], (n, channels, side, side)).copy()


def built(**settings: Any) -> akde_dcgan.DCGAN:
    return akde_dcgan.DCGAN(akde_dcgan.Config.parse({"batch": 8, **settings}), images())


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (1, 8)])
def test_players_fit_their_images(channels: int, side: int) -> None:
    players = akde_dcgan.make_players(channels, side)
    made = players["generator"](torch.zeros(3, akde_dcgan.ZDIM))
    assert made.shape == (3, channels, side, side)
    assert players["discriminator"](made).shape == (3, 1)


def test_weights_begin_as_the_paper_has_them() -> None:
    torch.manual_seed(0)
    for player in akde_dcgan.make_players(1, 28).values():
        for module in player.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_four_fifths_are_trained_on_and_the_rest_is_in_no_batch() -> None:
    training = built(seed=3)
    trained = {float(x[0, 0, 0]) for step in range(8) for x in training.batch(step)[0]}
    held = {float(x[0, 0, 0]) for x in training.held_out}
    assert len(trained) == 32
    assert len(held) == 8
    assert not trained & held
    assert {float(x[0, 0, 0]) for x in built(seed=4).held_out} != held


def test_the_generator_is_updated_against_the_new_discriminator() -> None:
    training, twin = built(lr=0.1), built(lr=0.1)
    row = training.step(0)
    real, z = twin.batch(0)
    before = copy.deepcopy(twin.discriminator.state_dict())
    of_real, of_fake = twin.discriminator(real), twin.discriminator(twin.generator(z).detach())
    d_loss = akde_dcgan.discriminator_loss(of_real, of_fake)
    assert row["discriminator/loss"] == pytest.approx(d_loss.item(), rel=1e-5)
    twin.descend({"discriminator": d_loss})
    g_loss = akde_dcgan.generator_loss(twin.discriminator(twin.generator(z)))
    assert row["generator/loss"] == pytest.approx(g_loss.item(), rel=1e-5)
    twin.discriminator.load_state_dict(before)
    stale = akde_dcgan.generator_loss(twin.discriminator(twin.generator(z)))
    assert stale.item() != pytest.approx(row["generator/loss"], rel=1e-3)


def test_losses_are_cross_entropies() -> None:
    outputs, ones = torch.tensor([[-2.0], [0.5]]), torch.ones(2, 1)
    entropy = nn.functional.binary_cross_entropy_with_logits
    assert torch.isclose(akde_dcgan.generator_loss(outputs), entropy(outputs, ones))
    expected = entropy(outputs, ones) + entropy(outputs + 1, 0 * ones)
    assert torch.isclose(akde_dcgan.discriminator_loss(outputs, outputs + 1), expected)


def test_held_out_images_are_tried_once_an_epoch_without_moving_anything() -> None:
    training = built()
    rows = [training.step(step) for step in range(8)]
    assert ["discriminator/held_out" in row for row in rows] == [True, False, False, False] * 2


def test_samples_and_reference_are_shares() -> None:
    recipe = get_recipe("akde-dcgan")
    config = recipe.configure({"steps": 5})
    reference = recipe.family.reference(config)
    assert (reference.min(), reference.max()) == (0.0, 1.0)
    made = built().sample(5, 0)
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    pixels = np.array([-1.0, 0.0, 1.0], dtype=np.float32)
    assert as_shares(pixels).tolist() == [0.0, 0.5, 1.0]


def test_real_digits_are_good_by_the_truth() -> None:
    """As the target they are what they were, before they were scaled up and shifted."""
    from dlcc.recipes import truth

    recipe = get_recipe("akde-dcgan")
    config = recipe.configure({})
    found = recipe.family.as_target(recipe.family.reference(config)[:300], config)
    judged = truth.judge_samples("digits", 0, found)
    assert judged.coverage == 1
    assert judged.quality == 1


def test_an_epoch_has_as_many_steps_as_four_fifths_fill() -> None:
    recipe = get_recipe("akde-dcgan")
    config = recipe.configure({"epochs": 2, "batch": 100})
    assert recipe.family.length(config) == 2 * 15  # 1,438 of 1,797
    assert recipe.family.length({**config, "steps": 7}) == 7


def test_the_page_says_what_is_minimised_and_the_configuration() -> None:
    recipe = get_recipe("akde-dcgan")
    page = recipe.family.page(recipe, recipe.configure({"lr": 0.0005}))
    assert "deep convolutional GAN on digits" in page
    assert r"\log \sigma(D(x_i))" in page
    assert "learning rate of 0.0005" in page
    assert "| batch | 32 |" in page


@pytest.mark.parametrize("name", list(akde_dcgan.RECIPES))
def test_every_recipe_trains_and_resumes_to_the_bit(name: str) -> None:
    training, again = built(recipe=name, width=4), built(recipe=name, width=4)
    for step in range(3):
        training.step(step)
    again.load_state_dict(training.state_dict())
    assert training.step(3) == again.step(3)
    assert torch.equal(training.sample(3, 1), again.sample(3, 1))


def test_a_recipe_stands_for_values_that_may_be_set() -> None:
    config = akde_dcgan.Config.parse({"recipe": "fixed", "r1": 2.0})
    assert (config.lr, config.optimizer, config.r1, config.ema) == (4e-3, "optimistic", 2.0, 0.999)
    assert akde_dcgan.Config.parse({}).ema == 0
    with pytest.raises(ValueError, match="choose one of baseline, lr4e-3"):
        akde_dcgan.Config.parse({"recipe": "fixd"})


def test_samples_of_a_recipe_with_an_average_come_from_it() -> None:
    training = built(recipe="fixed", width=4)
    for step in range(3):
        training.step(step)
    own = {k: v.clone() for k, v in training.generator.state_dict().items()}
    drawn = training.sample(4, 0)
    assert all(torch.equal(v, own[k]) for k, v in training.generator.state_dict().items())
    training.average = None
    assert not torch.equal(drawn, training.sample(4, 0))


def test_penalties_are_squared_slopes_of_the_raw_output() -> None:
    training = built(recipe="baseline", norm="none", r1=1e4, width=4)
    plain = built(recipe="baseline", norm="none", width=4)
    real, z = training.batch(0)
    fake = training.generator(z).detach()
    total, *_ = training.loss_of_rival(real, fake, 0)
    without, *_ = plain.loss_of_rival(real, fake, 0)
    x = real.detach().double().requires_grad_()
    slopes = torch.autograd.functional.jacobian(
        lambda images: training.discriminator.double()(images).sum(), x
    )
    assert (total - without).item() == pytest.approx(
        5e3 * slopes.flatten(1).square().sum(1).mean().item(), rel=1e-3
    )


@pytest.mark.parametrize("name", ["fixed", "r1r2-relativistic", "gradient-penalty", "ttur"])
def test_the_page_of_a_recipe_says_what_it_adds(name: str) -> None:
    recipe = get_recipe("akde-dcgan")
    page = recipe.family.page(recipe, recipe.configure({"recipe": name}))
    said = {
        "fixed": r"\gamma = 1$",
        "r1r2-relativistic": r"\exp(D(G(z_i)) - D(x_i))",
        "gradient-penalty": r"\lambda = 10$",
        "ttur": "4 times that",
    }
    assert said[name] in page
    assert "average of its weights with decay 0.999" in page
