"""The page `documents/method.md` of a run: what was trained, how, and the losses as formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcc.recipes import mmd_maps, small_gan
from dlcc.recipes.recipe import Recipe

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
    """The Markdown page of a whole configuration, as `recipe.configure` returns it."""
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
    if config["d_every"] == config["g_every"] == 1:
        return "Both players are updated in every step."
    return (
        f"The discriminator is updated in every step that {config['d_every']} divides, "
        f"the generator in every step that {config['g_every']} divides."
    )


def _optimizer(config: Mapping[str, Any]) -> str:
    method = {
        "adam": "Adam with $\\beta_1 = {beta1:g}$ and $\\beta_2 = {beta2:g}$",
        "rmsprop": "RMSprop with $\\alpha = {beta2:g}$",
        "sgd": "Stochastic gradient descent with momentum {beta1:g}",
    }[config["optimizer"]].format(**config)
    return (
        f"{method} trains both, at a learning rate of {config['lr_g']:g} for the generator "
        f"and {config['lr_d']:g} for the discriminator."
    )


_CLOUDS_PAGE = """\
# Method: {net} GAN on {data}

A generative adversarial network learns images scaled to −1 … 1. It is trained for {length:,} \
steps of {batch} images; every pass through the data has an order of its own.

## Losses

$D$ is the discriminator's raw output, $G$ the generator, $\\sigma$ the logistic function, $x_i$ \
an image, $z_i$ twenty numbers uniform between −1 and 1 and $m = {batch}$ the batch.

The discriminator minimises

$$
{discriminator}
$$
{penalty}
The generator minimises

$$
{generator}
$$

Both are updated at once, from the same batch and state.

## Networks and optimisers

{networks} {optimizer} trains both at a learning rate of {lr:g}.

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
    """The Markdown page of a GAN of the study of loss-gradient clouds."""
    _, discriminator, generator = FORMULAS["ns" if config["loss"] == "ns" else "wgangp"]
    meaning = {option.key: option.help for option in recipe.options} | {"net": "the players"}
    return _CLOUDS_PAGE.format(
        length=recipe.family.length(config),
        discriminator=discriminator,
        generator=generator,
        penalty=_CLOUD_PENALTIES[config["loss"]],
        networks=_NETWORKS[config["net"]],
        optimizer={"adam": "Adam", "rmsprop": "RMSprop"}[config["optimizer"]],
        table="\n".join(f"| {key} | {value} | {meaning[key]} |" for key, value in config.items()),
        **{key: config[key] for key in ("net", "data", "batch", "lr")},
    )


_CLOUD_PENALTIES = {
    "ns": "",
    "wgan": "\nAfter each update its weights are clipped to between −0.01 and 0.01.\n",
    "wgangp": "\nTo this it adds the gradient penalty with $\\lambda = 10$ and $\\epsilon_i$ "
    f"uniform between 0 and 1:\n\n$$\n{GRADIENT_PENALTY}\n$$\n",
}


_MAPS_PAGE = """\
# Method: the map {map}, {variant}

A network $G$ maps {inputs} to {target}. It is trained for {length:,} steps of $m = {batch}$ rows.

## Loss

$x_i$ is what the map should give, $z_i$ what it is given. It minimises

$$
{loss}
$$
{more}
## Network and optimiser

{network}

## Configuration

| key | value | meaning |
|---|---|---|
{table}
"""
_MMD = (
    r"L = \frac{1}{m(m-1)}\sum_{i\neq j} k(G(z_i),G(z_j))"
    r" + \frac{1}{m(m-1)}\sum_{i\neq j} k(x_i,x_j) - \frac{2}{m^2}\sum_{i,j} k(G(z_i),x_j)"
)
_SLICED = (
    r"L = \frac{1}{48 m}\sum_{s=1}^{48}\sum_{i=1}^{m}"
    r"\left((G(z)\cdot\theta_s)_{(i)} - (x\cdot\theta_s)_{(i)}\right)^2"
)
_INPUTS = {
    "f1": "standard normal points in the plane",
    "f2": "uniform points of the unit square",
    "f3": "uniform numbers between 0 and 1",
}


def maps_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """The Markdown page of a map between distributions."""
    parsed = mmd_maps.Config.parse(config)
    chosen, paper = mmd_maps.MAPS[parsed.map], parsed.variant == "paper"
    widths = (
        "1, 50, 50 and 1 units, tanh between; two of them"
        if parsed.map == "f3"
        else ("2, 125, 125 and 2 units, logistic functions between")
    )
    joined = ", the second on what the first gives" if parsed.map == "f3" and paper else ""
    descent = (
        f"Stochastic gradient descent at a rate of {chosen.rate:g}."
        if paper
        else "Adam at a rate of 0.005 that falls to 0 along half a wave."
    )
    meaning = {option.key: option.help for option in recipe.options} | {"map": "which map"}
    return _MAPS_PAGE.format(
        map=parsed.map, variant="as the paper has it" if paper else "mended",
        inputs=_INPUTS[parsed.map],
        target={"square": "a uniform unit square", "gaussian": "a standard normal in the plane"}[
            chosen.target
        ],
        length=mmd_maps.length(parsed), batch=mmd_maps.batch_size(parsed),
        loss=_MMD if paper else _SLICED,
        more=f"\nwith $k(x,y) = \\exp(-\\|x-y\\|^2/{chosen.width:g})$, and to this it adds "
        f"${chosen.penalty:g}\\,\\|w\\|^2$ over all weights and biases.\n" if paper
        else "\nover 48 directions $\\theta_s$ drawn anew in each step; $(\\cdot)_{(i)}$ sorts.\n",
        network=f"Fully connected: {widths}{joined}. {descent}",
        table="\n".join(f"| {key} | {value} | {meaning[key]} |" for key, value in config.items()),
    )  # fmt: skip
