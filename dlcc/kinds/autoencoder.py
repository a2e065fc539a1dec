"""Autoencoders whose decoder makes samples."""

from __future__ import annotations

from dlcc.kinds.kind import Quantity, TrainingKind
from dlcc.kinds.single import FEATURE_WORDS, LABELS_OF_SINGLE, PAST_RUNS, QUANTITIES

WITH_LATENTS = (
    *QUANTITIES,
    Quantity("reconstruction", "error between data and their reconstructions"),
    Quantity("kl", "divergence of the latents from their prior, in nats"),
)

AUTOENCODER = TrainingKind(
    name="autoencoder",
    title="autoencoder",
    players=(),
    quantities=WITH_LATENTS,
    labels=LABELS_OF_SINGLE,
    past_runs=PAST_RUNS,
    shrinks_to_a_point=True,
    feature_words=FEATURE_WORDS,
    remedies="vae",
)
