"""Search for the samples that lie beside a foreign record, by names alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcc.runs.formats.quoting import listed
from dlcc.runs.formats.sample_names import ARRAYS, PICTURES, SampleName, leads_to_samples

MOST_FILES = 5_000
"""Candidates after which no more are looked for."""
_MOST_NAMES = 100_000
_DEEPEST = 4
_WORTH_MORE = 4  # dates from which on a family shows a course


@dataclass(frozen=True)
class FoundFiles:
    """Files beside a record that hold samples, and those that hold real data."""

    samples: tuple[SampleName, ...]
    """Files of one series, sorted by their numbers."""
    real: tuple[SampleName, ...]
    """Files of one series too."""
    notes: tuple[str, ...] = ()
    """Sentences on what was seen and is not used."""


def find_samples(root: Path) -> FoundFiles:
    """Find files of samples in a folder, and in those below it whose names speak of samples.

    Args:
        root: Folder of the run; links are not followed.

    Returns:
        The series of files that is the likeliest to be samples over time, and real data.
    """
    names, notes = [], []
    for at, path in enumerate(_candidates(root)):
        if at == MOST_FILES:
            notes.append(
                f"{root}: more than {MOST_FILES:,} pictures and arrays that could be samples, the "
                "rest is not looked at"
            )
            break
        names.append(SampleName.of(path))
    families, real = _families(names, real=False), _families(names, real=True)
    most = max(real.values(), key=_number, default=[])
    reals = tuple(sorted(most, key=_order))
    if not families:
        return FoundFiles((), reals, tuple(notes))
    best = max(families.values(), key=_worth)
    others = [family for family in sorted(families) if families[family] is not best]
    if others:
        notes.append(
            f"{root}: {listed('other series of files', others)} not used as samples, those of "
            f"{best[0].family} are"
        )
    return FoundFiles(tuple(sorted(best, key=_order)), reals, tuple(notes))


def _families(names: Sequence[SampleName], *, real: bool) -> dict[str, list[SampleName]]:
    """Names of samples, or of real data, by family."""
    families: dict[str, list[SampleName]] = {}
    for name in names:
        if name.real == real and name.rank >= 0:
            families.setdefault(name.family, []).append(name)
    return families


def _order(name: SampleName) -> tuple[tuple[int, ...], str]:
    return name.numbers, name.path


def _worth(family: Sequence[SampleName]) -> tuple[bool, int, int, str]:
    """Rank of a family: a course over time, then what the name says, then the number of dates."""
    dates = len({name.numbers for name in family})
    return dates >= _WORTH_MORE, family[0].rank, dates, family[0].family


def _candidates(root: Path) -> Iterator[str]:
    """Iterate over paths in the run that could be samples or real data, in the order of names."""
    seen = 0
    waiting = [("", 0)]
    while waiting and seen < _MOST_NAMES:
        inside, depth = waiting.pop(0)
        try:
            with os.scandir(root / inside) as scan:
                entries = []
                for entry in scan:
                    seen += 1
                    if seen > _MOST_NAMES:
                        break
                    if not entry.name.startswith(".") and not entry.is_symlink():
                        entries.append(entry)
        except OSError:
            continue
        for entry in sorted(entries, key=lambda e: e.name):
            path = f"{inside}/{entry.name}" if inside else entry.name
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEEPEST and leads_to_samples(entry.name):
                    waiting.append((path, depth + 1))
            elif Path(entry.name).suffix.lower() in PICTURES | ARRAYS and entry.is_file():
                yield path


def _number(family: Sequence[SampleName]) -> int:
    return len(family)
