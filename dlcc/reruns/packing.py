"""Records of reruns as bytes, in which they come from a worker and are kept."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.errors import ForeignCodeError
from dlcc.records import Series
from dlcc.reruns.outcome import Recorded, Refused


def packed(records: Sequence[Recorded | Refused]) -> bytes:
    """Pack records of reruns."""
    arrays: dict[str, Any] = {}
    for k, record in enumerate(records):
        if isinstance(record, Refused):
            said = json.dumps([str(record.error), record.error.place])
            arrays[f"{k}/refused"] = np.array(said)
            continue
        names = list(record.series.columns)
        arrays[f"{k}/names"] = np.array(names, dtype=np.str_)
        arrays[f"{k}/series"] = np.array([record.series.columns[n].values for n in names])
        arrays[f"{k}/samples"] = np.array(record.samples)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def unpacked(file: Path) -> list[Recorded | Refused]:
    """Unpack the records that `packed` packed."""
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
        arrays = {name: table[name] for name in table.files}
    numbers = sorted({int(name.partition("/")[0]) for name in arrays})
    return [_unpacked(arrays, k) for k in numbers]


def _unpacked(arrays: dict[str, Any], k: int) -> Recorded | Refused:
    """Unpack record k."""
    if f"{k}/refused" in arrays:
        message, place = json.loads(str(arrays[f"{k}/refused"]))
        return Refused(ForeignCodeError(message, place))
    names = map(str, arrays[f"{k}/names"])
    series = dict(zip(names, arrays[f"{k}/series"], strict=True))
    return Recorded(Series.from_start(series), [*arrays[f"{k}/samples"]])
