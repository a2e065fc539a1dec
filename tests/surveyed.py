"""Surveys made by hand: what tests of the landscape's stages and pictures share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.landscape.surveyed import GameSurvey, PathSurvey, PlayerSurvey, Survey
from dlcc.runs.layout import RunLayout
from dlcc.runs.surveys import SurveyRecord, write_survey

LINE = tuple(np.linspace(-1, 1, 21).tolist())
WAY = np.linspace(-0.25, 1.25, 21)


def player(smallest: float = -0.5, largest: float = 2.0, **changes: Any) -> PlayerSurvey:
    """A saddle with well-known ends, a gradient of norm 1 and a slice that is a parabola."""
    fields: dict[str, Any] = {
        "loss": 0.7,
        "gradient_norm": 1.0,
        "smallest": smallest,
        "smallest_error": 0.01,
        "largest": largest,
        "largest_error": 0.01,
        "trace": 3.0,
        "trace_error": 0.3,
        "slice_at": LINE,
        "slice_losses": tuple(0.7 + x * x for x in LINE),
    }
    return PlayerSurvey(**{**fields, **changes})


def game(*eigenvalues: complex) -> GameSurvey:
    values = sorted(eigenvalues or (2, 1 + 0.5j, 1 - 0.5j), key=lambda x: -abs(x))
    nearest = min(values, key=lambda x: abs(complex(x).real))
    return GameSurvey(
        real=tuple(complex(x).real for x in values),
        imaginary=tuple(complex(x).imag for x in values),
        errors=(0.0,) * len(values),
        rotation=sum(abs(complex(x).imag) for x in values) / sum(map(abs, values)),
        nearest_axis=(complex(nearest).real, complex(nearest).imag),
    )


def path(bump: float = 0.0, fall: float = 0.1) -> PathSurvey:
    """A cosine that falls by `fall` along the way, with a bump in its middle."""
    cosine = fall * (0.5 - WAY) + bump * np.exp(-(((WAY - 0.5) / 0.15) ** 2))
    return PathSurvey(tuple(WAY.tolist()), tuple(cosine.tolist()), (1.0,) * len(WAY))


def record(
    step: int,
    players: Mapping[str, PlayerSurvey] | None = None,
    of_game: GameSurvey | None = None,
    way: PathSurvey | None = None,
) -> SurveyRecord:
    its = {"discriminator": player(), "generator": player()} if players is None else dict(players)
    since = step - 100 if way else None
    survey = Survey(its, of_game or (game() if len(its) > 1 else None), way)
    return SurveyRecord(1, step, 32, 0.1, since, survey)


def put_surveys(run: Path) -> list[int]:
    """A survey beside each snapshot of a run; their steps."""
    steps = RunLayout(run).snapshot_steps()
    for step in steps:
        way = path() if step else None
        write_survey(RunLayout(run).snapshot(step).landscape, record(step, way=way))
    return list(steps)


def spoil(file: Path, **changes: Any) -> None:
    """A landscape.json with parts of it replaced: `survey__game=None`."""
    content = json.loads(file.read_text())
    for key, value in changes.items():
        *way, last = key.split("__")
        part = content
        for name in way:
            part = part[name]
        part[last] = value
    file.write_text(json.dumps(content))
