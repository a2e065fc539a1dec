"""Conformance kit for authors of formats: `check_format`.

A folder of the format is read whole, cut, moved, and with each of its files damaged. What a
reader must not do is to write, to see past `until`, to depend on where the folder lies, to end in
anything but one of this package's errors, and to miss a change in a digest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.engine.scratch import scratch_folder
from dlcc.errors import DlccError
from dlcc.runs import Run
from dlcc.runs.formats import as_format
from dlcc.runs.formats.format import Contents, Format
from dlcc.runs.hashes import digest_of_arrays, digest_of_files
from dlcc.runs.manifest import Manifest
from dlcc.runs.series import Series
from dlcc.runs.series_format import QUANTITY
from dlcc.testing.conformance import NonConformance, difference, fingerprint

_HASHED = ("samples", "sources", "documents")
_DAMAGES: Mapping[str, Callable[[bytes], bytes]] = {
    "is cut in half": lambda data: data[: len(data) // 2],
    "has another last byte": lambda data: data[:-1] + bytes(b ^ 1 for b in data[-1:]),
}


def check_format(
    format_: type[Any] | Format, folder: str | Path, mapping: Mapping[str, str] | None = None
) -> None:
    r"""Check that a format conforms: it never writes, cuts at `until`, and notices damage.

    Args:
        format_: Class of the format, or an instance.
        folder: Folder of the format, with series and as many other parts as it can have; a copy
            is used.
        mapping: Names for columns, where the folder needs one.

    Raises:
        NonConformance: The format does not conform; the message names the fault.
        PluginError: It is no class that follows `Format`.

    >>> from dlcc.runs.formats.native import Native
    >>> check_format(Native, "runs/ring-oscillating")
    """
    kind = format_ if isinstance(format_, type) else type(format_)
    name = kind.__name__
    reader = as_format(kind, name) if isinstance(format_, type) else format_
    if not (isinstance(reader.looks_for, str) and reader.looks_for):
        raise NonConformance(f"{name}: looks_for is no text; name the file that such a folder has")
    with scratch_folder("dlcc-check-") as temporary:
        copy, empty = temporary / "copy", temporary / "empty"
        shutil.copytree(folder, copy)
        empty.mkdir()
        if reader.recognises(copy) is not True:
            raise NonConformance(f"{name}: does not recognise the folder that it is checked with")
        if reader.recognises(empty) is not False:
            raise NonConformance(f"{name}: recognises an empty folder; recognises must be False")
        before, names = fingerprint(copy), dict(mapping or {})
        bench = _Bench(name, reader, names)
        try:
            _check_parts(name, bench.opened(copy), copy)
            whole = bench.read(copy)
            _check_cut(name, bench.opened(copy))
        except NonConformance:
            raise
        except Exception as error:
            raise NonConformance(
                f"{name}: cannot read the folder that it is checked with: "
                f"{type(error).__name__}: {error}"
            ) from error
        _check_mapping(name, reader, copy)
        if changed := difference(before, fingerprint(copy)):
            raise NonConformance(f"{name}: writes into the folder ({changed}); readers never write")
        _check_again(name, bench, copy, whole)
        place = temporary / "damaged"
        shutil.copytree(copy, place)
        for file in sorted(before):
            for damage in _DAMAGES:
                _check_damaged(name, bench, place, file, damage, whole)


@dataclass(frozen=True)
class _Read:
    """Digests of what a folder holds: by the format itself, and by its contents as they came."""

    said: Mapping[str, str]
    found: Mapping[str, str]


@dataclass(frozen=True)
class _Bench:
    name: str
    reader: Format
    mapping: Mapping[str, str]

    def opened(self, folder: Path) -> Run:
        contents = self.reader.open(folder, self.mapping)
        if not isinstance(contents, Contents):
            raise NonConformance(f"{self.name}: open returned {contents!r}; expected Contents")
        return Run(folder, contents, self.mapping)

    def read(self, folder: Path) -> _Read:
        """Read everything in a folder."""
        run = self.opened(folder)
        contents, steps = run.contents, run.sample_steps()
        snapshots, reference = run.snapshots(), run.reference()
        samples = [(str(step), run.samples(step)) for step in steps]
        rows = [] if reference is None else [("reference", reference)]
        columns = sorted(run.series().columns.items())
        found = {
            "series": digest_of_arrays([(n, c.values) for n, c in columns]),
            "snapshots": digest_of_files({str(f): f for s in snapshots for f in s.files()}),
            "samples": digest_of_arrays([*samples, *rows]),
            "sources": digest_of_files(contents.sources()),
            "documents": digest_of_files(contents.documents()),
        }
        said = {
            "snapshots": contents.snapshots_digest(snapshots),
            "samples": contents.samples_digest(steps),
            "sources": contents.sources_digest(),
            "documents": contents.documents_digest(),
        }
        return _Read(said, found)


def _check_mapping(name: str, reader: Format, folder: Path) -> None:
    """Check that a mapping that names nothing in the folder is refused."""
    try:
        contents = reader.open(folder, {"nobody/loss": "no such column"})
        contents.series(None)
    except DlccError:
        return
    raise NonConformance(f"{name}: ignores a mapping to a column that is not there; refuse it")


def _check_parts(name: str, run: Run, folder: Path) -> None:
    """Check types, orders and places of every part."""
    contents = run.contents
    if not isinstance(contents.manifest, Manifest):
        raise NonConformance(f"{name}: manifest is {contents.manifest!r}; expected a Manifest")
    notes = contents.notes
    if not isinstance(notes, tuple) or not all(isinstance(note, str) for note in notes):
        raise NonConformance(f"{name}: notes must be a tuple of sentences")
    table = contents.series(None)
    if not isinstance(table, Series) or not table.columns:
        raise NonConformance(f"{name}: series returned no Series with a column")
    for quantity, column in table.columns.items():
        if not QUANTITY.fullmatch(quantity):
            raise NonConformance(f"{name}: series {quantity!r} is not named player/quantity")
        if not (len(column.steps) == len(column.values) == len(column.clock) > 0):
            raise NonConformance(f"{name}: {quantity} has steps, values and clock of unlike length")
        if (np.diff(column.steps) <= 0).any():
            raise NonConformance(f"{name}: steps of {quantity} do not ascend strictly")
        if column.values.dtype != np.float64 or column.steps.dtype != np.int64:
            raise NonConformance(f"{name}: {quantity} must have int64 steps and float64 values")
    for what, steps in (
        ("sample_steps", contents.sample_steps(None)),
        ("snapshots", [snapshot.step for snapshot in contents.snapshots(None)]),
    ):
        if list(steps) != sorted(set(steps)):
            raise NonConformance(f"{name}: {what} do not ascend strictly")
    _check_samples(name, contents)
    _check_files(name, contents, folder)


def _check_samples(name: str, contents: Contents) -> None:
    reference = contents.reference()
    arrays = {f"samples of step {s}": contents.samples(s) for s in contents.sample_steps(None)}
    if reference is not None:
        arrays["reference"] = reference
    for what, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or array.ndim < 2:
            raise NonConformance(f"{name}: {what} must be an array of numbers [n, ...]")
        if len(array) == 0:
            raise NonConformance(f"{name}: {what} has no row")
        if reference is not None and array.shape[1:] != reference.shape[1:]:
            raise NonConformance(
                f"{name}: {what} has rows {list(array.shape[1:])}, the reference has "
                f"{list(reference.shape[1:])}"
            )


def _check_files(name: str, contents: Contents, folder: Path) -> None:
    for prefix, files in (("source", contents.sources()), ("documents", contents.documents())):
        for key, path in files.items():
            if not key.startswith(f"{prefix}/") or ".." in key.split("/"):
                raise NonConformance(f"{name}: file {key!r} must be named {prefix}/...")
            if not path.resolve().is_relative_to(folder.resolve()):
                raise NonConformance(f"{name}: {key} lies outside of the folder, at {path}")


def _check_cut(name: str, run: Run) -> None:
    """Check that nothing after `until` is read, and the same up to it."""
    whole = run.series()
    last = max(int(column.steps[-1]) for column in whole.columns.values())
    until = max(1, last // 2)
    cut = run.series(until).columns
    for quantity, column in cut.items():
        if (column.steps >= until).any():
            raise NonConformance(f"{name}: series({until}) shows {quantity} of later steps")
    for quantity, every in whole.columns.items():
        kept = every.steps < until
        shown = cut.get(quantity)
        if shown is None and not kept.any():
            continue
        if shown is None or not np.array_equal(shown.steps, every.steps[kept]):
            raise NonConformance(f"{name}: series({until}) lacks rows of {quantity} before it")
        if not np.array_equal(shown.values, every.values[kept], equal_nan=True):
            raise NonConformance(f"{name}: series({until}) has other values of {quantity}")
    listed: Mapping[str, Callable[[int | None], Sequence[int]]] = {
        "sample_steps": run.sample_steps,
        "snapshots": lambda step: [snapshot.step for snapshot in run.snapshots(step)],
    }
    for what, steps_at in listed.items():
        every_step = list(steps_at(None))
        for step in dict.fromkeys([until, *every_step[:1]]):
            found = list(steps_at(step))
            if any(later > step for later in found):
                raise NonConformance(f"{name}: {what}({step}) shows later steps")
            if found != [earlier for earlier in every_step if earlier <= step]:
                raise NonConformance(f"{name}: {what}({step}) lacks steps up to {step}")


def _check_again(name: str, bench: _Bench, copy: Path, whole: _Read) -> None:
    """Check that the same folder elsewhere is the same run."""
    moved = copy.with_name("moved")
    copy.rename(moved)
    try:
        again = bench.read(moved)
    finally:
        moved.rename(copy)
    for part, digest in whole.said.items():
        if again.said[part] != digest:
            raise NonConformance(
                f"{name}: {part}_digest depends on where the folder lies, or on the moment"
            )


def _check_damaged(
    name: str, bench: _Bench, place: Path, file: str, damage: str, whole: _Read
) -> None:
    """Check that a damaged file is refused in one sentence, or shows in the digest of its part.

    It is made good again: to copy the folder for each of its files would take most of the time.
    """
    sound = (place / file).read_bytes()
    try:
        (place / file).write_bytes(_DAMAGES[damage](sound))
        read = bench.read(place)
    except DlccError:
        return
    except NonConformance:
        raise
    except Exception as error:
        raise NonConformance(
            f"{name}: where {file} {damage} it raises {type(error).__name__}: {error}; raise "
            "a RunError that names the file, what was expected and what to do"
        ) from error
    finally:
        (place / file).write_bytes(sound)
    for part in _HASHED:
        if read.found[part] != whole.found[part] and read.said[part] == whole.said[part]:
            raise NonConformance(f"{name}: {part}_digest stays the same where {file} {damage}")
