"""States come back bit for bit, or are refused by key path."""

from __future__ import annotations

import json
import math
import struct
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.errors import OptionError, SnapshotError
from dlcc.runs.state import pack_state, unpack_state
from dlcc.runs.tensors import read_torch_tensors, write_tensors

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.text(max_size=6) | st.integers() | st.sampled_from(["$tensor", "$dict", "$tuple", "a/b"])
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Equal in type, structure and every bit (of a NaN only that it is one)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        raw = [t.contiguous().reshape(-1).view(torch.uint8) for t in (a, b)]
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(*raw)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or struct.pack("d", a) == struct.pack("d", b)
    return bool(a == b)


@settings(max_examples=200, deadline=None)
@given(tree=TREES)
def test_plain_values_round_trip_through_json(tree: Any) -> None:
    packed, tensors = pack_state(tree)
    text = json.dumps(packed, allow_nan=False)
    assert not tensors
    assert same(unpack_state(json.loads(text), {}), tree)


def test_tensors_round_trip_bit_for_bit(tmp_path: Path) -> None:
    base = torch.arange(24).reshape(4, 6)
    dtypes = [
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
        torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.bool,
        torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2,
    ]  # fmt: skip
    shared = torch.randn(5)
    state = {
        "dtypes": [base.to(dtype) for dtype in dtypes],
        "views": (base.t(), base[::2, 1:3], base.float().expand(2, 4, 6), base.T[1]),
        "shared": [shared, shared, shared[:2]],
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(math.nan),
        "parameter": torch.nn.Parameter(torch.ones(2)).detach(),
        1: {"1": shared},
        "1": {1: -shared},
        "__metadata__": shared,
    }
    tree, tensors = pack_state(state)
    write_tensors(tmp_path / "state.safetensors", tensors)
    back = read_torch_tensors(tmp_path / "state.safetensors")
    assert same(unpack_state(json.loads(json.dumps(tree)), back), state)


def test_an_ordered_dict_comes_back_as_dict() -> None:
    tree, tensors = pack_state({"model": OrderedDict(a=1)})
    assert unpack_state(tree, tensors) == {"model": {"a": 1}}


Point = namedtuple("Point", "x")


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", np.zeros(2), np.float32(1), torch.float32, Point(1), 1j],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_refused_by_its_key(value: object) -> None:
    with pytest.raises(OptionError, match=rf"optimiser/0/thing.*{type(value).__name__}"):
        pack_state({"optimiser": [{"thing": value}]})


def test_a_strange_key_is_refused() -> None:
    with pytest.raises(OptionError, match=r"state key a: expected keys"):
        pack_state({"a": {(1, 2): 3}})


def test_a_loop_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(OptionError, match="contains itself"):
        pack_state(loop)


@pytest.mark.parametrize(
    "tree", [{"$tensor": "absent"}, {"$tensor": []}, {"$tuple": 3}, {"$float": "x"}, {"$dict": [1]}]
)
def test_a_forged_tree_is_refused(tree: object) -> None:
    with pytest.raises(SnapshotError, match="damaged"):
        unpack_state(tree, {})
