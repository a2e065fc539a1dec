"""Images to train on, scaled to [−1, 1]: those bundled with scikit-learn, or files of a folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from dlcc.errors import MissingDataError, RunError
from dlcc.recipes.data import digits_table, letters
from dlcc.recipes.data.cifar import count_batch, find_batches, read_batch
from dlcc.recipes.data.files import Part, damaged, named_folder, scaled
from dlcc.recipes.data.idx import find_idx, read_idx, read_idx_shape
from dlcc.recipes.data.npy import count_npy, read_npy

ROWS = {
    "digits": 1_797,
    "mnist5k": digits_table.ROWS,
    "mnist": 60_000,
    "fashion": 60_000,
    "letters": 10_000,
    "cifar10": 50_000,
}
"""Number of images in the published training part, or of letters about as many as Debian's fonts
give; `count_images` counts those that are there."""
SHAPES = {
    "digits": (1, 28),
    "mnist5k": (1, 28),
    "mnist": (1, 28),
    "fashion": (1, 28),
    "letters": (1, 28),
    "cifar10": (3, 32),
}
"""Channels and side of the images of a data set."""
IMAGES = (*ROWS, "folder", "npy")
"""Names that `load_images` knows; the last two are the user's own data."""

KNOWN = {
    "digits": "digits",
    "mnist5k": "mnist5k",
    "mnist": "mnist5k",
    "fashion": "fashion",
    "letters": "letters",
}
"""Name of data to that of the target whose classifier knows them."""
PLACES = {
    "mnist": ("MNIST/raw",),
    "fashion": ("FashionMNIST/raw",),
    "letters": letters.PLACES,
}
"""Subfolders that are searched after the folder itself: torchvision's, of its data."""
NPY = "images.npy"
"""Name of the file that is looked for where the setting names a folder."""
FOLDER_SIDE = 32
"""Side in pixels to which the images of a folder are resized."""
HALVED = 4
"""Divisor of the sides of all images, which networks halve twice."""


def load_images(
    name: str, folder: str, *, part: Part = "train", side: int = FOLDER_SIDE
) -> NDArray[np.float32]:
    """Load images [n, channels, side, side] in [−1, 1].

    Args:
        name: One of `IMAGES`; digits are scaled up to the 28 pixels that MNIST has.
        folder: Folder with the files; digits need none, npy may have the file itself here.
        part: Part of mnist, fashion or cifar10; the others have no parts.
        side: Side in pixels to which the images of a folder are cut and resized.

    Raises:
        RunError: a file is missing, cut or not what it should be; it says what to put where.
    """
    match name:
        case "digits":
            from dlcc.recipes.small_gan.training import load_digits

            small = torch.from_numpy(load_digits()[0]).view(-1, 1, 8, 8)
            return scaled_up(small, (28, 28)).numpy()
        case "mnist5k":
            table = digits_table.read_table(digits_table.find_table(folder))
            return scaled(table[:, :-1].reshape(-1, 1, 28, 28))
        case "mnist" | "fashion" | "letters":
            path = _find(name, folder, part, "images")
            _check_sides(path)
            return scaled(read_idx(path, 3)[:, None])
        case "cifar10":
            return scaled(np.concatenate([read_batch(p)[0] for p in find_batches(folder, part)]))
        case "folder":
            from dlcc.recipes.data.folder import read_folder

            return scaled(read_folder(_own_folder(folder), side))
        case "npy":
            path = _own_array(folder)
            images = read_npy(path)
            if images.shape[-1] % HALVED:  # or generators make smaller images than they learn
                what = f"has sides of {images.shape[-1]}, expected a multiple of {HALVED}"
                raise damaged(path, what)
            return images
    raise ValueError(name)


def as_shares(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rescale images from [−1, 1] to [0, 1]."""
    return np.multiply(np.add(images, 1, dtype=np.float32), 0.5, dtype=np.float32)


def load_labels(name: str, folder: str, *, part: Part = "train") -> NDArray[np.int64]:
    """Load the classes [n] of the images of `load_images`; folder and npy have none.

    Raises:
        RunError: a file is missing, cut or not what it should be.
    """
    match name:
        case "digits":
            from dlcc.recipes.small_gan.training import load_digits

            return load_digits()[1]
        case "mnist5k":
            labels = digits_table.read_table(digits_table.find_table(folder))[:, -1]
            return labels.astype(np.int64)
        case "mnist" | "fashion" | "letters":
            path = _find(name, folder, part, "labels")
            return read_idx(path, 1).astype(np.int64)
        case "cifar10":
            return np.concatenate([read_batch(path)[1] for path in find_batches(folder, part)])
    raise ValueError(name)


def count_images(name: str, folder: str, *, part: Part = "train") -> int:
    """Count the images that `load_images` gives; only headers are read, where there are any.

    Raises:
        RunError: as `load_images`, as far as that shows before the images are read.
    """
    match name:
        case "digits":
            return ROWS[name]
        case "mnist5k":
            digits_table.find_table(folder)
            return ROWS[name]
        case "mnist" | "fashion" | "letters":
            return _check_sides(_find(name, folder, part, "images"))
        case "cifar10":
            return sum(map(count_batch, find_batches(folder, part)))
        case "folder":
            from dlcc.recipes.data.folder import list_images

            return len(list_images(_own_folder(folder)))
        case "npy":
            return count_npy(_own_array(folder))
    raise ValueError(name)


def scaled_up(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarge images [n, channels, *, *] to a size (rows, columns), bilinear."""
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False)


def smallest(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows [n, 64] of the images of 8×8 that scale up to images [n, 28, 28] best; exact for images
    that were scaled up."""
    down = np.linalg.pinv(_upsampling())
    small: NDArray[np.float32] = down @ images @ down.T
    return small.reshape(len(images), -1)


@lru_cache(maxsize=1)
def _upsampling() -> NDArray[np.float32]:
    """Matrix [28, 8] that scales a row of 8 pixels up to one of 28."""
    return scaled_up(torch.eye(8).view(8, 1, 1, 8), (1, 28)).view(8, 28).T.numpy()


def _find(name: str, folder: str, part: Part, what: str) -> Path:
    """Find the IDX file of a part; of letters, which nobody ships, it is said how to make it."""
    try:
        return find_idx(name, folder, PLACES[name], part, what)
    except MissingDataError as error:
        if name != "letters":
            raise
        raise MissingDataError(
            f"{folder}: data is letters, and {Path(error.path).name} is not there; draw it with: "
            "python -m dlcc.recipes.data.letters FONTS FOLDER",
            error.path,
        ) from None


def _check_sides(path: Path) -> int:
    """Count the images of a file, and check that its header says 28 × 28 pixels."""
    n, *sides = read_idx_shape(path, 3)
    if sides != [28, 28]:
        raise damaged(path, f"has images of {sides[0]}×{sides[1]}, expected 28×28")
    return n


def _own_folder(folder: str) -> Path:
    """Find the user's folder of images."""
    path = named_folder("folder", folder, ("your images (.png, .jpg)",))
    if not path.is_dir():
        raise RunError(f"{path}: a file; set folder to the folder that your images are in")
    return path


def _own_array(folder: str) -> Path:
    """Find the user's `.npy` file."""
    path = named_folder("npy", folder, (NPY,))
    return path / NPY if path.is_dir() else path
