"""Two runs that are the same to the last bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.runs import Run


def assert_same_run(a: Run, b: Run) -> None:
    """Series, samples and the whole state of every snapshot."""
    one, other = _parts(a), _parts(b)
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.dtype == other[name].dtype, name
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def _parts(run: Run) -> dict[str, NDArray[Any]]:
    parts: dict[str, NDArray[Any]] = {}
    for name, column in run.series().columns.items():
        parts[f"steps of {name}"], parts[f"values of {name}"] = column.steps, column.values
    for step in run.sample_steps():
        parts[f"samples {step}"] = run.samples(step)
    for snapshot in run.snapshots():
        parts |= dict(_leaves(snapshot.state(), f"snapshot {snapshot.step}"))
    return parts


def _leaves(state: Any, name: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every tensor and every plain value of a nested state."""
    if isinstance(state, Mapping):
        for key, value in state.items():
            yield from _leaves(value, f"{name}/{key}")
    elif isinstance(state, Sequence) and not isinstance(state, str):
        yield f"length of {name}", np.asarray(len(state))
        for i, value in enumerate(state):
            yield from _leaves(value, f"{name}/{i}")
    else:
        yield name, np.asarray(state)
