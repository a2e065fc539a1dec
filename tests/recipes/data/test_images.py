"""Images by name: found, counted, scaled; what is missing is said with what to put where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcc.errors import RunError
from dlcc.recipes import get_recipe
from dlcc.recipes.data.images import IMAGES, ROWS, count_images, load_images, load_labels
from dlcc.recipes.train import train
from dlcc.runs import Run
from tests.recipes.data.writing import pixels, write_cifar, write_idx, write_mnist


def unit(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float64) / 127.5 - 1


def write(name: str, folder: Path) -> np.ndarray:
    """A small data set; returns [n, channels, side, side]."""
    inner = {"mnist": "MNIST/raw", "fashion": "FashionMNIST/raw", "letters": "letters"}.get(name)
    if inner is not None:
        return write_mnist(folder / inner, 6)[:, None]
    if name == "cifar10":
        return write_cifar(folder / "cifar-10-batches-py", 2, binary=False).reshape(-1, 3, 32, 32)
    images = pixels(4, 3, 32, 32)
    if name == "npy":
        np.save(folder / "images.npy", images)
    else:
        for k, image in enumerate(images):
            Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{k}.png")
    return images


@pytest.mark.parametrize("name", [name for name in IMAGES if name not in ("digits", "mnist5k")])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    images = write(name, tmp_path)
    loaded = load_images(name, str(tmp_path))
    assert loaded.dtype == np.float32
    assert np.allclose(loaded, unit(images), atol=1e-6)
    assert np.abs(loaded).max() <= 1
    assert count_images(name, str(tmp_path)) == len(images)


def test_digits_need_no_folder() -> None:
    images = load_images("digits", "")
    assert images.shape == (1797, 1, 28, 28)
    assert count_images("digits", "") == len(load_labels("digits", "")) == ROWS["digits"]


def test_classes_and_the_part_to_test_on(tmp_path: Path) -> None:
    write_mnist(tmp_path, 12, end="")
    test = write_mnist(tmp_path, 3, "t10k")
    write_cifar(tmp_path, 2, binary=True)
    folder = str(tmp_path)
    assert load_labels("mnist", folder).tolist() == [k % 10 for k in range(12)]
    assert load_labels("fashion", folder, part="test").tolist() == [0, 1, 2]
    assert np.allclose(load_images("mnist", folder, part="test"), unit(test[:, None]), atol=1e-6)
    assert load_labels("cifar10", folder).tolist() == [0, 1] * 5
    assert len(load_images("cifar10", folder, part="test")) == 2
    assert count_images("cifar10", folder, part="test") == 2


def test_npy_may_be_named_itself_and_images_resized(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", pixels(3, 8, 8))
    assert load_images("npy", str(tmp_path / "own.npy")).shape == (3, 1, 8, 8)
    write("folder", tmp_path)
    assert load_images("folder", str(tmp_path), side=16).shape == (4, 3, 16, 16)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("mnist", "MNIST/raw is there train-images-idx3-ubyte (47,040,016 bytes) or "
                  "train-images-idx3-ubyte.gz (9,912,422 bytes, of Fashion-MNIST 26,421,880)"),
        ("fashion", "FashionMNIST/raw is there train-images-idx3-ubyte"),
        ("cifar10", "cifar-10-batches-py or cifar-10-batches-bin is there data_batch_1 "
                    "(31,035,704 bytes) or data_batch_1.bin (30,730,000 bytes)"),
        ("folder", "no .png, .jpg, .jpeg in it or below it"),
        ("npy", "images.npy: missing"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("read", [load_images, count_images])
def test_it_says_what_to_put_where(tmp_path: Path, name: str, what: str, read: object) -> None:
    assert callable(read)
    with pytest.raises(RunError) as refused:
        read(name, str(tmp_path))
    assert what in str(refused.value)
    assert str(tmp_path) in str(refused.value)
    with pytest.raises(RunError, match=f"data is {name} and folder is empty: set folder to where"):
        read(name, "")
    with pytest.raises(RunError, match="nowhere: missing; set folder to where"):
        read(name, str(tmp_path / "nowhere"))


def test_other_sizes_than_those_of_mnist(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", pixels(2, 32, 32))
    with pytest.raises(RunError, match="has images of 32×32, expected 28×28"):
        load_images("mnist", str(tmp_path))


def test_sides_that_networks_cannot_halve_twice(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", pixels(2, 30, 30))
    with pytest.raises(RunError, match="has sides of 30, expected a multiple of 4"):
        load_images("npy", str(tmp_path))


def test_a_name_that_is_none() -> None:
    for read in (load_images, load_labels, count_images):
        with pytest.raises(ValueError, match="imagenet"):
            read("imagenet", "")


@pytest.mark.parametrize(("name", "n"), [("mnist", 6), ("cifar10", 10), ("npy", 4)])
def test_a_recipe_trains_on_them(tmp_path: Path, name: str, n: int) -> None:
    images = write(name, tmp_path)
    settings = {"data": name, "folder": str(tmp_path), "batch": 2, "epochs": 14 if n > 4 else 20}
    recipe = get_recipe("lgc-vanilla")
    assert recipe.family.length(recipe.configure(settings)) == settings["epochs"] * n // 2
    judged = train("lgc-vanilla", tmp_path / "run", settings, snapshots=1)
    assert (judged is None) == (name != "mnist")  # which a classifier knows
    run = Run.open(tmp_path / "run")
    assert run.length == settings["epochs"] * n // 2
    assert run.manifest.data == {"name": name}
    assert run.samples(run.length).shape[1:] == images.shape[1:]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["config"]["data"] == name


def test_nothing_is_recorded_where_files_are_missing(tmp_path: Path) -> None:
    settings = {"data": "mnist", "folder": str(tmp_path), "steps": 40}
    with pytest.raises(RunError, match="train-images-idx3-ubyte"):
        train("lgc-vanilla", tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()
