"""Convolutions padded as TensorFlow's "same" (Dumoulin and Visin 2016): size / stride comes out.

Where an odd number of rows and columns is added, the end gets one more than the beginning.
"""

from __future__ import annotations

from torch import nn


def same(fan_in: int, fan_out: int, kernel: int, stride: int) -> nn.Module:
    """Make a convolution, padded, for sizes that the stride divides."""
    over = kernel - stride
    pads = (over // 2, over - over // 2)
    return nn.Sequential(nn.ZeroPad2d(pads + pads), nn.Conv2d(fan_in, fan_out, kernel, stride))


def same_transposed(fan_in: int, fan_out: int, stride: int) -> nn.Module:
    """Make the transpose of `same`, 5 × 5 and without bias: what that pads is cut off."""
    over = 5 - stride
    cut = (-(over // 2), -(over - over // 2))
    return nn.Sequential(
        nn.ConvTranspose2d(fan_in, fan_out, 5, stride, bias=False), nn.ZeroPad2d(cut + cut)
    )
