"""Method page of a map between distributions, `documents/method.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcc.recipes.maps import mmd_maps, regularised_map
from dlcc.recipes.recipe import Recipe

_PAGE = """\
# Method: the map {map}, {variant}

A network $G$ maps {inputs} to {target}. It is trained for {length:,} steps of $m = {batch}$ rows.

## Loss

$x_i$ is what the map should give, $z_i$ what it is given. It minimises

$$
{loss}
$$

{terms}

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
_PENALTIES = {
    "l1": ("L1", r"P = \lambda\sum_k |w_k|"),
    "l2": ("L2", r"P = \lambda\sum_k w_k^2"),
}
_INPUTS = {
    "f1": "standard normal points in the plane",
    "f2": "uniform points of the unit square",
    "f3": "uniform numbers between 0 and 1",
}
_TARGETS = {"square": "a uniform unit square", "gaussian": "a standard normal in the plane"}


def maps_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of a map as `mmd_maps` trains it."""
    parsed = mmd_maps.Config.parse(config)
    penalty = ""
    if parsed.variant == "paper":
        weight = mmd_maps.MAPS[parsed.map].penalty
        penalty = f"\n\nTo this it adds ${weight:g}\\,\\|w\\|^2$ over all weights and biases."
    return _page(recipe, config, parsed, penalty, "")


def regularised_page(recipe: Recipe, config: Mapping[str, Any]) -> str:
    """Write the Markdown page of a map as `regularised_map` trains it."""
    parsed = regularised_map.Config.parse(config)
    penalty = dropout = ""
    if parsed.regulariser != "none":
        name, formula = _PENALTIES[parsed.regulariser]
        factor = np.format_float_positional(parsed.strength, trim="-")
        penalty = (
            f"\n\nTo this it adds the {name} penalty with $\\lambda = {factor}$ over "
            f"all weights $w_k$, biases excepted:\n\n$$\n{formula}\n$$"
        )
    if parsed.dropout:
        dropout = (
            f" In training each hidden unit is dropped with probability {parsed.dropout:g} in each "
            "row, and those left are scaled up; samples are drawn with all units."
        )
    return _page(recipe, config, parsed, penalty, dropout)


def _page(
    recipe: Recipe, config: Mapping[str, Any], parsed: mmd_maps.Config, penalty: str, dropout: str
) -> str:
    """Fill the page with what both have, a penalty and dropout."""
    chosen, paper = mmd_maps.MAPS[parsed.map], parsed.variant == "paper"
    meaning = {option.key: option.help for option in recipe.options} | {
        "map": "which map",
        "variant": "as the paper has it, or mended",
    }
    return _PAGE.format(
        map=parsed.map,
        variant="as the paper has it" if paper else "mended",
        inputs=_INPUTS[parsed.map],
        target=_TARGETS[chosen.target],
        length=mmd_maps.length(parsed),
        batch=mmd_maps.batch_size(parsed),
        loss=_MMD if paper else _SLICED,
        terms=_terms(parsed) + penalty,
        network=f"Fully connected: {_network(parsed)}{dropout} {_descent(parsed)}",
        table="\n".join(f"| {key} | {value} | {meaning[key]} |" for key, value in config.items()),
    )


def _terms(parsed: mmd_maps.Config) -> str:
    """Sentence on the symbols of the distance."""
    if parsed.variant == "paper":
        return f"with $k(x,y) = \\exp(-\\|x-y\\|^2/{mmd_maps.MAPS[parsed.map].width:g})$."
    return "over 48 directions $\\theta_s$ drawn anew in each step; $(\\cdot)_{(i)}$ sorts."


def _network(parsed: mmd_maps.Config) -> str:
    """Sentence on the network's layers."""
    if parsed.map != "f3":
        return "2, 125, 125 and 2 units, logistic functions between."
    joined = ", the second on what the first gives" if parsed.variant == "paper" else ""
    return f"1, 50, 50 and 1 units, tanh between; two of them{joined}."


def _descent(parsed: mmd_maps.Config) -> str:
    """Sentence on the optimiser."""
    if parsed.variant == "paper":
        return f"Stochastic gradient descent at a rate of {mmd_maps.MAPS[parsed.map].rate:g}."
    return "Adam at a rate of 0.005 that falls to 0 along half a wave."
