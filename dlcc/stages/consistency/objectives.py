"""Objectives and what they promise: the loss from outputs, its bound from mean outputs, and the
properties that any right implementation has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from dlcc.stages.consistency.checks.symbolic_loss import FAKE, REAL
from dlcc.stages.consistency.prove import Relation
from dlcc.typing import Floats

Property = tuple[str, str, Callable[[sp.Expr], sp.Expr], Relation]
"""Property of a loss: (player, statement, expression made of the player's loss, relation)."""


@dataclass(frozen=True)
class Objective:
    """Pair of adversarial losses; outputs are the discriminator's raw ones."""

    discriminator: Callable[[Floats, Floats], Floats]
    """Loss of each pair of outputs, real [n] and fake [n]; its mean is the loss."""
    generator: Callable[[Floats], Floats]
    """Loss of each output on samples, [n]."""
    bound: Callable[[Floats, Floats], Floats]
    """Least discriminator loss that mean outputs (as recorded) allow: Jensen's inequality."""
    probability: bool
    """Whether the recorded mean outputs are probabilities, σ of the raw ones."""
    exact_bound: bool = False
    """Whether the loss without penalties equals the bound."""
    properties: tuple[Property, ...] = field(default=())


def _softplus(x: Floats) -> Floats:
    return np.logaddexp(0.0, x)


def _relu(x: Floats) -> Floats:
    return np.maximum(0.0, x)


def _in_real(loss: sp.Expr) -> sp.Expr:
    return sp.diff(loss, REAL)


def _in_fake(loss: sp.Expr) -> sp.Expr:
    return sp.diff(loss, FAKE)


def _itself(loss: sp.Expr) -> sp.Expr:
    return loss


_FALLS_IN_REAL: Property = (
    "discriminator",
    "its loss never rises with its output on real data",
    _in_real,
    "<= 0",
)
_RISES_IN_FAKE: Property = (
    "discriminator",
    "its loss never falls with its output on samples",
    _in_fake,
    ">= 0",
)
_D_POSITIVE: Property = ("discriminator", "its loss is never negative", _itself, ">= 0")
_G_POSITIVE: Property = ("generator", "its loss is never negative", _itself, ">= 0")
_G_FALLS: Property = (
    "generator",
    "its loss never rises with the discriminator's output on samples",
    _in_fake,
    "<= 0",
)
_USUAL = (_FALLS_IN_REAL, _RISES_IN_FAKE, _G_FALLS)


def _cross_entropy_bound(real: Floats, fake: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return -np.log(np.clip(real, 0, 1)) - np.log(np.clip(1 - fake, 0, 1))


_CROSS_ENTROPY = {
    "discriminator": lambda real, fake: _softplus(-real) + _softplus(fake),
    "bound": _cross_entropy_bound,
    "probability": True,
}

OBJECTIVES: Mapping[str, Objective] = {
    "ns": Objective(
        **_CROSS_ENTROPY,  # type: ignore[arg-type]  # a table of fields
        generator=lambda fake: _softplus(-fake),
        properties=(*_USUAL, _D_POSITIVE, _G_POSITIVE),
    ),
    "mm": Objective(
        **_CROSS_ENTROPY,  # type: ignore[arg-type]
        generator=lambda fake: -_softplus(fake),
        properties=(*_USUAL, _D_POSITIVE),
    ),
    "ls": Objective(
        discriminator=lambda real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        generator=lambda fake: 0.5 * (fake - 1) ** 2,
        bound=lambda real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        probability=False,
        properties=(
            _D_POSITIVE,
            _G_POSITIVE,
            (
                "discriminator",
                "real data pull its output to 1",
                lambda loss: _in_real(loss).subs(REAL, 1),
                "= 0",
            ),
            (
                "discriminator",
                "samples pull its output to 0",
                lambda loss: _in_fake(loss).subs(FAKE, 0),
                "= 0",
            ),
            (
                "generator",
                "samples pull the output to 1",
                lambda loss: _in_fake(loss).subs(FAKE, 1),
                "= 0",
            ),
        ),
    ),
    "hinge": Objective(
        discriminator=lambda real, fake: _relu(1 - real) + _relu(1 + fake),
        generator=lambda fake: -fake,
        bound=lambda real, fake: _relu(1 - real) + _relu(1 + fake),
        probability=False,
        properties=(*_USUAL, _D_POSITIVE),
    ),
    "wgangp": Objective(
        discriminator=lambda real, fake: fake - real,
        generator=lambda fake: -fake,
        bound=lambda real, fake: fake - real,
        probability=False,
        exact_bound=True,
        properties=_USUAL,
    ),
}
