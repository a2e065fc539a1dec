"""Curvature at many sets of one net's parameters: what `curvature` finds of each alone, at once."""

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
    """Both ends of each set's Hessian, by thick-restarted Lanczos (Wu and Simon 2000) in lockstep.

    Each set counts its own products, up to where it converged; all go on until the last has.

    Args:
        model: as for `per_sample_gradient_norms_stacked`.
        params: likewise.
        loss: of the model and a batch, a scalar.
        batch: as for `per_sample_gradient_norms_stacked`.
        tol: as for `extreme_eigenvalues`.
        own_batches: as for `per_sample_gradient_norms_stacked`.
        seed: of the first vector, which is the same for all stacked.
        products: as for `extreme_eigenvalues`.
        vectors: held of each set at a time.

    Raises:
        ValueError: as for `per_sample_gradient_norms_stacked`, the loss is no finite scalar,
            or one of `extreme_eigenvalues`' reasons.
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
        values, small = np.linalg.eigh(basis.projected[left])
        errors = basis.rest[left, None] * np.abs(small[:, -1]) + basis.rounding[left, None]
        complete = basis.complete[left]
        for j, k in enumerate(left):
            smallest, largest = float(values[j, 0]), float(values[j, -1])
            off = float(errors[j, 0]), float(errors[j, -1])
            scale = max(abs(smallest), abs(largest), np.finfo(np.float64).tiny)
            converged = bool(max(off) <= tol * scale or complete[j])
            if converged or basis.products >= products:
                found[k] = ExtremeEigenvalues(smallest, largest, *off, basis.products, converged)
    return [found[k] for k in range(stacked.n)]


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
    """The trace of each set's Hessian: Hutch++ (Meyer et al. 2021, algorithm 1), as `trace`.

    The probes are the same for all stacked.

    Raises:
        ValueError: as for `extreme_eigenvalues_stacked`, or `products` is below 6.
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
