"""Reviews: verdicts by people who looked at runs, in a file that only ever grows.

Each line is one JSON object: a review, or the undoing of one. A review that is undone stays in the
file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcc.engine.file_lock import lock_file
from dlcc.errors import OptionError
from dlcc.past_runs.in_use import user_library_path

_MOST_NOTE = 2000


@dataclass(frozen=True)
class Review:
    """Verdict by someone who looked at a run."""

    id: int
    """Number in the file: 1, 2, 3, ..."""
    time: str
    """Time of the review, ISO 8601, UTC."""
    run: str
    """Name of the run."""
    digest: str
    """Digest of the run's record, so that copies are recognised; may be empty."""
    terms: Mapping[str, tuple[float, float]]
    """Term -> its mean and standard deviation."""
    p_before: float
    """P(healthy) by the library alone, before any review."""
    healthy: bool
    """Whether the reviewer called the run healthy."""
    note: str = ""
    """Note of the reviewer."""
    confidence: float = 1.0
    """Probability with which the reviewer holds the verdict, above 0.5 and at most 1."""

    @property
    def label(self) -> float:
        """Probability that the run is healthy, by this review."""
        return self.confidence if self.healthy else 1 - self.confidence


def reviews_path() -> Path:
    """Path of `reviews.jsonl` beside the user's own library."""
    return user_library_path().with_name("reviews.jsonl")


def history(path: Path | None = None) -> tuple[Review, ...]:
    """Read the reviews that hold.

    Args:
        path: File of reviews; by default `reviews.jsonl` beside the user's own library.

    Returns:
        Reviews that were not undone, oldest first; none where there is no file.

    Raises:
        OptionError: The file cannot be read, or a line is damaged.
        LibraryError: $DLCC_LIBRARY names no file, so that no folder for reviews is known.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from dlcc.review import history, record
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "reviews.jsonl"
    ...     for name in ("a", "b"):
    ...         _ = record(name, healthy=False, p_before=0.9, terms={}, path=file)
    ...     [(review.run, review.healthy) for review in history(file)]
    [('a', False), ('b', False)]
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
    confidence: float = 1.0,
    path: Path | None = None,
) -> Review:
    """Append a review to the file; it is on the disk when this returns.

    Args:
        run: Name of the run.
        healthy: Whether the reviewer calls the run healthy.
        p_before: P(healthy) by the library alone, before any review, in [0, 1].
        terms: Term -> its mean and standard deviation, each in [0, 1].
        digest: Digest of the run's record, so that copies are recognised.
        note: Note of the reviewer, at most 2,000 characters.
        confidence: Probability with which the reviewer holds the verdict, above 0.5.
        path: File of reviews; by default `reviews.jsonl` beside the user's own library.

    Returns:
        The review with its number and time.

    Raises:
        OptionError: A number lies outside [0, 1], the note is too long, or the file cannot be used.
        LibraryError: $DLCC_LIBRARY names no file, so that no folder for reviews is known.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from dlcc.review import record
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "reviews.jsonl"
    ...     terms = {"logic": (0.98, 0.01), "impact": (0.4, 0.2)}
    ...     review = record("exp7", healthy=True, p_before=0.4, terms=terms, path=file)
    >>> review.id, review.run, review.healthy
    (1, 'exp7', True)
    """
    if not _are_shares(p_before, terms):
        raise OptionError(f"review of {run}: P(healthy) and terms lie within 0..1")
    if not 0.5 < confidence <= 1:
        raise OptionError(f"review of {run}: confidence {confidence:g}: expected above 0.5, to 1")
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
            float(confidence),
        )
        _append(file, asdict(review))
    return review


def undo(path: Path | None = None) -> Review:
    """Take back the last review that holds; it stays in the file, with a line that undoes it.

    Args:
        path: File of reviews; by default `reviews.jsonl` beside the user's own library.

    Returns:
        The review that was taken back.

    Raises:
        OptionError: There is no review left that holds, or the file cannot be used.
        LibraryError: $DLCC_LIBRARY names no file, so that no folder for reviews is known.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from dlcc.review import history, record, undo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "reviews.jsonl"
    ...     _ = record("exp7", healthy=True, p_before=0.4, terms={}, path=file)
    ...     undo(file).run, history(file)
    ('exp7', ())
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
    """Reviews that no later line takes back, oldest first."""
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
    """Read the review in a line; raises ValueError, KeyError or the like where there is none."""
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
        float(line.get("confidence", 1.0)),
    )
    usable = isinstance(review.healthy, bool) and 0.5 < review.confidence <= 1
    if not (usable and _are_shares(review.p_before, terms)):
        raise ValueError(line)
    return review


def _are_shares(p: float, terms: Mapping[str, tuple[float, float]]) -> bool:
    numbers = [p, *(x for pair in terms.values() for x in pair)]
    return all(math.isfinite(x) and 0 <= x <= 1 for x in numbers)


def _lines(text: bytes) -> list[Mapping[str, Any]]:
    """Whole lines of the file: a last one that was cut off has no line end and does not count."""
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
    """Open the file, locked against other writers, with its lines; a torn last line is cut off."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise OptionError(
            f"{path}: cannot be written ({error.strerror}); choose another DLCC_LIBRARY"
        ) from error
    try:
        lock_file(file, wait=True)
        os.lseek(file, 0, os.SEEK_SET)
        text = os.read(file, os.fstat(file).st_size)
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
