"""Dossier: a run and its papers, typed and normalised, as ingestion makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dlcc.codec import Array
from dlcc.landscape.cloud_shape import CloudShape
from dlcc.runs.snapshot_landscape import SnapshotLandscape

BlockKind = Literal["heading", "paragraph", "list", "table", "formula", "code"]


@dataclass(frozen=True)
class Block:
    """A block of a document."""

    kind: BlockKind
    file: str
    line: int
    """1-based, of its first line."""
    text: str
    """Normalised text; a formula's LaTeX; a table's cells, tab- and newline-separated."""
    section: str
    """The headings above it, joined by ' > '."""
    sentences: tuple[str, ...] = ()
    """Of a paragraph or list."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Of a table, the header first."""


@dataclass(frozen=True)
class Formula:
    """A formula of a document, in line or displayed."""

    file: str
    line: int
    latex: str
    displayed: bool
    context: str
    """The sentence that brings it in."""


@dataclass(frozen=True)
class Function:
    """A function or method of the source."""

    file: str
    name: str
    """Qualified: `SmallGan.step`."""
    first_line: int
    last_line: int
    parameters: tuple[str, ...]
    docstring: str
    text: str
    calls: tuple[str, ...]
    """Names that it calls, as written."""
    reads: tuple[str, ...]
    """Names that it reads and does not bind."""
    binds: tuple[str, ...]
    """Names that it assigns."""


@dataclass(frozen=True)
class PlayerCloud:
    """The loss-gradient cloud of a player, one point a step: how it lies, in robust units."""

    whole: CloudShape
    fifths: tuple[CloudShape, ...]
    """[5], of the configured length; without points those that the record has not reached."""
    left_out: int
    """Points whose loss or gradient norm is not finite."""


@dataclass(frozen=True)
class MeasuredSeries:
    """A quantity that `Recorder.measure` recorded now and then, by fifth of the configured
    length."""

    rows: tuple[int, ...]
    """[5]; rows that are not a number are not counted."""
    medians: tuple[float, ...]
    """[5], in the quantity's unit; NaN without rows. A noise scale may be infinite."""


@dataclass(frozen=True)
class MeasuredLandscape:
    """What was measured of the landscape while the run trained."""

    clouds: Mapping[str, PlayerCloud]
    """By player: of those with a loss and a gradient norm at 10 steps or more."""
    measured: Mapping[str, MeasuredSeries]
    """By series: `generator/grad_noise_scale` (in rows of a batch), `generator/instability`, ..."""
    surveys: tuple[SnapshotLandscape, ...]
    """Of the snapshots that have one, ascending in step: curvature, slice, game and path."""
    batch: int | None
    """Rows of a batch, as the configuration has it; None where it names none, or two."""


@dataclass(frozen=True)
class Dossier:
    """A run and its papers, typed and normalised."""

    steps: Array
    """The common step axis, int64 [n]."""
    names: tuple[str, ...]
    """The series, [k]."""
    values: Array
    """float64 [n, k], NaN where a quantity was not logged at a step; see `present`."""
    present: Array
    """bool [n, k]: whether it was logged (its value may still be NaN)."""
    config: Mapping[str, str | int | float | bool | None]
    """The configuration, flattened: `optimizer.lr`."""
    blocks: tuple[Block, ...]
    formulas: tuple[Formula, ...]
    functions: tuple[Function, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    """(file, why) for what could not be read."""
    landscape: MeasuredLandscape | None = None
    """None where nothing of it was measured."""
