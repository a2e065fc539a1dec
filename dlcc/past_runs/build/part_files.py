"""Past runs as bytes while a library is built: one file a part, so that a killed build goes on."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.kinds import kinds
from dlcc.kinds.gan import GAN
from dlcc.past_runs.build.past_run import PastRun

VERSION = "1"
"""Version of what a part holds, and of how runs are trained and judged for it."""
_STACKED = ("windows", "samples", "reached", "stability", "next_quarter", "good", "traces")
_TEXTS = ("data", "label", "first_rows")


def part_of(runs: Sequence[PastRun]) -> bytes:
    """Pack the runs of a part, all of one number of sample steps; equal runs give equal bytes."""
    columns: dict[str, Any] = {
        name: np.array([getattr(run, name) for run in runs]) for name in (*_STACKED, *_TEXTS)
    }
    columns["relative"] = np.array([run.relative for run in runs])
    columns["kind"] = np.array([run.kind.name for run in runs])
    columns["configs"] = np.array([json.dumps(dict(run.config), sort_keys=True) for run in runs])
    stream = io.BytesIO()
    np.savez_compressed(stream, **columns)
    return stream.getvalue()


def read_part(path: Path) -> list[PastRun]:
    """Read the runs of a file that has what `part_of` gave."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
        columns = {name: table[name] for name in table.files}
    return [_run(columns, i) for i in range(len(columns["configs"]))]


def _run(columns: Mapping[str, Any], i: int) -> PastRun:
    """Make a run of row i."""
    fields: dict[str, Any] = {name: columns[name][i] for name in _STACKED}
    fields |= {name: str(columns[name][i]) for name in _TEXTS}
    kind = kinds()[str(columns["kind"][i])] if "kind" in columns else GAN  # older ones are of GANs
    fields["relative"] = "relative" in columns and bool(columns["relative"][i])
    return PastRun(config=json.loads(str(columns["configs"][i])), **fields, kind=kind)
