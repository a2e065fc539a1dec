"""Curvature of a loss: both ends of the Hessian's spectrum, its trace, its density.

Everything works on products of the matrix with vectors; the matrix is never made. What is random is
drawn from a seed: the same input gives the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlcc.landscape._engine.krylov import KrylovBasis
from dlcc.landscape._engine.vectors import (
    Closure,
    check_loss,
    check_params,
    differentiable_gradients,
    flatten,
    gradients_vjp,
    require_gradients,
    unflatten,
    vector_like,
)
from dlcc.landscape.linear_operator import LinearOperator
from dlcc.typing import Floats


@dataclass(frozen=True)
class ExtremeEigenvalues:
    """The smallest and the largest eigenvalue of a symmetric matrix."""

    smallest: float
    largest: float
    smallest_error: float
    """‖Hx − λx‖ of the unit vector behind it: an eigenvalue lies no farther from `smallest` than
    this (Parlett 1998, theorem 4.5.1)."""
    largest_error: float
    products: int
    """Of the Hessian with a vector, that it took."""
    converged: bool
    """Whether both errors came under the tolerance."""


@dataclass(frozen=True)
class Trace:
    """An unbiased estimate of a trace."""

    value: float
    error: float
    """Standard error."""
    products: int


@dataclass(frozen=True)
class SpectralDensity:
    """Where the eigenvalues lie, as points with weights that sum to 1."""

    nodes: Floats
    """[m], ascending."""
    weights: Floats
    """[m]"""
    error: float
    """Standard error between probes: the mean Wasserstein distance of a probe's density from that
    of all, over √probes."""
    products: int


def hessian(loss: Closure, params: Sequence[Tensor]) -> LinearOperator:
    """The Hessian of a loss with respect to `params`; those of one player, and it is that player's.

    Raises:
        ValueError: the loss is no finite scalar, or does not depend on one of the parameters.
    """
    params = check_params(params)
    gradients = differentiable_gradients(loss(), params)
    size = sum(p.numel() for p in params)
    return LinearOperator(
        size, vector_like(params), lambda vector: gradients_vjp(gradients, params, vector)
    )


def gauss_newton(
    outputs: Closure, loss_of: Callable[[Tensor], Tensor], params: Sequence[Tensor]
) -> LinearOperator:
    """JᵀHJ, with J the outputs' Jacobian and H the loss' Hessian in the outputs (Schraudolph 2002).

    Raises:
        ValueError: as for `hessian`.
    """
    params = check_params(params)
    out = outputs()
    check_loss(loss_of(out))
    if not out.requires_grad:
        require_gradients([None] * len(params), params)
    zeros = torch.zeros_like(out, requires_grad=True)
    found = torch.autograd.grad(out, params, zeros, create_graph=True, allow_unused=True)
    vjp = require_gradients(found, params)  # Jᵀz
    inner = out.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of(inner), inner, create_graph=True)

    def matvec(vector: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a loss that is linear in the outputs
            return torch.zeros_like(vector)
        (jvp,) = torch.autograd.grad(  # J v, as the gradient of Jᵀz·v in z
            vjp, zeros, unflatten(vector, params), retain_graph=True
        )
        (curved,) = torch.autograd.grad(gradient, inner, jvp, retain_graph=True)
        back = torch.autograd.grad(out, params, curved, retain_graph=True, allow_unused=True)
        return flatten(back, params)

    return LinearOperator(sum(p.numel() for p in params), vector_like(params), matvec)


def extreme_eigenvalues(
    operator: LinearOperator,
    tol: float = 1e-3,
    *,
    seed: int = 0,
    products: int = 300,
    vectors: int = 64,
) -> ExtremeEigenvalues:
    """Smallest and largest eigenvalue of a symmetric matrix, by thick-restarted Lanczos.

    Args:
        operator: products of the matrix, as `hessian` gives them.
        tol: errors relative to the larger of the two eigenvalues' sizes.
        seed: of the first vector.
        products: to stop at, converged or not.
        vectors: held at a time, each as long as all parameters; restarted when there are so many.

    Raises:
        ValueError: `tol` is not above 0, or a product with the matrix is not finite.
    """
    if not tol > 0:
        raise ValueError(f"tol is {tol}; expected a number above 0")
    basis = KrylovBasis.start(
        operator, operator.generator(seed), max(6, min(vectors, operator.size))
    )
    while True:
        basis.grow()
        values, vectors_small = np.linalg.eigh(basis.projected)
        errors = basis.rest * np.abs(vectors_small[-1]) + basis.rounding
        scale = max(abs(values[0]), abs(values[-1]), np.finfo(np.float64).tiny)
        converged = bool(max(errors[0], errors[-1]) <= tol * scale)
        if converged or basis.complete or basis.products >= products:
            return ExtremeEigenvalues(
                smallest=float(values[0]),
                largest=float(values[-1]),
                smallest_error=float(errors[0]),
                largest_error=float(errors[-1]),
                products=basis.products,
                converged=converged or basis.complete,
            )
        if basis.full:
            each = basis.most // 3
            kept = [*range(each), *range(len(values) - each, len(values))]
            basis.restart(vectors_small[:, kept], values[kept])


def trace(operator: LinearOperator, products: int = 30, *, seed: int = 0) -> Trace:
    """Hutch++ (Meyer, Musco, Musco and Woodruff 2021, algorithm 1), at least 6 products."""
    if products < 6:
        raise ValueError(f"products is {products}; expected at least 6")
    third = min(products // 3, operator.size)
    rng = operator.generator(seed)
    basis, _ = torch.linalg.qr(operator.matmat(operator.random_signs(third, rng)))
    of_basis = float((basis * operator.matmat(basis)).sum(dtype=torch.float64))
    probes = operator.random_signs(third, rng)
    probes = probes - basis @ (basis.T @ probes)
    rest = (probes * operator.matmat(probes)).sum(dim=0, dtype=torch.float64)
    error = float(rest.std()) / third**0.5 if third < operator.size else 0.0
    return Trace(of_basis + float(rest.mean()), error, 3 * third)


def spectral_density(
    operator: LinearOperator, *, probes: int = 8, steps: int = 64, seed: int = 0
) -> SpectralDensity:
    """Stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017; Ghorbani et al. 2019)."""
    if probes < 2:
        raise ValueError(f"probes is {probes}; expected at least 2, to tell the error")
    found, rng = [], operator.generator(seed)
    for _ in range(probes):
        basis = KrylovBasis.start(operator, rng, min(steps, operator.size))
        basis.grow()
        while not (basis.full or basis.complete):
            basis.grow()
        values, vectors = np.linalg.eigh(basis.projected)
        found.append((values, vectors[0] ** 2))
    nodes = np.concatenate([values for values, _ in found])
    weights = np.concatenate([own / own.sum() for _, own in found]) / probes
    order = np.argsort(nodes, kind="stable")
    distances = [wasserstein(values, own, nodes, weights) for values, own in found]
    return SpectralDensity(
        nodes[order],
        weights[order],
        float(np.mean(distances)) / probes**0.5,
        sum(len(values) for values, _ in found),
    )


def wasserstein(a: Floats, of_a: Floats, b: Floats, of_b: Floats) -> float:
    """W₁ of two weighted sets of points."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(a, b, of_a, of_b))
