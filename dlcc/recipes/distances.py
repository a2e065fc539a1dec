"""Distances between two sets of rows that a training can descend."""

from __future__ import annotations

import torch
from torch import Tensor


def mmd(x: Tensor, y: Tensor, width: float) -> Tensor:
    """Compute the unbiased MMD² of two sets of rows, kernel exp(−‖x − y‖²/r) (Gretton 2012, eq. 3).

    A single row has no pair within: that term is then 0.

    Args:
        x: First rows, [m, d].
        y: Second rows, [n, d].
        width: Kernel width r, in the rows' units squared.

    Returns:
        The MMD², a scalar without a unit that may be below 0; differentiable by `x` and `y`.

    >>> x, y = torch.zeros(2, 1), torch.full((2, 1), 3.0)
    >>> round(mmd(x, y, width=9.0).item(), 3)
    1.264
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        """Kernel of all pairs of rows a [p, d] and b [q, d], [p, q]."""
        squares = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T
        return torch.exp(-squares.clamp_min(0) / width)

    m, n = len(x), len(y)
    within_x = (kernel(x, x).sum() - m) / max(m * m - m, 1)
    within_y = (kernel(y, y).sum() - n) / max(n * n - n, 1)
    return within_x + within_y - 2 * kernel(x, y).mean()


def sliced_wasserstein(x: Tensor, y: Tensor, slices: int = 48) -> Tensor:
    """Compute W₂² of two sets of n rows, averaged over random directions (Bonneel 2015).

    Args:
        x: First rows, [n, d].
        y: Second rows, [n, d].
        slices: Number of directions, drawn from torch's generator.

    Returns:
        The mean of W₂², a scalar in the rows' units squared; differentiable by `x` and `y`.

    >>> sliced_wasserstein(torch.zeros(5, 1), torch.full((5, 1), 3.0)).item()
    9.0
    """
    directions = torch.nn.functional.normalize(torch.randn(x.shape[1], slices), dim=0)
    along_x, along_y = ((rows @ directions).sort(dim=0).values for rows in (x, y))
    return (along_x - along_y).square().mean()
