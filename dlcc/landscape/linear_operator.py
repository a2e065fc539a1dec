"""Linear maps that are known by their products alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LinearOperator:
    """Square matrix by its products, as scipy.sparse.linalg.LinearOperator is one.

    >>> import torch
    >>> matrix = torch.diag(torch.tensor([1.0, 2.0]))
    >>> operator = LinearOperator(2, matrix, lambda v: matrix @ v)
    >>> operator.matvec(torch.ones(2))
    tensor([1., 2.])
    """

    size: int
    """Rows of the matrix, and columns."""
    like: Tensor
    """Any tensor of the vectors' type and device."""
    matvec: Callable[[Tensor], Tensor]
    """Product with a vector, [size] → [size]."""
    symmetric: bool = True
    """Whether the matrix is its own transpose."""

    def matmat(self, columns: Tensor) -> Tensor:
        """Multiply with several vectors.

        Args:
            columns: vectors side by side, [size, k].

        Returns:
            Their products side by side, [size, k].

        >>> import torch
        >>> double = LinearOperator(2, torch.zeros(()), lambda v: 2 * v)
        >>> double.matmat(torch.eye(2))
        tensor([[2., 0.],
                [0., 2.]])
        """
        return torch.stack([self.matvec(v) for v in columns.unbind(-1)], dim=-1)

    def generator(self, seed: int) -> torch.Generator:
        """Make a source of random vectors: on the CPU, so that they are the same everywhere.

        Args:
            seed: any whole number.

        Returns:
            The generator.

        >>> import torch
        >>> LinearOperator(2, torch.zeros(()), lambda v: v).generator(3).initial_seed()
        3
        """
        return torch.Generator().manual_seed(seed)

    def random_unit_vector(self, generator: torch.Generator) -> Tensor:
        """Draw a direction, all alike.

        A vector of signs may be an eigenvector of a matrix that a person would write down, and show
        nothing of the others.

        Args:
            generator: on the CPU.

        Returns:
            A vector [size] of length 1.

        >>> import torch
        >>> operator = LinearOperator(3, torch.zeros(()), lambda v: v)
        >>> round(operator.random_unit_vector(operator.generator(0)).norm().item(), 6)
        1.0
        """
        drawn = torch.randn(self.size, generator=generator, dtype=torch.float64)
        unit: Tensor = drawn / torch.linalg.vector_norm(drawn)
        return unit.to(self.like)

    def random_signs(self, k: int, generator: torch.Generator) -> Tensor:
        """Draw vectors of signs (Rademacher's), as estimates of a trace take them.

        Args:
            k: how many.
            generator: on the CPU.

        Returns:
            Signs −1 and 1, [size, k].

        >>> import torch
        >>> operator = LinearOperator(3, torch.zeros(()), lambda v: v)
        >>> operator.random_signs(2, operator.generator(0)).abs().sum().item()
        6.0
        """
        drawn = torch.randint(0, 2, (k, self.size), generator=generator)
        return (2 * drawn - 1).to(self.like).T
