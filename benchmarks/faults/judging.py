"""Judging of one training by its log: what diagnose says, and what the truth is."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.diagnosis import diagnose
from faults.habits import habit_of, write_log
from faults.kinds import KINDS, Kind
from faults.population import Member, path_of
from faults.recording import Recording, last, read
from faults.truth import GOOD

KIND_OF: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
ONSET_WITHIN = 0.05  # of the training's length
SHOWS = 1.5  # times its twin's distance: from there on a fault shows in the samples


@dataclass(frozen=True)
class Said:
    """What a judge says of a log, in the form that all judges are scored by."""

    state: str
    """State: failed, suspect, healthy or unknown."""
    codes: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    players: tuple[str | None, ...] = ()
    onsets: tuple[float | None, ...] = ()
    """Share of the logged stretch at which each finding begins."""


@dataclass(frozen=True)
class Judged:
    """Training with its truth and what was said of it."""

    group: str
    recipe: str
    seed: int
    habit: str
    is_fault: bool
    good: bool
    """Whether the samples are good at the end."""
    shows: bool
    """Whether the fault shows in the samples, or is one of the record."""
    onset: float | None
    """Share of the training at which the fault begins to act, where it does so midway."""
    said: Mapping[str, Said] = field(default_factory=dict)
    """What each judge says."""


Judge = Callable[[Path, Recording], Said]


def by_diagnose(log: Path, recording: Recording) -> Said:
    """What `dlcc diagnose` says of a log."""
    content = diagnose(log).to_json()
    first, end = content["axis"]["first"], content["axis"]["last"]
    findings = [f for f in content["findings"] if f["severity"] != "note"]

    def share(step: int | None) -> float | None:
        return None if step is None or end == first else (step - first) / (end - first)

    return Said(
        content["state"],
        tuple(f["code"] for f in findings),
        tuple(f["severity"] for f in findings),
        tuple(f["player"] for f in findings),
        tuple(share(f["first_step"]) for f in findings),
    )


def judged(member: Member, work: Path, judges: Mapping[str, Judge]) -> Judged:
    """Judge one training's log by all judges."""
    recording = read(path_of(member, work))
    kind = KIND_OF.get(member.group)
    drawn = zlib.crc32(f"habit {member.name}".encode())
    habit = habit_of(recording, drawn, metric=kind is not None and kind.metric)
    end = last(recording.truth)
    good = end < GOOD[member.recipe]
    shows = False
    if kind is not None:
        twin = read(path_of(Member("twin", member.recipe, member.seed), work))
        worse = not good or end > SHOWS * last(twin.truth) or not np.isfinite(end)
        shows = good if kind.of_record else worse
    with tempfile.TemporaryDirectory() as folder:
        log = write_log(
            recording, habit, Path(folder), broken_metric=member.group == "impossible_metric"
        )
        said = {name: judge(log, recording) for name, judge in judges.items()}
    onset = None if recording.onset is None else recording.onset / recording.length
    return Judged(
        member.group, member.recipe, member.seed, habit.__name__.lstrip("_"), member.is_fault,
        good, shows, onset, said,
    )  # fmt: skip


def right_kind(one: Judged, said: Said, first: int | None = None) -> bool:
    """Whether a right kind is among the findings, or the first few of them."""
    codes = said.codes[:first] if first else said.codes
    return bool(set(codes) & set(KIND_OF[one.group].codes))


def hit(one: Judged, said: Said) -> bool:
    """Whether a fault was found: failed or suspect, with a finding of the right kind."""
    return said.state in ("failed", "suspect") and right_kind(one, said)


def right_player(one: Judged, said: Said, *, strict: bool = False) -> bool:
    """Whether the first finding of the right kind names a player that may be at fault."""
    players = KIND_OF[one.group].players
    if "" in players:
        return True
    wanted = players[:1] if strict else players
    at = next(i for i, code in enumerate(said.codes) if code in KIND_OF[one.group].codes)
    return said.players[at] in wanted


def onset_error(one: Judged, said: Said) -> float | None:
    """Distance of the said onset from the true one, as a share of the training; None without."""
    if one.onset is None:
        return None
    at = next(i for i, code in enumerate(said.codes) if code in KIND_OF[one.group].codes)
    found = said.onsets[at]
    return float("inf") if found is None else abs(found - one.onset)


def plain(one: Judged) -> dict[str, Any]:
    """Judged training in plain values."""
    return asdict(one)
