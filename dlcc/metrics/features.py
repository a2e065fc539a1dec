"""Features that images are compared in: any function of images, with a name for reports.

A distance of features says nothing without the features' name. Weights of Inception are not
shipped; bring your own network:

```
model = torch.jit.load("inception.pt").eval()  # only a file that you trust: it is a program

def pool3(images):
    with torch.inference_mode():
        return model(torch.from_numpy(images)).numpy()

frechet(generated, data, features=Named("inception-v3 pool3, my weights", pool3))
```
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlcc.metrics.inputs import checked_count
from dlcc.typing import Rows

Features = Callable[[Rows], ArrayLike]
"""Function from a batch of images [b, ...] to features [b, d]; reports show its `name`, where it
has one."""

UNTRAINED = "an untrained convolutional network"
"""Name of the space that images are compared in, and were among past runs."""
AS_GIVEN = "rows as given"


@dataclass(frozen=True)
class Named:
    """Function of images with the name that reports show."""

    name: str
    """Name of the features, such as "inception-v3 pool3, my weights"."""
    function: Features
    """Function from a batch of images [b, ...] to features [b, d]."""

    def __call__(self, images: Rows) -> ArrayLike:
        """Compute the features [b, d] of images [b, ...]."""
        return self.function(images)


def name_of(features: Features | str | None) -> str:
    """Name that reports show: a given string itself, else a function's `name`, else its own."""
    if features is None:
        return AS_GIVEN
    if isinstance(features, str):
        return features
    for attribute in ("name", "__qualname__"):
        found = getattr(features, attribute, None)
        if isinstance(found, str) and found:
            return found
    return type(features).__qualname__


def extract(features: Features, images: ArrayLike, *, batch: int = 256) -> Rows:
    """Compute features [n, d] of images [n, ...], `batch` at a time, in the function's own type.

    Raises:
        ValueError: no images, or the function returns something other than rows [b, d].
    """
    checked_count(batch, "batch", 1)
    given = np.asarray(images)
    if given.ndim < 2 or len(given) == 0:
        raise ValueError(
            f"images have the shape {list(given.shape)}; expected [n, ...] with at least one image"
        )
    made: Rows | None = None
    for start in range(0, len(given), batch):
        some = given[start : start + batch]
        found: np.ndarray[Any, Any] = np.asarray(features(some))
        wanted = (len(some), found.shape[-1] if made is None and found.ndim else _width(made))
        if found.shape != wanted:
            expected = f"[{wanted[0]}, {'features' if made is None else wanted[1]}]"
            raise ValueError(
                f"{name_of(features)} made the shape {list(found.shape)} of {len(some)} images; "
                f"expected {expected}"
            )
        if made is None:
            made = np.empty((len(given), found.shape[1]), dtype=found.dtype)
        made[start : start + len(some)] = found
    assert made is not None
    return made


def _width(made: Rows | None) -> int:
    """Number of features made so far; −1 before the first batch."""
    return -1 if made is None else int(made.shape[1])
