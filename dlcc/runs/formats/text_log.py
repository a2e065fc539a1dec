"""Plain-text logs of any tool, by the kinds of lines that are learnt from the file itself.

A number's label is the text before it since the last break. Lines that have nearly the same labels
are one kind. Kinds come in a fixed order within a row, and a row begins where that order does.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.formats.log_config import config_of_text
from dlcc.runs.formats.log_tokens import (
    ABSENT,
    Layout,
    cleaned,
    clock_of,
    layout_of,
    named_by,
    split_line,
    value_of,
)
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.runs.formats.text_lines import TextLines
from dlcc.runs.raw_table import RawColumn, RawTable, Scalar
from dlcc.typing import Floats, Ints

_ALIKE = 0.6  # Jaccard index of the labels of two lines of one kind
_MOST_KINDS = 3_000
_MOST_NUMBERS = 150_000_000
_HEAD_LINES = 3_000
_RARE = 20  # a kind that comes more seldom than every 20th row is one only where its names tell
_TELLING = re.compile(r"(?i)fid|kid|psnr|ssim|lpips|loss|acc|val|epoch|iter|step|score|incep")
_AXIS_WORDS = ("epoch", "iter", "step", "batch", "kimg", "tick", "#1")
_OPTION_FILES = ("opt", "option", "config", "args", "hparam", "requirement", "readme", "license")


class TextLog(Reader):
    """Reader of plain-text logs: a training's output, a logger's file, lines pasted from them."""

    title: ClassVar = "text log"
    rank: ClassVar = 90

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if _can_be_a_log(file, named=len(listing.files) == 1):
                beside = tuple(
                    other.path
                    for other in listing.files
                    if other.path.parent == file.path.parent
                    and other.path != file.path
                    and other.name.lower().endswith(("opt.txt", "args.txt", "config.txt"))
                )
                yield FoundRecord(self, file.path.parent, (file.path,), beside=beside)

    def read(self, record: FoundRecord) -> RawTable:
        path = record.files[0]
        lines = TextLines(path)
        log = _Log()
        log.take(lines)
        if not lines.ended:
            log.drop_a_cut_end()
        table = log.table()
        if table is None:
            raise RunError(
                f"{path}: no line with named numbers was found in {log.lines:,} lines; expected "
                "rows such as 'epoch 3 d_loss 0.51 g_loss 1.2'"
            )
        columns, places, clock, config = table
        return RawTable(
            title=self.title,
            files=(path,),
            columns=columns,
            rows=len(places),
            places=places,
            clock=clock if np.isfinite(clock).any() else None,
            config=config,
            notes=tuple(lines.notes),
        )


def parse_log(lines: Iterable[str]) -> RawTable | None:
    """Parse lines that a training printed.

    Args:
        lines: Lines in order.

    Returns:
        Table of the numbers that recur in them; None where none do.

    >>> table = parse_log(["step 10 loss_d 0.5", "step 20 loss_d 0.4", "step 30 loss_d 0.3"])
    >>> sorted(table.columns), table.dense("loss_d").tolist()
    (['loss_d', 'step'], [0.5, 0.4, 0.3])
    """
    log = _Log()
    log.take(enumerate(lines, 1))
    table = log.table()
    if table is None:
        return None
    columns, places, _, config = table
    return RawTable(TextLog.title, (), columns, rows=len(places), places=places, config=config)


def _can_be_a_log(file: FoundFile, *, named: bool) -> bool:
    """Whether a file's head has lines with numbers in them, and is not a table of options."""
    if not file.is_text:
        return False
    if named and _has_rows(file):
        return True
    suffix, stem = file.path.suffix.lower(), file.path.stem.lower()
    if suffix in (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".sh"):
        return False
    if any(word in stem for word in _OPTION_FILES):
        return False
    return _has_rows(file)


def _has_rows(file: FoundFile) -> bool:
    """Whether the head of a file has lines that make rows."""
    log = _Log()
    lines = file.head.decode("utf-8", errors="replace").replace("\r", "\n").split("\n")
    log.take(enumerate(lines, 1))
    return log.table() is not None


@dataclass
class _Kind:
    """Kind of lines: those whose labels are nearly the same."""

    labels: set[str]
    first: int
    """Index of its first line among the lines with numbers."""
    lines: int = 0


@dataclass
class _Log:
    """Lines of a log with their numbers, before they are put into rows."""

    lines: int = 0
    layouts: list[Layout] = field(default_factory=list)
    kinds: list[_Kind] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    _index: dict[tuple[str, ...], tuple[int, int]] = field(default_factory=dict)
    """Texts of a line -> (layout, kind)."""
    _layout: array[int] = field(default_factory=lambda: array("q"))
    _kind: array[int] = field(default_factory=lambda: array("q"))
    _number: array[int] = field(default_factory=lambda: array("q"))
    _offset: array[int] = field(default_factory=lambda: array("q"))
    _values: array[float] = field(default_factory=lambda: array("d"))
    _clock: array[float] = field(default_factory=lambda: array("d"))
    _last: tuple[str, list[str], list[str]] = ("", [], [])

    def take(self, lines: Iterable[tuple[int, str]]) -> None:
        """Take in all lines of a file."""
        before = ""
        for number, raw in lines:
            self.lines = number
            if len(self.head) < _HEAD_LINES:
                self.head.append(raw)
            if not raw or raw.isspace():
                continue
            line = cleaned(raw)
            texts, tokens = split_line(line)
            if not tokens:
                before = line if any(c.isalpha() for c in line) else before
                continue
            if len(tokens) > 2_000 or len(self._values) > _MOST_NUMBERS:
                continue
            self._last = (line, texts, tokens)
            self._add(number, tuple(texts), tokens, before)

    def _add(self, number: int, texts: tuple[str, ...], tokens: list[str], before: str) -> None:
        values = [value_of(token) for token in tokens]
        clock = next((c for c in map(clock_of, tokens[:3]) if c == c), np.nan)
        if all(value == ABSENT for value in values):
            return
        index = self._index.get(texts)
        if index is None:
            index = self._learn(texts, before)
            if len(self._index) < 200_000:
                self._index[texts] = index
        if index[1] < 0:
            return
        self.kinds[index[1]].lines += 1
        self._layout.append(index[0])
        self._kind.append(index[1])
        self._number.append(number)
        self._offset.append(len(self._values))
        self._values.extend(values)
        self._clock.append(clock)

    def _learn(self, texts: tuple[str, ...], before: str) -> tuple[int, int]:
        """Find the layout of a new shape of lines, and the kind that it belongs to."""
        layout = layout_of(texts)
        if all(label.startswith("#") for label in layout.labels) and before:
            names = named_by(before, len(layout.labels))
            layout = layout if names is None else Layout(tuple(names))
        labels = set(layout.labels)
        self.layouts.append(layout)
        best, likeness = -1, 0.0
        for at, kind in enumerate(self.kinds):
            both = len(labels & kind.labels)
            if both and (alike := both / len(labels | kind.labels)) > likeness:
                best, likeness = at, alike
        if likeness >= _ALIKE:
            self.kinds[best].labels |= labels if likeness < 1 else set()
            return len(self.layouts) - 1, best
        if len(self.kinds) >= _MOST_KINDS:
            return len(self.layouts) - 1, -1
        self.kinds.append(_Kind(labels, len(self._kind)))
        return len(self.layouts) - 1, len(self.kinds) - 1

    def drop_a_cut_end(self) -> None:
        """Leave out the last number of a file that ends in it: digits of it may be missing."""
        _, texts, tokens = self._last
        if not self._offset or not tokens or texts[-1].strip():
            return
        labels = len(self.layouts[self._layout[-1]].labels)
        kind = self.kinds[self._kind[-1]]
        whole = labels >= max(
            len(self.layouts[self._layout[i]].labels)
            for i in range(max(0, len(self._kind) - 50), len(self._kind))
            if self._kind[i] == self._kind[-1]
        )
        decimals = len(tokens[-1].partition(".")[2])
        if whole and kind.lines > 1 and decimals == self._usual_decimals(kind):
            return
        if kind.lines > 1 or not whole:
            self._values[-1] = ABSENT

    def _usual_decimals(self, kind: _Kind) -> int:
        """Decimals of the last number in all earlier lines of the kind; -1 where they vary."""
        found = set()
        for raw in self.head:
            texts, tokens = split_line(cleaned(raw))
            if (
                tokens
                and set(layout_of(tuple(texts)).labels) <= kind.labels
                and raw != self._last[0]
            ):
                found.add(len(tokens[-1].partition(".")[2]))
        return found.pop() if len(found) == 1 else -1

    def table(self) -> tuple[dict[str, RawColumn], Ints, Floats, dict[str, Scalar]] | None:
        """Put the lines that recur into rows; None where there are none.

        Returns columns, the line at which each row begins, the clock of each row, configuration.
        """
        chosen = self._recurring()
        if not chosen:
            return None
        rows, places, clock = self._rows(chosen)
        of_rows = {self._number[i] for i in range(min(len(rows), _HEAD_LINES)) if rows[i] >= 0}
        rest = [line for number, line in enumerate(self.head, 1) if number not in of_rows]
        config = config_of_text("\n".join(rest))
        columns = self._columns(chosen, rows)
        if not columns:
            return None
        return columns, places, clock, config

    def _recurring(self) -> set[int]:
        """Kinds whose lines are rows: they recur, or are one row with an axis and other numbers."""
        recurring = {
            at
            for at, kind in enumerate(self.kinds)
            if kind.lines > 1 and not any(label.lower().startswith("best") for label in kind.labels)
        }  # the best so far is at a step of its own, and follows from the rest
        axis = {
            at
            for at, kind in enumerate(self.kinds)
            if len(kind.labels) > 1
            and any(label.lower().startswith(_AXIS_WORDS) for label in kind.labels)
        }
        if not recurring & axis:
            return recurring or axis
        most = max(self.kinds[at].lines for at in recurring)
        return {
            at
            for at in recurring
            if self.kinds[at].lines * _RARE > most
            or any(_TELLING.search(label) for label in self.kinds[at].labels)
        }

    def _rows(self, chosen: set[int]) -> tuple[Ints, Ints, Floats]:
        """Row of each line (-1 for none), the first line of each row and its clock."""
        order = {
            at: rank for rank, at in enumerate(sorted(chosen, key=lambda k: self.kinds[k].first))
        }
        row_of = np.full(len(self._kind), -1, dtype=np.int64)
        places: list[int] = []
        clock: list[float] = []
        seen: set[str] = set()
        last = len(order)
        for i, kind in enumerate(self._kind):
            rank = order.get(kind)
            if rank is None:
                continue
            labels = self.kinds[kind].labels
            if rank <= last or not seen.isdisjoint(labels):
                places.append(self._number[i])
                clock.append(self._clock[i])
                seen = set()
            elif clock[-1] != clock[-1]:
                clock[-1] = self._clock[i]
            seen |= labels
            row_of[i] = len(places) - 1
            last = rank
        return row_of, np.array(places, dtype=np.int64), np.array(clock, dtype=np.float64)

    def _columns(self, chosen: set[int], rows: Ints) -> dict[str, RawColumn]:
        """Columns by label, of the rows that have a number there."""
        layouts = np.array(self._layout, dtype=np.int64)
        offsets = np.array(self._offset, dtype=np.int64)
        values = np.array(self._values, dtype=np.float64)
        found: dict[str, list[tuple[Ints, Floats]]] = {}
        for at in np.unique(layouts[rows >= 0]):
            mine = np.flatnonzero((layouts == at) & (rows >= 0))
            for position, label in enumerate(self.layouts[at].labels):
                column = values[offsets[mine] + position]
                there = column != ABSENT
                if there.any():
                    found.setdefault(label, []).append((rows[mine][there], column[there]))
        columns = {}
        for label, parts in found.items():
            its = np.concatenate([part[0] for part in parts])
            numbers = np.concatenate([part[1] for part in parts])
            first = np.unique(its, return_index=True)[1]
            columns[label] = RawColumn(its[first], numbers[first])
        return columns
