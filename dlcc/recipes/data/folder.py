"""Folder of PNG and JPEG files, in it and below it, read as images of one size."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dlcc.errors import RunError
from dlcc.recipes.data.files import MOST_NUMBERS
from dlcc.runs.files import opened_regular

ENDINGS = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")  # whatever the ending says: Pillow knows dozens more, some of them risky
_MOST_BYTES = 2**28  # of a file
_MOST_PIXELS = 2**26  # of an image as it is stored; below what Pillow warns of
_MOST_FILES = 2_000_000
_NAMED = 3  # files that a message lists


def list_images(folder: Path) -> list[Path]:
    """List the image files in and below a folder by name.

    Links to folders are not followed, hidden files are left out.

    Raises:
        RunError: there are none, or too many.
    """
    found: list[Path] = []
    for place, _, names in os.walk(folder):
        found += [
            Path(place, name)
            for name in names
            if name.lower().endswith(ENDINGS) and not name.startswith(".")
        ]
        if len(found) > _MOST_FILES:
            raise RunError(f"{folder}: more than {_MOST_FILES:,} images; set folder to fewer")
    if not found:
        raise RunError(
            f"{folder}: no {', '.join(ENDINGS)} in it or below it; set folder to where they are"
        )
    return sorted(found)


def read_folder(folder: Path, side: int) -> NDArray[np.uint8]:
    """Read colour images [n, 3, side, side], each cut to a centred square and resized, bicubic.

    Each is turned as its EXIF data say; transparency is dropped, 16 bits are rounded to 8.

    Raises:
        RunError: no images, too many for memory, or files that cannot be read, which it names.
    """
    paths = list_images(folder)
    if len(paths) * 3 * side**2 > MOST_NUMBERS:
        most = MOST_NUMBERS // (3 * side**2)
        raise RunError(
            f"{folder}: {len(paths):,} images of {side}×{side}, expected at most {most:,}; "
            "set folder to fewer"
        )
    images = np.empty((len(paths), 3, side, side), np.uint8)
    unread: list[str] = []
    for row, path in enumerate(paths):
        try:
            images[row] = _read(path, side)
        except RunError as error:
            unread.append(str(error))
    if unread:
        raise RunError(
            f"{folder}: {len(unread):,} of {len(paths):,} images cannot be read, "
            f"{'; '.join(unread[:_NAMED])}{' and so on' if len(unread) > _NAMED else ''}; "
            "replace them or take them out"
        )
    return images


def _read(path: Path, side: int) -> NDArray[np.uint8]:
    """Read one image, [3, side, side]."""
    with opened_regular(path, RunError) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        if os.fstat(file.fileno()).st_size > _MOST_BYTES:
            raise RunError(f"{path} (more than {_MOST_BYTES:,} bytes)")
        try:
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise Image.DecompressionBombError
                square = ImageOps.fit(_coloured(image), (side, side), Image.Resampling.BICUBIC)
                return np.asarray(square).transpose(2, 0, 1)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise RunError(f"{path} (more than {_MOST_PIXELS:,} pixels)") from error
        except Exception as error:  # damage surfaces as nearly any kind
            raise RunError(f"{path} (no whole PNG or JPEG)") from error


def _coloured(image: Image.Image) -> Image.Image:
    """Convert an image to red, green and blue of 8 bits, upright."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits, which convert() would cut off at 255
        wide = np.asarray(upright, np.float64) / 257
        return Image.fromarray(np.rint(wide.clip(0, 255)).astype(np.uint8)).convert("RGB")
    if upright.mode == "P" and "transparency" in upright.info:
        upright = upright.convert("RGBA")
    return upright.convert("RGB")
