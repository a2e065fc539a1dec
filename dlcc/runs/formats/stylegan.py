"""Folders of NVIDIA's StyleGAN2-ADA, StyleGAN3 and EDM: stats.jsonl and what lies beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.files import read_regular
from dlcc.runs.formats.json_lines import JsonRows, starts_with_an_object
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.runs.formats.text_lines import TextLines
from dlcc.runs.raw_table import RawColumn, RawTable, Scalar, flat

_KIMG = "Progress/kimg"
_SNAPSHOT = re.compile(r"network-snapshot-(\d+)")
_OPTIONS_BYTES = 1 << 22


class StyleGan(Reader):
    """Reader of stats.jsonl, with the metrics and the options beside it."""

    title: ClassVar = "StyleGAN stats.jsonl"
    rank: ClassVar = 20

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if starts_with_an_object(file) and b'"Progress/' in file.head.partition(b"\n")[0]:
                near = [f for f in listing.files if f.path.parent == file.path.parent]
                metrics = [f.path for f in near if _is_metric(f)]
                options = tuple(f.path for f in near if f.name == "training_options.json")
                yield FoundRecord(self, file.path.parent, (file.path, *metrics), beside=options)

    def read(self, record: FoundRecord) -> RawTable:
        stats, *metrics = record.files
        rows, lines = JsonRows(), TextLines(stats)
        rows.take(lines)
        table = rows.table(self.title, record.files, tuple(lines.notes))
        columns, notes = dict(table.columns), list(table.notes)
        for path in metrics:
            found, said = _metric(path, table)
            columns |= found
            notes += said
        config: dict[str, Scalar] = {}
        for path in record.beside:
            config |= _options(path, notes)
        return RawTable(
            **{**vars(table), "columns": columns, "config": config, "notes": tuple(notes)}
        )


def _is_metric(file: FoundFile) -> bool:
    return file.name.startswith("metric-") and b'"results"' in file.head[:4096]


def _metric(path: Path, table: RawTable) -> tuple[dict[str, RawColumn], list[str]]:
    """Columns of a file of metrics, each value at the row whose snapshot it is of."""
    rows, lines = JsonRows(), TextLines(path)
    rows.take(lines)
    if not rows.rows:
        return {}, list(lines.notes)
    own = rows.table("", (path,), ())
    stated = {row: _SNAPSHOT.search(text) for row, text in rows.texts.get("snapshot_pkl", [])}
    kimg = table.dense(_KIMG) if _KIMG in table.columns else np.zeros(0)
    if not len(kimg):
        return {}, [f"{path}: left out, for {table.files[0].name} has no {_KIMG}"]
    found = {}
    for name, column in own.columns.items():
        if not name.startswith("results/"):
            continue
        places: dict[int, float] = {}
        for row, value in zip(column.rows.tolist(), column.values.tolist(), strict=True):
            match = stated.get(row)
            if match is not None:
                nearest = int(np.nanargmin(np.abs(kimg - float(match[1]))))
                places[nearest] = value  # a metric computed twice counts as computed last
        ordered = sorted(places)
        found[f"Metrics/{name.removeprefix('results/')}"] = RawColumn(
            np.array(ordered, dtype=np.int64), np.array([places[row] for row in ordered])
        )
    return found, [*lines.notes, *rows.notes]


def _options(path: Path, notes: list[str]) -> dict[str, Scalar]:
    """Options as far as they can be read."""
    try:
        content = json.loads(read_regular(path, _OPTIONS_BYTES, RunError))
    except (ValueError, RecursionError, RunError):
        notes.append(f"{path}: cannot be read as JSON and is left out")
        return {}
    return flat(content) if isinstance(content, dict) else {}
