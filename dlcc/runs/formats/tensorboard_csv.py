"""CSV files that TensorBoard's page exports: one file a tag, its name in the file's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.runs.formats.csv_table import CsvTable
from dlcc.runs.formats.reader import FoundRecord, Listing, Reader
from dlcc.runs.raw_table import RawColumn, RawTable
from dlcc.typing import Floats

_HEADER = b"Wall time,Step,Value"
_NAME = re.compile(r"^(?:run-(?P<run>.*?)-tag-|csv_)?(?P<tag>.*)\.csv$")


class TensorBoardCsv(Reader):
    """Reader of the files of one run, joined by their steps."""

    title: ClassVar = "TensorBoard's exported CSV"
    rank: ClassVar = 55

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        runs: dict[tuple[Path, str], list[Path]] = {}
        for file in listing.files:
            if file.head.removeprefix(b"\xef\xbb\xbf").startswith(_HEADER):
                run = _parts(file.path)[0]
                runs.setdefault((file.path.parent, run), []).append(file.path)
        several = len({folder for folder, _ in runs}) < len(runs)
        for (folder, run), files in runs.items():
            yield FoundRecord(self, folder, tuple(files), part=run if several else "")

    def read(self, record: FoundRecord) -> RawTable:
        found: dict[str, tuple[Floats, Floats]] = {}
        notes: list[str] = []
        for path in record.files:
            table = CsvTable().read(FoundRecord(CsvTable(), path.parent, (path,)))
            notes += table.notes
            if table.columns.keys() >= {"Step", "Value"}:
                found[_parts(path)[1]] = (table.dense("Step"), table.dense("Value"))
        stated = [steps[np.isfinite(steps)] for steps, _ in found.values()]
        steps = np.unique(np.concatenate(stated)) if stated else np.zeros(0)
        columns = {}
        for tag, (its, values) in found.items():
            known = np.isfinite(its)
            rows, last = np.unique(np.searchsorted(steps, its[known])[::-1], return_index=True)
            columns[tag] = RawColumn(rows.astype(np.int64), values[known][::-1][last])
        return RawTable(
            title=self.title,
            files=record.files,
            columns=columns,
            rows=len(steps),
            steps=steps.astype(np.int64),
            notes=tuple(notes),
        )


def _parts(path: Path) -> tuple[str, str]:
    """Run and tag in the name of an exported file; TensorBoard writes `_` for a slash."""
    match = _NAME.match(path.name)
    if match is None:
        return "", path.stem
    run = match["run"] or ""
    return run.strip("."), " ".join(match["tag"].split()) or path.stem
