"""Contents of a record that another tool left: its table, with axis, session and roles."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from dlcc.errors import OptionError, RunError
from dlcc.runs.axis import Session, StepAxis, split_sessions, step_axis
from dlcc.runs.formats.foreign_config import (
    files_of_options,
    in_our_names,
    plain_config,
    read_options,
    stated_objective,
)
from dlcc.runs.formats.format import STEP, Contents
from dlcc.runs.formats.history import History, Logged
from dlcc.runs.formats.quoting import listed
from dlcc.runs.formats.reader import FoundRecord
from dlcc.runs.formats.sample_dates import Timeline
from dlcc.runs.formats.sample_images import SampleImages
from dlcc.runs.formats.settings_file import NAME, settings_for
from dlcc.runs.manifest import Manifest
from dlcc.runs.raw_table import RawTable, Scalar
from dlcc.runs.roles import RoleMap, map_roles
from dlcc.runs.series import Column, Series
from dlcc.runs.tree import files_under
from dlcc.typing import Bools, Floats, Ints

_DIFFUSION = ("diffusion_steps", "noise_schedule", "num_timesteps", "beta_schedule", "sigma_min")


@dataclass(frozen=True, eq=False)
class ForeignContents(Contents):
    """Content of another tool's record."""

    record: FoundRecord
    manifest: Manifest
    table: RawTable
    axis: StepAxis
    sessions: tuple[Session, ...]
    roles: RoleMap
    found_notes: tuple[str, ...] = ()
    beside: Path | None = None
    """Folder in which samples are looked for; None for that of the record."""
    reference_from: Path | None = None
    """Training data that the user named."""
    objective_from: str = ""
    """Place that states the objective; empty where none does."""
    part: str | None = None
    """Name of the run among several in its folder; None for the only one."""

    @property
    def session(self) -> Session:
        """Session that is judged."""
        return next(s for s in self.sessions if s.judged)

    @property
    def notes(self) -> tuple[str, ...]:
        first = str(self.table.files[0])
        said = [*self.found_notes, *self.table.notes, *(f"{first}: {s}" for s in self.axis.said)]
        if len(self.sessions) > 1:
            said.append(f"{first}: {self.session_words}")
        if self.roles.left_out:
            said.append(
                f"{first}: left out {listed('column', self.roles.left_out)}; take one in with "
                "--map PLAYER/QUANTITY=COLUMN"
            )
        said += [f"{first}: {question}" for question in self.roles.questions]
        said += self._images.said
        return tuple(said)

    def series(self, until: int | None) -> Series:
        return self._judged(self.roles.series()).before(until)

    @cached_property
    def _images(self) -> SampleImages:
        """Samples beside the record; they are decoded when they are asked for."""
        rows = slice(self.session.first, self.session.end)
        timeline = Timeline.of(self.table, self.axis, rows, self.clock())
        folder = self.beside or self.record.folder
        return SampleImages.find(folder, timeline, self.reference_from)

    def sample_steps(self, until: int | None) -> list[int]:
        return [step for step in self._images.steps if until is None or step <= until]

    def samples(self, step: int) -> np.ndarray:
        return self._images.samples(step)

    def sample_notes(self) -> tuple[str, ...]:
        return self._images.notes

    def reference(self) -> np.ndarray | None:
        return self._images.reference

    def samples_place(self, step: int | None) -> str:
        return self._images.place(step)

    def samples_digest(self, steps: Sequence[int]) -> str:
        return self._images.digest(steps)

    def sources(self) -> Mapping[str, Path]:
        return files_under(self.record.folder, "source")

    def documents(self) -> Mapping[str, Path]:
        return files_under(self.record.folder, "documents")

    def unmapped(self) -> Series:
        """Read the columns that have no role, under their own names.

        Returns:
            Series whose names are those of the record.
        """
        return self._judged(
            {name: name for name in self.roles.left_out if name in self.table.columns}
        )

    def rates(self) -> Series:
        """Read the learning rates.

        Returns:
            Series whose names are those of the record.
        """
        return self._aside("lr")

    def augmentation(self) -> Series:
        """Read the strengths of an augmentation that the training adapts.

        Returns:
            Series whose names are those of the record.
        """
        return self._aside("augmentation")

    def _aside(self, quantity: str) -> Series:
        """Columns of a quantity that is no player's series, under their own names."""
        names = [c.column for c in self.roles.columns if c.role and c.role.quantity == quantity]
        return self._judged({name: name for name in names})

    @property
    def plain_config(self) -> Mapping[str, Scalar]:
        """Configuration that was found, flat."""
        return self.manifest.config

    @property
    def session_words(self) -> str:
        """Sentence on the sessions of the record."""
        return _in_words(self.sessions, self.axis.unit)

    def clock(self, until: int | None = None) -> tuple[Floats, Floats]:
        """Read when rows were written.

        Args:
            until: Step before which rows are read; None for all.

        Returns:
            Steps [n] and Unix times [n] in seconds of the rows that have a time.
        """
        if self.table.clock is None:
            return np.zeros(0), np.zeros(0)
        rows = slice(self.session.first, self.session.end)
        steps, times = self.axis.steps[rows], self.table.clock[rows]
        there = np.isfinite(times)
        if until is not None:
            there &= steps < until
        return steps[there].astype(np.float64), times[there]

    def _judged(self, columns: Mapping[str, str]) -> Series:
        """Series of the judged session, of these columns by name."""
        first, end = self.session.first, self.session.end
        steps = _steady(self.axis.steps[first:end])
        trained: dict[str, Logged] = {}
        measured: dict[str, Logged] = {}
        for name, column in columns.items():
            raw = self.table.columns[column]
            low, high = np.searchsorted(raw.rows, (first, end))
            values = _right_way_up(name, raw.values)[low:high]
            present = None
            if len(values) < end - first:
                present = np.zeros(end - first, dtype=np.bool_)
                present[raw.rows[low:high] - first] = True
                spread = np.full(end - first, np.nan)
                spread[present] = values
                values = spread
            kind = measured if name.startswith(_MEASURED) else trained
            kind[name] = Logged(values, present)
        rows = np.zeros(end - first, dtype=np.bool_)
        for logged in trained.values():
            rows |= logged.present if logged.present is not None else True
        rows = rows if rows.any() else np.ones(end - first, dtype=np.bool_)
        series = History(steps[rows], _at(trained, rows)).table()
        found = {name: column for name, column in series.columns.items() if len(column.steps)}
        later = {name: _measured(steps, rows, logged) for name, logged in measured.items()}
        found |= {name: column for name, column in later.items() if len(column.steps)}
        return Series(found | _derived(found), series.restarts, series.rewinds, series.torn)


_MEASURED = ("metrics/", "validation/")
"""Series that a training computes now and then, also of weights from before."""


def _at(quantities: Mapping[str, Logged], rows: Bools) -> dict[str, Logged]:
    """Quantities at some of the rows."""
    if rows.all():
        return dict(quantities)
    return {
        name: Logged(q.values[rows], None if q.present is None else q.present[rows])
        for name, q in quantities.items()
    }


def _measured(steps: Ints, trained: Bools, logged: Logged) -> Column:
    """Column of what was measured, by step, but for steps that the training itself went back over.

    Measuring the best weights again at the end is no rewind.
    """
    later = np.where(trained, steps, np.iinfo(np.int64).max)
    least = np.append(np.minimum.accumulate(later[::-1])[::-1][1:], np.iinfo(np.int64).max)
    kept = steps <= least
    if logged.present is not None:
        kept &= logged.present
    its, values = steps[kept], logged.values[kept]
    its, first = np.unique(its, return_index=True)  # of weights measured twice the first stands
    return Column(its, values[first], np.full(len(its), np.nan))


def _steady(steps: Ints) -> Ints:
    """Steps without the small falls of rows that are written late, such as those of validation."""
    rises = np.diff(steps)
    stride = float(np.median(rises[rises > 0])) if (rises > 0).any() else 1.0
    steady = steps.copy()
    for row in np.flatnonzero(rises < 0) + 1:
        at = int(row)
        while at < len(steady) and 0 < steady[at - 1] - steady[at] <= 1.5 * stride:
            steady[at] = steady[at - 1]
            at += 1
    return steady


def _right_way_up(name: str, values: Floats) -> Floats:
    """Values of a divergence that is logged negative, turned; others as they are."""
    if not name.endswith("/kl"):
        return values
    finite = values[np.isfinite(values)]
    return -values if len(finite) and (finite <= 0).all() else values


def _derived(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Losses of discriminators of which the record has the two parts alone: their sum."""
    found = {}
    for name, real in columns.items():
        player, _, quantity = name.partition("/")
        fake = columns.get(f"{player}/loss_fake")
        if quantity != "loss_real" or f"{player}/loss" in columns or fake is None:
            continue
        steps, at, other = np.intersect1d(real.steps, fake.steps, return_indices=True)
        if len(steps):
            total = real.values[at] + fake.values[other]
            found[f"{player}/loss"] = Column(steps, total, real.clock[at])
    return found


def _in_words(sessions: tuple[Session, ...], unit: str) -> str:
    """Sessions of a record in one sentence."""
    parts = [f"{s.rows:,} rows to {unit} {s.last_step:,}" for s in sessions[:6]]
    more = f" and {len(sessions) - 6} more" if len(sessions) > 6 else ""
    number = next(i for i, s in enumerate(sessions, 1) if s.judged)
    which = "the last" if number == len(sessions) else f"number {number}"
    return (
        f"{len(sessions)} sessions (a training began anew): {', '.join(parts)}{more}; {which} is "
        "judged, the others are left out"
    )


def open_record(
    record: FoundRecord, name: str, mapping: Mapping[str, str], notes: tuple[str, ...] = ()
) -> ForeignContents:
    """Read a record and tell what it holds.

    Args:
        record: Record that a reader found.
        name: Name of the run.
        mapping: Series, or `step`, to the column that the user named for it.
        notes: Sentences on how the record was found.

    Returns:
        Contents of the run.

    Raises:
        RunError: Nothing of the record can be read.
        OptionError: The mapping names a column that is not there.
    """
    table = _read(record, _stamp(record))
    if not table.rows:
        raise RunError(
            f"{table.files[0]}: has no row yet; expected a row a step below its header, try again "
            "when the training has written one"
        )
    _check_columns(table, mapping)
    settings = settings_for(record.folder)
    of_folder = {name: c for name, c in settings.mapping.items() if c in table.columns}
    mapping = {**of_folder, **mapping}
    config = dict(table.config) | read_options(
        dict.fromkeys((*record.beside, *files_of_options(record.folder)))
    )
    table = replace(table, config=config)
    axis = step_axis(table, mapping.get(STEP))
    named = {series: column for series, column in mapping.items() if series != STEP}
    roles = map_roles(table, axis.columns, named)
    sessions = split_sessions(axis.steps, table.sessions)
    plain = plain_config(config)
    stated = (settings.objective, NAME) if settings.objective else stated_objective(plain)
    return ForeignContents(
        record=record,
        manifest=_manifest(name, roles, axis, plain, stated and stated[0], settings.kind),
        table=table,
        axis=axis,
        sessions=sessions,
        roles=roles,
        found_notes=notes,
        objective_from="" if stated is None else f"{stated[1]} says so",
    )


def _stamp(record: FoundRecord) -> tuple[tuple[int, ...], ...]:
    """Marks of the files that change when they do."""
    stats = [os.stat(path) for path in record.files if path.exists()]
    return tuple((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in stats)


@lru_cache(maxsize=4)
def _read(record: FoundRecord, stamp: tuple[tuple[int, ...], ...]) -> RawTable:
    """Read the table, remembered by `stamp`: an evaluation opens its run again and again."""
    return record.read()


def _check_columns(table: RawTable, mapping: Mapping[str, str]) -> None:
    for series, column in mapping.items():
        if column not in table.columns:
            raise OptionError(
                f"--map {series}={column}: {table.files[0]} has no such column; it has "
                f"{listed('column', [*table.columns])}"
            )


def _manifest(
    name: str,
    roles: RoleMap,
    axis: StepAxis,
    config: Mapping[str, Scalar],
    stated: str | None,
    kind: str | None,
) -> Manifest:
    """Manifest of a record, with the objective and the kind that are stated."""
    objective: dict[str, object] = {"kind": kind or kind_of(roles, config)}
    if stated is not None and _is_game(roles):
        objective["loss"] = stated
    ours = in_our_names(config)
    length = axis.length
    last = int(axis.steps.max()) + 1 if len(axis.steps) else 1
    seed = next(
        (config[key] for key in ("seed", "manual_seed", "manualSeed") if key in config), None
    )
    return Manifest(
        name=name or "run",
        objective=objective,
        data={"name": ours["data"]} if isinstance(ours.get("data"), str) else {},
        config=dict(ours),
        seed=seed if type(seed) is int else None,
        length=max(length, last) if length is not None and length < 2**53 else None,
    )


def _is_game(roles: RoleMap) -> bool:
    return any(player.startswith(("discriminator", "generator")) for player in roles.players)


def kind_of(roles: RoleMap, config: Mapping[str, object]) -> str:
    """Tell the kind of training from its roles.

    Args:
        roles: Roles of the columns.
        config: Configuration beside the record.

    Returns:
        `gan`, `vae`, `diffusion` or `unknown`.
    """
    if _is_game(roles):
        return "gan"
    series = roles.series()
    if "model/kl" in series:
        return "vae"
    ends = {key.rpartition(".")[2].lower() for key in config}
    if ends & set(_DIFFUSION):
        return "diffusion"
    return "unknown"
