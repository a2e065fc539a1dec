"""Method pages of GANs on images: what is minimised, in formulas, and the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcc.recipes.recipe import Recipe
from dlcc.recipes.small_gan.page import FORMULAS, GRADIENT_PENALTY

_PAGE = """\
# Method: {title}

A generative adversarial network learns images scaled to {scale} … 1. It is trained for {length:,} \
steps of {batch} images; every pass through the data has an order of its own.

## Losses

$D$ is the discriminator's raw output, $G$ the generator, $\\sigma$ the logistic function, $x_i$ \
an image, $z_i$ {zdim} numbers uniform between −1 and 1 and $m = {batch}$ the batch.

The discriminator minimises

$$
{discriminator}
$$
{penalty}
The generator minimises

$$
{generator}
$$

{turns}

## Networks and optimisers

{networks}

## Configuration

| key | value | meaning |
|---|---|---|
{table}
"""
_NETWORKS = {
    "vanilla": "Each network has one hidden layer of 100 units with LeakyReLU of slope 0.3; the "
    "discriminator drops half of them in training.",
    "dcgan": "The generator is a linear map and four transposed convolutions, the discriminator "
    "four convolutions and a linear map, with batch normalisation and LeakyReLU of slope 0.3; the "
    "discriminator drops 30 % after its second and third.",
}


def clouds_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of a GAN of the study of loss-gradient clouds."""
    optimizer = {"adam": "Adam", "rmsprop": "RMSprop"}[config["optimizer"]]
    return _filled(
        recipe,
        config,
        title=f"{config['net']} GAN on {config['data']}",
        scale="−1",
        zdim="twenty",
        penalty=_PENALTIES[config["loss"]],
        turns="Both are updated at once, from the same batch and state.",
        networks=f"{_NETWORKS[config['net']]} {optimizer} trains both at a learning rate of "
        f"{config['lr']:g}.",
    )


def dcgan_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of the deep convolutional GAN."""
    return _filled(
        recipe,
        {**config, "loss": "ns"},
        title=f"deep convolutional GAN on {config['data']}",
        scale="0",
        zdim="a hundred",
        penalty="",
        turns="The discriminator is updated first, then the generator from the same noise. Of "
        "the images 80 % are trained on; on some of the rest the discriminator is tried.",
        networks=_DCGAN.format(lr=config["lr"]),
    )


def _filled(recipe: Recipe, config: Mapping[str, Any], **words: str) -> str:
    """Fill the page with what all these GANs share, and with `words`."""
    _, discriminator, generator = FORMULAS["ns" if config["loss"] == "ns" else "wgangp"]
    meaning = {option.key: option.help for option in recipe.options} | {"net": "the players"}
    return _PAGE.format(
        length=recipe.family.length(config),
        batch=config["batch"],
        discriminator=discriminator,
        generator=generator,
        table="\n".join(
            f"| {key} | {value} | {meaning[key]} |"
            for key, value in config.items()
            if key in meaning
        ),
        **words,
    )


_DCGAN = (
    "The generator is a linear map and two transposed convolutions, the discriminator two "
    "convolutions and a linear map, with batch normalisation. Adam with $\\beta_1 = 0.5$ trains "
    "both at a learning rate of {lr:g}."
)
_PENALTIES = {
    "ns": "",
    "wgan": "\nAfter each update its weights are clipped to between −0.01 and 0.01.\n",
    "wgangp": "\nTo this it adds the gradient penalty with $\\lambda = 10$ and $\\epsilon_i$ "
    f"uniform between 0 and 1:\n\n$$\n{GRADIENT_PENALTY}\n$$\n",
}
