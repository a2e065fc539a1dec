"""Distances between two sets of rows that a training can descend."""

from __future__ import annotations

import torch
from torch import Tensor


def mmd(x: Tensor, y: Tensor, width: float) -> Tensor:
    """MMD² of x [m, d] and y [n, d], unbiased, kernel exp(−‖x − y‖²/r) (Gretton 2012, eq. 3).

    A single row has no pair within: that term is then 0.

    Args:
        width: r, in the rows' units squared.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squares = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T
        return torch.exp(-squares.clamp_min(0) / width)

    m, n = len(x), len(y)
    within_x = (kernel(x, x).sum() - m) / max(m * m - m, 1)
    within_y = (kernel(y, y).sum() - n) / max(n * n - n, 1)
    return within_x + within_y - 2 * kernel(x, y).mean()


def sliced_wasserstein(x: Tensor, y: Tensor, slices: int = 48) -> Tensor:
    """W₂² of x and y [n, d] averaged over directions, in the rows' units squared (Bonneel 2015).

    The directions are drawn from torch's generator.
    """
    directions = torch.nn.functional.normalize(torch.randn(x.shape[1], slices), dim=0)
    along_x, along_y = ((rows @ directions).sort(dim=0).values for rows in (x, y))
    return (along_x - along_y).square().mean()
