"""Gate before every verdict: whether a training's record can be judged, and if not, why.

Verdicts, forecasts of folders and the user's past runs pass here whole; reruns ask it before they
train anything, and advice for the kind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dlcc.health.domain import Circumstances, why_outside
from dlcc.health.run_features import (
    FEWEST_ROWS,
    RunFeatures,
    is_still,
    run_features,
    why_not_comparable,
)
from dlcc.health.windows import stops_being_finite
from dlcc.kinds import TrainingKind, kind_of, why_unknown
from dlcc.metrics.features import Features
from dlcc.records import Samples, Series
from dlcc.typing import Floats, Progress


class NotJudgeableError(ValueError):
    """Raised for a training that no verdict can be given on; the message is the reason."""


class TooFewRowsError(NotJudgeableError):
    """Raised for a record with fewer rows than a verdict needs; later there may be enough."""


class NothingChangesError(NotJudgeableError):
    """Raised for a record in which nothing changes, which says nothing of how a training went."""


def judgeable_kind(objective: Mapping[str, Any], players: Collection[str]) -> TrainingKind:
    """Find the kind of a training among those that can be judged.

    Args:
        objective: Objective that the run declares, as in `run.json`: at least its "kind".
        players: Names of the players that it declares.

    Returns:
        The kind that the objective names.

    Raises:
        NotJudgeableError: No such kind is known, or its players are others.
        PluginError: An installed kind of training cannot be used.

    >>> judgeable_kind({"kind": "gan"}, ["generator", "discriminator"]).name
    'gan'
    """
    unknown = why_unknown(objective, players)
    if unknown is not None:
        raise NotJudgeableError(unknown)
    return kind_of(objective)


def judgeable_features(
    kind: TrainingKind,
    series: Series,
    samples: Samples | None,
    length: int,
    progress: Progress = lambda share, what: None,
    *,
    not_finite_is_enough: bool = False,
    unchanging: bool = False,
    training: Circumstances | None = None,
    known: dict[int, Floats] | None = None,
    features: Features | None = None,
) -> RunFeatures:
    """Compute the features of a record, where there is enough in it to be judged.

    Args:
        kind: Kind of the training.
        series: Logged quantities, cut where one looks.
        samples: Samples, cut there too; None where there are none.
        length: Configured length in steps.
        progress: Called while samples are compared with the reference.
        not_finite_is_enough: Whether few rows are judged too, where a value in them is not finite.
        unchanging: Whether a record in which nothing changes is let through all the same.
        training: Circumstances that the series do not tell, to refuse a record without samples
            that lies outside of the domain in which past runs may judge it; None lets it through,
            to be learnt from.
        known: Figures [8] of samples of the same run by their step, as `sample_features` gives
            them, where the run is cut several times; those that are missing are added.
        features: Function from samples [n, ...] to features [n, d] in which they are compared; by
            default the data say which.

    Returns:
        The features, from samples where these are enough, else from the series alone.

    Raises:
        TooFewRowsError: There are too few rows.
        NotJudgeableError: There are too few samples, or the record lies outside of the domain.
        NothingChangesError: Nothing in the record changes.
        OptionError: `features` gives another shape, or values that are not finite.

    >>> import numpy as np
    >>> losses = {name: np.linspace(1, 2, 50) for name in ("generator/loss", "discriminator/loss")}
    >>> kind = judgeable_kind({"kind": "gan"}, ["generator", "discriminator"])
    >>> features = judgeable_features(kind, Series.from_start(losses), samples=None, length=100)
    >>> features.seen, features.series_only
    (0.5, True)
    >>> judgeable_features(kind, Series.from_start(losses).before(10), samples=None, length=100)
    Traceback (most recent call last):
        ...
    dlcc.health.judgeable.TooFewRowsError: 10 rows are too few to judge: 20 are needed
    """
    _check_rows(series, kind, not_finite_is_enough=not_finite_is_enough)
    found = run_features(series, samples, length, progress, kind, known=known, features=features)
    if found.series_only:
        _check_series(kind, series, samples, training, unchanging=unchanging)
    return found


def check_judgeable(
    kind: TrainingKind, series: Series, samples: Samples | None, training: Circumstances
) -> None:
    """Refuse a record that cannot be judged, without the time that its features take.

    Args:
        kind: Kind of the training.
        series: Logged quantities, cut where one looks.
        samples: Samples, cut there too; None where there are none.
        training: Circumstances that the series do not tell.

    Raises:
        NotJudgeableError: There are too few rows or samples, nothing in the record changes, or it
            lies outside of the domain; as for `judgeable_features`.

    >>> kind = judgeable_kind({"kind": "gan"}, ["generator", "discriminator"])
    >>> check_judgeable(kind, Series({}), None, Circumstances(1_000))
    Traceback (most recent call last):
        ...
    dlcc.health.judgeable.TooFewRowsError: 0 rows are too few to judge: 20 are needed
    """
    _check_rows(series, kind, not_finite_is_enough=True)
    if samples is None or why_not_comparable(samples) is not None:
        _check_series(kind, series, samples, training, unchanging=False)


def _check_rows(series: Series, kind: TrainingKind, *, not_finite_is_enough: bool) -> None:
    """Refuse a record of too few rows."""
    if not (enough_rows(series) or (not_finite_is_enough and stops_being_finite(series, kind))):
        raise TooFewRowsError(f"{series.rows} rows are too few to judge: {FEWEST_ROWS} are needed")


def _check_series(
    kind: TrainingKind,
    series: Series,
    samples: Samples | None,
    training: Circumstances | None,
    *,
    unchanging: bool,
) -> None:
    """Refuse a record whose series alone do not do."""
    if not kind.series_tell_health:
        raise NotJudgeableError(
            f"a training of kind {kind.name!r} is judged by its samples, and this run has too few "
            "over time, or no reference to hold them against"
        )
    if not unchanging and is_still(series, kind):
        raise NothingChangesError(
            "no loss, gradient norm or output of a network changes anywhere in the record, so "
            "nothing says how the training went; log those of every batch, or samples"
        )
    outside = () if training is None else why_outside(series, training)
    if outside and not stops_being_finite(series, kind):
        raise NotJudgeableError(
            f"{_why_series_only(samples)}, and by series alone it lies outside of what was "
            f"verified: {'; '.join(outside)}"
        )


def _why_series_only(samples: Samples | None) -> str:
    """Reason why a run is judged by its series, in words."""
    why = None if samples is None else why_not_comparable(samples)
    return why or "the run has no samples over time"


def enough_rows(series: Series) -> bool:
    """Tell whether some quantity was logged at `FEWEST_ROWS` steps, the fewest to judge by.

    >>> enough_rows(Series({}))
    False
    """
    return series.rows >= FEWEST_ROWS
