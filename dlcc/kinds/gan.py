"""Generative adversarial networks: a generator against a discriminator."""

from __future__ import annotations

import math

from dlcc.kinds.kind import Objective, PastRuns, Quantity, TrainingKind
from dlcc.kinds.labels import usual_labels
from dlcc.kinds.quantities import gradient_norm_of, loss_of

_BOTH = ("generator", "discriminator")
_SOFTPLUS = "mean softplus(-D(x)) + mean softplus(D(G(z)))"
_LN2 = math.log(2)

OBJECTIVES = (
    Objective(
        "ns",
        "non-saturating",
        {"discriminator": _SOFTPLUS, "generator": "mean softplus(-D(G(z)))"},
        at_equilibrium={"discriminator": 2 * _LN2, "generator": _LN2},
        at_chance={"discriminator": 2 * _LN2, "generator": _LN2},
        floor={"discriminator": 0.0, "generator": 0.0},
        output="probability",
    ),
    Objective(
        "mm",
        "minimax",
        {"discriminator": _SOFTPLUS, "generator": "-mean softplus(D(G(z)))"},
        at_equilibrium={"discriminator": 2 * _LN2, "generator": -_LN2},
        at_chance={"discriminator": 2 * _LN2, "generator": -_LN2},
        floor={"discriminator": 0.0},
        ceiling={"generator": 0.0},
        output="probability",
    ),
    Objective(
        "ls",
        "least squares",
        {
            "discriminator": "½ mean (D(x) - 1)² + ½ mean D(G(z))²",
            "generator": "½ mean (D(G(z)) - 1)²",
        },
        at_equilibrium={"discriminator": 0.25, "generator": 0.125},
        at_chance={"discriminator": 0.5, "generator": 0.5},
        floor={"discriminator": 0.0, "generator": 0.0},
    ),
    Objective(
        "hinge",
        "hinge",
        {
            "discriminator": "mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z)))",
            "generator": "-mean D(G(z))",
        },
        at_equilibrium={"discriminator": 2.0, "generator": 0.0},
        at_chance={"discriminator": 2.0, "generator": 0.0},
        floor={"discriminator": 0.0},
    ),
    Objective(
        "wgangp",
        "Wasserstein, gradient penalty",
        {
            "discriminator": "mean D(G(z)) - mean D(x), and the penalty",
            "generator": "-mean D(G(z))",
        },
    ),
    Objective(
        "wgan",
        "Wasserstein, clipped weights",
        {"discriminator": "mean D(G(z)) - mean D(x)", "generator": "-mean D(G(z))"},
    ),
    Objective(
        "relativistic",
        "relativistic pairing",
        {
            "discriminator": "mean softplus(D(G(z)) - D(x))",
            "generator": "mean softplus(D(x) - D(G(z)))",
        },
        at_equilibrium={"discriminator": _LN2, "generator": _LN2},
        at_chance={"discriminator": _LN2, "generator": _LN2},
        floor={"discriminator": 0.0, "generator": 0.0},
    ),
)
"""Objectives with their sources: Goodfellow 2014 (ns, mm), Mao 2017 with its ½ (ls), Lim and Ye
2017 (hinge), Gulrajani 2017 (wgangp), Arjovsky 2017 (wgan) and Huang 2024 (relativistic).

Outputs of the last three have no fixed level: a constant can be added.
"""

GAN = TrainingKind(
    name="gan",
    title="generative adversarial network",
    players=_BOTH,
    quantities=(
        loss_of(_BOTH),
        gradient_norm_of(_BOTH),
        Quantity("real", "mean output on training data", ("discriminator",)),
        Quantity("fake", "mean output on samples", ("discriminator",)),
    ),
    labels=usual_labels(
        {
            "weak": "GAN008",
            "oscillating": "GAN002",
            "collapsed": "GAN003",
            "diverged": "GAN001",
            "untrained": "GAN010",
        }
    ),
    past_runs=PastRuns("gan", forecast=("gan",), shipped="dlcc.past_runs:gan.npz"),
    objectives=OBJECTIVES,
    series_tell_health=True,
    run_features="by player",
    feature_words={
        "generator_loss": "the generator's loss",
        "discriminator_loss": "the discriminator's loss",
        "generator_grad": "the generator's gradient norm",
        "discriminator_grad": "the discriminator's gradient norm",
        "margin": "the discriminator's margin",
    },
    evidence="adversarial",
    remedies="adversarial",
)
