"""The landscape's part of the report, from what ingestion found of it."""

from __future__ import annotations

import math
from dataclasses import asdict, fields

from dlcc.landscape.cloud_shape import CloudShape
from dlcc.landscape.summary import GameSummary, PlayerCurvature, PlayerSummary
from dlcc.records import MeasuredLandscape
from dlcc.report.record import (
    CloudRecord,
    CloudShapeRecord,
    GameSummaryRecord,
    LandscapeRecord,
    LandscapeSummaryRecord,
    MeasuredSeriesRecord,
    PlayerSummaryRecord,
)
from dlcc.runs.snapshot_landscape import SnapshotLandscape


def landscape_record(landscape: MeasuredLandscape) -> LandscapeRecord:
    """Make the report's record of a landscape; JSON has null for what is unknown or infinite."""
    return LandscapeRecord(
        clouds={
            player: CloudRecord(
                whole=_shape(cloud.whole),
                fifths=tuple(map(_shape, cloud.fifths)),
                left_out=cloud.left_out,
            )
            for player, cloud in landscape.clouds.items()
        },
        measured={
            name: MeasuredSeriesRecord(rows=of.rows, medians=tuple(map(_known, of.medians)))
            for name, of in landscape.measured.items()
        },
        surveys=tuple(map(_summary, landscape.surveys)),
    )


def _summary(record: SnapshotLandscape) -> LandscapeSummaryRecord:
    summary = record.survey
    return LandscapeSummaryRecord(
        step=record.step,
        rows=record.rows,
        players={player: _player(found) for player, found in summary.players.items()},
        game=None if summary.game is None else _game(summary.game),
    )


def _player(found: PlayerSummary) -> PlayerSummaryRecord:
    shown = {part.name: getattr(found, part.name) for part in fields(PlayerCurvature)}
    return PlayerSummaryRecord(**shown, curvature_class=found.curvature_class)


def _game(found: GameSummary) -> GameSummaryRecord:
    return GameSummaryRecord(
        rotation=found.rotation,
        largest=(found.real[0], found.imaginary[0]) if found.real else None,
        nearest_axis=found.nearest_axis,
    )


def _shape(shape: CloudShape) -> CloudShapeRecord:
    numbers = asdict(shape)
    return CloudShapeRecord(
        points=numbers.pop("points"), **{name: _known(value) for name, value in numbers.items()}
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
