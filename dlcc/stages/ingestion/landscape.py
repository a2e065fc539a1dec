"""Landscape as it was measured: clouds, measured series and summaries at snapshots."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

from dlcc.errors import SnapshotError
from dlcc.findings import Finding
from dlcc.landscape.cloud_shape import FIFTHS
from dlcc.landscape.clouds import gradient_cloud
from dlcc.landscape.summary import LandscapeSummary
from dlcc.records import (
    Column,
    MeasuredLandscape,
    MeasuredSeries,
    PlayerCloud,
    Series,
    Snapshots,
)
from dlcc.runs.series_format import MEASURED_OF_A_PLAYER
from dlcc.runs.snapshot_landscape import SnapshotLandscape

MOST_SUMMARIES = 200
"""Most summaries that are read, spread over the run: more cannot be told apart in a picture."""
MOST_NUMBERS = 2_000
"""Eigenvalues, or places on a line, in a summary: ten times what this package writes."""
MOST_PLAYERS = 16
MOST_POINTS = 20_000
"""Most points of a cloud, evenly spaced: its shape is made of medians and shares, and they stay the
same."""
_BATCH_KEYS = ("batch", "batch_size")
_PLAYER = re.compile(r"[A-Za-z0-9_.\-]{1,80}")  # as in names of series


def measured_landscape(
    series: Series, snapshots: Snapshots | None, config: Mapping[str, object], length: int
) -> tuple[MeasuredLandscape | None, tuple[Finding, ...]]:
    """Landscape as it was measured, None for nothing; and findings of what could not be read.

    `config` is the flattened configuration.
    """
    clouds = _clouds(series, length)
    measured = {
        name: _by_fifth(column, length)
        for name, column in series.columns.items()
        if name.rpartition("/")[2] in MEASURED_OF_A_PLAYER
    }
    summaries, unread = _summaries(snapshots)
    if not (clouds or measured or summaries):
        return None, unread
    return MeasuredLandscape(clouds, measured, summaries, batch_size(config)), unread


def batch_size(config: Mapping[str, object]) -> int | None:
    """Rows of a batch; None where a configuration names none, or two."""
    named = {
        value
        for key, value in config.items()
        if key.rpartition(".")[2] in _BATCH_KEYS and type(value) is int and value >= 1
    }
    return named.pop() if len(named) == 1 else None


def _clouds(series: Series, length: int) -> dict[str, PlayerCloud]:
    clouds = {}
    for name, loss in series.columns.items():
        player, _, quantity = name.rpartition("/")
        norm = series.columns.get(f"{player}/grad_norm")
        if quantity != "loss" or norm is None:
            continue
        common = np.intersect1d(loss.steps, norm.steps, return_indices=True)
        steps, at_loss, at_norm = (a[:: 1 + (len(a) - 1) // MOST_POINTS] for a in common)
        try:
            with np.errstate(all="ignore"):  # of a run that diverged
                cloud = gradient_cloud(
                    loss.values[at_loss], norm.values[at_norm], steps, length=length
                )
        except ValueError:  # too few points, or a norm below 0
            continue
        clouds[player] = PlayerCloud(cloud.whole, cloud.fifths, cloud.left_out)
    return clouds


def _by_fifth(column: Column, length: int) -> MeasuredSeries:
    known = ~np.isnan(column.values)
    values = column.values[known]
    fifth = np.clip(np.floor(FIFTHS * (column.steps[known] / length)), 0, FIFTHS - 1)
    parts = [values[fifth == k] for k in range(FIFTHS)]
    return MeasuredSeries(
        rows=tuple(len(part) for part in parts),
        # the lower of two in the middle: between a number and infinity lies none
        medians=tuple(
            float(np.quantile(part, 0.5, method="lower")) if len(part) else math.nan
            for part in parts
        ),
    )


def _summaries(
    snapshots: Snapshots | None,
) -> tuple[tuple[SnapshotLandscape, ...], tuple[Finding, ...]]:
    found, unread = [], []
    handles = snapshots.handles if snapshots else ()
    chosen = np.unique(np.linspace(0, len(handles) - 1, min(len(handles), MOST_SUMMARIES)).round())
    for snapshot in (handles[int(k)] for k in chosen):
        place = f"snapshots/{snapshot.path.name}/landscape.json"
        try:
            record = snapshot.landscape()
            if record is not None:
                _check(record.survey)
                found.append(record)
        except SnapshotError as error:
            why = str(error).removeprefix(f"{snapshot.path}/landscape.json: ")
            unread.append(
                Finding("REC007", f"{place}: {why}.", first_step=snapshot.step, place=place)
            )
    return tuple(found), tuple(unread)


def _check(summary: LandscapeSummary) -> None:
    """SnapshotError where it is none that a training of this package's kind leaves behind."""
    lists = [player.slice_at for player in summary.players.values()]
    lists += [summary.game.real] if summary.game else []
    lists += [summary.path.at] if summary.path else []
    if len(summary.players) > MOST_PLAYERS or any(len(x) > MOST_NUMBERS for x in lists):
        raise SnapshotError(
            f"holds more than {MOST_PLAYERS} players or {MOST_NUMBERS:,} numbers of a kind; "
            "remove it"
        )
    if not all(_PLAYER.fullmatch(player) for player in summary.players):
        raise SnapshotError(
            "names a player with other characters than A-Z a-z 0-9 _ . -; remove it"
        )
