"""Information rate of latents with Gaussian noise: bits that a neuron carries at a given SNR."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dlcc.metrics.figures import Measured
from dlcc.metrics.inputs import block, checked, parts
from dlcc.typing import Floats


@dataclass(frozen=True)
class InformationRate:
    """Bits that latents with added Gaussian noise carry."""

    mean: Measured
    """Mean over neurons of ½ log2(1 + variance / noise), in bits a neuron."""
    each: Floats
    """Rate of each neuron, in bits, [d]."""
    joint: float
    """Rate of all neurons together, ½ log2 det(1 + covariance / noise) / d, in bits a neuron: less
    where neurons are correlated."""
    snr_db: float
    """Signal-to-noise ratio in dB: 10 log10 of the mean over neurons of variance / noise."""


def noise_variance(snr_db: float, signal_variance: float = 1.0) -> float:
    """Compute the variance of the noise that gives a signal-to-noise ratio.

    Args:
        snr_db: Signal-to-noise ratio in dB, from −3000 to 3000.
        signal_variance: Variance of the signal, above 0.

    Returns:
        σ² = signal_variance · 10^(−SNR/10), in the signal's squared units.

    Raises:
        ValueError: a ratio that is not finite, or a variance that is not above 0.

    >>> round(noise_variance(20), 4), round(noise_variance(0, signal_variance=3.0), 4)
    (0.01, 3.0)
    """
    if not (signal_variance > 0 and math.isfinite(signal_variance)):
        raise ValueError(f"signal_variance is {signal_variance}; expected a number above 0")
    return signal_variance / _linear(snr_db)


def information_rate(snr_db: float) -> float:
    """Compute the information rate of a Gaussian latent at a signal-to-noise ratio.

    Args:
        snr_db: Signal-to-noise ratio in dB, from −3000 to 3000.

    Returns:
        ½ log2(1 + 10^(SNR/10)) in bits a neuron (Shannon 1948, theorem 17, per sample): reached by
        a Gaussian latent, an upper bound for any other.

    Raises:
        ValueError: a ratio that is not finite or out of range.

    >>> round(information_rate(15), 2)
    2.51
    """
    return 0.5 * math.log2(1 + _linear(snr_db))


def measured_information_rate(latents: ArrayLike, noise: float | ArrayLike) -> InformationRate:
    """Measure the information rate of latents that noise is to be added to.

    It is ½ log2(1 + σ²/noise) of each neuron (Shannon 1948, theorem 17, per sample), σ² measured.

    Args:
        latents: Latents without noise [n, d], n ≥ 4.
        noise: Variance of the noise above 0, one number or [d], in squared units of the latents.

    Returns:
        Rates in bits a neuron; exact for Gaussian latents, else an upper bound. The error is the
        delta method over rows, correlations of neurons included.

    Raises:
        ValueError: latents of another shape, too few or not finite, or a variance that is not above
            0 or of another shape.

    >>> latents = np.random.default_rng(0).standard_normal((1000, 3))
    >>> found = measured_information_rate(latents, noise_variance(15))
    >>> print(found.mean, "bits a neuron at", round(found.snr_db), "dB")
    2.504 ± 0.017 bits a neuron at 15 dB
    """
    z = checked(latents, "latents", 4)
    n, d = z.shape
    sigma = np.asarray(noise, dtype=np.float64)
    if sigma.shape not in ((), (d,)) or not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError(
            f"noise is {np.array2string(sigma, threshold=6)}; expected variances above 0, one "
            f"number or [{d}]"
        )
    sigma = np.broadcast_to(sigma, (d,))
    mean = np.zeros(d)
    for part in parts(z):
        mean += block(z, part).sum(axis=0) / n
    covariance = np.zeros((d, d))
    for part in parts(z):
        centred = block(z, part, mean)
        covariance += centred.T @ centred / (n - 1)
    variances = np.diag(covariance)
    each = 0.5 * np.log2(1 + variances / sigma)
    slopes = 0.5 / math.log(2) / (sigma + variances) / d
    moved = [((block(z, part, mean) ** 2) @ slopes) for part in parts(z)]
    error = math.sqrt(float(np.concatenate(moved).var(ddof=1)) / n)
    scaled = covariance / np.sqrt(np.outer(sigma, sigma))
    _, log_determinant = np.linalg.slogdet(np.eye(d) + scaled)
    return InformationRate(
        Measured(float(each.mean()), error, "delta method over rows", (n,)),
        each,
        float(log_determinant) / (2 * math.log(2) * d),
        10 * math.log10(max(float((variances / sigma).mean()), np.finfo(np.float64).tiny)),
    )


def _linear(snr_db: float) -> float:
    """Signal-to-noise ratio of one in dB, checked."""
    if not (math.isfinite(snr_db) and abs(snr_db) <= 3000):
        raise ValueError(f"snr_db is {snr_db}; expected decibels, a finite number up to 3000")
    return math.exp(snr_db / 10 * math.log(10))
