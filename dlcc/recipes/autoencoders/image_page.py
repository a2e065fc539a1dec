"""Method page of a variational autoencoder of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcc.recipes.recipe import Recipe

_PAGE = """\
# Method: a {net} variational autoencoder of {data}

An encoder makes means $\\mu_{{ij}}$ and variances $\\sigma_{{ij}}^2$ of {latents} latents of an \
image $x_i$ of $d$ pixels in 0 … 1, a decoder $G$ makes images of latents $z_{{ij}} = \\mu_{{ij}} \
+ \\sigma_{{ij}}\\epsilon_{{ij}}$ with $\\epsilon_{{ij}}$ standard normal. They are trained \
together for {steps:,} steps of $m = {batch}$ images; every pass through the data has an order of \
its own. Samples are decoded draws of the standard normal prior.

## Loss

$$
L = {error}
 + {beta}\\,b_t\\,\\frac{{1}}{{2m}}\\sum_{{i=1}}^{{m}}\\sum_{{j=1}}^{{{latents}}}\
\\left(\\mu_{{ij}}^2+\\sigma_{{ij}}^2-\\log\\sigma_{{ij}}^2-1\\right)
$$

{rises}

## Networks and optimiser

{networks} {optimizer} trains both at a rate of {lr:g}.

## Configuration

| key | value | meaning |
|---|---|---|
{table}
"""
_ERRORS = {
    "bernoulli": r"-\frac{1}{m}\sum_{i=1}^{m}\sum_{k=1}^{d}\left[x_{ik}\log\sigma(G(z_i)_k)"
    r" + (1-x_{ik})\log(1-\sigma(G(z_i)_k))\right]",
    "normal": r"\frac{1}{2 m s^2}\sum_{i=1}^{m}\|G(z_i)-x_i\|^2",
}


def image_vae_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of a whole configuration, as `recipe.configure` returns it."""
    rises = "$b_t = 1$ at every step."
    if config["anneal"]:
        rises = f"$b_t = \\min(1, t/({config['anneal']:g}\\,T))$ at step $t$ of $T$."
    if config["likelihood"] == "normal":
        rises += f" $s = {config['sd']:g}$."
    networks = {
        "dense": "Each has two hidden layers with $\\max(0, \\cdot)$ between.",
        "conv": "The encoder has two strided, the decoder two transposed convolutions.",
    }
    meaning = {option.key: option.help for option in recipe.options}
    return _PAGE.format(
        error=_ERRORS[config["likelihood"]],
        rises=rises,
        networks=networks[config["net"]],
        table="\n".join(f"| {key} | {config[key]} | {said} |" for key, said in meaning.items()),
        **{key: config[key] for key in ("net", "data", "latents", "steps", "batch", "lr")},
        beta=f"{config['beta']:g}",
        optimizer={"adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD with momentum .9"}[
            config["optimizer"]
        ],
    )
