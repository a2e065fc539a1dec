"""Orthonormal bases of v, Av, A²v, … for a matrix A, in one block of memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlcc.landscape.batches import NotFiniteError
from dlcc.landscape.linear_operator import LinearOperator
from dlcc.typing import Bools, Floats

ROTATED_COLUMNS = 1 << 16
"""Columns of the block that are rotated at a time at a restart, a quarter of them at most: a copy
of the whole is never made."""


@dataclass
class KrylovBasis:
    """Rows of `block` that span what was seen of the matrix, and the matrix as they see it."""

    operator: LinearOperator
    """Matrix, by its products."""
    block: Tensor
    """Memory [most, size], the first `filled` rows of it in use."""
    small: Floats
    """Matrix in the basis, [most, most]."""
    filled: int = 0
    """Rows in use."""
    products: int = 0
    """Number of products taken."""
    rest: float = 0.0
    """Norm of what the last product had outside of the basis."""
    outside: Tensor | None = None
    """Part of the last product outside of the basis [size], once the block is full."""
    joint: int = 0
    """First row after the last restart, whose product reaches into all rows before."""

    @classmethod
    def start(cls, operator: LinearOperator, generator: torch.Generator, most: int) -> KrylovBasis:
        """Begin with a random vector, for at most so many rows."""
        block = operator.like.detach().new_empty(most, operator.size)
        block[0] = operator.random_unit_vector(generator)
        return cls(operator, block, np.zeros((most, most)))

    @property
    def most(self) -> int:
        """Rows that the block has."""
        return len(self.block)

    @property
    def full(self) -> bool:
        """Whether no further row fits."""
        return self.filled == self.most

    @property
    def complete(self) -> bool:
        """Whether the basis holds all products of its vectors: what it says is exact."""
        return self.filled == self.operator.size or self.rest <= 10 * self.rounding

    @property
    def rounding(self) -> float:
        """Error that rounding may have made in an eigenvalue."""
        size = float(np.abs(self.projected).max(initial=0.0))
        return float(torch.finfo(self.block.dtype).eps) * size

    @property
    def projected(self) -> Floats:
        """Matrix in the rows in use, [filled, filled]."""
        return self.small[: self.filled, : self.filled]

    def grow(self) -> None:
        """Take a product more: its coefficients, and what is outside of the basis as the next row.

        Orthogonalised twice, the second time against all rows: in single precision three-term
        recurrences lose their orthogonality within a dozen steps (Giraud et al. 2005 on why twice
        is enough). The first time the last two rows do where the matrix is symmetric: a product
        has nothing but rounding in the rows before.

        Raises:
            ValueError: the product is not finite.
        """
        k = self.filled
        rows = self.block[: k + 1]
        since = k - 1 if self.operator.symmetric and k > self.joint else 0
        product = self.operator.matvec(self.block[k])
        near = rows[since:] @ product  # what follows is not in place: it may be the row itself
        product = torch.addmv(product, rows[since:].T, near, alpha=-1)
        coefficients = rows @ product
        product = torch.addmv(product, rows.T, coefficients, alpha=-1, out=product)
        coefficients = coefficients.double()
        coefficients[since:] += near.double()
        self.small[: k + 1, k] = coefficients.cpu().numpy()
        if self.operator.symmetric:
            self.small[k, : k + 1] = self.small[: k + 1, k]
        self.filled, self.products = k + 1, self.products + 1
        self.rest = float(torch.linalg.vector_norm(product, dtype=torch.float64))
        check_finite(self.rest)
        if self.full:
            self.outside = product
        elif self.rest > 0:
            self.small[k + 1, k] = self.rest
            self.block[k + 1] = product / self.rest

    def restart(self, kept: Floats, values: Floats) -> None:
        """Restart a full block from `kept` [filled, few], combinations that a symmetric matrix
        maps to `values` times themselves, but for a multiple of what is outside."""
        assert self.outside is not None
        few = kept.shape[1]
        turn = torch.as_tensor(kept.T).to(self.block)
        for part in _columns(self.operator.size):
            columns = self.block[:, part]
            columns[:few] = turn @ columns[: self.filled]
        self.small[:] = 0
        self.small[range(few), range(few)] = values
        self.filled = self.joint = few
        self.block[few] = self.outside / self.rest


def check_finite(products: Floats | float) -> None:
    """Check products, or raise a NotFiniteError."""
    if not np.isfinite(products).all():
        raise NotFiniteError(
            "a product of the matrix with a vector is not finite, though the loss is: look for a "
            "root, a logarithm or a division at 0 in it"
        )


def _columns(size: int) -> list[slice]:
    step = min(ROTATED_COLUMNS, -(-size // 4))
    return [slice(start, start + step) for start in range(0, size, step)]


@dataclass
class StackedKrylovBasis:
    """Bases of many symmetric matrices of one size, in lockstep and from one vector."""

    operator: LinearOperator
    """Products of vectors [sets, size], one for each set."""
    block: Tensor
    """Memory [sets, most, size]."""
    small: Floats
    """Matrices in their bases, [sets, most, most]."""
    rest: Floats
    """Norms of what the last products had outside of the bases, [sets]."""
    filled: int = 0
    """Rows in use of each block."""
    products: int = 0
    """Number of products taken of each matrix."""
    outside: Tensor | None = None
    """Parts of the last products outside of the bases, [sets, size]."""

    @classmethod
    def start(cls, sets: int, operator: LinearOperator, seed: int, most: int) -> StackedKrylovBasis:
        """Begin with a random vector, the same for all sets."""
        most = max(6, min(most, operator.size))
        block = operator.like.detach().new_empty(sets, most, operator.size)
        block[:, 0] = operator.random_unit_vector(operator.generator(seed))
        return cls(operator, block, np.zeros((sets, most, most)), np.zeros(sets))

    @property
    def most(self) -> int:
        """Rows that a set's block has."""
        return self.block.shape[1]

    @property
    def full(self) -> bool:
        """Whether no further row fits."""
        return self.filled == self.most

    @property
    def complete(self) -> Bools:
        """Whether each set's basis holds all products of its vectors, [sets]."""
        done: Bools = self.rest <= 10 * self.rounding
        return done | (self.filled == self.operator.size)

    @property
    def rounding(self) -> Floats:
        """Error that rounding may have made in an eigenvalue, [sets]."""
        sizes: Floats = np.abs(self.projected).max(axis=(1, 2))
        return float(torch.finfo(self.block.dtype).eps) * sizes

    @property
    def projected(self) -> Floats:
        """Matrices in the rows in use, [sets, filled, filled]."""
        return self.small[:, : self.filled, : self.filled]

    def grow(self) -> None:
        """Take one product more of each set's matrix.

        Raises:
            ValueError: one is not finite.
        """
        k = self.filled
        rows = self.block[:, : k + 1]
        product = self.operator.matvec(self.block[:, k]).unsqueeze(1)
        first = product @ rows.mT  # from the left: twelve times as quick as rows @ a column
        product = product - first @ rows
        second = product @ rows.mT
        product = (product - second @ rows).squeeze(1)
        coefficients = (first.double() + second.double()).squeeze(1).cpu().numpy()
        self.small[:, : k + 1, k] = self.small[:, k, : k + 1] = coefficients
        self.filled, self.products = k + 1, self.products + 1
        self.rest = torch.linalg.vector_norm(product, dim=1, dtype=torch.float64).cpu().numpy()
        if not np.isfinite(self.rest).all():
            listed = ", ".join(map(str, np.flatnonzero(~np.isfinite(self.rest))))
            raise NotFiniteError(
                f"a product of the matrix of set {listed} with a vector is not finite, though its "
                "loss is: look for a root, a logarithm or a division at 0 in it"
            )
        self.outside = product
        if not self.full:
            self.small[:, k + 1, k] = self.rest
            self._put(k + 1)

    def restart(self) -> None:
        """Restart full blocks from the third at either end of what was found."""
        values, vectors = np.linalg.eigh(self.projected)
        each = self.most // 3
        kept = [*range(each), *range(self.most - each, self.most)]
        turn = torch.as_tensor(vectors[:, :, kept]).mT.to(self.block)
        for part in _columns(self.operator.size):
            columns = self.block[:, :, part]
            columns[:, : len(kept)] = turn @ columns
        self.small[:] = 0
        self.small[:, range(len(kept)), range(len(kept))] = values[:, kept]
        self.filled = len(kept)
        self._put(self.filled)

    def _put(self, row: int) -> None:
        """Put what is outside, at length 1, in the next row; 0 where there is nothing."""
        assert self.outside is not None
        rest = np.where(self.rest > 0, self.rest, np.inf)
        self.block[:, row] = self.outside / torch.as_tensor(rest).to(self.block).unsqueeze(1)
