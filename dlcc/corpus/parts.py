"""Past runs on disk while a library is built: one file a group, so that a killed build goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.corpus.past import PastRun

_STACKED = ("windows", "samples", "reached", "stability", "next_quarter", "good")
_TEXTS = ("data", "label", "first_rows")


def write_part(path: Path, runs: Sequence[PastRun]) -> None:
    """Write the runs of one group, all of one number of checkpoints."""
    columns = {
        name: np.array([getattr(run, name) for run in runs]) for name in (*_STACKED, *_TEXTS)
    }
    columns["configs"] = np.array([json.dumps(dict(run.config), sort_keys=True) for run in runs])
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as stream:
        np.savez_compressed(stream, **columns)  # type: ignore[arg-type]  # names are never allow_pickle
    beside.replace(path)


def _texts(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) for name, value in values.items()}


def read_part(path: Path) -> list[PastRun]:
    """What `write_part` wrote."""
    with np.load(path, allow_pickle=False) as table:
        columns = {name: table[name] for name in table.files}
    return [
        PastRun(
            config=json.loads(str(columns["configs"][i])),
            **{name: columns[name][i] for name in _STACKED},
            **_texts({name: columns[name][i] for name in _TEXTS}),
        )
        for i in range(len(columns["configs"]))
    ]
