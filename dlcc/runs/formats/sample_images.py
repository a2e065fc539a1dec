"""Samples beside a foreign record: pictures and arrays, dated, cut into tiles, with their reals.

Files are found by their names when a run is opened; nothing is decoded before samples are asked
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from dlcc.errors import SnapshotError
from dlcc.runs.formats.array_file import read_array
from dlcc.runs.formats.real_data import drawn, read_reals, reference_files
from dlcc.runs.formats.sample_dates import Timeline, date, thinned
from dlcc.runs.formats.sample_names import ARRAYS, PICTURES
from dlcc.runs.formats.sample_rows import PictureShape, in_layout, on_scale, scale_of, shape_of
from dlcc.runs.formats.sample_search import find_samples
from dlcc.runs.formats.sample_tiling import Tiling, find_tiling
from dlcc.runs.hashes import digest_of_files, digest_of_parts
from dlcc.runs.sample_files import FEWEST_ROWS

_T = TypeVar("_T")
_MOST_STEPS = 100
_MOST_FILES = 512  # of a step
_MOST_ROWS = 1_024  # of a step
_MOST_NUMBERS = 2**22  # of a step
_KEPT_BYTES = 2**28
_LOOKED_AT = 5  # arrays that tell the scale of all


@dataclass(frozen=True, eq=False)
class SampleImages:
    """Samples beside a record."""

    root: Path
    files: Mapping[int, tuple[Path, ...]]
    """Files of each sample step, steps ascending."""
    reals: tuple[Path, ...] = ()
    """Files of training data, all pictures or all arrays."""
    said: tuple[str, ...] = ()
    """Sentences on what was found and how it was dated."""
    _kept: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def find(cls, root: Path, timeline: Timeline, reference: Path | None) -> SampleImages:
        """Find the samples beside a record, by names and times.

        Args:
            root: Folder of the run.
            timeline: Course of the record.
            reference: Training data that the user named; None to look for reals in the folder.

        Returns:
            Samples; without steps where there are none.

        Raises:
            OptionError: What the user named holds no training data.
        """
        named = [] if reference is None else reference_files(reference)
        found = find_samples(root)
        if not found.samples:
            said = () if reference is None else (
                f"{root}: no pictures or arrays of samples were found, so --reference has nothing "
                "to be held against",
            )  # fmt: skip
            return cls(root, {}, (), said)
        paths = [root / name.path for name in found.samples]
        steps, how = date(found.samples, [_written(path) for path in paths], timeline)
        files: dict[int, tuple[Path, ...]] = {}
        for step in thinned(steps, _MOST_STEPS).tolist():
            its = [path for path, at in zip(paths, steps, strict=True) if at == step]
            files[step] = tuple(_evenly(its, _MOST_FILES))
        reals = tuple(named) or tuple(root / name.path for name in found.real)
        where = f"{found.samples[0].path} to {found.samples[-1].path}"
        held = (
            f"`dlcc evaluate` holds them against {reference or reals[0]}"
            if reals
            else "name the training images with --reference FOLDER to have them judged"
        )
        said = (f"{root}: {len(paths):,} files of samples ({where}), dated by {how}; {held}",)
        return cls(root, files, reals, (*said, *found.notes))

    @cached_property
    def steps(self) -> list[int]:
        """Sample steps, ascending; none where the pictures cannot be cut with confidence."""
        return [] if self._pictures and self._tiling is None else [*self.files]

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how samples are read; some are read for it."""
        if not self.files:
            return ()
        if self._pictures and self._tiling is None:
            return (
                f"{self.root}: the pictures of samples are not used, no size of tiles fits them "
                "all with confidence; save samples as .npy [n, ...], or each image to a file of "
                "its own in a folder for each step",
            )
        said = []
        if self._tiling is not None:
            high, wide = self._tiling.size
            shape = self._tiling.shape
            shrunk = "" if (shape.height, shape.width) == (high, wide) else f", averaged to {shape}"
            what = "single images" if self._tiling.grid is None else "cut into tiles"
            said.append(
                f"{self.root}: the pictures of samples are {what} of {high} × {wide} "
                f"pixels{shrunk}, from 0 for black to 1 for white"
            )
        rows = next((len(r) for step in self.steps if (r := self._readable(step)) is not None), 0)
        if 0 < rows < FEWEST_ROWS:
            said.append(
                f"{self.root}: {rows} samples a step, and {FEWEST_ROWS} are needed to judge by "
                "them; save more at each step"
            )
        return tuple(said)

    def samples(self, step: int) -> np.ndarray:
        """Read the samples of a step.

        Args:
            step: One of `steps`.

        Returns:
            Rows [n, ...]; pictures as [n, h, w] or [n, 3, h, w] from 0 to 1, arrays as they are.

        Raises:
            SnapshotError: There are none, or none that can be read.
        """
        if step not in self.files:
            raise SnapshotError(f"{self.root}: no samples of step {step:,}")
        rows = self._kept.get(step)
        if rows is None:
            rows = self._read(self.files[step])
            if sum(kept.nbytes for kept in self._kept.values()) + rows.nbytes <= _KEPT_BYTES:
                self._kept[step] = rows
        return on_scale(rows, (0.0, 1.0)) if self._pictures else rows

    @cached_property
    def reference(self) -> np.ndarray | None:
        """Training data [n, ...] in the shape and scale of the samples; None without any.

        Raises:
            SnapshotError: They cannot be read, or are not like the samples.
        """
        if not self.reals or not self.steps:
            return None
        scale: tuple[float, float] | None = (0.0, 1.0)
        if not self._pictures:
            scale = None if self.reals[0].suffix.lower() in ARRAYS else self._scale
        return read_reals(self._drawn, self._shape, self._tiling, scale)

    def place(self, step: int | None) -> str:
        """Name the file of a step's samples, or of the training data."""
        files = self.reals if step is None else self.files.get(step, ())
        if not files:
            return "the training data" if step is None else f"samples of step {step:,}"
        path = files[0] if len(files) == 1 else files[0].parent
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def digest(self, steps: Sequence[int]) -> str:
        """Hash the files of some steps and of the training data, and how they are read."""
        files = {
            f"{step}/{at}": file
            for step in steps
            for at, file in enumerate(self.files.get(step, ()))
        }
        files |= {f"real/{at}": file for at, file in enumerate(self._drawn)}
        there = {name: file for name, file in files.items() if file.is_file()}
        return digest_of_parts(digest_of_files(there), repr(self._tiling), repr([*files]))

    @property
    def _pictures(self) -> bool:
        """Whether samples are pictures rather than arrays."""
        return any(file.suffix.lower() in PICTURES for file in next(iter(self.files.values()), ()))

    @cached_property
    def _tiling(self) -> Tiling | None:
        return find_tiling([*self.files.values()]) if self._pictures else None

    @cached_property
    def _shape(self) -> PictureShape | None:
        if self._tiling is not None:
            return self._tiling.shape
        arrays = (self._readable(step) for step in self.steps)
        first = next((rows for rows in arrays if rows is not None), None)
        return None if first is None else shape_of(first)

    @cached_property
    def _scale(self) -> tuple[float, float]:
        """Black and white among arrays of samples, told by some of all of them."""
        found = [
            scale_of(rows)
            for step in _evenly(self.steps, _LOOKED_AT)
            if (rows := self._readable(step)) is not None
        ]
        return max(set(found), key=found.count) if found else (0.0, 1.0)

    @cached_property
    def _drawn(self) -> list[Path]:
        return drawn(self.reals, self._shape.numbers if self._shape is not None else 1)

    def _readable(self, step: int) -> np.ndarray | None:
        try:
            return self.samples(step)
        except SnapshotError:
            return None

    def _read(self, files: Sequence[Path]) -> np.ndarray:
        """Rows of the files of a step, as they are kept; damaged files among several are left
        out."""
        found: list[np.ndarray] = []
        wrong: SnapshotError | None = None
        for file in files:
            try:
                found.append(self._rows(file))
            except SnapshotError as error:
                wrong = wrong or error
        found = [rows for rows in found if rows.shape[1:] == found[0].shape[1:]]
        if not found:
            raise wrong or SnapshotError(f"{self.root}: no samples")
        rows = np.concatenate(found)
        most = min(_MOST_ROWS, max(1, _MOST_NUMBERS // max(1, rows[0].size)))
        return rows[_spread(len(rows), most)] if len(rows) > most else rows

    def _rows(self, file: Path) -> np.ndarray:
        if not self._pictures:
            return in_layout(read_array(file, _MOST_ROWS))
        if self._tiling is None:
            raise SnapshotError(f"{file}: no size of tiles fits the pictures of this run")
        return self._tiling.tiles(file)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _spread(number: int, most: int) -> np.ndarray:
    return np.linspace(0, number - 1, most).round().astype(np.int64)


def _evenly(items: Sequence[_T], most: int) -> list[_T]:
    if len(items) <= most:
        return list(items)
    return [items[int(at)] for at in _spread(len(items), most)]
