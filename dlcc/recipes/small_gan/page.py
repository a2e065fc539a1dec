"""Method page of a small GAN, `documents/method.md`: networks, optimisers and losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcc.recipes.recipe import Recipe
from dlcc.recipes.small_gan import training as small_gan

_CROSS_ENTROPY = (
    r"L_D = -\frac{1}{m}\sum_{i=1}^{m}\left[\log \sigma(D(x_i))"
    r" + \log(1-\sigma(D(G(z_i))))\right]"
)
_MEAN_OUTPUT = r"L_G = -\frac{1}{m}\sum_{i=1}^{m} D(G(z_i))"

# loss -> its name in the literature, the discriminator's and the generator's formula
FORMULAS = {
    "ns": (
        "non-saturating",
        _CROSS_ENTROPY,
        r"L_G = -\frac{1}{m}\sum_{i=1}^{m} \log \sigma(D(G(z_i)))",
    ),
    "mm": (
        "minimax",
        _CROSS_ENTROPY,
        r"L_G = \frac{1}{m}\sum_{i=1}^{m} \log(1-\sigma(D(G(z_i))))",
    ),
    "ls": (
        "least-squares",
        r"L_D = \frac{1}{2m}\sum_{i=1}^{m}\left[(D(x_i)-1)^2 + D(G(z_i))^2\right]",
        r"L_G = \frac{1}{2m}\sum_{i=1}^{m} (D(G(z_i))-1)^2",
    ),
    "hinge": (
        "hinge",
        r"L_D = \frac{1}{m}\sum_{i=1}^{m}\left[\max(0, 1-D(x_i)) + \max(0, 1+D(G(z_i)))\right]",
        _MEAN_OUTPUT,
    ),
    "wgangp": (
        "Wasserstein",
        r"L_D = \frac{1}{m}\sum_{i=1}^{m}\left[D(G(z_i)) - D(x_i)\right]",
        _MEAN_OUTPUT,
    ),
}
GRADIENT_PENALTY = (
    r"P = \frac{\lambda}{m}\sum_{i=1}^{m}\left(\|\nabla D(\hat{x}_i)\| - 1\right)^2,"
    r"\quad \hat{x}_i = \epsilon_i x_i + (1-\epsilon_i) G(z_i)"
)
R1_PENALTY = r"R = \frac{\gamma}{2m}\sum_{i=1}^{m}\|\nabla D(x_i)\|^2"

_PAGE = """\
# {title}

{opening}

## Losses

The players minimise the {loss_name} losses. $D$ is the discriminator's raw output, $G$ the \
generator, $\\sigma$ the logistic function, $x_i$ a row of the data, $z_i$ standard normal noise \
and $m = {batch}$ the batch.

The discriminator minimises

$$
{discriminator}
$$
{penalties}
The generator minimises

$$
{generator}
$$

A step draws $x_i$ and $z_i$ once. It updates the discriminator first, and the generator then sees \
the updated discriminator. {pace}

## Networks and optimisers

The generator maps {zdim} numbers to {features} through {depth} hidden layers of {width} units \
with ReLU{squash}; the discriminator maps {features} numbers to one through {depth} hidden layers \
of {width} units with LeakyReLU of slope 0.2. All initial weights and biases are uniform within \
{init:g}/√fan-in of zero. {optimizer}

## Configuration

| key | value | meaning |
|---|---|---|
{table}
"""


def method_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of a whole configuration, as `recipe.configure` returns it."""
    loss_name, discriminator, generator = FORMULAS[config["loss"]]
    digits = config["data"] == "digits"
    meaning = {option.key: option.help for option in recipe.options} | {"data": "what is learned"}
    return _PAGE.format(
        title=f"Method: a small GAN on {config['data']}",
        opening=_opening(config),
        loss_name=loss_name,
        discriminator=discriminator,
        generator=generator,
        penalties=_penalties(config),
        pace=_pace(config),
        features=64 if digits else 2,
        squash=" and a final tanh" if digits else "",
        optimizer=_optimizer(config),
        table="\n".join(f"| {key} | {value} | {meaning[key]} |" for key, value in config.items()),
        **{key: config[key] for key in ("batch", "zdim", "depth", "width", "init")},
    )


def _opening(config: Mapping[str, Any]) -> str:
    """Sentences on the data and the length."""
    if config["data"] == "digits":
        data = "scikit-learn's 1,797 handwritten digits of 8×8 pixels, scaled to x/8 − 1"
    else:
        centres, sd = small_gan.MIXTURES[config["data"]]
        data = f"{len(centres)} equally likely Gaussians in the plane, standard deviation {sd:g}"
    return (
        f"A generative adversarial network learns {data}. "
        f"It is trained for {config['steps']:,} steps."
    )


def _penalties(config: Mapping[str, Any]) -> str:
    """Paragraphs on the discriminator's penalties."""
    text = ""
    if config["loss"] == "wgangp":
        weight = small_gan.GRADIENT_PENALTY_WEIGHT
        text += (
            f"\nTo this it adds the gradient penalty with $\\lambda = {weight:g}$ and "
            f"$\\epsilon_i$ uniform between 0 and 1:\n\n$$\n{GRADIENT_PENALTY}\n$$\n"
        )
    if config["r1"] > 0:
        text += (
            f"\nTo this it adds the R1 penalty with $\\gamma = {config['r1']:g}$:"
            f"\n\n$$\n{R1_PENALTY}\n$$\n"
        )
    return text


def _pace(config: Mapping[str, Any]) -> str:
    """Sentence on how often the players are updated."""
    if config["d_every"] == config["g_every"] == 1:
        return "Both players are updated in every step."
    return (
        f"The discriminator is updated in every step that {config['d_every']} divides, "
        f"the generator in every step that {config['g_every']} divides."
    )


def _optimizer(config: Mapping[str, Any]) -> str:
    """Sentence on the optimiser."""
    method = {
        "adam": "Adam with $\\beta_1 = {beta1:g}$ and $\\beta_2 = {beta2:g}$",
        "rmsprop": "RMSprop with $\\alpha = {beta2:g}$",
        "sgd": "Stochastic gradient descent with momentum {beta1:g}",
    }[config["optimizer"]].format(**config)
    return (
        f"{method} trains both, at a learning rate of {config['lr_g']:g} for the generator "
        f"and {config['lr_d']:g} for the discriminator."
    )
