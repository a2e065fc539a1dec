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
    """Block of a document."""

    kind: BlockKind
    file: str
    line: int
    """Number of the block's first line, counted from 1."""
    text: str
    """Normalised text; a formula's LaTeX; a table's cells, tab- and newline-separated."""
    section: str
    """Headings above the block, joined by ' > '."""
    sentences: tuple[str, ...] = ()
    """Sentences of a paragraph or list."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Rows of a table, the header first."""


@dataclass(frozen=True)
class Formula:
    """Formula of a document, in line or displayed."""

    file: str
    line: int
    latex: str
    displayed: bool
    context: str
    """Sentence that brings the formula in."""
    unread: str = ""
    """Reason why a formula that was found is not read, `latex` then holds its signs in their order
    on the line; empty for one that is read."""


@dataclass(frozen=True)
class DocumentSeries:
    """Series that a document shows: printed by a notebook, or drawn as a curve."""

    file: str
    line: int
    name: str
    """Name of the series as the document has it."""
    series: str
    """Series of a record that it is taken for, such as `generator/loss`; empty where its name tells
    none."""
    unit: str
    """Unit of its steps, such as `step`, `epoch` or `row`; empty where nothing tells."""
    steps: tuple[float, ...]
    """Steps [n], ascending."""
    values: tuple[float, ...]
    """Values [n]."""
    tolerance: float
    """Half of the last digit that is printed, or the error of reading a curve, in its own unit."""
    drawn: bool = False
    """Whether it was read from a figure."""


@dataclass(frozen=True)
class Function:
    """Function or method of the source."""

    file: str
    name: str
    """Qualified name, such as `SmallGan.step`."""
    first_line: int
    last_line: int
    parameters: tuple[str, ...]
    docstring: str
    text: str
    calls: tuple[str, ...]
    """Names that the function calls, as written."""
    reads: tuple[str, ...]
    """Names that the function reads and does not bind."""
    binds: tuple[str, ...]
    """Names that the function assigns."""


@dataclass(frozen=True)
class PlayerCloud:
    """Loss-gradient cloud of a player, one point a step: its shape, in robust units."""

    whole: CloudShape
    fifths: tuple[CloudShape, ...]
    """Shapes [5] of the cloud by fifth of the configured length; fifths that the record has not
    reached have no points."""
    left_out: int
    """Number of points whose loss or gradient norm is not finite."""


@dataclass(frozen=True)
class MeasuredSeries:
    """Quantity that `Recorder.measure` recorded now and then, by fifth of the configured length."""

    rows: tuple[int, ...]
    """Number of rows [5] by fifth; rows that are not a number are not counted."""
    medians: tuple[float, ...]
    """Median [5] by fifth, in the quantity's unit; NaN without rows. Noise scales may be ∞."""


@dataclass(frozen=True)
class MeasuredLandscape:
    """Landscape as it was measured while the run trained."""

    clouds: Mapping[str, PlayerCloud]
    """Cloud of each player with a loss and a gradient norm at 10 steps or more."""
    measured: Mapping[str, MeasuredSeries]
    """Measures by series: `generator/grad_noise_scale` (in rows of a batch),
    `generator/instability`, ..."""
    surveys: tuple[SnapshotLandscape, ...]
    """Measures at snapshots that have them, ascending in step: curvature, slice, game and path."""
    batch: int | None
    """Number of rows of a batch, as the configuration has it; None where it names none, or two."""


@dataclass(frozen=True)
class Dossier:
    """Dossier: a run and its papers, typed and normalised."""

    steps: Array
    """Steps int64 [n] that all series share."""
    names: tuple[str, ...]
    """Names [k] of the series."""
    values: Array
    """Values float64 [n, k]; NaN where a quantity was not logged at a step, see `present`."""
    present: Array
    """Mask bool [n, k] of what was logged (its value may still be NaN)."""
    config: Mapping[str, str | int | float | bool | None]
    """Configuration, flattened: `optimizer.lr`."""
    blocks: tuple[Block, ...]
    formulas: tuple[Formula, ...]
    functions: tuple[Function, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    """Files that could not be read, each with the reason."""
    series: tuple[DocumentSeries, ...] = ()
    """Series that documents show, to be compared with the record."""
    landscape: MeasuredLandscape | None = None
    """Landscape as it was measured; None where nothing of it was."""
