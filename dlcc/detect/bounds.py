"""Bounds on losses: what a discriminator's loss is at least, by Jensen's inequality."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlcc.typing import Floats

_LEAST = 1e-4  # probability: a printed one may be rounded to 0


def least_loss(
    objective: str, real: Floats, fake: Floats, outputs: Literal["raw", "probability"] = "raw"
) -> Floats | None:
    """Compute the least loss that a discriminator with these mean outputs can have.

    All the losses are convex in the output, and the mean of a convex loss is at least the loss of
    the mean. So is -log of a probability. A mean over epochs keeps to the bound too. Penalties add
    to a loss; with the Wasserstein distance, which is linear, nothing else does.

    Args:
        objective: Name: `ns`, `mm`, `ls`, `hinge`, `wgan` or `wgangp`.
        real: Mean outputs on real rows [n].
        fake: Mean outputs on samples [n].
        outputs: Scale of the outputs; probabilities are known for cross-entropy alone.

    Returns:
        Losses [n] as the formulas of `dlcc.kinds.gan` have them; None for another objective, or
        outputs of another scale.

    >>> least_loss("hinge", np.array([2.0, 0.5]), np.array([-0.5, 0.0])).tolist()
    [0.5, 1.5]
    """
    if objective in ("ns", "mm"):
        if outputs == "probability":
            found = -np.log(np.clip(real, _LEAST, 1)) - np.log(np.clip(1 - fake, _LEAST, 1))
            return np.asarray(found)
        return np.asarray(np.logaddexp(0, -real) + np.logaddexp(0, fake))
    if outputs == "probability":
        return None
    if objective == "ls":
        return np.asarray(0.5 * (real - 1) ** 2 + 0.5 * fake**2)
    if objective == "hinge":
        return np.asarray(np.maximum(0, 1 - real) + np.maximum(0, 1 + fake))
    if objective in ("wgan", "wgangp"):
        return np.asarray(fake - real)
    return None
