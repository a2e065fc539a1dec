"""Assembly of past runs to a library; P(good) comes from fits that never saw a run's setting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dlcc.health.curves import Curves, run_vector
from dlcc.health.good import GoodModel, pattern_of, series_only_features, with_samples_features
from dlcc.health.logistic import LogisticPosterior, fit_logistic
from dlcc.health.windows import WINDOW_FEATURES
from dlcc.past_runs.build.past_run import PastRun
from dlcc.past_runs.configuration import setting_key
from dlcc.past_runs.store import FRACTIONS, TERMS, Library, objects
from dlcc.typing import Floats

FOLDS = 5
"""Number of folds that settings are divided into."""
USUAL_MARKS = ("ring", "digits")
"""Data sets on which "good" has its usual marks."""


def assemble(
    runs: Sequence[PastRun],
    seed: int = 0,
    good: GoodModel | None = None,
    names: tuple[str, ...] | None = None,
) -> Library:
    """Make the library of runs, without terms.

    P(good) is `good`, or fitted on these runs; the figures are `names`, or all that some run has.
    """
    fold = folds_by_setting([setting_key(run.config) for run in runs], FOLDS, seed)
    vectors: list[list[dict[str, float]]] = [[] for _ in runs]
    series_only: list[list[dict[str, float]]] = [[] for _ in runs]
    for k in range(FOLDS):
        model = good or fit_good([run for run, f in zip(runs, fold, strict=True) if f != k])
        for i in map(int, np.flatnonzero(fold == k)):
            for fraction in range(len(FRACTIONS)):
                with_samples, unsighted = (
                    runs[i].curves(fraction, series_only=b) for b in (False, True)
                )
                vectors[i].append(run_vector(with_samples, model(with_samples)))
                series_only[i].append(run_vector(unsighted, model(unsighted)))
    if names is None:
        names = tuple(dict.fromkeys(name for of_run in vectors for name in of_run[0]))
    return Library(
        names=names,
        configs=objects(dict(run.config) for run in runs),
        vectors=_table(names, vectors),
        series_only_vectors=_table(names, series_only),
        labels=np.array([run.label_index for run in runs]),
        stability=np.array([run.stability for run in runs], dtype=np.float64),
        next_quarter=np.array([run.next_quarter for run in runs], dtype=np.float64),
        data=np.array([run.data for run in runs]),
        first_rows=np.array([run.first_rows for run in runs]),
        terms=np.full((len(runs), len(TERMS), 2), np.nan),
        true_record=np.ones(len(runs), dtype=np.bool_),
        judged_by=np.full(len(runs), "truth"),
        traces=np.array([run.traces for run in runs]),
        good=good or fit_good(runs),
        group=runs[0].kind.past_runs.group,
    )


def fit_good(runs: Sequence[PastRun]) -> GoodModel:
    """Fit P(good) of sample steps, and of windows of the whole record.

    Only data sets on which "good" has its usual marks are used: those of the 3×3 grid are lower,
    and fitted together they blur each other. Runs whose samples are compared in a space of features
    have marks of their own, see `dlcc.health.good.relative_good`.
    """
    usual = [run for run in runs if run.data in USUAL_MARKS and not run.relative]
    runs = usual or [run for run in runs if not run.relative] or runs
    good = np.concatenate([run.good for run in runs]).astype(np.int64)
    whole = [run.curves(-1) for run in runs]
    series_only = [run.curves(-1, series_only=True) for run in runs]
    return GoodModel(
        with_samples=fit_logistic(
            np.concatenate([with_samples_features(c) for c in whole]), good, 2
        ),
        series_only=fit_logistic(
            np.concatenate([series_only_features(c) for c in series_only]), good, 2
        ),
        partial=fit_partial([c.windows for c in series_only], good),
    )


def fit_partial(windows: Sequence[Floats], good: NDArray[np.int64]) -> dict[str, LogisticPosterior]:
    """Fit P(good) of windows for records that lack gradient norms, outputs, or both, and for those
    whose rows are further apart than one step, which lack deviations.

    Args:
        windows: Figures `WINDOW_FEATURES` of the windows of each whole run, [40, 11].
        good: Whether each window is good, [40 · runs].

    Returns:
        Pattern of what is there to its fit, see `pattern_of`.
    """
    fits = {}
    for lacking in (
        ("grad", "margin"),
        ("grad",),
        ("margin",),
        ("_sd",),
        ("_sd", "grad", "margin"),
        ("_sd", "grad"),
        ("_sd", "margin"),
    ):
        left_out = [any(part in name for part in lacking) for name in WINDOW_FEATURES]
        parts = [np.where(left_out, np.nan, table) for table in windows]
        features = [series_only_features(Curves(table, None)) for table in parts]
        fits[pattern_of(parts[0])] = fit_logistic(np.concatenate(features), good, 2)
    return fits


def folds_by_setting(settings: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """Draw a fold for each run, [n]; runs of one setting share it."""
    names, which = np.unique(settings, return_inverse=True)
    return np.asarray(np.random.default_rng(seed).permutation(len(names)) % folds)[which]


def _table(names: Sequence[str], rows: Sequence[Sequence[dict[str, float]]]) -> NDArray[np.float64]:
    """Table of vectors, [runs, fractions, names]; NaN for what a vector lacks."""
    return np.array([[[at.get(n, np.nan) for n in names] for at in row] for row in rows])
