"""Pictures of foreign runs, decoded within bounds. Pillow is imported when one is read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import SnapshotError
from dlcc.runs.files import opened_regular

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")  # Pillow knows dozens more, some of them risky
_MOST_BYTES = 2**28  # of a file
_MOST_PIXELS = 2**25  # of one: the largest grids of StyleGAN have 7,680 × 4,320
JPEG_TOLERANCE = 12.0
"""Difference of grey values that JPEG makes within a line of one colour."""


def size_of(path: Path) -> tuple[int, int]:
    """Read the height and width that a picture's header states, in pixels.

    Raises:
        SnapshotError: The file cannot be read as a picture, or is larger than is looked at.
    """
    with _opened(path) as image:
        return image.height, image.width


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Decode a picture to [h, w], or [h, w, 3] where it has colours.

    Raises:
        SnapshotError: As for `size_of`, or the file is damaged.
    """
    with _opened(path) as image:
        pixels = _plain(image)
    if pixels.ndim == 3 and all((pixels[..., 0] == pixels[..., c]).all() for c in (1, 2)):
        return np.array(pixels[..., 0])
    return pixels


def read_fitted(path: Path, height: int, width: int, *, coloured: bool) -> NDArray[np.uint8]:
    """Decode a picture, cut it about its centre to a ratio, and average it to a size.

    Args:
        path: File.
        height: Height in pixels to bring it to.
        width: Width in pixels.
        coloured: Whether to keep colours.

    Returns:
        Pixels [height, width], or [height, width, 3].

    Raises:
        SnapshotError: As for `read_picture`.
    """
    from PIL import Image, ImageOps

    with _opened(path) as image:
        image.draft(None, (4 * width, 4 * height))  # JPEG is decoded at a fraction of its size
        plain = Image.fromarray(_plain(image)).convert("RGB" if coloured else "L")
        fitted = ImageOps.fit(plain, (width, height), Image.Resampling.BOX)
        return np.asarray(fitted)


def averaged(tiles: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Average tiles [n, h, w] or [n, h, w, 3] to a size, [n, height, width (, 3)]."""
    if tiles.shape[1:3] == (height, width):
        return tiles
    from PIL import Image

    resized = [
        np.asarray(Image.fromarray(tile).resize((width, height), Image.Resampling.BOX))
        for tile in tiles
    ]
    return np.stack(resized)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luminance of pixels [..., h, w, 3], [..., h, w]."""
    from PIL import Image

    tall = pixels.reshape(-1, *pixels.shape[-2:])
    return np.asarray(Image.fromarray(tall).convert("L")).reshape(pixels.shape[:-1])


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong inside the block is a fault of the file."""
    from PIL import Image

    with opened_regular(path, SnapshotError) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.fstat(file.fileno()).st_size > _MOST_BYTES:
            raise SnapshotError(f"{path}: a picture of more than {_MOST_BYTES:,} bytes")
        try:
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise SnapshotError(
                        f"{path}: {image.width:,} × {image.height:,} pixels, expected at most "
                        f"{_MOST_PIXELS:,} in all"
                    )
                yield image
        except SnapshotError:
            raise
        except Image.DecompressionBombError as error:
            raise SnapshotError(
                f"{path}: expected at most {_MOST_PIXELS:,} pixels, its header states more"
            ) from error
        except Exception as error:  # damage surfaces as nearly any kind
            raise SnapshotError(f"{path}: no whole PNG, JPEG, BMP or WebP") from error


def _plain(image: Image.Image) -> NDArray[np.uint8]:
    """Pixels of 8 bits, [h, w] or [h, w, 3]; transparency is dropped."""
    if image.mode.startswith("I"):  # 16 bits, which convert() would cut off at 255
        wide = np.asarray(image, np.float32) / 257
        return np.asarray(np.rint(wide.clip(0, 255)), np.uint8)
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
