"""Rules of averages of weights: they follow the weights, and are no copies of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from dlcc.settings.nested import flattened
from dlcc.stages.consistency.rules.breach import Breach, Evidence
from dlcc.stages.recorded_state import RecordedState, Tensors

_AVERAGE = re.compile(r"(?<![a-z])(ema|avg|average|averaged|shadow|polyak)(?![a-z])", re.I)
_LATER = re.compile(r"(ema|avg|average)\w*(start|begin|warm|after|from)", re.IGNORECASE)
_FEWEST = 3  # snapshots
_WARMED_UP = 1_000  # steps, before which an average may copy the weights on purpose


def stale_averages(evidence: Evidence) -> Iterator[Breach]:
    """Averages that stand still while the weights move, or that are the weights themselves."""
    states = [evidence.states[step] for step in sorted(evidence.states)]
    if len(states) < _FEWEST or any(_LATER.search(p) for p in flattened(evidence.config.config)):
        return
    for name, player in _averages(states[0]).items():
        averages = [_weights(state, f"state/objects/{name}/") for state in states]
        sources = [_weights(state, f"state/players/{player}/") for state in states]
        if not all(a.keys() == s.keys() for a, s in zip(averages, sources, strict=True)):
            continue
        if _equal(sources[0], sources[-1]):
            continue
        if all(_equal(averages[0], average) for average in averages[1:]):
            message = (
                f"The average {name} is the same at steps {states[0].step:,} and "
                f"{states[-1].step:,}, while the {player}'s weights moved."
            )
            yield Breach("LOG014", message, player, states[1].step)
        elif states[-1].step >= _WARMED_UP and all(
            _equal(a, s) for a, s in zip(averages[1:], sources[1:], strict=True)
        ):
            message = f"The average {name} equals the {player}'s weights: it averages nothing."
            yield Breach("LOG014", message, player, states[1].step)


def _averages(state: RecordedState) -> Mapping[str, str]:
    """Objects that are called averages -> the player with weights of the same names and shapes."""
    tensors = state.state
    objects = {name.split("/")[2] for name in tensors if name.startswith("state/objects/")}
    players = {name.split("/")[2] for name in tensors if name.startswith("state/players/")}
    found = {}
    for name in sorted(filter(_AVERAGE.search, objects)):
        shapes = _shapes(_weights(state, f"state/objects/{name}/"))
        alike = [p for p in players if _shapes(_weights(state, f"state/players/{p}/")) == shapes]
        if shapes and len(alike) == 1:
            found[name] = alike[0]
    return found


def _weights(state: RecordedState, prefix: str) -> Tensors:
    """Floating-point tensors under a prefix, without running moments."""
    return {
        name.removeprefix(prefix): array
        for name, array in state.state.items()
        if name.startswith(prefix)
        and np.issubdtype(array.dtype, np.floating)
        and not name.endswith(("running_mean", "running_var"))
    }


def _shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in tensors.items()}


def _equal(one: Tensors, other: Tensors) -> bool:
    return all(np.array_equal(array, other[name]) for name, array in one.items())
