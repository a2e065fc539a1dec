"""Histories in one JSON document: Keras, Chainer, Hugging Face trainers, scripts of one's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.files import read_regular
from dlcc.runs.formats.json_lines import JsonRows
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.runs.raw_table import RawTable, Scalar, flat

_MAX_BYTES = 1 << 29
_START = re.compile(rb'\s*(?:\[\s*\{|\{\s*"[^"]*"\s*:)')
_LIST_OF_NUMBERS = re.compile(rb'"\s*:\s*\[\s*(?:-?\d|NaN|-?Infinity|null|\])')
_LOGS = ("log_history", "history", "logs", "metrics", "train", "results")
_STATE = "trainer_state.json"
_THE_END = 10**13  # later than any checkpoint
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,12})")
_AXES = ("epoch", "epochs", "step", "steps", "iteration", "iterations", "global_step")


class JsonHistory(Reader):
    """Reader of a JSON document that is a list of rows, or an object of lists."""

    title: ClassVar = "JSON history"
    rank: ClassVar = 45

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        states: dict[Path, list[tuple[int, Path]]] = {}
        for file in listing.files:
            if not _can_be_one(file):
                continue
            folder = file.path.parent
            checkpoint = _CHECKPOINT.fullmatch(folder.name)
            if file.name != _STATE:
                yield FoundRecord(self, folder, (file.path,))
            elif checkpoint and folder != listing.root:
                states.setdefault(folder.parent, []).append((int(checkpoint[1]), file.path))
            else:
                states.setdefault(folder, []).append((_THE_END, file.path))
        for folder, found in states.items():  # the last one holds what the others hold
            yield FoundRecord(self, folder, tuple(path for _, path in sorted(found, reverse=True)))

    def read(self, record: FoundRecord) -> RawTable:
        path = record.files[0]
        content, notes = _parsed(path)
        rows, config, title = _rows_of(content)
        if not rows:
            raise RunError(
                f"{path}: expected a list of rows or lists of numbers under names, such as "
                '{"loss": [0.7, 0.6]}; found neither'
            )
        table = JsonRows(config=dict(config), notes=notes)
        for row in rows:
            table.add(row, 0)
        made = table.table(title, (path,), ())
        return RawTable(**{**vars(made), "places": None})


def _can_be_one(file: FoundFile) -> bool:
    head = file.head.removeprefix(b"\xef\xbb\xbf")
    if not file.is_text or not _START.match(head):
        return False
    if head.lstrip().startswith(b"["):
        return any(c in head for c in (b'":', b'" :'))
    return bool(_LIST_OF_NUMBERS.search(head)) or b'"log_history"' in head or _logs_late(file)


def _logs_late(file: FoundFile) -> bool:
    """Whether a trainer's state holds its rows only after the head."""
    return file.name == _STATE


def _parsed(path: Path) -> tuple[Any, list[str]]:
    """Content of the document; of a damaged one the rows that are whole.

    Raises:
        RunError: Nothing of it can be read.
    """
    text = read_regular(path, _MAX_BYTES, RunError).decode("utf-8-sig", errors="replace")
    try:
        return json.loads(text), []
    except RecursionError:
        raise RunError(f"{path}: nested too deeply to be a record; take it away") from None
    except ValueError as error:
        whole = _whole_rows(text)
        if not whole:
            reason = " ".join(str(error).split())[:100]
            raise RunError(
                f"{path}: not valid JSON ({reason}); restore it from a copy, or cut it after the "
                "last row that is whole"
            ) from None
        place = getattr(error, "lineno", 0)
        note = f"{path}: line {place:,}: damaged; the {len(whole):,} rows before it are read"
        return whole, [note]


def _whole_rows(text: str) -> list[Any]:
    """Rows of a list that ends, or breaks, in the middle."""
    decoder = json.JSONDecoder()
    start = re.search(r"\[\s*(?=\{)", text)
    rows: list[Any] = []
    at = start.end() if start else len(text)
    while at < len(text):
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        rows.append(row)
        while at < len(text) and text[at] in " \r\n\t,":
            at += 1
    return rows


def _rows_of(content: Any) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, Scalar], str]:
    """Rows of a document, its other values as configuration, and the format in words."""
    if isinstance(content, list):
        rows = [row for row in content if isinstance(row, dict)]
        chainer = bool(rows) and {"iteration", "elapsed_time"} <= set(rows[0])
        return rows, {}, "Chainer log" if chainer else "JSON list of rows"
    if not isinstance(content, dict):
        return [], {}, ""
    for key in _LOGS:
        log = content.get(key)
        if isinstance(log, list) and log and all(isinstance(row, dict) for row in log):
            rest = {name: value for name, value in content.items() if name != key}
            title = "Hugging Face trainer state" if key == "log_history" else "JSON history"
            return log, flat(rest), title
    for key in _LOGS:  # an object of lists within the object
        inner = content.get(key)
        if isinstance(inner, dict) and any(_is_column(value) for value in inner.values()):
            return _transposed(inner), flat({k: v for k, v in content.items() if k != key}), _KERAS
    return _transposed(content), flat(content), _KERAS


_KERAS = "Keras-like history"


def _is_column(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(
            item is None
            or isinstance(item, int | float)
            or item in ("NaN", "Infinity", "-Infinity")
            for item in value[:1_000]
        )
    )


def _transposed(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of an object of lists; nested names are joined with a slash."""
    columns: dict[str, Sequence[Any]] = {}
    waiting = list(content.items())
    for name, value in waiting:
        if _is_column(value):
            columns[str(name)] = value
        elif isinstance(value, dict) and len(waiting) < 10_000:
            numbered = [str(key).isdigit() for key in value]
            if (
                numbered
                and all(numbered)
                and all(isinstance(v, int | float) for v in value.values())
            ):
                columns[str(name)] = list(value.values())  # pandas' to_json
            else:
                waiting += [(f"{name}/{key}", inner) for key, inner in value.items()]
    if not columns:
        return []
    longest = max(map(len, columns.values()))
    thin = {name: _places(len(column), longest) for name, column in columns.items()}
    rows: list[dict[str, Any]] = [{} for _ in range(longest)]
    for name, column in columns.items():
        for at, value in zip(thin[name], column, strict=True):
            rows[at][name] = value
    return rows


def _places(count: int, longest: int) -> list[int]:
    """Rows at which the values of a shorter list stand: spread evenly, the last one last."""
    if count == longest:
        return list(range(longest))
    even = np.linspace(longest / count - 1, longest - 1, count).round()
    return [int(place) for place in even]
