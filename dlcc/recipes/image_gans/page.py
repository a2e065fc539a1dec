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
    _, discriminator, generator = {**FORMULAS, "relativistic": RELATIVISTIC}[config["loss"]]
    average = _average(config)
    page = _filled(
        recipe,
        {**config, "loss": "ns"},
        title=f"deep convolutional GAN on {config['data']}",
        scale="0",
        zdim="a hundred",
        penalty=_penalties(config),
        turns="The discriminator is updated first, then the generator from the same noise."
        f"{average} Of the images 80 % are trained on; on some of the rest the discriminator is "
        "tried.",
        networks=_dcgan_networks(config),
        discriminator=discriminator,
        generator=generator,
    )
    return page.replace("| loss | ns |", f"| loss | {config['loss']} |")


def usual_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of a GAN on images in a usual architecture and objective."""
    _, discriminator, generator = {**FORMULAS, "relativistic": RELATIVISTIC}[config["loss"]]
    shown = {**config, "loss": "ns"}
    page = _filled(
        recipe,
        shown,
        title=f"{config['net']} GAN on {config['data']}",
        scale="−1",
        zdim=str(config["zdim"]),
        penalty=_penalties(config),
        turns=_turns(config),
        networks=_usual_networks(config),
        discriminator=discriminator,
        generator=generator,
    )
    return page.replace("| loss | ns |", f"| loss | {config['loss']} |")


def _filled(recipe: Recipe, config: Mapping[str, Any], **words: str) -> str:
    """Fill the page with what all these GANs share, and with `words`."""
    _, discriminator, generator = FORMULAS["ns" if config["loss"] == "ns" else "wgangp"]
    meaning = {option.key: option.help for option in recipe.options} | {"net": "the players"}
    formulas = {"discriminator": discriminator, "generator": generator}
    return _PAGE.format(
        length=recipe.family.length(config),
        batch=config["batch"],
        table="\n".join(
            f"| {key} | {value} | {meaning[key]} |"
            for key, value in config.items()
            if key in meaning
        ),
        **{**formulas, **words},
    )


RELATIVISTIC = (
    "relativistic pairing",
    r"L_D = \frac{1}{m}\sum_{i=1}^{m} \log(1 + \exp(D(G(z_i)) - D(x_i)))",
    r"L_G = \frac{1}{m}\sum_{i=1}^{m} \log(1 + \exp(D(x_i) - D(G(z_i))))",
)


def _penalties(config: Mapping[str, Any]) -> str:
    """Paragraphs on the discriminator's penalties."""
    text = _PENALTIES["wgangp"] if config["loss"] == "wgangp" else ""
    if config.get("gp"):
        text += _PENALTIES["wgangp"].replace(r"\lambda = 10", rf"\lambda = {config['gp']:g}")
    for key, where in (("r1", "x_i"), ("r2", "G(z_i)")):
        if config[key]:
            text += (
                f"\nTo this it adds $\\frac{{\\gamma}}{{2m}}\\sum_i \\|\\nabla D({where})\\|^2$ "
                f"with $\\gamma = {config[key]:g}$.\n"
            )
    return text


def _turns(config: Mapping[str, Any]) -> str:
    """Sentences on who is updated when, and on what samples are drawn from."""
    times = "once" if config["d_steps"] == 1 else f"{config['d_steps']} times"
    return (
        f"The discriminator is updated {times}, then the generator from the last noise."
        f"{_average(config)}"
    )


def _average(config: Mapping[str, Any]) -> str:
    """Sentence on the average of the generator's weights; empty where there is none."""
    if not config["ema"]:
        return ""
    return f" Samples are drawn from an average of its weights with decay {config['ema']:g}."


def _dcgan_networks(config: Mapping[str, Any]) -> str:
    """Sentences on networks and optimiser of the deep convolutional GAN."""
    rival = {
        "batch": ", with batch normalisation",
        "spectral": "; the generator has batch, the discriminator spectral normalisation",
        "none": "; the generator has batch normalisation",
    }[config["norm"]]
    method = {"adam": "Adam", "optimistic": "Optimistic Adam"}[config["optimizer"]]
    ratio = config["rate_ratio"]
    rates = (
        f"both at a learning rate of {config['lr']:g}"
        if ratio == 1
        else f"the generator at a learning rate of {config['lr']:g}, the discriminator at "
        f"{ratio:g} times that"
    )
    return (
        "The generator is a linear map and two transposed convolutions, the discriminator two "
        f"convolutions and a linear map{rival}. {method} with $\\beta_1 = {config['beta1']:g}$ "
        f"trains {rates}."
    )


def _usual_networks(config: Mapping[str, Any]) -> str:
    """Sentences on networks and optimiser."""
    networks = {
        "conv": "The generator is a linear map and two transposed convolutions, the discriminator "
        "two strided convolutions and a linear map",
        "dense": "Both networks have two hidden layers",
        "residual": "Both networks are made of residual blocks of two convolutions",
    }[config["net"]]
    norm = {
        "batch": "both with batch normalisation where no penalty stands against it",
        "generator": "the generator with batch normalisation",
        "spectral": "the generator with batch, the discriminator with spectral normalisation",
    }[config["norm"]]
    method = {
        "adam": f"Adam with $\\beta_1 = {config['beta1']:g}$",
        "rmsprop": "RMSprop",
        "sgd": f"Stochastic gradient descent with momentum {config['beta1']:g}",
    }[config["optimizer"]]
    return (
        f"{networks}, {norm}. {method} trains them, at a learning rate of {config['lr_g']:g} for "
        f"the generator and {config['lr_d']:g} for the discriminator."
    )


_PENALTIES = {
    "ns": "",
    "wgan": "\nAfter each update its weights are clipped to between −0.01 and 0.01.\n",
    "wgangp": "\nTo this it adds the gradient penalty with $\\lambda = 10$ and $\\epsilon_i$ "
    f"uniform between 0 and 1:\n\n$$\n{GRADIENT_PENALTY}\n$$\n",
}
