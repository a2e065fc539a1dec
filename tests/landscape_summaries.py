"""Summaries made by hand: what tests of the landscape's stages and pictures share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.landscape.summary import GameSummary, LandscapeSummary, PathSummary, PlayerSummary
from dlcc.runs.layout import RunLayout
from dlcc.runs.snapshot_landscape import SnapshotLandscape, write_landscape

LINE = tuple(np.linspace(-1, 1, 21).tolist())
WAY = np.linspace(-0.25, 1.25, 21)


def player(smallest: float = -0.5, largest: float = 2.0, **changes: Any) -> PlayerSummary:
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
    return PlayerSummary(**{**fields, **changes})


def game(*eigenvalues: complex) -> GameSummary:
    values = sorted(eigenvalues or (2, 1 + 0.5j, 1 - 0.5j), key=lambda x: -abs(x))
    nearest = min(values, key=lambda x: abs(complex(x).real))
    return GameSummary(
        real=tuple(complex(x).real for x in values),
        imaginary=tuple(complex(x).imag for x in values),
        errors=(0.0,) * len(values),
        rotation=sum(abs(complex(x).imag) for x in values) / sum(map(abs, values)),
        nearest_axis=(complex(nearest).real, complex(nearest).imag),
    )


def path(bump: float = 0.0, fall: float = 0.1) -> PathSummary:
    """A cosine that falls by `fall` along the way, with a bump in its middle."""
    cosine = fall * (0.5 - WAY) + bump * np.exp(-(((WAY - 0.5) / 0.15) ** 2))
    return PathSummary(tuple(WAY.tolist()), tuple(cosine.tolist()), (1.0,) * len(WAY))


def record(
    step: int,
    players: Mapping[str, PlayerSummary] | None = None,
    of_game: GameSummary | None = None,
    way: PathSummary | None = None,
) -> SnapshotLandscape:
    its = {"discriminator": player(), "generator": player()} if players is None else dict(players)
    since = step - 100 if way else None
    summary = LandscapeSummary(its, of_game or (game() if len(its) > 1 else None), way)
    return SnapshotLandscape(1, step, 32, 0.1, since, summary)


def put_summaries(run: Path) -> list[int]:
    """A summary beside each snapshot of a run; their steps."""
    steps = RunLayout(run).snapshot_steps()
    for step in steps:
        way = path() if step else None
        write_landscape(RunLayout(run).snapshot(step).landscape, record(step, way=way))
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
