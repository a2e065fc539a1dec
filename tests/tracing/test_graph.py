"""Graphs of steps: what comes out of a sandbox is taken as a graph, or refused in a sentence."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from torch.nn.functional import softplus

from dlcc.errors import TraceError
from dlcc.tracing.graph import StepGraph
from tests.tracing.steps import players, recorded


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    graph, _ = recorded(
        lambda n: softplus(n["discriminator"](n["generator"](_noise()))).mean().backward(),
        players(),
    )
    return dict(json.loads(json.dumps(graph.to_json())))


def _noise() -> Any:
    import torch

    return torch.randn(4, 3)


def test_a_graph_comes_back_as_it_was(plain: dict[str, Any]) -> None:
    assert StepGraph.from_json(plain).to_json() == plain


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nodes", None),
        ("nodes", [["leaf", "mine", "", [], True]]),
        ("nodes", [["leaf", "noise", "", [1.0], True]]),
        ("nodes", [["op", "aten::neg", [{"node": 0, "grad": True}], {}, 0, []]]),  # of itself
        ("nodes", [["op", "aten::neg", [{"node": -1, "grad": True}], {}, 0, []]]),
        ("nodes", [["op", "aten::neg", [{"dtype": "__class__"}], {}, 0, []]]),
        ("nodes", [["op", 7, [], {}, 0, []]]),
        ("nodes", [["op", "x" * 1000, [], {}, 0, []]]),
        ("nodes", [["op", "aten::neg", [], {}, 10**9, []]]),
        ("calls", [["a", "", [0], [99_999], True, 0, -1]]),
        ("calls", [["a", "", [0], [0], True, 0, -2]]),
        ("roots", [[0, float("nan")]]),
        ("roots", [[True, 1.0]]),
        ("updates", [[["a"], ["a/w"], [5]]]),
        ("transformed", ...),
        ("written", [3]),
    ],
)
def test_what_is_no_graph_is_refused(plain: dict[str, Any], key: str, value: Any) -> None:
    changed = copy.deepcopy(plain)
    if value is ...:
        del changed[key]
    else:
        changed[key] = value
    with pytest.raises(TraceError, match="makes no sense"):
        StepGraph.from_json(changed)


@pytest.mark.parametrize("anything", [None, 3, "x", [], {}, {"nodes": {}}])
def test_anything_else_is_refused_too(anything: Any) -> None:
    with pytest.raises(TraceError):
        StepGraph.from_json(anything)
