"""Letters A to J drawn from the fonts of a folder, after notMNIST (Bulatov 2011), as IDX files.

Debian ships hundreds of fonts in packages named `fonts-…`, so the images can be made where none can
be fetched. `python -m dlcc.recipes.data.letters FONTS FOLDER` draws them.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dlcc.errors import RunError

LETTERS = "ABCDEFGHIJ"
"""Classes, in order."""
PLACES = ("letters",)
"""Subfolders that are searched after the folder itself."""
SIDE = 28
ENDINGS = (".ttf", ".otf")
_DRAWN, _MARGIN = 112, 2  # pixels: letters are drawn larger, and scaled down to fit
_LACKING = "\U000e0fff"  # a character that no font has, drawn as what stands for a missing one
_FILES = {3: "images", 1: "labels"}  # number of sizes to what a file holds
_FEWEST_INKED = 0.02  # share of an image; less is an empty glyph


def draw_letters(fonts: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the letters of every face in and below a folder, white on black.

    Faces that lack a letter, that draw two letters alike, or that draw what another face drew are
    left out.

    Args:
        fonts: Folder with `.ttf` and `.otf` files.

    Returns:
        Images [10 · faces, 28, 28] in a random order that is always the same, so that every tenth
        row is not one letter, and their classes [10 · faces].

    Raises:
        RunError: No face draws the letters.
    """
    faces: list[NDArray[np.uint8]] = []
    seen: set[bytes] = set()
    for path in sorted(p for p in fonts.rglob("*") if p.suffix.lower() in ENDINGS):
        drawn = [*_drawn(path)]
        alphabet = {image.tobytes() for image in drawn}
        if len(alphabet) == len(LETTERS) and not alphabet & seen:
            seen |= alphabet
            faces.append(np.stack(drawn))
    if not faces:
        raise RunError(f"{fonts}: no {' or '.join(ENDINGS)} file draws the letters {LETTERS}")
    classes = np.tile(np.arange(len(LETTERS), dtype=np.uint8), len(faces))
    order = np.random.default_rng(0).permutation(len(classes))
    return np.concatenate(faces)[order], classes[order]


def _drawn(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Draw the letters of a face; none from the first on that it lacks."""
    try:
        font = ImageFont.truetype(path, _DRAWN)
        lacking = font.getmask(_LACKING).getbbox(), bytes(font.getmask(_LACKING))
        for letter in LETTERS:
            mask = font.getmask(letter)
            if (mask.getbbox(), bytes(mask)) == lacking:
                return
            image = _fitted(font, letter)
            if (image > 127).mean() < _FEWEST_INKED:
                return
            yield image
    except (OSError, ValueError):  # not a font, or one that FreeType cannot scale
        return


def _fitted(font: ImageFont.FreeTypeFont, letter: str) -> NDArray[np.uint8]:
    """Draw a letter as large as the image takes it, in its middle, [28, 28]."""
    left, top, right, bottom = font.getbbox(letter)
    width, height = max(1, round(right - left)), max(1, round(bottom - top))
    drawn = Image.new("L", (width, height))
    ImageDraw.Draw(drawn).text((-left, -top), letter, fill=255, font=font)
    scale = (SIDE - 2 * _MARGIN) / max(width, height)
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    image = Image.new("L", (SIDE, SIDE))
    image.paste(drawn.resize(size), ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return np.asarray(image, dtype=np.uint8)


def write_letters(fonts: Path, folder: Path) -> int:
    """Write the images and classes as the files that `load_images("letters", folder)` reads.

    Args:
        fonts: Folder with fonts.
        folder: Folder to write to; made where it is missing.

    Returns:
        Number of images.

    Raises:
        RunError: As `draw_letters`; or the folder has such files already, or cannot be written.
    """
    paths = {ndim: folder / f"train-{what}-idx{ndim}-ubyte" for ndim, what in _FILES.items()}
    for path in paths.values():
        if path.exists():
            raise RunError(f"{path}: is there already; choose another folder for the letters")
    images, classes = draw_letters(fonts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for numbers in (images, classes):
            sizes = struct.pack(f">{numbers.ndim}I", *numbers.shape)
            header = bytes([0, 0, 8, numbers.ndim]) + sizes
            paths[numbers.ndim].write_bytes(header + numbers.tobytes())
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror})") from None
    return len(images)


def main(arguments: list[str]) -> int:
    """Draw letters from a folder of fonts to a folder; returns the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("expected: python -m dlcc.recipes.data.letters FONTS FOLDER\n")
        return RunError.exit_code
    try:
        number = write_letters(Path(arguments[0]), Path(arguments[1]))
    except RunError as error:
        sys.stderr.write(f"dlcc: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{number:,} images\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
