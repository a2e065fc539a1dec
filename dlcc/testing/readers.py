"""Conformance kit for authors of readers: `check_reader`.

A folder with records of the format is read whole, again, from another place, cut and with flipped
bits. What a reader must not do is to write, to depend on where the folder lies, to claim a folder
that holds nothing of it, and to end in anything but one of this package's errors.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dlcc.engine.scratch import scratch_folder
from dlcc.errors import DlccError, PluginError
from dlcc.runs.formats.reader import Listing, Reader
from dlcc.runs.hashes import digest_of_parts
from dlcc.runs.raw_table import RawTable
from dlcc.testing.conformance import NonConformance, difference, fingerprint

_DAMAGES = 12  # cuts, and flipped bits, of each file


def check_reader(reader: type[Reader], folder: str | Path) -> None:
    """Check that a reader conforms: it never writes, reads the same twice, and survives damage.

    Args:
        reader: Class of the reader.
        folder: Folder with one record of the format, or more; a copy is used.

    Raises:
        NonConformance: The reader does not conform; the message names the fault.
        PluginError: It is no class of `Reader`.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from dlcc.runs.formats.csv_table import CsvTable
    >>> with TemporaryDirectory() as folder:
    ...     text = "step,d_loss" + "".join(chr(10) + f"{i},{i / 2}" for i in range(9)) + chr(10)
    ...     _ = (Path(folder) / "log.csv").write_text(text)
    ...     check_reader(CsvTable, folder)
    """
    if not (isinstance(reader, type) and issubclass(reader, Reader)):
        raise PluginError(f"expected a class of Reader, found {reader!r}")
    name = reader.__name__
    with scratch_folder("dlcc-check-") as temporary:
        copy, moved, empty = temporary / "copy", temporary / "moved", temporary / "empty"
        shutil.copytree(folder, copy)
        empty.mkdir()
        (empty / "notes.txt").write_text("nothing of any format\n")
        if list(reader().find(Listing.of(empty))):
            raise NonConformance(f"{name}: claims a folder that holds nothing of its format")
        before = fingerprint(copy)
        whole = _read(name, reader, copy)
        if not whole:
            raise NonConformance(f"{name}: finds no record in the folder that it is checked with")
        if changed := difference(before, fingerprint(copy)):
            raise NonConformance(f"{name}: writes into the folder ({changed}); readers never write")
        shutil.copytree(copy, moved)
        if _digest(_read(name, reader, moved)) != _digest(whole):
            raise NonConformance(f"{name}: reads other numbers when the folder lies elsewhere")
        for file in sorted(before):
            _check_damage(name, reader, copy, file)


def _read(name: str, reader: type[Reader], folder: Path) -> list[RawTable]:
    """Read all records of a folder and check the tables."""
    instance = reader()
    try:
        tables = [record.read() for record in instance.find(Listing.of(folder))]
    except Exception as error:
        raise NonConformance(
            f"{name}: cannot read the folder that it is checked with: {type(error).__name__}: "
            f"{error}"
        ) from error
    for table in tables:
        _check_table(name, table)
    return tables


def _check_table(name: str, table: RawTable) -> None:
    for column, cells in table.columns.items():
        if not column.isprintable() or not column:
            raise NonConformance(
                f"{name}: a column is named {column!r}; names are one line of text"
            )
        if len(cells.rows) != len(cells.values) or not len(cells.rows):
            raise NonConformance(
                f"{name}: column {column}: rows and values differ in number, or none"
            )
        if (np.diff(cells.rows) <= 0).any() or not 0 <= cells.rows[0] <= cells.rows[
            -1
        ] < table.rows:
            raise NonConformance(
                f"{name}: column {column}: rows are not ascending within the table"
            )
    for what, array in (("places", table.places), ("steps", table.steps), ("clock", table.clock)):
        if array is not None and len(array) != table.rows:
            raise NonConformance(f"{name}: {what} has {len(array)} entries for {table.rows} rows")
    if not all(path.is_file() for path in table.files):
        raise NonConformance(f"{name}: names a file that is not there")


def _digest(tables: list[RawTable]) -> str:
    parts: list[bytes | str] = []
    for table in tables:
        for column, cells in sorted(table.columns.items()):
            parts += [column, cells.rows.tobytes(), cells.values.tobytes()]
    return digest_of_parts(*parts)


def _check_damage(name: str, reader: type[Reader], folder: Path, file: str) -> None:
    """Cut a file, flip its bits, and check that nothing but this package's errors comes of it."""
    whole = (folder / file).read_bytes()
    rng = random.Random(file)
    damaged: Mapping[str, bytes] = {
        **{f"cut at byte {at}": whole[:at] for at in _places(rng, len(whole))},
        **{
            f"with a flipped bit at byte {at}": _flipped(whole, at)
            for at in _places(rng, len(whole))
        },
    }
    for how, data in damaged.items():
        (folder / file).write_bytes(data)
        try:
            for record in reader().find(Listing.of(folder)):
                _check_table(name, record.read())
        except DlccError:
            continue
        except NonConformance as error:
            raise NonConformance(f"{error}; {file} {how}") from error
        except Exception as error:
            raise NonConformance(
                f"{name}: {file} {how} ends in {type(error).__name__}: {error}; raise a RunError "
                "or leave the rows out with a note"
            ) from error
        finally:
            (folder / file).write_bytes(whole)


def _places(rng: random.Random, size: int) -> list[int]:
    return sorted({rng.randrange(size) for _ in range(_DAMAGES)}) if size else []


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]
