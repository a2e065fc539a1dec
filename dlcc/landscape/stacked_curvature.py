"""Curvature at many sets of one net's parameters at once, as `curvature` finds it of each alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.landscape._engine.krylov import StackedKrylovBasis
from dlcc.landscape._engine.stacked_model import Loss, StackedModel
from dlcc.landscape.curvature import ExtremeEigenvalues, Trace


def extreme_eigenvalues_stacked(
    model: nn.Module,
    params: Mapping[str, Tensor],
    loss: Loss,
    batch: Any,
    tol: float = 1e-3,
    *,
    own_batches: bool = False,
    seed: int = 0,
    products: int = 300,
    vectors: int = 64,
) -> list[ExtremeEigenvalues]:
    """Find both ends of each set's Hessian, by thick-restarted Lanczos in lockstep.

    The method is that of Wu and Simon (2000). Each set counts its own products, up to where it
    converged; all go on until the last has.

    Args:
        model: architecture, its buffers, and its own values of parameters that `params` leaves out;
            it stays as it is.
        params: tensors [sets, *shape] by name, as `torch.func.stack_module_state` gives them;
            Hessians are with respect to these.
        loss: function of the model and a batch that gives a scalar.
        batch: batch in any form that the loss takes, the same for all sets; or one for each set,
            its tensors [sets, ...].
        tol: errors relative to the larger of a set's two eigenvalues' sizes.
        own_batches: whether `batch` holds a batch for each set.
        seed: seed of the first vector, which is the same for all sets.
        products: number of products to stop at, converged or not.
        vectors: vectors held of each set at a time.

    Returns:
        Both eigenvalues of each set, [sets].

    Raises:
        ValueError: `params` does not fit the model, a layer in training has buffers to write to, as
            a batch normalisation, the loss is no scalar, or `tol` is not above 0.
        NotFiniteError: a loss, or a product, is not finite; the message names the set.

    >>> import torch
    >>> from torch import nn
    >>> model, params = nn.Linear(1, 1, bias=False), {"weight": torch.tensor([[[1.0]], [[2.0]]])}
    >>> found = extreme_eigenvalues_stacked(
    ...     model, params, lambda m, x: m(x).pow(3).mean(), torch.ones(4, 1)
    ... )
    >>> [round(own.largest, 3) for own in found]
    [6.0, 12.0]
    """
    if not tol > 0:
        raise ValueError(f"tol is {tol}; expected a number above 0")
    stacked = StackedModel.of(model, params, loss, batch, own_batches)
    basis = StackedKrylovBasis.start(stacked.n, stacked.hessian(), seed, vectors)
    found: dict[int, ExtremeEigenvalues] = {}
    while len(found) < stacked.n:
        if basis.full:
            basis.restart()
        basis.grow()
        left = [k for k in range(stacked.n) if k not in found]
        seen = zip(left, _seen(basis, left, tol), strict=True)
        found |= {k: x for k, x in seen if x.converged or basis.products >= products}
    return [found[k] for k in range(stacked.n)]


def _seen(basis: StackedKrylovBasis, sets: list[int], tol: float) -> list[ExtremeEigenvalues]:
    """Extreme eigenvalues of some sets' matrices as a basis shows them."""
    values, small = np.linalg.eigh(basis.projected[sets])
    errors = basis.rest[sets, None] * np.abs(small[:, -1]) + basis.rounding[sets, None]
    complete, found = basis.complete[sets], []
    for j in range(len(sets)):
        smallest, largest = float(values[j, 0]), float(values[j, -1])
        off = float(errors[j, 0]), float(errors[j, -1])
        scale = max(abs(smallest), abs(largest), np.finfo(np.float64).tiny)
        converged = bool(max(off) <= tol * scale or complete[j])
        found.append(ExtremeEigenvalues(smallest, largest, *off, basis.products, converged))
    return found


def trace_stacked(
    model: nn.Module,
    params: Mapping[str, Tensor],
    loss: Loss,
    batch: Any,
    products: int = 30,
    *,
    own_batches: bool = False,
    seed: int = 0,
) -> list[Trace]:
    """Estimate the trace of each set's Hessian by Hutch++ (Meyer et al. 2021, algorithm 1).

    The probes are the same for all sets.

    Args:
        model: architecture, its buffers, and its own values of parameters that `params` leaves out;
            it stays as it is.
        params: tensors [sets, *shape] by name, as `torch.func.stack_module_state` gives them;
            Hessians are with respect to these.
        loss: function of the model and a batch that gives a scalar.
        batch: batch in any form that the loss takes, the same for all sets; or one for each set,
            its tensors [sets, ...].
        products: matrix-vector products to use of each set, at least 6.
        own_batches: whether `batch` holds a batch for each set.
        seed: seed of the random signs.

    Returns:
        The estimate of each set, [sets].

    Raises:
        ValueError: `params` does not fit the model, a layer in training has buffers to write to, as
            a batch normalisation, the loss is no scalar, or `products` is below 6.
        NotFiniteError: a loss is not finite; the message names the set.

    >>> import torch
    >>> from torch import nn
    >>> model, params = nn.Linear(2, 1, bias=False), {"weight": torch.zeros(2, 1, 2)}
    >>> found = trace_stacked(model, params, lambda m, x: m(x).square().mean(), torch.eye(2))
    >>> [round(own.value, 3) for own in found]
    [2.0, 2.0]
    """
    if products < 6:
        raise ValueError(f"products is {products}; expected at least 6")
    stacked = StackedModel.of(model, params, loss, batch, own_batches)
    operator = stacked.hessian()
    third = min(products // 3, operator.size)
    rng = operator.generator(seed)

    def signs() -> Tensor:  # [sets, size, third]
        return operator.random_signs(third, rng).expand(stacked.n, -1, -1)

    basis, _ = torch.linalg.qr(operator.matmat(signs()))
    of_basis = (basis * operator.matmat(basis)).sum(dim=(1, 2), dtype=torch.float64)
    probes = signs()
    probes = probes - basis @ (basis.mT @ probes)
    rest = (probes * operator.matmat(probes)).sum(dim=1, dtype=torch.float64)  # [sets, third]
    errors = rest.std(dim=1) / third**0.5 if third < operator.size else torch.zeros(stacked.n)
    values = of_basis + rest.mean(dim=1)
    both = zip(values.tolist(), errors.tolist(), strict=True)
    return [Trace(value, error, 3 * third) for value, error in both]
