"""The typed records that stages hand to each other.

Two kinds: the parts of the run itself (`dlcc.run_parts`, importable from here too), and what stages
make of them, which stands here. Arrays are read-only.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dlcc.codec import Array
from dlcc.estimate import Estimate
from dlcc.landscape.clouds import CloudShape
from dlcc.run_parts import RUN_PARTS as RUN_PARTS
from dlcc.run_parts import Column as Column
from dlcc.run_parts import Config as Config
from dlcc.run_parts import Documents as Documents
from dlcc.run_parts import Samples as Samples
from dlcc.run_parts import Series as Series
from dlcc.run_parts import Snapshots as Snapshots
from dlcc.run_parts import Sources as Sources
from dlcc.runs.surveys import SurveyRecord

if TYPE_CHECKING:
    import networkx as nx


def __getattr__(name: str) -> Any:
    if name != "Label":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        "dlcc.records.Label is str now, for kinds bring labels of their own; it goes in 0.3",
        DeprecationWarning,
        stacklevel=2,
    )
    return str


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
    surveys: tuple[SurveyRecord, ...]
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

LABELS = ("healthy", "weak", "oscillating", "collapsed", "diverged")
"""The usual labels; a kind of training may have further ones."""


def most_probable(probabilities: Mapping[str, float]) -> str:
    """The label with the largest of these probabilities; of equal ones the first of `LABELS`."""
    others = sorted(probabilities.keys() - set(LABELS))
    return max((*LABELS, *others), key=lambda label: probabilities.get(label, 0.0))


@dataclass(frozen=True)
class HealthRecord:
    """The state of the run, and since when."""

    label: str
    probabilities: Mapping[str, float]
    """Of each label; they sum to 1."""
    onset: int | None
    """First step of the final unbroken bad stretch; None for a run without one."""
    onset_interval: tuple[int, int] | None
    """90 %; no finer than the checkpoints."""
    stability: Estimate
    """Share of good checkpoints in the second half."""
    checkpoints: Array
    """Steps int64 [c] at which samples or windows of the series were judged."""
    coverage: Array
    """Share of the training data's regions that samples reach, [c]; NaN without samples."""
    quality: Array
    """Share of samples that lie where training data lie, [c]; NaN without samples."""
    figures: Array
    """What samples say at each checkpoint, `dlcc.health.samples.SAMPLE_FEATURES`; [0, 8] without
    samples."""
    good: Array
    """P(good) at each checkpoint, [c]."""
    seen: float
    """Share of the configured length that the record has, at most 1."""
    features: Mapping[str, float]
    """The landscape vector: what the verdict, the forecast and P(healthy) are made of."""


# --- what novelty and impact make -----------------------------------------------------------------


@dataclass(frozen=True)
class PastNeighbour:
    """A past run that lies near in landscape space, and what became of it."""

    data: str
    config: Mapping[str, str | int | float | bool | None]
    label: str
    stability: float
    distance: float
    """In units of what 90 % of the library's runs keep among themselves."""


@dataclass(frozen=True)
class Neighbourhood:
    """Where the run lies among past ones."""

    nearest: tuple[PastNeighbour, ...]
    distance: float
    """Mean over the five nearest, in the same units; above 1 is outside of the library."""
    independence: float
    """1 less the share of past runs that are less central than this one in the run graph."""


@dataclass(frozen=True)
class FeatureEffect:
    """What a feature did to a forecast."""

    feature: str
    value: float | None
    effect: float
    """On P(healthy), against the mean over the library."""


@dataclass(frozen=True)
class Diffusion:
    """A curve of spreading quality, fitted to what the run has of it."""

    curve: Literal["bass", "logistic"]
    parameters: tuple[float, ...]
    """Of bass: ceiling, innovation, imitation; of logistic: ceiling, rate, middle."""
    residual: float
    """Deviation of the observed shares around the curve."""
    times: Array
    """Shares of the configured length, [n]."""
    observed: Array
    """Share of the training data that samples come near, or a logged quality, [n]."""
    fitted: Array
    """The curve at `times`, [n]."""
    horizon: float
    """Share of the configured length to which the curve is carried."""
    expected: float
    """The curve at the horizon."""
    interval: tuple[float, float]
    """90 %, of the parameters and of the scatter around the curve."""


@dataclass(frozen=True)
class ForecastPoint:
    """What was to be expected when the share `seen` of the length was there."""

    seen: float
    p_healthy: Estimate
    stability: Estimate


@dataclass(frozen=True)
class Forecast:
    """How the run is expected to end, from what past runs like it came to."""

    seen: float
    """Share of the configured length that the record has."""
    probabilities: Mapping[str, float]
    """Of each label."""
    p_healthy: Estimate
    stability: Estimate
    next_quarter: Estimate
    """Share of good checkpoints in the next quarter of the configured length."""
    distance: float
    """From past runs; above 1 is outside of the library, and the intervals are wider."""
    moved: tuple[FeatureEffect, ...]
    """The features that moved it most."""
    over_time: tuple[ForecastPoint, ...]
    """Ascending in `seen`; the last one is the present."""
    diffusion: Diffusion | None
    """Where coverage or a quality was recorded over time."""


# --- what reproducibility makes -------------------------------------------------------------------


@dataclass(frozen=True)
class RerunOutcome:
    """One rerun of the run's training, and how it ended."""

    kind: Literal["seed", "batches", "setting"]
    """Another seed; other batches from the same initial weights; another setting."""
    seed: int
    changes: Mapping[str, str | int | float | bool | None]
    """Of the configuration, beside the seed."""
    label: str
    p_healthy: float
    stability: float
    """Mean P(good) over the second half."""


@dataclass(frozen=True)
class Effect:
    """What a setting does to the outcome."""

    setting: str
    low: str | int | float | bool | None
    high: str | int | float | bool | None
    effect: Estimate
    """Stability at the high level less that at the low one, moved from [-1, 1] to [0, 1]."""


@dataclass(frozen=True)
class Reruns:
    """What came of running the training again."""

    outcomes: tuple[RerunOutcome, ...]
    how: str
    """One ensemble, or one process after the other."""
    deviation: Estimate
    """1 less the normalised standard deviation of the stability of reruns with other seeds."""
    effects: tuple[Effect, ...]
    best: Mapping[str, str | int | float | bool | None]
    """The changes with the best outcome; empty where none beats the run's own setting."""
    refused: int = 0
    """Reruns with another setting that the run's code did not take."""


# --- what consistency makes -----------------------------------------------------------------------

Verdict = Literal["proved", "refuted", "unknown"]
ObligationKind = Literal["record", "symbolic"]


@dataclass(frozen=True)
class Obligation:
    """A statement that must hold, and what became of it."""

    id: str
    kind: ObligationKind
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
