"""Watch on a live folder: findings as they arise, whatever writes the log.

The folder is read anew when it has changed. What reading costs sets how often that is done, so that
a watch takes a small share of a core however long the log has grown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dlcc.detect import detect
from dlcc.diagnosis import Diagnosis, diagnose
from dlcc.errors import InputError
from dlcc.findings import Finding
from dlcc.runs.series import Column, Series

SHARE = 0.006
"""Share of a core that reading may take; looking for changes and telling of them take the rest of a
hundredth."""
SHORTEST = 1.0
"""Seconds between two looks at least."""
_MOST_FILES = 2_000

Event = Literal["rows", "finding", "state", "restart", "waiting", "unreadable"]


@dataclass(frozen=True)
class WatchEvent:
    """Event of a watch."""

    event: Event
    """Kind of event: new rows, a finding, another state, a training begun anew, nothing to read."""
    diagnosis: Diagnosis | None = None
    finding: Finding | None = None
    message: str = ""


def watch(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    *,
    part: str | None = None,
    kind: str | None = None,
    objective: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[WatchEvent]:
    """Follow a folder, or a file, for ever.

    It survives rotation, a training that is begun anew, half-written lines, and a folder that is
    not there yet.

    Args:
        path: Folder or file, of any tool.
        mapping: Series to the column that holds it, where the names do not tell.
        part: Name of one of several runs.
        kind: Kind of training; None to tell it from the record.
        objective: Objective of the game; None to tell it from the record.
        clock: Clock in seconds.
        sleep: Function that waits so many seconds.

    Yields:
        Events as they arise; each finding once, until the training begins anew.

    >>> from itertools import islice
    >>> events = watch("runs/digits-collapsed", sleep=lambda seconds: None)
    >>> [event.event for event in islice(events, 1)]
    ['rows']
    """
    watched = _Watched()
    stamp: object = None
    waited, looked = False, False
    while True:
        seen = _stamp(Path(path))
        if seen != stamp and seen is not None:
            stamp, began = seen, clock()
            try:
                found = diagnose(path, mapping, part=part, kind=kind, objective=objective)
            except InputError as error:
                if not waited:
                    yield WatchEvent("unreadable", message=str(error))
                waited = True
            else:
                waited = False
                yield from watched.look(found)
            cost = clock() - began if looked else 0.0  # the first look imports what it needs
            looked = True
            sleep(max(SHORTEST, cost / SHARE))
            continue
        if seen is None and not waited:
            waited = True
            yield WatchEvent("waiting", message=f"{path}: not there yet")
        sleep(SHORTEST)


def _stamp(path: Path) -> object:
    """Mark of a path that changes when anything in it does; None where it is not there."""
    try:
        if not path.is_dir():
            stat = path.stat()
            return (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        stamps = []
        for folder, _, names in os.walk(path):
            for name in names:
                stat = os.stat(os.path.join(folder, name))
                stamps.append((name, stat.st_size, stat.st_mtime_ns))
                if len(stamps) > _MOST_FILES:
                    return tuple(stamps)
        return tuple(stamps)
    except OSError:
        return None


class _Watched:
    """Memory of a watch: rows, state and findings that it has seen."""

    def __init__(self) -> None:
        self._series = Series()
        self._state: str | None = None
        self._told: set[tuple[str, str | None]] = set()

    def look(self, found: Diagnosis) -> Iterator[WatchEvent]:
        """Take in what a folder holds now, with what it held before it was rotated."""
        now = found.record.series
        if self._series.columns and _begins_anew(self._series, now):
            yield WatchEvent(
                "restart",
                found,
                message=f"{found.run}: the training began anew; earlier rows end here",
            )
            self._series, self._state, self._told = Series(), None, set()
        whole = _joined(self._series, now)
        if whole is not now:
            record = replace(found.record, series=whole)
            found = replace(found, record=record, assessment=detect(record), rows=whole.rows)
        news = whole.recorded != self._series.recorded or whole.rows != self._series.rows
        self._series = whole
        if news:
            yield WatchEvent("rows", found, message=f"{whole.rows:,} rows")
        for finding in found.assessment.findings:
            key = (finding.code, finding.player)
            if key not in self._told:
                self._told.add(key)
                yield WatchEvent("finding", found, finding, finding.message)
        if found.state != self._state:
            self._state = found.state
            yield WatchEvent("state", found, message=found.assessment.why)


def _begins_anew(before: Series, now: Series) -> bool:
    """Whether rows are of another training: they end before those seen, and begin no later."""
    if not now.columns:
        return False
    first = min(int(c.steps[0]) for c in now.columns.values())
    first_before = min(int(c.steps[0]) for c in before.columns.values())
    return now.recorded < before.recorded and first <= first_before


def _joined(before: Series, now: Series) -> Series:
    """Series now, with rows from before that a rotation took away."""
    if not before.columns or not now.columns:
        return now
    first = min(int(c.steps[0]) for c in now.columns.values())
    if first <= min(int(c.steps[0]) for c in before.columns.values()):
        return now
    columns = {}
    for name in {**before.columns, **now.columns}:
        old, new = before.columns.get(name), now.columns.get(name)
        if old is None or new is None:
            columns[name] = old if new is None else new
            continue
        kept = old.before(int(new.steps[0]))
        columns[name] = Column(
            np.concatenate([kept.steps, new.steps]),
            np.concatenate([kept.values, new.values]),
            np.concatenate([kept.clock, new.clock]),
        )
    return replace(now, columns={k: v for k, v in columns.items() if v is not None})
