"""Small files in the formats that data sets are published in."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def idx(array: NDArray[np.uint8]) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_idx(path: Path, array: NDArray[np.uint8]) -> Path:
    """Gzipped where the name says so."""
    data = idx(array)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def binary_batch(pixels: NDArray[np.uint8], labels: Sequence[int]) -> bytes:
    """Of pixels [n, 3072]."""
    return np.column_stack([np.array(labels, np.uint8), pixels]).astype(np.uint8).tobytes()


def python_batch(pixels: NDArray[np.uint8], labels: Sequence[int]) -> bytes:
    """As cPickle of Python 2 wrote the published ones: protocol 2, text as byte strings."""
    n, width = pixels.shape
    return (
        b"\x80\x02}q\x01("
        + short(b"batch_label") + b"q\x02" + short(b"training batch 1 of 5") + b"q\x03"
        + short(b"labels") + b"q\x04]q\x05(" + b"".join(b"K" + bytes([k]) for k in labels) + b"e"
        + short(b"data") + b"q\x06" + python2_array(pixels.tobytes(), (n, width))
        + short(b"filenames") + b"q\x0d]q\x0e("
        + b"".join(short(b"tabby_s_%06d.png" % k) + b"r" + struct.pack("<I", 256 + k)
                   for k in range(n))
        + b"eu."
    )  # fmt: skip


def python2_array(
    raw: bytes, shape: Sequence[int], code: bytes = b"u1", order: bytes = b"|"
) -> bytes:
    """The instructions that build an array of Python 2's numpy."""
    sizes = b"".join(b"J" + struct.pack("<i", n) for n in shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09"
        + b"(K\x01(" + sizes + b"t"
        + b"cnumpy\ndtype\nq\x0a" + short(code) + b"K\x00K\x01\x87Rq\x0b"
        + b"(K\x03" + short(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"q\x0ctb"
    )  # fmt: skip


def short(text: bytes) -> bytes:
    """A short string of Python 2."""
    return b"U" + bytes([len(text)]) + text


def pixels(n: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def write_mnist(folder: Path, n: int, prefix: str = "train", end: str = ".gz") -> NDArray[np.uint8]:
    """Images and labels of a part; returns the images."""
    images = pixels(n, 28, 28)
    write_idx(folder / f"{prefix}-images-idx3-ubyte{end}", images)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte{end}", np.arange(n, dtype=np.uint8) % 10)
    return images


def write_cifar(folder: Path, n: int, *, binary: bool) -> NDArray[np.uint8]:
    """Five batches of n and one to test; returns the training images [5 n, 3072]."""
    folder.mkdir(parents=True, exist_ok=True)
    make, end = (binary_batch, ".bin") if binary else (python_batch, "")
    batches = [pixels(n, 3072, seed=k) for k in range(6)]
    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    for name, batch in zip(names, batches, strict=True):
        (folder / f"{name}{end}").write_bytes(make(batch, [k % 10 for k in range(n)]))
    return np.concatenate(batches[:5])
