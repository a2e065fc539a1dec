"""Method page of a GAN of table rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcc.recipes.recipe import Recipe
from dlcc.recipes.small_gan.page import FORMULAS, GRADIENT_PENALTY

_PAGE = """\
# Method: GAN of the table {data}

A generative adversarial network learns rows: each measurement by its normal score among the \
table's, and the class as a softmax with Gumbel noise at a temperature of 0.3. It is trained for \
{steps:,} steps of {batch} rows that are drawn with replacement.

## Losses

$D$ is the discriminator's raw output for {packed} rows at a time, $G$ the generator, $\\sigma$ \
the logistic function, $x_i$ so many rows, $z_i$ {zdim} standard normal numbers for each, and \
$m = {packs}$ the number of packs.

The discriminator minimises

$$
{discriminator}
$$
{penalty}
The generator minimises

$$
{generator}
$$

The discriminator is updated {d_steps} time{plural} a step, then the generator from the last noise.

## Networks and optimisers

Both have two hidden layers of {width} units, the generator with batch normalisation. {optimizer} \
trains them, at a rate of {lr_g:g} for the generator and {lr_d:g} for the discriminator.

## Configuration

| key | value | meaning |
|---|---|---|
{table}
"""


def table_gan_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of a whole configuration, as `recipe.configure` returns it."""
    _, discriminator, generator = FORMULAS[config["loss"]]
    penalty = (
        "\nTo this it adds the gradient penalty with $\\lambda = 10$ and $\\epsilon_i$ uniform "
        f"between 0 and 1:\n\n$$\n{GRADIENT_PENALTY}\n$$\n"
        if config["loss"] == "wgangp"
        else ""
    )
    meaning = {option.key: option.help for option in recipe.options}
    words = {"adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD with momentum"}
    keys = ("data", "steps", "batch", "packed", "zdim", "d_steps", "width", "lr_g", "lr_d")
    return _PAGE.format(
        discriminator=discriminator,
        generator=generator,
        penalty=penalty,
        packs=config["batch"] // config["packed"],
        plural="" if config["d_steps"] == 1 else "s",
        optimizer=words[config["optimizer"]],
        table="\n".join(f"| {key} | {config[key]} | {said} |" for key, said in meaning.items()),
        **{key: config[key] for key in keys},
    )
