"""Checksums of event files against TensorBoard's own."""

from __future__ import annotations

import numpy as np
import pytest
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from dlcc.runs.formats import crc32c


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 8, 255, 256, 257, 1023, 1024, 1025, 5000])
def test_one_string(length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    assert crc32c.masked(data) == masked_crc32c(data)


@pytest.mark.parametrize("length", [4, 5, 8, 33, 40])
def test_many_strings_at_once(length: int) -> None:
    rng = np.random.default_rng(length)
    payloads = [rng.bytes(length) for _ in range(50)]
    framed = [p + masked_crc32c(p).to_bytes(4, "little") for p in payloads]
    framed[7] = bytes([framed[7][0] ^ 1]) + framed[7][1:]
    buffer = np.frombuffer(b"xyz" + b"".join(framed), dtype=np.uint8)
    starts = 3 + np.arange(50) * (length + 4)
    assert np.flatnonzero(~crc32c.fit(buffer, starts, length)).tolist() == [7]
