"""Parts that kinds share in which one loss is minimised, by one network or by several together."""

from __future__ import annotations

from collections.abc import Mapping

from dlcc.kinds.kind import PastRuns, Quantity
from dlcc.kinds.labels import usual_labels
from dlcc.kinds.quantities import gradient_norm_of, loss_of

LABELS_OF_SINGLE = usual_labels(
    {
        "weak": "GEN002",
        "oscillating": "GEN002",
        "collapsed": "GEN002",
        "diverged": "GEN003",
        "untrained": "GEN004",
    }
)
PAST_RUNS = PastRuns("single", forecast=("gan", "single"), shipped="dlcc.past_runs:single.npz")
"""Past runs for forecasts of single networks, with GANs among them.

Without GANs less carries over to data that no past run had (benchmarks/single_networks.py).
"""
QUANTITIES = (
    loss_of(),
    gradient_norm_of(),
    Quantity("mmd", "squared maximum mean discrepancy of samples and data, or latents and prior"),
    Quantity("penalty", "penalty on the weights, as it is in the loss"),
)
FEATURE_WORDS: Mapping[str, str] = {
    "generator_loss": "the loss",
    "discriminator_loss": "the second loss",
    "generator_grad": "the gradient norm",
    "discriminator_grad": "the second gradient norm",
    "margin": "the second margin",
}
