"""How fast event files of TensorBoard are read, beside TensorBoard's own reader.

    python benchmarks/tensorboard_reading.py [--scalars 1000000]

writes benchmarks/results/tensorboard_reading.json. Both readers read the same file in one process,
in turns; times are CPU time. EventAccumulator keeps every scalar (size guidance 0). All values and
steps are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from dlcc.runs.formats.discovery import find_runs
from dlcc.runs.raw_table import RawTable

TAGS = ("loss/discriminator", "loss/generator", "D(x)", "D(G(z))", "lr")
REPETITIONS = 3
SEED = 0


def record(event: Event) -> bytes:
    """Record of an event as a SummaryWriter writes it."""
    payload = event.SerializeToString()
    length = struct.pack("<Q", len(payload))
    return b"".join(
        (
            length,
            struct.pack("<I", masked_crc32c(length)),
            payload,
            struct.pack("<I", masked_crc32c(payload)),
        )
    )


def write(path: Path, scalars: int) -> dict[str, np.ndarray]:
    """Write a file of scalars, one event each, as `add_scalar` does; the values by tag."""
    rng = np.random.default_rng(SEED)
    steps = scalars // len(TAGS)
    values = {tag: rng.standard_normal(steps).astype(np.float32) for tag in TAGS}
    rows = list(zip(*(values[tag].tolist() for tag in TAGS), strict=True))
    with path.open("wb") as stream:
        stream.write(record(Event(wall_time=1.7e9, file_version="brain.Event:2")))
        for step, row in enumerate(rows):
            for tag, value in zip(TAGS, row, strict=True):
                summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                stream.write(record(Event(wall_time=1.7e9 + step, step=step, summary=summary)))
    return values


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def theirs(path: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(path), size_guidance={"scalars": 0})
    accumulator.Reload()
    return accumulator


def ours(path: Path) -> RawTable:
    return find_runs(path).records[0].read()


def equal(table: RawTable, accumulator: EventAccumulator) -> int:
    """Number of scalars; fails where a step, a time or a value differs."""
    compared = 0
    assert table.steps is not None
    assert table.clock is not None
    assert set(table.columns) == set(accumulator.Tags()["scalars"])
    for tag, column in table.columns.items():
        events = accumulator.Scalars(tag)
        assert table.steps[column.rows].tolist() == [event.step for event in events]
        assert table.clock[column.rows].tolist() == [event.wall_time for event in events]
        assert column.values.tolist() == [event.value for event in events]
        compared += len(events)
    return compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scalars", type=int, default=1_000_000)
    scalars = parser.parse_args().scalars
    load = os.getloadavg()[0]
    seconds: dict[str, list[float]] = {"dlcc": [], "tensorboard": []}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "events.out.tfevents.1700000000.host.1.0"
        write(path, scalars)
        size = path.stat().st_size
        for _ in range(REPETITIONS):
            spent, table = timed(lambda: ours(path))
            seconds["dlcc"].append(spent)
            spent, accumulator = timed(lambda: theirs(path))
            seconds["tensorboard"].append(spent)
        compared = equal(table, accumulator)
    ratios = [b / a for a, b in zip(seconds["dlcc"], seconds["tensorboard"], strict=True)]
    figures = {
        "load_average_at_start": round(load, 2),  # of other work on the machine
        "repetitions": REPETITIONS,
        "scalars": compared,
        "tags": len(TAGS),
        "bytes": size,
        "equal_scalars": compared,
        "cpu_seconds": {
            key: {
                "median": round(statistics.median(values), 3),
                "min": round(min(values), 3),
                "max": round(max(values), 3),
            }
            for key, values in seconds.items()
        },
        "times_faster": {
            "median": round(statistics.median(ratios), 1),
            "min": round(min(ratios), 1),
            "max": round(max(ratios), 1),
        },
    }
    write_result("tensorboard_reading", figures, seeds={"values": SEED})


if __name__ == "__main__":
    main()
