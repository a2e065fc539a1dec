"""Density of a batch's gradients as AKDE-BO writes it, and the instability that enters a loss.

In a space of many dimensions every kernel of the plain form is 0 in any floating-point type, and
with them the penalty: gradients are projected to few directions first, where
`dlcc.landscape.gradient_density` computes the same in logarithms. The plain form is here for small
nets and for tests.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlcc.landscape.density import gradient_density

IQR_SHARE = 1.05


def plain_bandwidth(gradients: Tensor) -> Tensor:
    """Choose the kernel's widths h_j = 1.05 · IQR_j (AKDE-BO, section 3.1), without a graph.

    Args:
        gradients: Gradients of rows, [n, d].

    Returns:
        Widths [d] in the gradients' unit; 1 where the quartiles agree.

    >>> import torch
    >>> plain_bandwidth(torch.arange(5.0)[:, None])
    tensor([2.1000])
    """
    held = gradients.detach()
    low, high = (held.quantile(share, dim=0) for share in (0.25, 0.75))
    width = IQR_SHARE * (high - low)
    return torch.where(width > 0, width, 1.0)


def plain_density(v: Tensor, gradients: Tensor, h: Tensor) -> Tensor:
    """Compute KDE(v) = (1/N) Σ K((v − g_i)/h), K the normal density (AKDE-BO, section 3.1).

    Args:
        v: Points [q, d].
        gradients: Gradients of rows, [n, d].
        h: Widths [d].

    Returns:
        Density at each point, [q], in units of h; 0 where it underflows.

    >>> import torch
    >>> round(plain_density(torch.zeros(1, 1), torch.zeros(2, 1), torch.ones(1)).item(), 3)
    0.399
    """
    squared = ((v[:, None] - gradients[None]) / h).square().sum(dim=2)
    kernels = (-squared / 2).exp() * _peak(v.shape[1])
    return kernels.mean(dim=1)


def plain_instability(v: Tensor, gradients: Tensor, h: Tensor) -> Tensor:
    """Compute I(v) = −∂²KDE(v)/∂v², summed over the directions (AKDE-BO, section 3.1).

    Args:
        v: Points [q, d].
        gradients: Gradients of rows, [n, d].
        h: Widths [d].

    Returns:
        Instability at each point, [q]; 0 where it underflows.

    >>> import torch
    >>> z, h = torch.zeros(2, 1), torch.ones(1)
    >>> plain_instability(torch.tensor([[0.0], [1.0]]), z, h)  # largest where they are dense
    tensor([0.3989, 0.0000])
    """
    scaled = ((v[:, None] - gradients[None]) / h).square()
    kernels = (-scaled.sum(dim=2) / 2).exp() * _peak(v.shape[1])
    curved = ((1 - scaled) / h.square()).sum(dim=2)
    return (curved * kernels).mean(dim=1)


def _peak(d: int) -> float:
    """Normal density in d dimensions at its mean; it underflows too."""
    return math.exp(-d / 2 * math.log(2 * math.pi))


def mean_instability(gradients: Tensor, *, plain: bool = False) -> Tensor:
    """Compute the mean of I over the rows' own gradients: the term that λ weights in a loss.

    Args:
        gradients: Gradients of rows [n, d]; projected to few directions, unless `plain`.
        plain: Whether to compute it as it is written, which underflows in many dimensions.

    Returns:
        A scalar with a graph to the gradients; the widths are held constant.

    >>> import torch
    >>> mean_instability(torch.randn(32, 2_000), plain=True).item()
    0.0
    >>> bool(mean_instability(torch.randn(32, 4)) > 0)
    True
    """
    if plain:
        h = plain_bandwidth(gradients)
        return plain_instability(gradients, gradients, h).mean()
    return gradient_density(gradients).mean_instability
