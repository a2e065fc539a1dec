"""Search for what a step function changes: objects that it reaches, and variables that it assigns.

A step function of a user's own keeps its optimisers, averages and counters where it likes: in
variables around it, in globals, in containers and objects of its own classes. What lies in files of
installed packages is not searched.
"""

from __future__ import annotations

import dis
import functools
import inspect
import io
import random
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.runs.training import Training

_DEEPEST = 5
_MOST_ITEMS = 256
_PLAIN = (bool, int, float, str, type(None))
_MOST_NUMBERS = 2**20  # of tensors in variables: more are data


@dataclass(frozen=True)
class Variable:
    """Variable or attribute that is read and set again."""

    get: Callable[[], Any]
    set: Callable[[Any], None]


@dataclass
class Reached:
    """Objects and variables with a state that functions reach, by a name of theirs."""

    objects: dict[str, Any] = field(default_factory=dict)
    """Objects with `state_dict` and `load_state_dict`, and random generators."""
    tensors: dict[str, Any] = field(default_factory=dict)
    """Lists and mappings of tensors that are shaped like the parameters of a player."""
    variables: dict[str, Variable] = field(default_factory=dict)
    """Variables that a function assigns, and attributes of objects of the user's classes."""
    iterators: list[str] = field(default_factory=list)
    """Names of iterators, whose place nobody can record."""


def reached_by(
    functions: Sequence[Callable[..., Any]],
    players: Mapping[str, nn.Module],
    known: Sequence[Any] = (),
) -> Reached:
    """Search what functions reach.

    Args:
        functions: Functions of the user, such as the step function.
        players: Networks by name; they and their parts are no finds.
        known: Objects that are known already.

    Returns:
        What was found, by the names of variables: `opt_g`, `optimizers.generator`, `ema.shadow`.

    >>> net = nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> count = 0
    >>> def step(batch):
    ...     global count
    ...     count += 1
    ...     optimizer.step()
    >>> found = reached_by([step], {"model": net})
    >>> list(found.objects), list(found.variables)
    (['optimizer'], ['count'])
    """
    file = next((_file_of(function) for function in functions), None)
    search = _Search(players, known, None if file is None else Path(file).parent)
    for function in functions:
        search.look_into("", function, 0)
    return search.found


class _Search:
    """Walk over what functions reach, each object once."""

    def __init__(
        self, players: Mapping[str, nn.Module], known: Sequence[Any], home: Path | None
    ) -> None:
        self.found = Reached()
        self._parts = {id(part) for player in players.values() for part in player.modules()}
        self._weights = {id(t) for p in players.values() for t in _tensors_of(p)}
        self._shapes = {tuple(map(_shape, shapes)) for shapes in _shapes_of(players)}
        self._seen = {id(thing) for thing in known}
        self._home = home

    def look_into(self, name: str, value: Any, depth: int) -> None:
        """Sort one value in, and go on to what it holds."""
        if id(value) in self._seen or depth > _DEEPEST or isinstance(value, _PLAIN):
            return
        self._seen.add(id(value))
        for sort in (self._as_code, self._as_state, self._as_container):
            if sort(name, value, depth):
                return
        if self._is_own(type(value)):
            if callable(value):
                self.look_into(name, type(value).__call__, depth)
            self._attributes(name, value, depth)

    def _as_code(self, name: str, value: Any, depth: int) -> bool:
        """Look into a function: its variables, what it is bound to, what it wraps."""
        if isinstance(value, functools.partial):
            for part in (value.func, *value.args, *value.keywords.values()):
                self.look_into(name, part, depth + 1)
            return True
        if isinstance(value, types.MethodType):
            self.look_into(name, value.__self__, depth)
            self.look_into(name, value.__func__, depth)
            return True
        wrapped = inspect.unwrap(value) if callable(value) else value
        if not isinstance(wrapped, types.FunctionType):
            return isinstance(value, type | types.ModuleType | types.BuiltinFunctionType)
        if self._is_own(wrapped):
            for place, held, assigned in _variables(wrapped):
                if assigned is not None:
                    self._variable(place, held, assigned)
                self.look_into(place, held, depth + 1)
        return True

    def _as_state(self, name: str, value: Any, depth: int) -> bool:
        """Keep an object with a state of its own."""
        if isinstance(value, nn.Module):
            if id(value) not in self._parts and not self._is_constant(value):
                self._keep(self.found.objects, name, value)
            return True
        if isinstance(value, torch.Tensor | np.ndarray | torch.utils.data.Dataset | io.IOBase):
            return True
        if isinstance(value, Training):  # made of such a function before
            return True
        if isinstance(value, torch.Generator | np.random.Generator | random.Random) or all(
            callable(getattr(value, f"{verb}state_dict", None)) for verb in ("", "load_")
        ):
            self._keep(self.found.objects, name, value)
            return True
        if isinstance(value, Iterator):
            self.found.iterators.append(name)
            return True
        return False

    def _as_container(self, name: str, value: Any, depth: int) -> bool:
        """Keep copies of a player's parameters, else look into what a container holds."""
        if not isinstance(value, dict | list | tuple | set | deque):
            return False
        items = value.items() if isinstance(value, dict) else enumerate(value)
        parts = dict(items) if len(value) <= 64 * _MOST_ITEMS else {}
        if parts and all(isinstance(part, Tensor) for part in parts.values()):
            shapes = tuple(_shape(part.shape) for part in parts.values())
            copies = not any(id(part) in self._weights for part in parts.values())
            if copies and shapes in self._shapes and isinstance(value, dict | list | tuple):
                self._keep(self.found.tensors, name, value)
            return True
        for key, part in parts.items() if len(parts) <= _MOST_ITEMS else ():
            self.look_into(f"{name}.{key}", part, depth + 1)
        return True

    def _attributes(self, name: str, value: Any, depth: int) -> None:
        """Keep the plain attributes of an object of a class of the user's, and look into others."""
        for key, held in list(getattr(value, "__dict__", {}).items()):
            place = f"{name}.{key}" if name else key
            if _is_plain(held) and id(held) not in self._weights:
                get = functools.partial(getattr, value, key)
                self._variable(place, held, Variable(get, functools.partial(setattr, value, key)))
            else:
                self.look_into(place, held, depth + 1)

    def _variable(self, name: str, held: Any, variable: Variable) -> None:
        if isinstance(held, Iterator):
            self.found.iterators.append(name)
        elif _is_plain(held):
            self._keep(self.found.variables, name, variable)

    def _keep(self, kept: dict[str, Any], name: str, value: Any) -> None:
        free, number = name, 1
        while free in kept:
            number += 1
            free = f"{name}~{number}"
        kept[free] = value

    def _is_constant(self, module: nn.Module) -> bool:
        """Whether a network is only looked up, such as one whose features are compared.

        One in the shape of a player is an average of it, though nothing in it is trained.
        """
        if all(id(t) in self._weights for t in _tensors_of(module)):
            return True
        trained = any(p.requires_grad for p in module.parameters())
        shapes = tuple(_shape(p.shape) for p in module.parameters())
        return not trained and not module.training and shapes not in self._shapes

    def _is_own(self, thing: Any) -> bool:
        """Whether a function or a class is the user's: of a file beside the step function's."""
        file = _file_of(thing)
        if file is None or self._home is None:
            return False
        path = Path(file)
        installed = {"site-packages", "dist-packages"} & set(path.parts)
        return path.is_relative_to(self._home) and not installed


def _variables(function: types.FunctionType) -> Iterator[tuple[str, Any, Variable | None]]:
    """Variables around a function and globals that it names, with a way to set those it assigns."""
    codes = list(_codes(function.__code__))
    assigned = {
        (instruction.opname, instruction.argval)
        for code in codes
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("STORE_DEREF", "STORE_GLOBAL")
    }
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        sets = ("STORE_DEREF", name) in assigned
        yield name, value, _of_cell(cell) if sets else None
    space = function.__globals__
    for name in dict.fromkeys(name for code in codes for name in code.co_names):
        if name in space:
            sets = ("STORE_GLOBAL", name) in assigned
            yield name, space[name], _of_global(space, name) if sets else None


def _of_cell(cell: types.CellType) -> Variable:
    return Variable(lambda: cell.cell_contents, lambda value: setattr(cell, "cell_contents", value))


def _of_global(space: dict[str, Any], name: str) -> Variable:
    return Variable(lambda: space[name], lambda value: space.__setitem__(name, value))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Code of a function and of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _is_plain(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() <= _MOST_NUMBERS and not isinstance(value, nn.Parameter)
    return isinstance(value, _PLAIN)


def _file_of(thing: Any) -> str | None:
    """File that a function, a class, or the class of a callable object stands in."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    thing = inspect.unwrap(thing)
    code = getattr(thing, "__code__", None)
    if code is not None:
        return str(code.co_filename)
    try:
        return inspect.getfile(thing if isinstance(thing, type) else type(thing))
    except (TypeError, OSError):
        return None


def _tensors_of(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape)


def _shapes_of(players: Mapping[str, nn.Module]) -> Iterator[list[Sequence[int]]]:
    """Shapes of the parameters of every part of a player, and of its whole state."""
    for player in players.values():
        for part in player.modules():
            shapes = [p.shape for p in part.parameters() if not nn.parameter.is_lazy(p)]
            if shapes:
                yield list(shapes)
                yield [t.shape for t in part.state_dict().values() if isinstance(t, Tensor)]
