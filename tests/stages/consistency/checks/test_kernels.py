"""Discrepancies with a kernel: either estimate of an expectation holds, other formulas do not."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dlcc.stages.consistency.steps.traced_steps import TracedSteps
from tests.stages.consistency.checks.kinds import (
    adam,
    coders,
    made,
    minimise,
    noise,
    traced,
    verdict,
)
from tests.tracing.steps import WIDE

Kernel = Callable[[Tensor, Tensor], Tensor]

NORMAL = r"k(a, b) = \exp\left(-\frac{\|a - b\|^2}{2\sigma^2}\right)"
NARROW = r"k(a, b) = \exp(-\|a - b\|^2 / 8)"
MIXED = (
    r"k(a, b) = \sum_{\sigma \in \{1, 2, 4\}} \exp\left(-\frac{\|a - b\|_2^2}{2 \sigma^2}\right)"
)
MULTIQUADRIC = r"k(a, b) = \frac{C}{C + \|a - b\|_2^2}"
RATIONAL = r"k(x, y) = \left(1 + \frac{\|x - y\|^2}{2 \alpha}\right)^{-\alpha}"
LINEAR = r"k(a, b) = a^\top b"
SQUARE = r"\mathrm{MMD}^2(P, Q) = E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)]"
WHOLE = r"L_G = E_{x,x'}[k(x, x')] - 2 E_{x,z}[k(x, G(z))] + E_{z,z'}[k(G(z), G(z'))]"
CODES = r"\mathrm{MMD}^2(q, p) = E[k(z, z')] + E[k(\tilde z, \tilde z')] - 2 E[k(z, \tilde z)]"


def squares(a: Tensor, b: Tensor) -> Tensor:
    return (a[:, None] - b[None]).square().sum(-1)


KERNELS: dict[str, Kernel] = {
    NORMAL: lambda a, b: torch.exp(-torch.cdist(a, b).square() / 8),
    MIXED: lambda a, b: sum(torch.exp(-squares(a, b) / (2 * s * s)) for s in (1, 2, 4)),
    MULTIQUADRIC: lambda a, b: 4 / (4 + squares(a, b)),
    RATIONAL: lambda a, b: (1 + squares(a, b) / 3).pow(-1.5),
    LINEAR: lambda a, b: a @ b.T,
}


def own_out(table: Tensor) -> Tensor:
    """Mean over pairs of different rows."""
    count = len(table)
    return (table.sum() - table.diagonal().sum()) / (count * (count - 1))


def discrepancy(kernel: Kernel, mean: Kernel, x: Tensor, y: Tensor) -> Tensor:
    return mean(kernel(x, x)) + mean(kernel(y, y)) - 2 * kernel(x, y).mean()


@functools.cache
def matching(kernel: str, *, biased: bool) -> TracedSteps:
    generator = made(3, WIDE)
    optimizer = adam(generator)
    mean = torch.mean if biased else own_out

    def step(x: Tensor) -> None:
        y = generator(noise(3))
        minimise(optimizer, discrepancy(KERNELS[kernel], mean, x, y))

    return traced(step, {"net": generator})


@pytest.mark.parametrize("biased", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_an_expectation_is_held_by_either_estimate_and_it_is_told(
    kernel: str, biased: bool
) -> None:
    steps = matching(kernel, biased=biased)
    for formulas in ((r"L = \mathrm{MMD}^2(p, q)", SQUARE), (WHOLE,)):
        outcome, reason = verdict(steps, *formulas, kernel)
        assert outcome == "held", reason
        assert ("unbiased" in reason) == (not biased)


@pytest.mark.parametrize(
    ("latex", "outcome"),
    [
        (r"E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)]", "held"),
        (r"E[k(x, x')] + E[k(y, y')] - 2.1 E[k(x, y)]", "refuted"),
        (r"1.05 E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)]", "refuted"),
        (r"E[k(x, x')] + E[k(y, y')] + 2 E[k(x, y)]", "refuted"),
        (r"E[k(x, x')] - 2 E[k(x, y)]", "unknown"),
        (r"\sqrt{E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)]}", "unknown"),
    ],
)
def test_other_weights_of_its_terms_are_refuted(latex: str, outcome: str) -> None:
    assert verdict(matching(NORMAL, biased=True), f"L = {latex}", NARROW)[0] == outcome


@pytest.mark.parametrize(
    "kernel",
    [
        r"k(a, b) = \exp(-\|a - b\|^2 / 8.4)",
        *(pytest.param(kernel, marks=pytest.mark.slow) for kernel in (MIXED, MULTIQUADRIC)),
    ],
)
def test_another_kernel_does_not_hold(kernel: str) -> None:
    steps = matching(NORMAL, biased=True)
    assert verdict(steps, r"L = \mathrm{MMD}^2", SQUARE, kernel)[0] in ("unknown", "refuted")


def test_sums_over_pairs_say_which_estimate_they_are() -> None:
    cross = r"- \frac{2}{nm} \sum_{i=1}^n \sum_{j=1}^m k(x_i, y_j)"
    each = (
        rf"L = \frac{{1}}{{n^2}} \sum_{{i,j}} k(x_i, x_j)"
        rf" + \frac{{1}}{{m^2}} \sum_{{i,j}} k(y_i, y_j) {cross}"
    )
    apart = (
        rf"L = \frac{{1}}{{n(n-1)}} \sum_{{i \neq j}} k(x_i, x_j)"
        rf" + \frac{{1}}{{m(m-1)}} \sum_{{i \neq j}} k(y_i, y_j) {cross}"
    )
    for biased in (True, False):
        steps = matching(NORMAL, biased=biased)
        assert (verdict(steps, each, NARROW)[0] == "held") == biased
        assert (verdict(steps, apart, NARROW)[0] == "held") == (not biased)


@functools.cache
def wasserstein() -> TracedSteps:
    encoder, decoder = coders()
    optimizer = adam(encoder, decoder)

    def step(x: Tensor) -> None:
        code = encoder(x)
        fit = (decoder(code) - x).square().sum(1).mean()
        gap = discrepancy(KERNELS[MULTIQUADRIC], own_out, noise(), code)
        minimise(optimizer, fit + 10 * gap)

    return traced(step, {"encoder": encoder, "decoder": decoder})


@pytest.mark.parametrize(
    ("latex", "outcome"),
    [
        (r"E\|x - \hat{x}\|^2 + \lambda \mathrm{MMD}^2(q(z), p(z))", "held"),
        (r"E\|x - G(E(x))\|^2 + 10 \mathrm{MMD}_k^2(Q_Z, P_Z)", "held"),
        (r"E\|x - \hat{x}\|^2 - \lambda \mathrm{MMD}^2(q(z), p(z))", "unknown"),
        (r"E\|x - \hat{x}\|^2 + 10.5 \mathrm{MMD}^2(q(z), p(z))", "unknown"),
        (r"1.05 E\|x - \hat{x}\|^2 + 10 \mathrm{MMD}^2(q(z), p(z))", "unknown"),
    ],
)
def test_codes_are_held_against_draws_of_the_prior(latex: str, outcome: str) -> None:
    assert verdict(wasserstein(), f"L = {latex}", CODES, MULTIQUADRIC)[0] == outcome


def test_weights_of_a_discrepancy_are_refuted_where_the_kernel_is_whole() -> None:
    kernel = MULTIQUADRIC.replace("C", "4")
    latex = r"L = E\|x - \hat{x}\|^2 + 10.5 \mathrm{MMD}^2(q(z), p(z))"
    outcome, reason = verdict(wasserstein(), latex, CODES, kernel)
    assert (outcome, "0.952381 times" in reason) == ("refuted", True)
