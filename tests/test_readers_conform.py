"""Every reader conforms; one that does not is told its fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import PluginError
from dlcc.runs.formats.csv_table import CsvTable
from dlcc.runs.formats.json_history import JsonHistory
from dlcc.runs.formats.json_lines import JsonLines
from dlcc.runs.formats.printed_lists import PrintedLists
from dlcc.runs.formats.reader import FoundRecord, Listing, Reader
from dlcc.runs.formats.stylegan import StyleGan
from dlcc.runs.formats.text_log import TextLog
from dlcc.runs.raw_table import RawColumn, RawTable
from dlcc.testing import NonConformance, check_reader

ROWS = [{"step": i, "d_loss": 1 / (i + 1), "g_loss": i / 3} for i in range(40)]
CSV = "step,d_loss,g_loss\n" + "".join("{step},{d_loss},{g_loss}\n".format(**row) for row in ROWS)
LOG = "".join("step {step} d_loss {d_loss:.4f} g_loss {g_loss:.4f}\n".format(**row) for row in ROWS)
LISTS = f"G_losses = {[i / 3 for i in range(30)]}\nD_losses = {[1 / (i + 1) for i in range(30)]}\n"
STYLEGAN = [
    {"Progress/kimg": {"num": 1, "mean": 4.0 * i}, "Loss/G/loss": {"num": 1, "mean": 1.5}}
    for i in range(20)
]


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("reader", "name", "text"),
    [
        (CsvTable, "log.csv", CSV),
        (JsonLines, "log.jsonl", lines([{**row} for row in ROWS])),
        (JsonHistory, "history.json", json.dumps({"d_loss": [1.0] * 9, "g_loss": [0.5] * 9})),
        (StyleGan, "stats.jsonl", lines([{**row} for row in STYLEGAN])),
        (TextLog, "train.log", LOG),
        (PrintedLists, "losses.txt", LISTS),
    ],
)
def test_a_reader_conforms(reader: type[Reader], name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    check_reader(reader, tmp_path)


class Careless(Reader):
    """Reader that takes everything, and reads the first byte of each file as a number."""

    title = "careless"

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if file.name.endswith(".dat"):
                yield FoundRecord(self, file.path.parent, (file.path,))

    def read(self, record: FoundRecord) -> RawTable:
        (path,) = record.files
        value = float(path.read_bytes()[0])
        cells = RawColumn(np.array([0]), np.array([value]))
        return RawTable(self.title, (path,), {"x": cells}, rows=1)


class Greedy(Careless):
    """Reader that claims any text."""

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        return (FoundRecord(self, file.path.parent, (file.path,)) for file in listing.files)


class Writer(Careless):
    """Reader that leaves a file behind."""

    def read(self, record: FoundRecord) -> RawTable:
        (record.folder / "cache").write_text("x")
        return super().read(record)


class Backwards(Careless):
    """Reader whose rows descend."""

    def read(self, record: FoundRecord) -> RawTable:
        cells = RawColumn(np.array([1, 0]), np.array([1.0, 2.0]))
        return RawTable(self.title, record.files, {"x": cells}, rows=2)


@pytest.mark.parametrize(
    ("reader", "fault"),
    [
        (Careless, "cut at byte 0 ends in IndexError"),
        (Greedy, "claims a folder that holds nothing of its format"),
        (Writer, r"writes into the folder \(cache\)"),
        (Backwards, "rows are not ascending"),
        (TextLog, "finds no record"),
    ],
)
def test_a_fault_is_named(reader: type[Reader], fault: str, tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(b"\x05")
    with pytest.raises(NonConformance, match=fault):
        check_reader(reader, tmp_path)


def test_what_is_no_reader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="expected a class of Reader"):
        check_reader(int, tmp_path)  # type: ignore[type-var]  # what a user may give
