"""Additions to a user's library: their own runs as its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dlcc.errors import LibraryError, OptionError, RunError
from dlcc.health.definitions import second_half
from dlcc.health.domain import circumstances_of
from dlcc.health.judgeable import (
    NothingChangesError,
    NotJudgeableError,
    judgeable_features,
    judgeable_kind,
)
from dlcc.health.run_features import RunFeatures
from dlcc.kinds import TrainingKind, kind_of, kinds
from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.in_use import shipped_library, user_library_path, users_library
from dlcc.past_runs.store import (
    COMPLETE,
    FRACTIONS,
    TERMS,
    TRACE_STEPS,
    TRACES,
    Library,
    objects,
    row,
    save_all,
)
from dlcc.past_runs.twins import first_rows_hash
from dlcc.records import Config, Samples, Series, most_probable
from dlcc.runs import Run
from dlcc.typing import Floats, Progress

_QUARTER = 0.25


def add_runs(
    runs: Sequence[Run],
    label: str | None = None,
    progress: Progress = lambda share, what: None,
) -> dict[Path, Library]:
    """Add finished runs to the user's libraries, each to that of its kind's group, and write them.

    Runs that are in it stay as they are, unless there is a label: then they are judged anew.

    Args:
        runs: Runs whose records reach the configured end.
        label: Label of all of them, where the user knows it; else the records' own verdict counts.
        progress: Called with the share done and the run's name.

    Returns:
        Path of each file that was written, to the library in it.

    Raises:
        OptionError: the label is none, or none of a run's kind.
        RunError: a run's record is damaged, does not reach its end or cannot be judged.
        LibraryError: no run was given, or a library cannot be read or written.
        PluginError: an installed kind of training cannot be used.

    >>> import tempfile
    >>> from unittest.mock import patch
    >>> from torch import nn
    >>> from dlcc.runs import Recorder
    >>> players = {"generator": nn.Linear(2, 2), "discriminator": nn.Linear(2, 1)}
    >>> objective = {"kind": "gan", "loss": "ns"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Recorder(
    ...         f"{folder}/run", players=players, objective=objective, length=200
    ...     ) as recorder:
    ...         for step in range(200):
    ...             losses = {"generator/loss": 1 + 1 / (1 + step), "discriminator/loss": 0.7}
    ...             recorder.log(step, losses)
    ...     with patch.dict("os.environ", DLCC_LIBRARY=f"{folder}/own.npz"):
    ...         written = add_runs([Run.open(f"{folder}/run")], label="healthy")
    >>> [(path.name, len(own), own.label_of(0)) for path, own in written.items()]
    [('own.npz', 1, 'healthy')]
    """
    known = tuple(dict.fromkeys(name for kind in kinds().values() for name in kind.label_names))
    if label is not None and label not in known:
        raise OptionError(f"--label {label!r}: expected one of {', '.join(known)}")
    if not runs:
        raise LibraryError("no run was given; name the folders to add")
    changed: dict[Path, Library] = {}
    for k, run in enumerate(runs):
        progress(k / len(runs), run.path.name)
        group = kind_of(run.manifest.objective).past_runs.group
        path = user_library_path(group)
        new = row_of(run, shipped_library(), label)
        own = changed.get(path) or users_library(group)
        changed[path] = new if own is None else _with(own, new, anew=label is not None)
    save_all(changed)
    return changed


def _with(own: Library, new: Library, *, anew: bool) -> Library:
    """Add a run to a library; where it is there, it stays, or is replaced if judged anew."""
    twins = (own.first_rows == new.first_rows[0]) & (own.first_rows != "")
    if twins.any() and not anew:
        return own
    return own.select(~twins).joined(new)


def row_of(run: Run, past: Library, label: str | None) -> Library:
    """Make a library of one finished run, judged by what the library `past` knows."""
    series = Series.of(run, run.length)
    if series is None:
        raise RunError(f"{run.path}: no series; record the run first")
    try:
        kind = judgeable_kind(run.manifest.objective, run.manifest.players)
    except NotJudgeableError as error:
        raise RunError(f"{run.path}: cannot be added to the library: {error}") from None
    known: dict[int, Floats] = {}
    *earlier, whole = (
        _features(run, kind, series, fraction, known, labelled=label is not None)
        for fraction in FRACTIONS
    )
    parts = [*earlier, whole]
    if label is not None and label not in kind.label_names:
        raise OptionError(
            f"--label {label!r}: {run.path} is of kind {kind.name!r}, whose labels are "
            f"{', '.join(kind.label_names)}"
        )
    if whole.seen < COMPLETE:
        raise RunError(
            f"{run.path}: {whole.recorded:,} of {run.length:,} steps are recorded; only a run that "
            "came to its end can be learnt from"
        )
    model = HealthModel(past, whole.series_only, kind)
    vector = whole.vector(past.good)
    chosen = most_probable(model.labels(vector)) if label is None else label
    series_only = [_table(past, replace(p, curves=replace(p.curves, samples=None))) for p in parts]
    with_samples = [
        np.full(len(past.names), np.nan) if p.series_only else _table(past, p) for p in parts
    ]
    good = whole.good(past.good)
    return Library(
        names=past.names,
        configs=objects([dict(run.manifest.config)]),
        vectors=np.array([with_samples]),
        series_only_vectors=np.array([series_only]),
        labels=np.array([kind.label_names.index(chosen)]),
        stability=np.array([second_half(good).mean()]),
        next_quarter=np.array([[_next_quarter(whole, good, f) for f in FRACTIONS]]),
        data=np.array([str(run.manifest.data.get("name", "unnamed"))[:40]]),
        first_rows=np.array([first_rows_hash(series)]),
        terms=np.full((1, len(TERMS), 2), np.nan),
        true_record=np.array([True]),
        judged_by=np.array(["verdict" if label is None else "review"]),
        traces=np.full((1, TRACE_STEPS, len(TRACES)), np.nan),
        good=past.good,
        group=kind.past_runs.group,
        label_names=kind.label_names,
    )


def _features(
    run: Run,
    kind: TrainingKind,
    series: Series,
    fraction: float,
    known: dict[int, Floats],
    *,
    labelled: bool,
) -> RunFeatures:
    """Compute the features up to a fraction of the length, or raise RunError."""
    until = round(fraction * run.length)
    samples = Samples.of(run, until)
    try:
        return judgeable_features(
            kind,
            series.before(until),
            samples,
            run.length,
            unchanging=labelled or fraction < 1,
            training=None
            if labelled or fraction < 1
            else circumstances_of(Config.of(run, until), samples),
            known=known,
        )
    except NothingChangesError as error:
        raise RunError(f"{run.path}: {error}, or say how it ended with --label") from None
    except NotJudgeableError as error:
        raise RunError(f"{run.path}: before step {until:,}, {error}") from None


def _table(past: Library, features: RunFeatures) -> Floats:
    """Figures of a run in the library's order, [k]."""
    return row(past.names, features.vector(past.good))


def _next_quarter(whole: RunFeatures, good: Floats, fraction: float) -> float:
    """Mean P(good) in the quarter after a fraction of the length; NaN past the end."""
    share = whole.steps / max(1, whole.recorded)
    inside = (share > fraction) & (share <= fraction + _QUARTER)
    return float(good[inside].mean()) if inside.any() else float("nan")
