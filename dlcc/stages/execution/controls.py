"""Check of what a live controller wrote: settings are compared with those in the snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dlcc.records import Column, Series
from dlcc.stages.recorded_state import RecordedState

_CONTROL = "control/"
_REASONS = (
    "control/rule", "control/measure", "control/quality", "control/stability", "control/would_"
)  # fmt: skip


def possible_controls(series: Series, snapshots: Sequence[RecordedState]) -> set[str]:
    """Find the controller's series (docs/control.md) whose values are in force at the snapshots.

    A row at step s holds the settings from step s + 1 on; why they were set, which changes nothing
    by itself, is left standing where all settings are. Replays step with those of the state.
    """
    columns = {name: c for name, c in series.columns.items() if name.startswith(_CONTROL)}
    settings = {name: c for name, c in columns.items() if not name.startswith(_REASONS)}
    states = {stored.step: _settings(stored) for stored in snapshots}
    possible = {
        name
        for name, column in settings.items()
        if _in_force(
            column, {step: state.get(name[len(_CONTROL) :]) for step, state in states.items()}
        )
    }
    return possible | (set(columns) - set(settings) if len(possible) == len(settings) else set())


def _settings(stored: RecordedState) -> Mapping[str, object]:
    """Settings in a state: its own, or its controller's."""
    state = stored.tree["state"]
    found = None
    if isinstance(state, dict):
        control = state.get("control")
        found = state.get(
            "settings", control.get("settings") if isinstance(control, dict) else None
        )
    return found if isinstance(found, dict) else {}


def _in_force(column: Column, states: Mapping[int, object]) -> bool:
    """Whether snapshots follow on rows, and each has the value of the last row before it."""
    last = -1
    for step, value in states.items():
        row = int(np.searchsorted(column.steps, step)) - 1
        if row >= 0 and value != column.values[row]:
            return False
        last = max(last, row)
    return last >= 0
