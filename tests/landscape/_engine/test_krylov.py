"""Krylov bases against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dlcc.landscape import LinearOperator, extreme_eigenvalues
from dlcc.landscape._engine import krylov as krylov_module
from dlcc.landscape._engine.krylov import KrylovBasis

DOUBLE = torch.float64


def operator_of(matrix: Tensor, *, symmetric: bool = True) -> LinearOperator:
    return LinearOperator(len(matrix), matrix, lambda v: matrix @ v, symmetric)


def symmetric(size: int, seed: int = 0, dtype: torch.dtype = DOUBLE) -> Tensor:
    drawn = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    return ((drawn + drawn.T) / 2).to(dtype)


def grown(operator: LinearOperator, most: int, seed: int = 0) -> KrylovBasis:
    basis = KrylovBasis.start(operator, operator.generator(seed), most)
    basis.grow()
    while not (basis.full or basis.complete):
        basis.grow()
    return basis


@settings(max_examples=30, deadline=None)
@given(
    size=st.integers(2, 30), most=st.integers(1, 30), seed=st.integers(0, 99), same=st.booleans()
)
def test_the_basis_is_orthonormal_and_sees_the_matrix(
    size: int, most: int, seed: int, same: bool
) -> None:
    matrix = symmetric(size, seed)
    if not same:
        matrix = matrix + torch.triu(matrix, 1)
    basis = grown(operator_of(matrix, symmetric=same), min(most, size), seed)
    rows = basis.block[: basis.filled]
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows), dtype=DOUBLE))
    seen = (rows @ matrix @ rows.T).numpy()
    np.testing.assert_allclose(basis.projected, seen, atol=1e-10 * float(matrix.abs().max()))
    assert basis.products == basis.filled


def test_single_precision_keeps_the_basis_orthonormal() -> None:
    matrix = symmetric(200, dtype=torch.float32)
    rows = grown(operator_of(matrix), 120).block
    assert float((rows @ rows.T - torch.eye(120)).abs().max()) < 1e-6


@pytest.mark.parametrize("columns", [7, 1 << 16])
def test_a_restart_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(krylov_module, "ROTATED_COLUMNS", columns)
    matrix = symmetric(40)
    basis = grown(operator_of(matrix), 9)
    values, vectors = np.linalg.eigh(basis.projected)
    kept = [0, 1, 7, 8]
    block = basis.block.data_ptr()
    basis.restart(vectors[:, kept], values[kept])
    assert basis.block.data_ptr() == block
    assert basis.filled == 4
    while not basis.full:
        basis.grow()
    rows = basis.block
    torch.testing.assert_close(rows @ rows.T, torch.eye(9, dtype=DOUBLE))
    np.testing.assert_allclose(basis.projected, (rows @ matrix @ rows.T).numpy(), atol=1e-10)


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_a_space_that_closes_is_known_to_be_complete(rank: int) -> None:
    factor = torch.randn(20, rank, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    basis = grown(operator_of(factor @ factor.T), 15)
    assert basis.complete
    assert basis.filled <= rank + 1
    expected = np.linalg.eigvalsh((factor @ factor.T).numpy())[-1]
    assert np.linalg.eigvalsh(basis.projected)[-1] == pytest.approx(expected, abs=1e-10)


def test_a_map_that_gives_its_own_input_back() -> None:
    identity = LinearOperator(8, torch.zeros(1, dtype=DOUBLE), lambda v: v)
    found = extreme_eigenvalues(identity)
    assert found.smallest == pytest.approx(1)
    assert found.largest == pytest.approx(1)
    assert found.products == 1


def test_no_start_hides_half_of_a_simple_spectrum() -> None:
    """Of x·y the eigenvectors are vectors of signs: a start of signs would see one of them."""
    swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=DOUBLE)
    for seed in range(20):
        found = extreme_eigenvalues(operator_of(swap), seed=seed)
        assert found.smallest == pytest.approx(-1, abs=1e-12)
        assert found.largest == pytest.approx(1, abs=1e-12)


def test_a_product_that_is_not_finite() -> None:
    broken = LinearOperator(3, torch.zeros(1), lambda v: v / 0)
    with pytest.raises(ValueError, match="product of the matrix with a vector is not finite"):
        extreme_eigenvalues(broken)


def test_directions_are_the_same_for_a_seed_and_of_length_1() -> None:
    operator = operator_of(symmetric(50))
    a, b, c = (operator.random_unit_vector(operator.generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.linalg.vector_norm(a).item() == pytest.approx(1)
