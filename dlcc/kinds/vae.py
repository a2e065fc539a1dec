"""Variational autoencoders."""

from __future__ import annotations

from dataclasses import replace

from dlcc.kinds.autoencoder import AUTOENCODER
from dlcc.kinds.kind import Objective

VAE = replace(
    AUTOENCODER,
    name="vae",
    title="variational autoencoder",
    objectives=(
        Objective(
            "elbo",
            "negative evidence lower bound",
            {"model": "mean of -log p(x | z) + KL(q(z | x) || p(z))"},
        ),
    ),
)
