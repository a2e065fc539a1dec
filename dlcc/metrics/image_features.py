"""Features of images by a convolutional network that nobody trained, of a fixed seed.

Convolutions with orthogonal weights see edges and textures wherever they are, so that noise, mixed
rows and blur lie far from real images, which principal directions of the pixels do not show. What
differs between photographs is above all how bright and how rich in contrast they are, which hides
shuffled rows and coarse blocks; so how the contrast is shared among directions and frequencies,
whatever there is of it, counts as much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlcc.metrics.features import UNTRAINED
from dlcc.typing import Floats, Rows

if TYPE_CHECKING:
    from torch import Tensor, nn

_CHANNELS, _KERNELS = (64, 128, 256), (5, 5, 3)
_SMALLEST, _LARGEST = 16, 64  # pixels of the shorter and of the longer side, as the network sees it
_BATCH = 256
_FAINT = 0.02  # deviation of a channel, of images from −1 to 1, under which it says little
_FOR_SCALE = 256  # images of the reference that tell how much either part differs
_LEAST_VARIANCE = 0.05  # of a part; images that hardly differ are not blown up


@dataclass(frozen=True)
class UntrainedConvolutions:
    """Features of images from three convolutions of fixed random weights.

    Each has orthogonal weights, no bias and a stride of 2, with leaky rectifiers between. The
    features are the mean and the standard deviation of each of the last 256 channels over the
    image, and the profile of contrast: the logarithms of the deviations of the first 64 channels,
    less their mean. Both parts are scaled so that they vary as much among real images.

    >>> reference = np.random.default_rng(0).uniform(0, 255, (32, 28, 28))
    >>> features = UntrainedConvolutions.of(reference)
    >>> features(reference[:4]).shape
    (4, 576)
    """

    low: float
    """Value that becomes −1."""
    high: float
    """Value that becomes 1."""
    scales: tuple[float, float] = (1.0, 1.0)
    """Factors of the two parts."""
    name: str = UNTRAINED
    """Name that reports show."""

    @classmethod
    def of(cls, reference: Rows) -> UntrainedConvolutions:
        """Make the features for images of the range of a reference.

        Args:
            reference: Images [n, h, w], [n, c, h, w] or [n, h, w, c], finite.

        Returns:
            Features; real images span −1 to 1 before they enter.
        """
        plain = cls(float(reference.min()), float(reference.max()))
        some = plain._parts(reference[:: -(-len(reference) // _FOR_SCALE)])
        variances = [max(float(part.var(axis=0).sum()), _LEAST_VARIANCE) for part in some]
        return replace(plain, scales=(variances[0] ** -0.5, variances[1] ** -0.5))

    def __call__(self, images: Rows) -> Floats:
        """Compute features.

        Args:
            images: Images shaped as the reference's, finite.

        Returns:
            Features [n, 576].
        """
        parts = zip(self._parts(images), self.scales, strict=True)
        return np.hstack([scale * part for part, scale in parts])

    def _parts(self, images: Rows) -> tuple[Floats, Floats]:
        """Moments [n, 512] of the last channels, and the profile [n, 64] of contrast."""
        import torch  # slow to import, and most of dlcc imports this

        moments, profiles = [], []
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                pixels = as_pixels(images[start : start + _BATCH], self.low, self.high)
                x = _sized(torch.from_numpy(pixels))
                first, *others = _network(x.shape[1])
                seen = first(x)
                contrast = torch.log(seen.flatten(2).std(dim=2, correction=0) + _FAINT)
                profiles.append(contrast - contrast.mean(dim=1, keepdim=True))
                for layer in others:
                    seen = layer(seen)
                maps = seen.flatten(2)
                moments.append(torch.cat([maps.mean(dim=2), maps.std(dim=2, correction=0)], dim=1))
        return torch.cat(moments).double().numpy(), torch.cat(profiles).double().numpy()


def is_images(shape: tuple[int, ...]) -> bool:
    """Tell whether rows of a shape are images.

    Args:
        shape: Shape of one row.

    Returns:
        True for [h, w], [c, h, w] and [h, w, c] with at most four channels, both sides at least 8.

    >>> is_images((3, 64, 64)), is_images((64, 64, 3)), is_images((64,)), is_images((100, 3, 2))
    (True, True, False, False)
    """
    if len(shape) == 3 and not _has_channels_first(shape):
        return shape[-1] <= 4 and min(shape[:2]) >= 8
    return len(shape) in (2, 3) and min(shape[-2:]) >= 8


def as_pixels(images: Rows, low: float, high: float) -> NDArray[np.float32]:
    """Bring images to what networks take: [n, c, h, w], real ones from −1 to 1.

    Args:
        images: Images [n, h, w], [n, c, h, w] or [n, h, w, c], as `is_images` tells them.
        low: Value that becomes −1.
        high: Value that becomes 1.

    Returns:
        Pixels in single precision, cut far outside of that range; grey images have one channel.

    >>> as_pixels(np.full((2, 20, 30, 3), 255.0), 0, 255).shape
    (2, 3, 20, 30)
    >>> as_pixels(np.full((2, 9, 9), 255.0), 0, 255)[0, 0, 0, :2].tolist()
    [1.0, 1.0]
    """
    given = np.asarray(images, dtype=np.float64)
    if given.ndim == 3:
        given = given[:, None]
    elif not _has_channels_first(given.shape[1:]):
        given = np.moveaxis(given, -1, 1)
    share = np.clip((given - low) / max(high - low, 1e-12), -1e3, 1e3)
    return np.ascontiguousarray(share * 2 - 1, dtype=np.float32)


def _has_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether rows of a shape have channels before height and width, or none at all."""
    return len(shape) == 2 or shape[0] <= 4


def _sized(images: Tensor) -> Tensor:
    """Bring images [n, c, h, w] to [n, c, h', w'], within the sides that are seen."""
    from torch.nn import functional

    scale = min(1.0, _LARGEST / max(images.shape[-2:]))
    scale = max(scale, _SMALLEST / min(images.shape[-2:]))
    size = [max(_SMALLEST, round(scale * side)) for side in images.shape[-2:]]
    if size == list(images.shape[-2:]):
        return images
    return functional.interpolate(images, size, mode="area" if scale < 1 else "bilinear")


@lru_cache(maxsize=4)
def _network(channels: int) -> nn.Sequential:
    """Make the network for images of so many channels."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(0)
    layers: list[nn.Module] = []
    inputs = channels
    for outputs, kernel in zip(_CHANNELS, _KERNELS, strict=True):
        layer = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, bias=False)
        nn.init.orthogonal_(layer.weight, generator=generator)
        layers += [layer, nn.LeakyReLU(0.2)]
        inputs = outputs
    return nn.Sequential(*layers[:-1]).eval()
