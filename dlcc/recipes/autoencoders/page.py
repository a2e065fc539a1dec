"""Method page of an autoencoder: what it minimises, in formulas, and its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcc.recipes.autoencoders import cube_autoencoders
from dlcc.recipes.autoencoders.cube_autoencoders import NOISY, VARIATIONAL, Config
from dlcc.recipes.recipe import Recipe

_PAGE = """\
# Method: the autoencoder {model}

An encoder $E$ makes {latents} latents of points {where}, and a decoder $G$ makes points of \
them. They are trained together for {length:,} steps of $m = {batch}$ points, which are drawn anew.

## Latents

{noise} {samples}

## Loss

$$
L = {loss}
$$

{terms}
## Networks and optimiser

Each has two hidden layers of 128 units, $\\max(0, \\cdot)$ between. Adam at a rate of 0.002 \
that falls to 0 along half a wave.

## Configuration

| key | value | meaning |
|---|---|---|
{table}
"""
_RECONSTRUCTION = r"\frac{1}{3m}\sum_{i=1}^{m}\|G(z_i)-x_i\|^2"
_PENALTY = r"\frac{1}{d}\sum_{j=1}^{d}\left(\mu_j^2 + (v_j-1)^2\right)"
_KL = (
    r"\frac{1}{2m}\sum_{i=1}^{m}\sum_{j=1}^{d}"
    r"\left(\mu_{ij}^2+\sigma_{ij}^2-\log\sigma_{ij}^2-1\right)"
)
_MMD = (
    r"\left(\frac{1}{m(m-1)}\sum_{i\neq j} k(z_i,z_j)"
    r" + \frac{1}{m(m-1)}\sum_{i\neq j} k(p_i,p_j) - \frac{2}{m^2}\sum_{i,j} k(z_i,p_j)\right)"
)
_SLICED = (
    r"\frac{1}{48 m}\sum_{s=1}^{48}\sum_{i=1}^{m}\left(({a}\cdot\theta_s)_{(i)}"
    r" - ({b}\cdot\theta_s)_{(i)}\right)^2"
)


def autoencoders_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of an autoencoder."""
    parsed = Config.parse(config)
    used = {option.key: option.help for option in recipe.options}
    meaning = {"model": "which autoencoder", **used}
    return _PAGE.format(
        model=parsed.model,
        latents=parsed.latents,
        batch=parsed.batch,
        where="on a cube's surface" if parsed.data == "cube_surface" else "in a cube",
        length=cube_autoencoders.length(parsed),
        noise=_noise(parsed),
        samples=_samples(parsed),
        loss=_loss(parsed),
        terms=_terms(parsed),
        table="\n".join(f"| {key} | {config[key]} | {said} |" for key, said in meaning.items()),
    )


def _noise(config: Config) -> str:
    """Sentence on the noise in the latents."""
    if config.model == "f1":
        return (
            "To each latent $z_{ij} = E(x_i)_j + \\epsilon_{ij}$ noise is added whose variance is "
            f"that of the batch's latents, {config.snr:g} dB lower."
        )
    if config.model == "f2":
        return (
            f"To each latent $z_{{ij}} = E(x_i)_j + \\epsilon_{{ij}}$ noise of variance "
            f"$10^{{-({config.snr:g})/10}}$ is added; $\\mu_j$ and $v_j$ are the mean and variance "
            "of $E(x)_j$ over the batch."
        )
    if config.model in VARIATIONAL:
        return (
            "The encoder gives $\\mu_{ij}$ and $\\log\\sigma_{ij}^2$; $z_{ij} = \\mu_{ij} + "
            "\\sigma_{ij}\\epsilon_{ij}$ with $\\epsilon_{ij}$ standard normal."
        )
    return "The encoder takes three standard normal numbers beside a point: $z_i = E(x_i, n_i)$."


def _samples(config: Config) -> str:
    """Sentence on what samples are."""
    if config.model in NOISY:
        return "What is recorded as samples are reconstructions of points drawn anew."
    if config.prior == "standard":
        return "The prior is standard normal; samples are decoded draws of it."
    return (
        "The prior is the normal distribution with the latents' own mean and covariance; samples "
        "are decoded draws of it."
    )


def _loss(config: Config) -> str:
    """Formula of the loss."""
    terms = [_RECONSTRUCTION]
    if config.model == "f2":
        terms.append(_PENALTY)
    if config.beta:
        terms.append(rf"{_number(config.beta)}\,b_t\," + _KL)
    if config.mmd:
        terms.append(rf"{_number(config.mmd)}\,l_t\," + _MMD)
    if config.model == "sliced":
        terms += [
            _SLICED.replace("{a}", a).replace("{b}", b) for a, b in (("z", "p"), ("G(p)", "x"))
        ]
    return "\n + ".join(terms)


def _number(value: float) -> str:
    """Write a number without an exponent, which LaTeX would read as a product."""
    return np.format_float_positional(value, trim="-")


def _terms(config: Config) -> str:
    """Sentences on the symbols in the loss."""
    said = []
    for weight, factor, share in (
        (config.beta, "b_t", config.anneal_beta),
        (config.mmd, "l_t", config.anneal_mmd),
    ):
        if weight:
            rises = rf"\min(1, t/({_number(share)}\,T))" if share else "1"
            said.append(f"${factor} = {rises}$ at step $t$ of $T$.")
    if config.mmd:
        said.append(
            "$p_i$ are draws of the prior and $k(a,b) = \\exp(-\\|a-b\\|^2/r)$, $r$ twice the sum "
            "of their variances."
        )
    if config.model == "sliced":
        said.append(
            "$p$ are draws of the prior, $\\theta_s$ directions drawn anew in each step; "
            "$(\\cdot)_{(i)}$ sorts."
        )
    return " ".join(said) + "\n" * bool(said)
