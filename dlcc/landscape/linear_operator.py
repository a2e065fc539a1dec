"""Linear maps that are known by their products alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LinearOperator:
    """A linear map of vectors [size], by its products."""

    size: int
    like: Tensor
    """Of the vectors' type and device."""
    matvec: Callable[[Tensor], Tensor]
    symmetric: bool = True

    def matmat(self, columns: Tensor) -> Tensor:
        """Products with vectors side by side, [size, k] → [size, k]."""
        return torch.stack([self.matvec(v) for v in columns.unbind(-1)], dim=-1)

    def generator(self, seed: int) -> torch.Generator:
        """Source of random vectors: on the CPU, so that they are the same everywhere."""
        return torch.Generator().manual_seed(seed)

    def random_unit_vector(self, generator: torch.Generator) -> Tensor:
        """A random unit vector [size], of all directions alike: one of signs may be an eigenvector
        of a matrix that a person would write down, and show nothing of the others."""
        drawn = torch.randn(self.size, generator=generator, dtype=torch.float64)
        unit: Tensor = drawn / torch.linalg.vector_norm(drawn)
        return unit.to(self.like)

    def random_signs(self, k: int, generator: torch.Generator) -> Tensor:
        """Signs by chance, [size, k]."""
        drawn = torch.randint(0, 2, (k, self.size), generator=generator)
        return (2 * drawn - 1).to(self.like).T
