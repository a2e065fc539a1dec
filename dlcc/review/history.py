"""Reviews: what people who looked at runs said, in a file that only ever grows.

One JSON object a line: a review, or the undoing of one. What is undone stays in the file.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcc.errors import OptionError
from dlcc.past_runs.in_use import user_library_path

_MOST_NOTE = 2000


@dataclass(frozen=True)
class Review:
    """One verdict by someone who looked."""

    id: int
    """1, 2, 3, ... in the file."""
    time: str
    """ISO 8601, UTC."""
    run: str
    """Its name."""
    digest: str
    """Of its record, so that a copy is known; may be empty."""
    terms: Mapping[str, tuple[float, float]]
    """Term -> mean and standard deviation."""
    p_before: float
    """P(healthy) by the library alone, before any review."""
    healthy: bool
    note: str = ""


def reviews_path() -> Path:
    """`reviews.jsonl` beside the user's own library."""
    return user_library_path().with_name("reviews.jsonl")


def history(path: Path | None = None) -> tuple[Review, ...]:
    """The reviews that hold, oldest first; none where there is no file.

    Raises:
        OptionError: a line of the file is damaged.
    """
    file = path or reviews_path()
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OptionError(f"{file}: cannot be read ({error.strerror}); restore the file") from error
    return tuple(_holding(file, _lines(text)))


def record(
    run: str,
    *,
    healthy: bool,
    p_before: float,
    terms: Mapping[str, tuple[float, float]],
    digest: str = "",
    note: str = "",
    path: Path | None = None,
) -> Review:
    """Append a review; it is on the disk when this returns.

    Raises:
        OptionError: a number makes no sense, or the file cannot be used.
    """
    if not _are_shares(p_before, terms):
        raise OptionError(f"review of {run}: P(healthy) and terms lie within 0..1")
    if len(note) > _MOST_NOTE:
        raise OptionError(f"review of {run}: the note is longer than {_MOST_NOTE} characters")
    with _opened(path or reviews_path()) as (file, lines):
        highest = max((int(line.get("id", 0)) for line in lines), default=0)
        review = Review(
            highest + 1,
            _now(),
            run,
            digest,
            {name: (float(m), float(sd)) for name, (m, sd) in terms.items()},
            float(p_before),
            bool(healthy),
            note,
        )
        _append(file, asdict(review))
    return review


def undo(path: Path | None = None) -> Review:
    """Take the last review that holds back; returns it.

    Raises:
        OptionError: there is none, or the file cannot be used.
    """
    where = path or reviews_path()
    if not where.exists():
        raise OptionError(f"{where}: nothing to undo: there are no reviews")
    with _opened(where) as (file, lines):
        standing = _holding(where, lines)
        if not standing:
            raise OptionError(f"{where}: nothing to undo: no review is left that holds")
        _append(file, {"undo": standing[-1].id, "time": _now()})
    return standing[-1]


def _holding(file: Path, lines: Sequence[Mapping[str, Any]]) -> list[Review]:
    """The reviews that no later line takes back, oldest first."""
    standing: dict[int, Review] = {}
    for number, line in enumerate(lines, start=1):
        try:
            if "undo" in line:
                standing.pop(line["undo"], None)
                continue
            review = _review_of(line)
            if review.id in standing:
                raise ValueError(line)
            standing[review.id] = review
        except (KeyError, TypeError, ValueError, AttributeError):
            raise OptionError(
                f"{file}: line {number} is no review; remove the line or restore the file"
            ) from None
    return list(standing.values())


def _review_of(line: Mapping[str, Any]) -> Review:
    """The review in a line; ValueError, KeyError or the like where there is none."""
    terms = {str(k): (float(m), float(sd)) for k, (m, sd) in line["terms"].items()}
    review = Review(
        int(line["id"]),
        str(line["time"]),
        str(line["run"]),
        str(line["digest"]),
        terms,
        float(line["p_before"]),
        line["healthy"],
        str(line.get("note", "")),
    )
    if not (isinstance(review.healthy, bool) and _are_shares(review.p_before, terms)):
        raise ValueError(line)
    return review


def _are_shares(p: float, terms: Mapping[str, tuple[float, float]]) -> bool:
    numbers = [p, *(x for pair in terms.values() for x in pair)]
    return all(math.isfinite(x) and 0 <= x <= 1 for x in numbers)


def _lines(text: bytes) -> list[Mapping[str, Any]]:
    """The whole lines: what a kill left of a last one has no end and does not count."""
    found: list[Mapping[str, Any]] = []
    for line in text.split(b"\n")[:-1]:
        try:
            entry = json.loads(line)
        except (ValueError, UnicodeDecodeError):
            entry = None
        found.append(entry if isinstance(entry, dict) else {})  # {} is no review either
    return found


@contextmanager
def _opened(path: Path) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
    """The file, locked against other writers, and its lines; a torn last line is cut off."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise OptionError(
            f"{path}: cannot be written ({error.strerror}); choose another DLCC_LIBRARY"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = os.pread(file, os.fstat(file).st_size, 0)
        lines = _lines(text)
        _holding(path, lines)  # refuses to go on with a damaged file
        os.ftruncate(file, text.rfind(b"\n") + 1)
        yield file, lines
    finally:
        os.close(file)


def _append(file: int, entry: Mapping[str, Any]) -> None:
    line = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    before = os.fstat(file).st_size
    try:
        if os.write(file, line) != len(line):
            raise OSError(28, "No space left on device")
        os.fsync(file)
    except OSError as error:
        os.ftruncate(file, before)
        raise OptionError(f"the review cannot be written ({error.strerror})") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
