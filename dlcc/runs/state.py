"""Nested states as tensors and JSON: no pickle, nothing that could carry code.

`pack_state` takes what `state_dict` methods return apart: tensors into one flat mapping, the rest
into a tree that JSON holds exactly. In the tree

    {"$tensor": name}        stands for a tensor
    {"$tuple": [...]}        for a tuple
    {"$dict": [[k, v], ...]} for a mapping whose keys are not all text, or begin with "$"
    {"$float": "nan"}        for a float that JSON has no number for: nan, inf, -inf
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlcc.errors import OptionError, SnapshotError

if TYPE_CHECKING:
    from torch import Tensor

Tree = Any  # what json.loads returns


def pack_state(state: object) -> tuple[Tree, dict[str, Tensor]]:
    """Take a state apart into a tree and tensors.

    Returns:
        The tree and the tensors; a tensor's name is its key path, as `optimiser/state/0/exp_avg`.

    Raises:
        OptionError: The state holds anything but tensors, plain values, lists, tuples and mappings;
            the message names the key path.
    """
    tensors: dict[str, Tensor] = {}
    try:
        return _pack(state, (), tensors), tensors
    except RecursionError:
        raise OptionError("the state contains itself; make a copy without the loop") from None


def unpack_state(tree: Tree, tensors: Mapping[str, Tensor]) -> Any:
    """Put a state together again: equal to the packed one bit for bit.

    Raises:
        SnapshotError: The tree is not one that `pack_state` made, or a tensor is missing.
    """
    try:
        return _unpack(tree, tensors)
    except RecursionError:
        raise SnapshotError("a state is nested too deeply; restore it from a copy") from None
    except (KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"a state is damaged ({error!r}); restore it from a copy") from None


def _pack(value: object, path: tuple[str, ...], tensors: dict[str, Tensor]) -> Tree:
    import torch

    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):  # numpy's float64 is one
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, torch.Tensor):
        name = _free_name("/".join(path) or "state", tensors)
        tensors[name] = value
        return {"$tensor": name}
    if type(value) is list:
        return [_pack(item, (*path, str(index)), tensors) for index, item in enumerate(value)]
    if type(value) is tuple:
        items = [_pack(item, (*path, str(index)), tensors) for index, item in enumerate(value)]
        return {"$tuple": items}
    if isinstance(value, Mapping):
        return _pack_mapping(value, path, tensors)
    raise OptionError(
        f"state key {'/'.join(path) or '(root)'}: expected a tensor, number, text, boolean, None, "
        f"list, tuple or mapping, found {type(value).__name__}; convert it in state_dict()"
    )


def _pack_mapping(
    value: Mapping[Any, object], path: tuple[str, ...], tensors: dict[str, Tensor]
) -> Tree:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _pack(item, (*path, key), tensors) for key, item in value.items()}
    pairs = []
    for key, item in value.items():
        if not (key is None or type(key) in (bool, int, str, float)):
            raise OptionError(
                f"state key {'/'.join(path) or '(root)'}: expected keys of text or numbers, "
                f"found {key!r}; convert it in state_dict()"
            )
        pairs.append([_pack(key, path, tensors), _pack(item, (*path, str(key)), tensors)])
    return {"$dict": pairs}


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    """Choose `name`, or `name` with a number where keys such as 1 and "1" would share it."""
    candidate, number = name, 1
    while candidate in taken or candidate == "__metadata__":
        number += 1
        candidate = f"{name}~{number}"
    return candidate


def _unpack(tree: Tree, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(tree, list):
        return [_unpack(item, tensors) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        (key, content), *_ = tree.items()
        if key == "$tensor":
            return tensors[content]
        if key == "$tuple":
            return tuple(_unpack(item, tensors) for item in content)
        if key == "$float":
            return float(content)
        if key == "$dict":
            return {_unpack(name, tensors): _unpack(item, tensors) for name, item in content}
    return {key: _unpack(item, tensors) for key, item in tree.items()}
