"""Curvature of a loss: extreme eigenvalues of its Hessian, its trace, its spectral density.

Everything works on products of the matrix with vectors; the matrix is never made. Whatever is
random is drawn from a seed: the same input gives the same result.
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
    called,
    check_loss,
    check_params,
    differentiable_gradients,
    flatten,
    gradients_vjp,
    require_gradients,
    unflatten,
    vector_like,
)
from dlcc.landscape.batches import described
from dlcc.landscape.linear_operator import LinearOperator
from dlcc.measurement import Measurement
from dlcc.typing import Floats


@dataclass(frozen=True)
class ExtremeEigenvalues:
    """Smallest and largest eigenvalue of a symmetric matrix.

    >>> found = ExtremeEigenvalues(-1.0, 2.0, 0.1, 0.1, products=9, converged=True)
    >>> found.largest - found.smallest
    3.0
    """

    smallest: float
    """Smallest eigenvalue."""
    largest: float
    """Largest eigenvalue."""
    smallest_error: float
    """Residual ‖Hx − λx‖ of the unit vector behind it: an eigenvalue lies no farther from
    `smallest` than this (Parlett 1998, theorem 4.5.1)."""
    largest_error: float
    """Residual of the unit vector behind `largest`."""
    products: int
    """Number of matrix-vector products used."""
    converged: bool
    """Whether both errors came under the tolerance."""


@dataclass(frozen=True)
class Trace(Measurement):
    """Unbiased estimate of a trace, with its standard error.

    >>> str(Trace(value=6.0, error=0.5, products=30))
    '6 ± 0.5'
    """

    products: int
    """Number of matrix-vector products used."""


@dataclass(frozen=True)
class SpectralDensity:
    """Places of the eigenvalues, as points with weights that sum to 1.

    >>> import numpy as np
    >>> density = SpectralDensity(np.array([0.0, 2.0]), np.array([0.5, 0.5]), 0.0, 4)
    >>> float(density.nodes @ density.weights)  # the mean eigenvalue
    1.0
    """

    nodes: Floats
    """Points, ascending, [m]."""
    weights: Floats
    """Weight of each node, [m]."""
    error: float
    """Standard error between probes: the mean Wasserstein distance of a probe's density from that
    of all, over √probes."""
    products: int
    """Number of matrix-vector products used."""


def hessian(loss: Closure, params: Sequence[Tensor]) -> LinearOperator:
    """Give the Hessian of a loss as an operator (products after Pearlmutter 1994).

    Args:
        loss: closure without arguments that gives a scalar; called once.
        params: parameters [...], of any shapes, that all have a part in it; those of one player of
            a game, and it is that player's own Hessian.

    Returns:
        Products with vectors [size], size the numbers in `params`.

    Raises:
        ValueError: the loss is no scalar, or does not depend on one of the parameters.
        NotFiniteError: the loss is not finite.

    >>> import torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> hessian(lambda: x.pow(3).sum(), [x]).matvec(torch.ones(2))
    tensor([ 6., 12.])
    """
    params = check_params(params)
    gradients = differentiable_gradients(called(loss), params)
    size = sum(p.numel() for p in params)
    return LinearOperator(size, vector_like(params), lambda v: gradients_vjp(gradients, params, v))


def gauss_newton(
    outputs: Closure, loss_of: Callable[[Tensor], Tensor], params: Sequence[Tensor]
) -> LinearOperator:
    """Give the generalised Gauss-Newton matrix JᵀHJ as an operator (Schraudolph 2002).

    Args:
        outputs: closure without arguments that gives a model's outputs; J is their Jacobian.
        loss_of: function of the outputs that gives a scalar; H is its Hessian.
        params: parameters [...], of any shapes, that the outputs depend on.

    Returns:
        Products with vectors [size], size the numbers in `params`.

    Raises:
        ValueError: the outputs are no tensor, the loss is no scalar, or one of the parameters has
            no part in them.
        NotFiniteError: the loss is not finite.

    >>> import torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> operator = gauss_newton(lambda: x.square(), lambda out: out.square().sum() / 2, [x])
    >>> operator.matvec(torch.ones(2))  # JᵀJ, with J = diag(2x)
    tensor([ 4., 16.])
    """
    params = check_params(params)
    out = outputs()
    if not isinstance(out, Tensor):
        raise ValueError(f"outputs gave {described(out)}; expected a tensor")
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
    """Find both ends of a symmetric matrix's spectrum, by thick-restarted Lanczos.

    The method is that of Wu and Simon (2000), with full reorthogonalisation.

    Args:
        operator: the matrix; of a loss, `hessian(loss, params)`.
        tol: errors relative to the larger of the two eigenvalues' sizes.
        seed: seed of the first vector.
        products: number of products to stop at, converged or not.
        vectors: vectors held at a time, each of `operator.size` numbers; the basis is restarted
            when there are so many.

    Returns:
        Both eigenvalues with their errors.

    Raises:
        ValueError: `tol` is not above 0.
        NotFiniteError: a product is not finite.

    >>> import torch
    >>> x = torch.zeros(3, requires_grad=True)
    >>> weights = torch.tensor([-1.0, 0.5, 2.0])
    >>> found = extreme_eigenvalues(hessian(lambda: (weights * x.square()).sum() / 2, [x]))
    >>> round(found.smallest, 4), round(found.largest, 4), found.products
    (-1.0, 2.0, 3)
    """
    if not tol > 0:
        raise ValueError(f"tol is {tol}; expected a number above 0")
    most = max(6, min(vectors, operator.size))
    basis = KrylovBasis.start(operator, operator.generator(seed), most)
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
    """Estimate a trace by Hutch++ (Meyer, Musco, Musco and Woodruff 2021, algorithm 1).

    Args:
        operator: the matrix.
        products: matrix-vector products to use, at least 6.
        seed: seed of the random signs.

    Returns:
        The estimate with its standard error; exact where `products` is three times the size.

    Raises:
        ValueError: `products` is below 6.

    >>> import torch
    >>> x = torch.zeros(2, requires_grad=True)
    >>> operator = hessian(lambda: (torch.tensor([1.0, 3.0]) * x.square()).sum(), [x])
    >>> round(trace(operator, 6).value, 3)
    8.0
    """
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
    """Estimate the density of a symmetric matrix's eigenvalues, by stochastic Lanczos quadrature.

    The method is that of Ubaru, Chen and Saad (2017), as Ghorbani et al. (2019) use it.

    Args:
        operator: the matrix.
        probes: random vectors to begin from, at least 2.
        steps: products with each at most.
        seed: seed of the probes.

    Returns:
        Nodes [m] and their weights [m], with the error between probes.

    Raises:
        ValueError: `probes` is below 2.
        NotFiniteError: a product is not finite.

    >>> import torch
    >>> x = torch.zeros(2, requires_grad=True)
    >>> operator = hessian(lambda: x.square().sum(), [x])
    >>> density = spectral_density(operator, probes=2)
    >>> density.nodes.round(3).tolist(), density.weights.round(3).tolist()
    ([2.0, 2.0], [0.5, 0.5])
    """
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
    distances = [_wasserstein(values, own, nodes, weights) for values, own in found]
    return SpectralDensity(
        nodes[order],
        weights[order],
        float(np.mean(distances)) / probes**0.5,
        sum(len(values) for values, _ in found),
    )


def _wasserstein(a: Floats, of_a: Floats, b: Floats, of_b: Floats) -> float:
    """W₁ of two weighted sets of points."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(a, b, of_a, of_b))
