"""Index of nearest rows, by FAISS: exact among up to 100,000, of codes among more.

Above that, product quantisation of two figures to 4 bits ranks candidates, held in registers (André
et al. 2017), and codes of 8 bits a figure rank these again: 1.25 bytes a figure, so that ten
million rows of 128 take 1.6 GB. benchmarks/neighbours.py measures recall and speed.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from dlcc.errors import LibraryError
from dlcc.typing import Floats, Ints

EXACT = 100_000
"""Most rows among which the search is exact."""
_BITS, _TOGETHER = 4, 2  # of a code, and figures that share one
_CANDIDATES = 24  # ranked again, for each of the nearest that is asked for
_TRAINED_ON = 65_536  # rows that codes are learnt from
_MAPPED = "IO_FLAG_MMAP_IFC"
_MAGIC, _SEAL, _CHUNK = b"DLCCNEAR", struct.Struct("<8sQ16s"), 1 << 24


@dataclass
class NeighbourIndex:
    """Index of rows [n, d] that finds the nearest ones to others.

    >>> rows = np.random.default_rng(0).normal(size=(500, 6))
    >>> index = NeighbourIndex.of(rows)
    >>> numbers, squared = index.search(rows[7:8], k=2)
    >>> int(numbers[0, 0]), bool(squared[0, 0] < 1e-6 < squared[0, 1])
    (7, True)
    >>> index.add(rows[:3])
    >>> len(index), sorted(index.search(rows[2:3], k=2)[0][0].tolist())
    (503, [2, 502])
    """

    exact_up_to: int
    """Most rows among which the search is exact."""
    faiss: Any
    """Index of FAISS."""
    mapped: bool = False
    """Whether rows and codes stay in a file, so that none can be added."""

    @classmethod
    def of(cls, rows: Floats, exact_up_to: int = EXACT) -> NeighbourIndex:
        """Make an index of rows [n, d].

        Args:
            rows: Rows [n, d], finite, on one scale.
            exact_up_to: Most rows among which the search is exact; of more, codes are learnt from
                these.

        Returns:
            The index, which numbers the rows from 0.
        """
        import faiss

        index = cls(exact_up_to, faiss.IndexFlatL2(rows.shape[1]))
        index.add(rows)
        return index

    def __len__(self) -> int:
        return int(self.faiss.ntotal)

    @property
    def is_exact(self) -> bool:
        """Whether the rows are kept as they are."""
        return not hasattr(self.faiss, "base_index")

    def add(self, rows: Floats) -> None:
        """Add rows behind those that are there, without building anew.

        Args:
            rows: Rows [m, d], finite.

        Raises:
            LibraryError: The index is mapped from a file; open it with `mapped=False`.
        """
        if self.mapped:
            raise LibraryError("a mapped index takes no further rows; open it with mapped=False")
        given = _single(rows)
        if not len(given):
            return
        if not self.is_exact:
            self.faiss.add(_padded(given))
        elif len(self) + len(given) <= self.exact_up_to:
            self.faiss.add(given)
        else:
            there = self.faiss.reconstruct_n(0, len(self)) if len(self) else given[:0]
            self.faiss = _trained(there, given)
            for part in filter(len, (there, given)):  # FAISS dies of no rows at all
                self.faiss.add(_padded(part))

    def search(self, rows: Floats, k: int) -> tuple[Ints, Floats]:
        """Find the nearest rows, nearest first.

        Args:
            rows: Rows [m, d].
            k: Number of neighbours, at most the rows that are there.

        Returns:
            Numbers of the rows and their squared Euclidean distances, both [m, k]; of codes the
            distances are estimates.
        """
        given = _single(rows)
        squared, found = self.faiss.search(given if self.is_exact else _padded(given), k)
        return found, np.maximum(squared, 0).astype(np.float64)

    def save(self, path: Path) -> None:
        """Write the index to a file, whole or not at all.

        Raises:
            LibraryError: It cannot be written.
        """
        import faiss

        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            faiss.write_index(self.faiss, str(beside))
            with beside.open("ab") as stream:
                stream.write(_seal(beside))
            beside.replace(path)
        except (OSError, RuntimeError) as error:
            raise LibraryError(f"{path}: cannot be written ({_first_line(error)})") from None
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def open(cls, path: Path, exact_up_to: int = EXACT, *, mapped: bool = True) -> NeighbourIndex:
        """Open a file that `save` wrote.

        Args:
            path: File of the index.
            exact_up_to: Most rows among which the search is exact, as for `of`.
            mapped: Whether rows and codes stay in the file, mapped into memory; such an index
                takes no further rows.

        Returns:
            The index.

        Raises:
            LibraryError: The file is missing or damaged.
        """
        import faiss

        _check_seal(path)  # of a damaged file FAISS does not complain: it ends the process
        index: Any = faiss.read_index(str(path), getattr(faiss, _MAPPED) if mapped else 0)
        if hasattr(index, "base_index"):
            index.k_factor = _CANDIDATES
        return cls(exact_up_to, index, mapped)


def _trained(there: Any, given: Any) -> Any:
    """Make an index of codes, learnt from rows that are there and some that come."""
    import faiss

    sample = np.concatenate([there, given[:: max(1, len(given) // _TRAINED_ON)]])
    sample = _padded(sample[:: max(1, len(sample) // _TRAINED_ON)])
    width = sample.shape[1]
    codes = f"PQ{width // _TOGETHER}x{_BITS}fs,Refine(SQ8)"
    index: Any = faiss.index_factory(width, codes)
    index.k_factor = _CANDIDATES
    index.train(sample)
    return index


def _seal(path: Path, size: int | None = None) -> bytes:
    """Magic, size and hash of the first `size` bytes of a file, by default of all of it."""
    size = path.stat().st_size if size is None else size
    state = xxhash.xxh3_128()
    with path.open("rb") as stream:
        left = size
        while left and (chunk := stream.read(min(_CHUNK, left))):
            state.update(chunk)
            left -= len(chunk)
    return _SEAL.pack(_MAGIC, size, state.digest())


def _check_seal(path: Path) -> None:
    """Refuse a file that is not as `save` left it."""
    try:
        size = path.stat().st_size - _SEAL.size
        with path.open("rb") as stream:
            stream.seek(max(0, size))
            whole = size > 0 and stream.read() == _seal(path, size)
    except OSError as error:
        raise LibraryError(f"{path}: no readable index ({error.strerror}); make it anew") from None
    if not whole:
        raise LibraryError(f"{path}: no readable index (cut, or damaged); make it anew")


def _single(rows: Floats) -> Any:
    return np.ascontiguousarray(rows, dtype=np.float32)


def _padded(rows: Any) -> Any:
    """Add a column of zeros where codes would be left with a single figure."""
    odd = rows.shape[1] % _TOGETHER
    return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, odd)))) if odd else rows


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
