"""Rules of averages of weights: they follow the weights, and are no copies of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dlcc.settings.nested import flattened
from dlcc.stages.consistency.rules.breach import Breach, Doubt, Evidence
from dlcc.stages.consistency.steps.later_averages import are_equal, under
from dlcc.stages.recorded_state import RecordedState, Tensors

_AVERAGE = re.compile(r"(?<![a-z])(ema|avg|average|averaged|shadow|polyak)(?![a-z])", re.I)
_LATER = re.compile(
    r"(ema|avg|average)\w*(start|begin|warm|after|from)"
    r"|(start|begin|warm|after|from)\w*(?:_|step|iter|epoch)(ema|avg|average)(?![a-z])",
    re.IGNORECASE,
)
_FEWEST = 3  # snapshots
_NEAR_END = 0.9  # of the run's length
_WARMED_UP = 1_000  # steps, before which an average may copy the weights on purpose


def stale_averages(evidence: Evidence) -> Iterator[Breach | Doubt]:
    """Averages that stand still while the weights move, or that are the weights themselves.

    Either may be on purpose until a step that the code alone knows.
    """
    states = [evidence.states[step] for step in sorted(evidence.states)]
    if len(states) < _FEWEST or any(_LATER.search(p) for p in flattened(evidence.config.config)):
        return
    end = states[-1].step
    is_near_end = end >= max(_WARMED_UP, _NEAR_END * evidence.config.length)
    for name, player in _averages(states[0]).items():
        averages = [under(state.state, f"state/objects/{name}/") for state in states]
        sources = [under(state.state, f"state/players/{player}/") for state in states]
        if not all(a.keys() == s.keys() for a, s in zip(averages, sources, strict=True)):
            continue
        if are_equal(sources[0], sources[-1]):
            continue
        is_still = all(are_equal(averages[0], average) for average in averages[1:])
        copies = all(are_equal(a, s) for a, s in zip(averages[1:], sources[1:], strict=True))
        if not is_still and not copies:
            continue
        message = (
            f"The average {name} is the same at steps {states[0].step:,} and {end:,}, while the "
            f"{player}'s weights moved."
            if is_still
            else f"The average {name} equals the {player}'s weights: it averages nothing."
        )
        later = evidence.is_so_later(name, player, copies)
        if later or (later is None and is_near_end):
            yield Breach("LOG014", message, player, states[1].step)
        else:
            yield Doubt(f"{message.removesuffix('.')}; it may begin at a later step")


def _averages(state: RecordedState) -> Mapping[str, str]:
    """Objects that are called averages -> the player with weights of the same names and shapes."""
    tensors = state.state
    objects = {name.split("/")[2] for name in tensors if name.startswith("state/objects/")}
    players = {name.split("/")[2] for name in tensors if name.startswith("state/players/")}
    found = {}
    for name in sorted(filter(_AVERAGE.search, objects)):
        shapes = _shapes(under(tensors, f"state/objects/{name}/"))
        alike = [p for p in players if _shapes(under(tensors, f"state/players/{p}/")) == shapes]
        if shapes and len(alike) == 1:
            found[name] = alike[0]
    return found


def _shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in tensors.items()}
