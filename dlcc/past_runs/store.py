"""Library of past runs, each with its feature vector at four fractions, and how it ended.

`dlcc library build` makes a file of one. Only figures are kept; what is fitted on them is fitted
when it is needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.deprecation import renamed
from dlcc.errors import LibraryError
from dlcc.health.curves import IN_FEATURES, NEEDS_SAMPLES, SERIES_ONLY_OWN
from dlcc.health.good import GoodModel
from dlcc.health.logistic import LogisticPosterior
from dlcc.health.windows import WINDOW_FEATURES
from dlcc.past_runs.configuration import config_features, setting_key
from dlcc.past_runs.forest_files import Forest, ForestsOfFile, packed_forests
from dlcc.past_runs.twins import first_rows_hash
from dlcc.records import LABELS, Series
from dlcc.typing import Floats

CONVENTIONS = 1
"""Version of what the rows mean: labels, sample steps, fractions, the vector's figures."""
COMPLETE = 0.95
"""Share of the configured length from which on a record counts as complete: its end is known."""
FRACTIONS = (0.1, 0.2, 0.5, 1.0)
"""Fractions of the configured length at which every run has a vector."""
TERMS = ("logic", "novelty", "impact", "reproducibility")
"""Terms of the score that a library holds."""
TRACES = ("coverage", "quality", "frechet")
"""Figures of the truth that are kept of every sample step."""
TRACE_STEPS = 50
"""Number of sample steps that traces have: 40 in the length, and 10 beyond it."""
_PER_RUN = (
    "configs",
    "vectors",
    "series_only_vectors",
    "labels",
    "stability",
    "next_quarter",
    "data",
    "first_rows",
    "terms",
    "true_record",
    "judged_by",
    "traces",
)


@dataclass(frozen=True)
class Library:
    """Library of n past runs with k figures at each of `FRACTIONS`.

    >>> from dlcc.past_runs import shipped_library
    >>> past = shipped_library()
    >>> ring = past.select(past.data == "ring")
    >>> healthy = [run for run in range(len(ring)) if ring.label_of(run) == "healthy"]
    >>> good = ring.columns(["good_last", "good_half"], series_only=False)[healthy]
    >>> good.mean(axis=0).round(1).tolist()
    [1.0, 0.9]
    >>> len(ring.joined(past.select(past.data == "digits"))) < len(past)
    True
    >>> past.excluding(None) is past  # a run without series has no twins
    True
    >>> past.term("impact").shape == (len(past), 2)
    True
    """

    names: tuple[str, ...]
    """Names of the figures, [k]: those of `run_vector`."""
    configs: NDArray[np.object_]
    """Configuration of each run, [n] mappings."""
    vectors: Floats
    """Figures of the runs judged with samples, [n, fractions, k]; P(good) in them is out of fold.
    NaN where a run has no samples."""
    series_only_vectors: Floats
    """Figures of the same runs judged without samples, [n, fractions, k]; NaN where a figure needs
    samples."""
    labels: NDArray[np.int64]
    """Label of each run as an index into `label_names`, [n]."""
    stability: Floats
    """Share of good sample steps in the second half, [n]."""
    next_quarter: Floats
    """Share of good sample steps in the quarter of the length after each of FRACTIONS,
    [n, fractions]; NaN where unknown."""
    data: NDArray[np.str_]
    """Name of the data set, [n]."""
    first_rows: NDArray[np.str_]
    """Hash of the first 32 rows of each run's series, [n]: twins share it."""
    terms: Floats
    """Mean and standard deviation of each of `TERMS`, [n, terms, 2], out of fold; NaN where not
    measured."""
    true_record: NDArray[np.bool_]
    """Whether a row's record is true, not doctored, [n]."""
    judged_by: NDArray[np.str_]
    """Source of each label: "truth", "verdict" or "review", [n]."""
    traces: Floats
    """Figures `TRACES` of the truth at sample steps, [n, TRACE_STEPS, 3], from which labels can be
    made anew; NaN where they are not known."""
    good: GoodModel
    """Model of P(good) of a sample step or window."""
    group: str = "gan"
    """Group of kinds that the runs are of, see `dlcc.kinds.PastRuns`."""
    label_names: tuple[str, ...] = LABELS
    """Names of the labels."""
    forests: Mapping[str, Forest] = field(default_factory=dict)
    """Nodes of the forests that were grown on all true records, by `forest_name`; none where
    runs were selected or added."""

    def __len__(self) -> int:
        return len(self.labels)

    def columns(self, names: Sequence[str], *, series_only: bool, fraction: int = -1) -> Floats:
        """Select figures of every run at one of `FRACTIONS`.

        Args:
            names: Names of the figures, of `Library.names`.
            series_only: Whether to take those of the runs judged without samples.
            fraction: Index into `FRACTIONS`; by default the whole length.

        Returns:
            The figures, [n, len(names)]; NaN where a run lacks one.
        """
        table = self.series_only_vectors if series_only else self.vectors
        return table[:, fraction, [self.names.index(name) for name in names]]

    def term(self, name: str) -> Floats:
        """Select mean and standard deviation of a term of the score.

        Args:
            name: Name of the term, one of `TERMS`.

        Returns:
            Both for every run, [n, 2]; NaN where not measured.
        """
        return np.asarray(self.terms[:, TERMS.index(name)])

    @cached_property
    def settings(self) -> NDArray[np.str_]:
        """Hash of each configuration without its seed, [n]."""
        return np.array([setting_key(config) for config in self.configs])

    @cached_property
    def config_vectors(self) -> Floats:
        """Figures `CONFIG_FEATURES` of every run, [n, 21]."""
        return np.array([config_features(config) for config in self.configs])

    def select(self, runs: NDArray[Any]) -> Library:
        """Select runs; P(good) stays as it was fitted.

        Args:
            runs: Numbers of the runs, [m], or a mask [n].

        Returns:
            Library of those runs, in that order.
        """
        selected = {name: getattr(self, name)[runs] for name in _PER_RUN}
        return replace(self, **selected, forests={})

    @cached_property
    def untampered(self) -> Library:
        """Library of the runs whose record is true."""
        return replace(self.select(self.true_record), forests=self.forests)

    @cached_property
    def _were_in_features(self) -> NDArray[np.bool_]:
        """Whether samples of each run were compared in a space of features, [n]."""
        if IN_FEATURES[0] not in self.names:
            return np.zeros(len(self), dtype=np.bool_)
        (found,) = self.columns(IN_FEATURES[:1], series_only=False).T
        return np.asarray(np.isfinite(found))

    @cached_property
    def in_features(self) -> Library:
        """Library of the runs whose samples were compared in a space of features."""
        return replace(self.select(self._were_in_features), forests=self.forests)

    @cached_property
    def as_given(self) -> Library:
        """Library of the other runs, whose samples were compared as they are given."""
        if not self._were_in_features.any():
            return self
        return replace(self.select(~self._were_in_features), forests=self.forests)

    def with_figures(self, names: Sequence[str]) -> Library:
        """Add figures that no run of the library has, NaN throughout.

        Args:
            names: Names of the figures; those that are there already stay as they are.

        Returns:
            Library with the further figures behind its own.

        >>> from dlcc.past_runs import shipped_library
        >>> few = shipped_library().select(np.arange(3)).with_figures(["moons"])
        >>> few.names[-1], bool(np.isnan(few.columns(["moons"], series_only=False)).all())
        ('moons', True)
        """
        new = tuple(name for name in names if name not in self.names)
        more = np.full((len(self), len(FRACTIONS), len(new)), np.nan)
        return replace(
            self,
            names=(*self.names, *new),
            vectors=np.concatenate([self.vectors, more], axis=2),
            series_only_vectors=np.concatenate([self.series_only_vectors, more], axis=2),
            forests={},
        )

    def ordered(self, names: tuple[str, ...]) -> Library:
        """Put the figures into another order.

        Args:
            names: Names of all figures.

        Returns:
            Library with its figures in this order.

        >>> from dlcc.past_runs import shipped_library
        >>> past = shipped_library()
        >>> past.ordered(past.names[::-1]).names[-1] == past.names[0]
        True
        """
        place = [self.names.index(name) for name in names]
        return replace(
            self,
            names=names,
            vectors=self.vectors[:, :, place],
            series_only_vectors=self.series_only_vectors[:, :, place],
            forests={},
        )

    def excluding(self, series: Series | None) -> Library:
        """Leave out the run that some series are of: its twins, and all runs of their setting.

        Twins share their first 32 rows. They, and other seeds of their setting, would give away how
        the run ended.

        Args:
            series: Series of the run; None for one without.

        Returns:
            Library of the other runs; this one where the run is not in it.
        """
        own = "" if series is None else first_rows_hash(series)
        twins = (self.first_rows == own) & (own != "")
        return self.select(~np.isin(self.settings, self.settings[twins])) if twins.any() else self

    some = renamed("some", "select")
    honest = renamed("honest", "untampered")
    apart_from = renamed("apart_from", "excluding")

    def joined(self, other: Library) -> Library:
        """Join the runs of both libraries; P(good) is this one's.

        Args:
            other: Library with the same figures.

        Returns:
            Library of this one's runs, then the other's.

        Raises:
            LibraryError: the two have different figures.
        """
        mine, other = self._with_those_in_features(other), other._with_those_in_features(self)
        if {*mine.names} != {*other.names}:
            raise LibraryError("the two libraries have different figures; build both anew")
        if mine.names != self.names:
            return mine.joined(other)
        other = other.ordered(self.names)
        names = tuple(dict.fromkeys([*self.label_names, *other.label_names]))
        place = np.array([names.index(name) for name in other.label_names])
        other = replace(other, labels=place[other.labels])
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _PER_RUN
        }
        return replace(self, **joined, label_names=names, forests={})

    def _with_those_in_features(self, other: Library) -> Library:
        """Add figures in a space of features where another library has them and this one none."""
        missing = [name for name in other.names if name in IN_FEATURES and name not in self.names]
        return self.with_figures(missing) if missing else self

    def label_of(self, run: int) -> str:
        """Name the label of a run.

        Args:
            run: Number of the run, from 0.

        Returns:
            The label, one of `label_names`.
        """
        return self.label_names[int(self.labels[run])]

    def save(self, path: Path) -> None:
        """Write the library to a file, whole or not at all.

        Args:
            path: Path of the file, an .npz; its folder is made if missing.

        Raises:
            LibraryError: it cannot be written.

        >>> import tempfile
        >>> from dlcc.past_runs import shipped_library
        >>> few = shipped_library().select(np.arange(10))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     few.save(Path(folder) / "few.npz")
        ...     len(read_library(Path(folder) / "few.npz"))
        10
        """
        save_all({path: self})

    def _columns(self) -> dict[str, Any]:
        """Columns that are kept in the file; figures are no better than half precision."""
        series_only_own = [k for k, name in enumerate(self.names) if name in SERIES_ONLY_OWN]
        return {
            "conventions": np.array(CONVENTIONS),
            "names": np.array(self.names),
            "configs": np.array([json.dumps(c, sort_keys=True) for c in self.configs]),
            "vectors": _half(self.vectors),
            "blind_own": _half(self.series_only_vectors[:, :, series_only_own]),
            "labels": self.labels.astype(np.int8),
            "stability": self.stability.astype(np.float32),
            "next_quarter": self.next_quarter.astype(np.float32),
            "data": self.data,
            "first_rows": self.first_rows,
            "terms": self.terms.astype(np.float32),
            "true_record": self.true_record,
            "judged_by": self.judged_by,
            "traces": _half(self.traces),
            "group": np.array(self.group),
            "label_names": np.array(self.label_names),
            **_packed("sighted", self.good.with_samples),
            **_packed("blind", self.good.series_only),
            **_packed_partial(self.good),
            **packed_forests(self.forests),
        }


def save_all(libraries: Mapping[Path, Library]) -> None:
    """Write several libraries: all beside their paths first, then each in its place.

    Raises:
        LibraryError: one cannot be written; then none was.
    """
    written: dict[Path, Path] = {}
    try:
        for path, library in libraries.items():
            written[path] = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            path.parent.mkdir(parents=True, exist_ok=True)
            with written[path].open("wb") as stream:
                np.savez_compressed(stream, **library._columns())
    except OSError as error:
        for beside in written.values():
            with contextlib.suppress(OSError):
                beside.unlink()
        raise LibraryError(f"{path}: cannot be written ({error.strerror})") from error
    for path, beside in written.items():
        beside.replace(path)


def forest_name(fraction: int, *, series_only: bool, lacking: Sequence[str] = ()) -> str:
    """Name of the forest for runs that are as far as FRACTIONS[fraction], and lack parts."""
    without = "".join(f", no {part}" for part in lacking)
    return f"{FRACTIONS[fraction]:g}{', series' if series_only else ''}{without}"


def nearest_fraction(seen: float) -> int:
    """Index of the fraction whose ratio to a share of the length is nearest to 1."""
    ratios = np.abs(np.log(np.array(FRACTIONS) / min(max(seen, 1e-3), 1.0)))
    return int(ratios.argmin())


def row(names: Sequence[str], vector: Mapping[str, float]) -> Floats:
    """Figures `names` of one run, [len(names)]; NaN for what it lacks."""
    return np.array([vector.get(name, np.nan) for name in names], dtype=np.float64)


def read_library(path: Path) -> Library:
    """Read a library's file, as `Library.save` or `dlcc library build` wrote it.

    Args:
        path: Path of the file, an .npz.

    Returns:
        The library.

    Raises:
        LibraryError: it is missing, damaged, or of other conventions than this version's.

    >>> import tempfile
    >>> from dlcc.past_runs import shipped_library
    >>> past = shipped_library()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     past.select(past.data == "ring").save(Path(folder) / "ring.npz")
    ...     ring = read_library(Path(folder) / "ring.npz")
    >>> set(ring.data.tolist())
    {'ring'}
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
            conventions = int(table["conventions"])
            if conventions == CONVENTIONS:
                return _unpacked_library(path, table)
    except FileNotFoundError:
        raise LibraryError(
            f"{path}: no such library; make one with: dlcc library build --out {path}"
        ) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, json.JSONDecodeError) as e:
        raise LibraryError(
            f"{path}: not a readable library ({type(e).__name__}); restore the file or build it "
            "anew with: dlcc library build"
        ) from e
    raise LibraryError(
        f"{path}: a library of conventions {conventions}, expected {CONVENTIONS}; build it anew "
        "with: dlcc library build"
    )


def _unpacked_library(path: Path, table: Mapping[str, Any]) -> Library:
    """Make a library of a file's columns."""
    names = tuple(str(n) for n in table["names"])
    vectors = table["vectors"].astype(np.float64)
    series_only = vectors.copy()
    series_only[:, :, [k for k, name in enumerate(names) if name in NEEDS_SAMPLES]] = np.nan
    series_only[:, :, [k for k, name in enumerate(names) if name in SERIES_ONLY_OWN]] = table[
        "blind_own"
    ]
    library = Library(
        names=names,
        configs=objects(json.loads(str(text)) for text in table["configs"]),
        vectors=vectors,
        series_only_vectors=series_only,
        labels=table["labels"].astype(np.int64),
        stability=table["stability"].astype(np.float64),
        next_quarter=table["next_quarter"].astype(np.float64),
        data=table["data"],
        first_rows=table["first_rows"],
        terms=table["terms"].astype(np.float64),
        true_record=table["true_record"],
        judged_by=table["judged_by"],
        traces=_traces(table),
        good=GoodModel(
            _unpacked("sighted", table), _unpacked("blind", table), _unpacked_partial(table)
        ),
        group=_group(table),
        label_names=tuple(str(n) for n in table["label_names"])
        if "label_names" in table
        else LABELS,
        forests=ForestsOfFile(path, tuple(map(str, table.get("trees", ())))),
    )
    n = len(library)
    if any(len(getattr(library, name)) != n for name in _PER_RUN):
        raise ValueError("columns of different lengths")
    return library


def _traces(table: Mapping[str, Any]) -> Floats:
    """Traces of the truth; unknown in files written before 0.2."""
    if "traces" in table:
        return np.asarray(table["traces"], dtype=np.float64)
    return np.full((len(table["labels"]), TRACE_STEPS, len(TRACES)), np.nan)


def _group(table: Mapping[str, Any]) -> str:
    """Group of kinds that a file is of; files written before 0.2 say whether it is of GANs."""
    if "group" in table:
        return str(table["group"])
    return "single" if "alone" in table and bool(table["alone"]) else "gan"


def objects(items: Iterable[Any]) -> NDArray[np.object_]:
    """Make an array of objects, [n]; numpy would unpack mappings or lists of equal length."""
    listed = list(items)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def _half(values: Floats) -> NDArray[np.float16]:
    """Round to half precision, without infinities."""
    return np.clip(values, -6e4, 6e4).astype(np.float16)


_PARTS = ("mode", "covariance", "centre", "scale")


def _packed(name: str, fit: LogisticPosterior) -> dict[str, Floats]:
    """Columns of a fit."""
    return {f"{name}_{part}": getattr(fit, part) for part in _PARTS}


def _unpacked(name: str, table: Mapping[str, Floats]) -> LogisticPosterior:
    """Make a fit of its columns."""
    return LogisticPosterior(*(table[f"{name}_{part}"] for part in _PARTS))


def _packed_partial(good: GoodModel) -> dict[str, Any]:
    """Columns of the fits for records that lack quantities."""
    columns: dict[str, Any] = {"partial": np.array(list(good.partial), dtype=np.str_)}
    for k, fit in enumerate(good.partial.values()):
        columns |= _packed(f"partial{k}", fit)
    return columns


def _unpacked_partial(table: Mapping[str, Any]) -> dict[str, LogisticPosterior]:
    """Make the fits for records that lack quantities; none of a file written before 0.2."""
    patterns = table.get("partial", ())
    return {str(pattern): _unpacked(f"partial{k}", table) for k, pattern in enumerate(patterns)}


def comparable(names: Sequence[str], vector: Mapping[str, float]) -> tuple[str, ...]:
    """Select the figures by which a run can be held against past runs.

    Args:
        names: Names of figures.
        vector: Feature vector of the run, without what its record lacks.

    Returns:
        Those of `names` that the run has, in their order. Without samples P(good) is left out where
        the record lacks any quantity, since that of past runs is made of all of them.

    >>> comparable(("good_half", "margin_last"), {"good_half": 0.9, "margin_last": 0.1})
    ('margin_last',)
    """
    whole = "coverage_last" in vector or all(name in vector for name in _LEVELS)
    return tuple(
        name for name in names if name in vector and (whole or not name.startswith("good_"))
    )


_LEVELS = tuple(f"{name}_last" for name in WINDOW_FEATURES if name != "not_finite")
