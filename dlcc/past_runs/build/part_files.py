"""Past runs on disk while a library is built: one file a group, so that a killed build goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.kinds import kinds
from dlcc.kinds.gan import GAN
from dlcc.past_runs.build.past_run import PastRun
from dlcc.runs.files import written_whole

_STACKED = ("windows", "samples", "reached", "stability", "next_quarter", "good")
_TEXTS = ("data", "label", "first_rows")


def write_part(path: Path, runs: Sequence[PastRun]) -> None:
    """Write the runs of one group, all of one number of sample steps."""
    columns: dict[str, Any] = {
        name: np.array([getattr(run, name) for run in runs]) for name in (*_STACKED, *_TEXTS)
    }
    columns["relative"] = np.array([run.relative for run in runs])
    columns["kind"] = np.array([run.kind.name for run in runs])
    columns["configs"] = np.array([json.dumps(dict(run.config), sort_keys=True) for run in runs])
    with written_whole(path) as beside, beside.open("wb") as stream:
        np.savez_compressed(stream, **columns)


def read_part(path: Path) -> list[PastRun]:
    """Read the runs that `write_part` wrote."""
    with np.load(path, allow_pickle=False) as table:
        columns = {name: table[name] for name in table.files}
    return [_run(columns, i) for i in range(len(columns["configs"]))]


def _run(columns: Mapping[str, Any], i: int) -> PastRun:
    """Make a run of row i."""
    fields: dict[str, Any] = {name: columns[name][i] for name in _STACKED}
    fields |= {name: str(columns[name][i]) for name in _TEXTS}
    kind = kinds()[str(columns["kind"][i])] if "kind" in columns else GAN  # older ones are of GANs
    fields["relative"] = "relative" in columns and bool(columns["relative"][i])
    return PastRun(config=json.loads(str(columns["configs"][i])), **fields, kind=kind)
