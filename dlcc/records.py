"""The typed records that stages hand to each other.

Two kinds: the parts of the run itself (`Config`, `Series`, `Snapshots`, `Samples`, `Sources`,
`Documents`), all cut at the step `until`, and what stages make of them. Arrays are read-only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from dlcc.codec import Array
from dlcc.errors import RunError
from dlcc.estimate import Estimate
from dlcc.runs.files import opened_regular

if TYPE_CHECKING:
    import networkx as nx

    from dlcc.runs import Run, Snapshot

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RunPart(Protocol):
    """A part of the run: read from its folder in the process that needs it."""

    absent: ClassVar[str]
    """What a stage says that needs this part of a run that has none."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Self | None:
        """The part before step `until`; None where the run has none."""

    def digest(self) -> str:
        """Hash of all that a stage could read in it."""


def _hash(*parts: bytes | str) -> str:
    state = xxhash.xxh3_128()
    for part in parts:
        state.update(part if isinstance(part, bytes) else part.encode())
        state.update(b"\0")
    return state.hexdigest()


# --- the parts of a run ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Config:
    """What `run.json` says of the training."""

    absent: ClassVar = "the run has no run.json"

    players: Mapping[str, Mapping[str, Any]]
    objective: Mapping[str, Any]
    data: Mapping[str, Any]
    config: Mapping[str, Any]
    seed: int | None
    length: int
    """The configured number of steps; of a run that names none, the steps that it has."""
    training: str | None
    """How to build the training again: `source/train.py:build`."""
    versions: Mapping[str, str]
    machine: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run, until: int | None) -> Config:
        m = run.manifest
        return cls(
            players={name: p.model_dump() for name, p in m.players.items()},
            objective=dict(m.objective),
            data=dict(m.data),
            config=dict(m.config),
            seed=m.seed,
            length=run.length,
            training=m.training,
            versions=dict(m.versions),
            machine=dict(m.machine),
        )

    def digest(self) -> str:
        return _hash(json.dumps(self.__dict__, sort_keys=True, default=str))


@dataclass(frozen=True)
class Column:
    """One quantity: `steps` int64 [n] ascending, `values` float64 [n], `clock` [n] unix seconds."""

    steps: Ints
    values: Floats
    clock: Floats


@dataclass(frozen=True)
class Series:
    """Every quantity that was logged, by its name `player/quantity`."""

    absent: ClassVar = "the run logged no series"

    columns: Mapping[str, Column]
    restarts: tuple[int, ...] = ()
    """Steps at which a later recording session began."""
    rewinds: tuple[tuple[int, int], ...] = ()
    """(from, to): the training went back, and later rows superseded earlier ones."""
    torn: bool = False
    """Whether the last block was cut by a kill."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Series | None:
        read = run.series(until=until)
        if not read.columns:
            return None
        columns = {
            name: Column(_frozen(c.steps), _frozen(c.values), _frozen(c.clock))
            for name, c in sorted(read.columns.items())
        }
        return cls(columns, tuple(read.restarts), tuple(read.rewinds), read.torn)

    def digest(self) -> str:
        parts: list[bytes | str] = [repr((self.restarts, self.rewinds, self.torn))]
        for name, column in self.columns.items():
            parts += [name, *(a.tobytes() for a in (column.steps, column.values, column.clock))]
        return _hash(*parts)


@dataclass(frozen=True)
class Snapshots:
    """The snapshots, lazily: weights are read when asked for."""

    absent: ClassVar = "the run took no snapshots"

    handles: tuple[Snapshot, ...]
    """Ascending in step."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Snapshots | None:
        handles = tuple(run.snapshots(until=until))
        return cls(handles) if handles else None

    def digest(self) -> str:
        return _hash_folders([s.path for s in self.handles])

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(self.handles)


@dataclass(frozen=True)
class Samples:
    """What the generator made over time, and training data to hold it against."""

    absent: ClassVar = "the run recorded no samples"

    run: Run = field(repr=False)
    steps: tuple[int, ...]
    """Ascending steps at which samples were taken."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Samples | None:
        steps = tuple(run.sample_steps(until=until))
        return cls(run, steps) if steps else None

    def at(self, step: int) -> Floats:
        """Samples [n, ...] taken before `step`."""
        return _frozen(np.asarray(self.run.samples(step), dtype=np.float64))

    def comparable(self, step: int) -> bool:
        """Whether the samples of a step are rows like the reference's, and enough to judge by."""
        rows, reference = self.at(step), self.reference
        like = reference is not None and rows.shape[1:] == reference.shape[1:]
        return like and rows.ndim > 1 and len(rows) >= _FEWEST_SAMPLES

    @cached_property
    def reference(self) -> Floats | None:
        """Finite rows [n, ...] of the training data that the run names; None without any."""
        rows = self.run.reference()
        if rows is None:
            return None
        finite = np.isfinite(rows.reshape(len(rows), -1).astype(np.float64)).all(axis=1)
        return _frozen(np.asarray(rows[finite], dtype=np.float64))

    def digest(self) -> str:
        files = [self.run.layout.samples_file(step) for step in self.steps]
        reference = self.run.layout.reference_file
        files += [reference] if reference.exists() else []
        return _hash_files(files, self.run.path)


@dataclass(frozen=True)
class Sources:
    """The code that came with the run. Hostile until proven otherwise: parsed, never imported."""

    absent: ClassVar = "the run brought no source/"

    root: Path
    """The run's folder; the files lie under `source/`."""
    files: Mapping[str, str]
    """`source/...` -> text, of the files that are text."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Sources | None:
        files = _texts(run.source_files())
        return cls(run.path, files) if files else None

    def digest(self) -> str:
        from dlcc.runs import Run

        # files that are no text count too: code may read them when it is replayed
        return _hash_files(list(Run.open(self.root).source_files().values()), self.root)


@dataclass(frozen=True)
class Documents:
    """The documents beside the run."""

    absent: ClassVar = "the run has no documents/"

    files: Mapping[str, str]
    """`documents/...` -> text, of the files that are text."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Documents | None:
        files = _texts(run.document_files())
        return cls(files) if files else None

    def digest(self) -> str:
        return _hash(*(part for item in self.files.items() for part in item))


_FEWEST_SAMPLES = 20  # rows of a checkpoint under which shares of samples say nothing
_LONGEST_TEXT = 4 << 20  # bytes of a document or source file that are read

RUN_PARTS: tuple[type[RunPart], ...] = (Config, Series, Snapshots, Samples, Sources, Documents)


# --- what ingestion makes -------------------------------------------------------------------------

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


# --- what decomposition makes ---------------------------------------------------------------------

NodeKind = Literal[
    "document", "section", "paragraph", "sentence", "formula", "table", "file", "function",
    "player", "layer", "series", "snapshot",
]  # fmt: skip
EdgeKind = Literal["contains", "calls", "data", "time", "means", "measures"]


@dataclass(frozen=True)
class Node:
    """A node of the run's graph."""

    id: str
    """Unique and stable: `function:source/train.py:SmallGan.step`."""
    kind: NodeKind
    label: str
    place: str | None = None


@dataclass(frozen=True)
class Edge:
    """A directed edge between two nodes."""

    source: str
    target: str
    kind: EdgeKind
    weight: float = 1.0
    """Cosine similarity for "means": this text or formula is that code."""


@dataclass(frozen=True)
class RunGraph:
    """One graph over documents, code, layers, series and snapshots."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    embedding: str
    """The model that found the "means" edges."""

    def to_networkx(self) -> nx.MultiDiGraph[str]:
        """The same as a networkx multigraph, nodes and edges with their attributes."""
        import networkx as nx

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for node in self.nodes:
            graph.add_node(node.id, kind=node.kind, label=node.label, place=node.place)
        for edge in self.edges:
            graph.add_edge(edge.source, edge.target, key=edge.kind, weight=edge.weight)
        return graph


# --- what health makes ----------------------------------------------------------------------------

Label = Literal["healthy", "weak", "oscillating", "collapsed", "diverged"]
LABELS: tuple[Label, ...] = ("healthy", "weak", "oscillating", "collapsed", "diverged")


@dataclass(frozen=True)
class HealthRecord:
    """The state of the run, and since when. `failed` is collapsed, oscillating or diverged."""

    label: Label
    probabilities: Mapping[str, float]
    """Of each label; they sum to 1."""
    onset: int | None
    """First step of the final unbroken bad stretch; None for a run without one."""
    onset_interval: tuple[int, int] | None
    """90 %; no finer than the checkpoints."""
    stability: Estimate
    """Share of good checkpoints in the second half."""
    next_quarter: Estimate
    """Share of good checkpoints in the next quarter of the configured length."""
    checkpoints: Array
    """Steps int64 [c] at which samples or windows of the series were judged."""
    coverage: Array
    """Share of the training data's regions that samples reach, [c]; NaN without samples."""
    quality: Array
    """Share of samples that lie where training data lie, [c]; NaN without samples."""
    good: Array
    """P(good) at each checkpoint, [c]."""
    features: Mapping[str, float]
    """The vector that the verdict and P(healthy) were computed from."""


# --- what consistency makes -----------------------------------------------------------------------

Verdict = Literal["proved", "refuted", "unknown"]


@dataclass(frozen=True)
class Obligation:
    """A statement that must hold, and what became of it."""

    id: str
    kind: Literal["record", "symbolic", "replay"]
    statement: str
    verdict: Verdict
    method: str
    """What decided it: `sympy`, `counterexample`, `recomputed from the probe`, ..."""
    place: str | None = None
    counterexample: str | None = None
    reason: str | None = None
    """Why it is unknown."""


@dataclass(frozen=True)
class Obligations:
    """All obligations of the consistency stage."""

    items: tuple[Obligation, ...]


# --- what execution makes -------------------------------------------------------------------------


ReplayKind = Literal["weights", "probe", "steps", "state"]


@dataclass(frozen=True)
class ReplayCheck:
    """One thing that was computed again from a snapshot and compared with the record.

    `weights`: the players' tensors against those that the training has after loading its state;
    `probe`: the losses and outputs on the snapshot's batch; `steps`: the logged quantities of the
    steps from the snapshot on; `state`: the next snapshot against the state that these steps reach.
    """

    kind: ReplayKind
    snapshot: int
    first_step: int
    last_step: int
    compared: int
    """Numbers compared."""
    worst: float
    """Largest deviation, relative to the larger of the recorded value's size and 1."""
    tolerance: float
    """0: equal to the last bit."""
    agrees: bool | None
    """None where it could not be decided; see `reason`."""
    deviating: tuple[str, ...] = ()
    """The quantities or tensors that deviate by more than the tolerance."""
    deviating_steps: tuple[int, ...] = ()
    """Of `steps`: the steps whose rows do."""
    reason: str | None = None


@dataclass(frozen=True)
class Executed:
    """What the code did when it ran again."""

    replays: tuple[ReplayCheck, ...]
    extremes: Mapping[str, float]
    """`player/input` -> share of finite outputs under extreme and random inputs."""
    exact: bool
    """Whether equality to the last bit was asked for: the same kind of machine and software."""


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _texts(files: Mapping[str, Path]) -> dict[str, str]:
    """Those of the files that are UTF-8 text, cut where they are absurdly long."""
    texts = {}
    for name, path in sorted(files.items()):
        try:
            with opened_regular(path, RunError) as stream:
                texts[name] = stream.read(_LONGEST_TEXT).decode()
        except UnicodeDecodeError:
            continue
    return texts


def _hash_folders(folders: list[Path]) -> str:
    for folder in folders:
        if folder.is_symlink() or not folder.is_dir():
            raise RunError(f"{folder}: not a folder of a snapshot; remove it or restore the copy")
    run = folders[0].parent.parent
    return _hash_files([f for folder in folders for f in folder.iterdir()], run)


def _hash_files(files: list[Path], run: Path) -> str:
    state = xxhash.xxh3_128()
    for path in sorted(files):
        state.update(f"{path.relative_to(run)}\0".encode(errors="surrogateescape"))
        with opened_regular(path, RunError) as stream:
            while chunk := stream.read(1 << 22):
                state.update(chunk)
    return state.hexdigest()
