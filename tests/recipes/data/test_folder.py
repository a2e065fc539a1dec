"""Folders of images: cut, resized, and damage named file by file."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcc.errors import RunError
from dlcc.recipes.data.folder import list_images, read_folder
from tests.recipes.data.writing import pixels


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 4), side=st.integers(1, 12), seed=st.integers(0, 9))
def test_png_of_the_size_asked_for_stay_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, n: int, side: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("images")
    images = pixels(n, side, side, 3, seed=seed)
    for k, image in enumerate(images):
        save(folder / f"{k}.png", image)
    assert np.array_equal(read_folder(folder, side).transpose(0, 2, 3, 1), images)


@pytest.mark.parametrize("size", [(8, 20), (20, 8), (3, 3), (1, 50)])
def test_others_are_cut_in_the_middle_and_resized(tmp_path: Path, size: tuple[int, int]) -> None:
    save(tmp_path / "a.PNG", np.full((*size, 3), 77, np.uint8))
    save(tmp_path / "below" / "b.jpeg", np.full((*size, 3), 77, np.uint8))
    images = read_folder(tmp_path, 6)
    assert images.shape == (2, 3, 6, 6)
    assert np.abs(images.astype(int) - 77).max() <= 2


def test_the_middle_is_kept(tmp_path: Path) -> None:
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 200
    save(tmp_path / "a.png", wide)
    assert (read_folder(tmp_path, 4) == 200).all()


def test_every_mode_becomes_colour(tmp_path: Path) -> None:
    grey = pixels(8, 8)
    colour = pixels(8, 8, 3)
    alpha = np.dstack([colour, grey])
    save(tmp_path / "a-grey.png", grey)
    save(tmp_path / "b-wide.png", grey.astype(np.uint16) * 257)
    save(tmp_path / "c-alpha.png", alpha)
    save(tmp_path / "d-bits.png", grey > 127)
    Image.fromarray(colour).quantize(16).save(tmp_path / "e-palette.png", transparency=3)
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "f-cmyk.jpg")
    images = read_folder(tmp_path, 8)
    assert images.shape == (6, 3, 8, 8)
    assert np.array_equal(images[0], np.stack([grey] * 3))
    assert np.array_equal(images[1], images[0])
    assert np.array_equal(images[2], colour.transpose(2, 0, 1))
    assert np.array_equal(images[3], np.stack([(grey > 127) * np.uint8(255)] * 3))


def test_turned_as_the_camera_was(tmp_path: Path) -> None:
    array = np.zeros((8, 8, 3), np.uint8)
    array[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    save(tmp_path / "a.png", array, exif=exif)
    image = read_folder(tmp_path, 8)[0, 0]
    assert not image[:4].any()
    assert image[4:].all()


def test_what_is_looked_at(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "x/c.JPEG", "x/._c.png", "notes.txt", "d.gif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "x" / "back").symlink_to(tmp_path)
    names = [str(path.relative_to(tmp_path)) for path in list_images(tmp_path)]
    assert names == ["a.jpg", "b.png", "x/c.JPEG"]
    with pytest.raises(RunError, match=r"no \.png, \.jpg, \.jpeg in it or below it; set folder"):
        list_images(tmp_path / "nowhere")


def png(width: int, height: int, data: bytes = b"", extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", data or zlib.compress(bytes(4096)))
    return b"\x89PNG\r\n\x1a\n" + head + extra + body + chunk(b"IEND", b"")


BAD = {
    "bomb.png": (png(60_000, 60_000), "more than 67,108,864 pixels"),
    "warned.png": (png(10_000, 10_000), "more than 67,108,864 pixels"),
    "large.png": (png(8_200, 8_200), "more than 67,108,864 pixels"),
    "text.png": (png(0, 0), "no whole PNG or JPEG"),
    "short.png": (png(64, 65), "no whole PNG or JPEG"),
    "empty.jpg": (b"", "no whole PNG or JPEG"),
    "page.jpg": (b"<!DOCTYPE html>", "no whole PNG or JPEG"),
    "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no whole PNG or JPEG"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    save(tmp_path / "good.png", pixels(8, 8, 3))
    data, what = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RunError, match=what) as refused:
        read_folder(tmp_path, 4)
    assert f"1 of 2 images cannot be read, {tmp_path / name} (" in str(refused.value)


def test_of_many_the_first_are_named(tmp_path: Path) -> None:
    for k in range(6):
        (tmp_path / f"{k}.png").write_bytes(b"no")
    with pytest.raises(RunError, match=r"6 of 6 .*0\.png .*1\.png .*2\.png .* and so on; replace"):
        read_folder(tmp_path, 4)


@settings(deadline=None, max_examples=60)
@given(end=st.sampled_from(["png", "jpg"]), share=st.floats(0, 0.999))
def test_every_cut_is_seen(
    tmp_path_factory: pytest.TempPathFactory, end: str, share: float
) -> None:
    path = save(tmp_path_factory.mktemp("cut") / f"a.{end}", pixels(16, 16, 3))
    whole = path.read_bytes()
    last = len(whole) - (20 if end == "png" else 2)  # what ends a file holds no pixels
    path.write_bytes(whole[: int(share * last)])
    with pytest.raises(RunError, match="1 of 1 images cannot be read"):
        read_folder(path.parent, 16)


def test_pipes_and_dead_links_are_no_images(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(RunError, match=r"2 of 2 .*a\.png: expected a regular.*b\.png: missing"):
        read_folder(tmp_path, 4)


def test_too_many_for_memory(tmp_path: Path) -> None:
    save(tmp_path / "a.png", pixels(4, 4, 3))
    with pytest.raises(RunError, match="expected at most 0"):
        read_folder(tmp_path, 2**15)
