"""Reader and writer of safetensors files, which are checked before any of their claims is believed.

A header can lie about sizes, a bit can flip, a pickle can be renamed: each is refused by name
before memory is taken for it. See https://github.com/huggingface/safetensors for the format.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from dlcc.errors import SnapshotError
from dlcc.runs.files import opened_regular, read_regular, written_whole

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_MAX_BYTES = 8 * 2**30
_MAX_HEADER_BYTES = 32 * 2**20
_MAX_RANK = 32
_DIGEST_KEY = "xxh3_64"

_ITEM_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
    "C64": 8,
}
_NUMPY_DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "C64": "<c8",
}


@dataclass(frozen=True)
class Digest:
    """Size and checksum of a file."""

    bytes: int
    xxh3_128: str


@dataclass(frozen=True)
class _Entry:
    """Entry of a safetensors header, checked."""

    dtype: str
    shape: tuple[int, ...]
    begin: int  # of the data, counted from the start of the file
    end: int


def write_tensors(path: Path, tensors: Mapping[str, Tensor | np.ndarray]) -> Digest:
    """Write tensors whole: beside, synced, renamed.

    Tensors may be anywhere, shared, non-contiguous or require gradients: what is written is a
    detached copy. The file's metadata holds a checksum of the data, which reading verifies.

    Args:
        path: File to write; one that is there is replaced.
        tensors: Tensors or arrays by name.

    Returns:
        Size and checksum of the file.

    Raises:
        SnapshotError: A tensor is of a kind that the format does not hold (sparse, quantised).
        RunError: The system refused the write.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    copies = {name: _plain_tensor(path, name, tensor) for name, tensor in tensors.items()}
    with written_whole(path) as temporary:
        try:
            save_file(copies, temporary, metadata={_DIGEST_KEY: _data_digest_of(copies)})
        except (SafetensorError, KeyError, ValueError) as error:
            if "I/O error" in str(error) or "IoError" in str(error):
                raise OSError(None, str(error)) from error
            raise SnapshotError(f"{path}: cannot hold these tensors ({error})") from error
        return _file_digest(temporary)


def read_tensors(
    path: Path,
    *,
    max_bytes: int = DEFAULT_MAX_BYTES,
    max_numbers: int | None = None,
    digest: Digest | None = None,
) -> dict[str, np.ndarray]:
    """Read a tensor file into arrays of the same shapes, without importing torch.

    bfloat16 and the float8 types, which numpy lacks, come as float32 of the same values.

    Args:
        path: safetensors file.
        max_bytes: Largest size of the file in bytes.
        max_numbers: Largest count of numbers in it, whatever their type; None for any.
        digest: Size and checksum that the file must have; None where they are not known.

    Raises:
        SnapshotError: The file is missing, too large, cut, lies about its content, is not
            safetensors, or differs from `digest`.
    """
    data = _checked_bytes(path, max_bytes, digest)
    entries = _checked_header(path, data)
    numbers = sum(math.prod(entry.shape) for entry in entries.values())
    if max_numbers is not None and numbers > max_numbers:
        raise SnapshotError(
            f"{path}: holds {numbers:,} numbers, expected at most {max_numbers:,}; "
            "it is not what a recorder writes"
        )
    return {name: _array(data, entry) for name, entry in entries.items()}


def parse_tensors(data: bytes, source: str) -> dict[str, np.ndarray]:
    """Read tensors from bytes that came from elsewhere than a file; errors name `source`.

    Raises:
        SnapshotError: The bytes lie about their content or are not safetensors.
    """
    entries = _checked_header(Path(source), data)
    return {name: _array(data, entry) for name, entry in entries.items()}


def read_torch_tensors(
    path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, digest: Digest | None = None
) -> dict[str, Tensor]:
    """Read a tensor file into CPU tensors, bit for bit as they were written.

    Raises:
        SnapshotError: The file is missing, damaged or too large, as for `read_tensors`.
    """
    from safetensors.torch import load

    data = _checked_bytes(path, max_bytes, digest)
    _checked_header(path, data)
    return load(data)


def _plain_tensor(path: Path, name: str, value: Tensor | np.ndarray) -> Tensor:
    """Copy a tensor to the CPU: dense, contiguous and unshared."""
    import torch

    tensor = torch.tensor(value) if isinstance(value, np.ndarray) else value.detach()
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise SnapshotError(
            f"{path}: tensor {name}: expected a dense tensor, found {tensor.layout}; "
            "convert it with to_dense() or dequantize()"
        )
    if tensor.is_meta:
        raise SnapshotError(f"{path}: tensor {name}: has no data (device meta); materialise it")
    copy = torch.empty(tensor.shape, dtype=tensor.dtype)
    return copy.copy_(tensor.resolve_conj().resolve_neg())


def _data_digest_of(tensors: Mapping[str, Tensor]) -> str:
    """Checksum over the data of all tensors, in the order of their names."""
    import torch

    state = xxhash.xxh3_64()
    for name in sorted(tensors):
        flat = tensors[name].reshape(-1)
        if flat.numel():
            state.update(flat.view(torch.uint8).numpy().data)
    return state.hexdigest()


def _file_digest(path: Path) -> Digest:
    state = xxhash.xxh3_128()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(2**22):
            state.update(chunk)
            size += len(chunk)
    return Digest(size, state.hexdigest())


def _checked_bytes(path: Path, max_bytes: int, digest: Digest | None) -> bytes:
    """Read a regular file of bounded size, and compare it with its digest."""
    if digest is not None:
        with opened_regular(path, SnapshotError) as file:
            size = os.fstat(file.fileno()).st_size
        if size != digest.bytes:  # before memory is taken for it
            raise SnapshotError(
                f"{path}: expected {digest.bytes} bytes, found {size}; "
                "the file is cut or replaced, restore it from a copy"
            )
    data = read_regular(path, max_bytes, SnapshotError)
    if digest is not None and xxhash.xxh3_128_hexdigest(data) != digest.xxh3_128:
        raise SnapshotError(
            f"{path}: differs from its checksum in snapshot.json; "
            "the file is damaged or replaced, restore it from a copy"
        )
    return data


def _is_pickle(data: bytes) -> bool:
    """Whether data begin like a pickle, not like safetensors with a header of 640 or so bytes."""
    return data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05" and data[8:9] != b"{"


def _checked_header(path: Path, data: bytes) -> dict[str, _Entry]:
    """Parse the header of a safetensors file, every claim compared with the file's size."""
    if data[:4] == b"PK\x03\x04" or _is_pickle(data):
        kind = "zip archive (torch.save writes such)" if data[:2] == b"PK" else "pickle"
        raise SnapshotError(
            f"{path}: is a {kind}, not safetensors; it could run code and is not opened: "
            "save it with safetensors.torch.save_file"
        )
    if len(data) < 8:
        raise SnapshotError(f"{path}: {len(data)} bytes are too few for safetensors; it is cut")
    length = int.from_bytes(data[:8], "little")
    if length > min(_MAX_HEADER_BYTES, len(data) - 8):
        raise SnapshotError(
            f"{path}: claims a header of {length} bytes in a file of {len(data)}; "
            "it is cut or not safetensors"
        )
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"{path}: its header is not valid JSON ({error})") from None
    if not isinstance(header, dict):
        raise SnapshotError(f"{path}: expected a JSON object as header")
    metadata = header.pop("__metadata__", {})
    start = 8 + length
    entries = {name: _entry(path, name, claim, start) for name, claim in header.items()}
    _check_extent(path, entries, start, len(data))
    _check_data_digest(path, data, entries, metadata)
    return entries


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key occurs twice")
    return mapping


def _entry(path: Path, name: str, claim: object, start: int) -> _Entry:
    """Parse one claim of a header, which must be consistent in itself."""

    def lie(what: str) -> SnapshotError:
        return SnapshotError(f"{path}: tensor {name[:80]}: {what}; the header is damaged or forged")

    if not isinstance(claim, dict) or claim.keys() != {"dtype", "shape", "data_offsets"}:
        raise lie("expected dtype, shape and data_offsets")
    dtype, shape, offsets = claim["dtype"], claim["shape"], claim["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _ITEM_BYTES:
        raise lie(f"unknown dtype {dtype!r:.40}")
    if not _are_sizes(shape) or len(shape) > _MAX_RANK:
        raise lie("expected at most 32 sizes as shape")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise lie("expected two data_offsets")
    if math.prod(size for size in shape if size) > 2**48:
        raise lie(f"shape {shape} is beyond any memory")
    claimed = math.prod(shape) * _ITEM_BYTES[dtype]
    if offsets[1] - offsets[0] != claimed:
        raise lie(f"{dtype} {shape} takes {claimed} bytes, its offsets give {offsets}")
    return _Entry(dtype, tuple(shape), start + offsets[0], start + offsets[1])


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)


def _check_extent(path: Path, entries: Mapping[str, _Entry], start: int, size: int) -> None:
    """Refuse tensors whose data overlap, leave a gap or do not fill the file."""
    position = start
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            raise SnapshotError(
                f"{path}: tensor {name[:80]}: its data overlap others or leave a gap; "
                "the header is damaged or forged"
            )
        position = entry.end
    if position != size:
        raise SnapshotError(
            f"{path}: its tensors take {position} bytes, the file has {size}; "
            "it is cut, restore it from a copy"
        )


def _check_data_digest(
    path: Path, data: bytes, entries: Mapping[str, _Entry], metadata: object
) -> None:
    """Compare the data with the checksum in the metadata; files of other writers have none."""
    expected = metadata.get(_DIGEST_KEY) if isinstance(metadata, dict) else None
    if expected is None:
        return
    view = memoryview(data)
    state = xxhash.xxh3_64()
    for name in sorted(entries):
        state.update(view[entries[name].begin : entries[name].end])
    if state.hexdigest() != expected:
        raise SnapshotError(
            f"{path}: its data differ from the checksum in its header; "
            "the file is damaged, restore it from a copy"
        )


def _array(data: bytes, entry: _Entry) -> np.ndarray:
    """Copy one tensor into an array of its own."""
    raw = np.frombuffer(data, np.uint8, entry.end - entry.begin, entry.begin)
    if entry.dtype in _NUMPY_DTYPES:
        return raw.view(_NUMPY_DTYPES[entry.dtype]).reshape(entry.shape).copy()
    if entry.dtype == "BF16":  # the upper half of a float32
        return (raw.view("<u2").astype("<u4") << 16).view("<f4").reshape(entry.shape)
    import torch

    float8 = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}[entry.dtype]
    widened: np.ndarray = torch.from_numpy(raw.copy()).view(float8).float().numpy()
    return widened.reshape(entry.shape)
