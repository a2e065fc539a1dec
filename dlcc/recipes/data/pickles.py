"""A pickle of plain values and numpy arrays, read without running any of it.

`pickle.load` calls what a file asks for. Here a machine of a few dozen instructions builds dicts,
lists, tuples, text, bytes, whole numbers and arrays itself; it knows by name what numpy's pickles
of arrays ask for and calls nothing. Whatever else a file asks for is refused by name. Memory is
bounded by the length of the file and the number of its instructions: an array's numbers must be
there before it is made, and what is stored once and referred to often is not copied.

Instructions: Python's `pickletools`, protocols 2 to 5. Arrays: `numpy.ndarray.__reduce__` and
`__reduce_ex__` of numpy 1 and 2, written by Python 2 or 3.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MOST_INSTRUCTIONS = 1_000_000  # a batch of CIFAR-10 has 30,000
_MOST_SIZES, _LARGEST = 8, 2**31
_PLAIN = {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"}

_NAMES = (
    "numpy._core.multiarray._reconstruct", "numpy._core.numeric._frombuffer",
    "numpy.ndarray", "numpy.dtype", "_codecs.encode",
)  # fmt: skip
# what a file may refer to -> what numpy 2 calls it; numpy 1 had no underscore
_KNOWN = {name: name for name in _NAMES} | {n.replace("._core.", ".core."): n for n in _NAMES}


class PickleRefusedError(Exception):
    """A pickle asks for what is not read here, or is damaged; the message is a clause."""


@dataclass(frozen=True)
class _Global:
    """What a file refers to by name; never looked up."""

    name: str


@dataclass
class _Type:
    """A type of numbers on its way."""

    code: str
    order: str = ""

    def make(self) -> np.dtype[Any]:
        return np.dtype(f"{self.order.replace('|', '')}{self.code}")


@dataclass
class _Array:
    """An array on its way: empty until its state comes."""

    made: NDArray[Any] | None = None


class _Mark:
    """The place where items of a container begin."""


_MARK: Final = _Mark()


def read_pickle(data: bytes) -> dict[str, Any]:
    """The dict that a pickle holds, its keys as text, arrays as numpy's.

    Values deeper than in the dict itself may hold arrays that are not resolved: nothing that is
    read here has such.

    Raises:
        PickleRefusedError: it is damaged, holds or asks for anything else.
    """
    try:
        value = _Machine().run(data)
    except (ValueError, IndexError, OverflowError) as error:  # of pickletools, and empty stacks
        raise PickleRefusedError("is cut or no pickle of protocol 2 to 5") from error
    if type(value) is not dict:
        raise PickleRefusedError(f"holds a {_kind(value)} and not a dict")
    return {_text(key): _finished(entry) for key, entry in value.items()}


class _Machine:
    """Runs the instructions of one pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.to_encode = 0

    def run(self, data: bytes) -> Any:
        """What is on the stack when the instruction STOP comes."""
        self.to_encode = len(data)
        for count, (name, argument) in enumerate(_instructions(data)):
            if count == _MOST_INSTRUCTIONS:
                raise PickleRefusedError(f"has more than {_MOST_INSTRUCTIONS:,} instructions")
            if name == "STOP":
                return self.stack.pop()
            if name in _VALUES:
                self.stack.append(_VALUES[name](argument))
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
        raise ValueError("ends early")

    # --- the stack

    def pop(self) -> Any:
        """The value on top, which is no mark."""
        value = self.stack.pop()
        if value is _MARK:
            raise PickleRefusedError("has a mark where a value should be")
        return value

    def pop_items(self) -> list[Any]:
        """What was put on since the last mark, which goes too."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise PickleRefusedError("lacks a mark")

    def top(self, kind: type[Any]) -> Any:
        """The value on top, which stays; it must be of this kind."""
        if type(self.stack[-1]) is not kind:
            raise PickleRefusedError(f"adds items to a {_kind(self.stack[-1])}")
        return self.stack[-1]

    # --- the memo

    def put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def get(self, place: int) -> None:
        if place not in self.memo:
            raise PickleRefusedError(f"refers to a value {place} that it never stored")
        self.stack.append(self.memo[place])

    # --- containers

    def make_tuple(self, items: int | None) -> None:
        values = self.pop_items() if items is None else [self.pop() for _ in range(items)][::-1]
        self.stack.append(tuple(values))

    def append(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        if len(items) % 2:
            raise PickleRefusedError("has a key without a value")
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, bytes):  # others can be made to take forever to hash
                raise PickleRefusedError(f"has a {_kind(key)} as a key of a dict")
            target[key] = value

    # --- names, and what is asked of them

    def refer(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise PickleRefusedError("refers to something by what is no text")
        full = f"{module}.{name}"
        if full not in _KNOWN:
            raise PickleRefusedError(f"asks for {_shown(full)}, which was not run")
        self.stack.append(_Global(_KNOWN[full]))

    def reduce(self) -> None:
        arguments, called = self.pop(), self.pop()
        if type(called) is not _Global or type(arguments) is not tuple:
            raise PickleRefusedError(f"calls a {_kind(called)}")
        if called.name == "_codecs.encode" and arguments and type(arguments[0]) is str:
            self.to_encode -= len(arguments[0])
            if self.to_encode < 0:  # a text stored once could be encoded a million times
                raise PickleRefusedError("encodes more text than it has")
        self.stack.append(_reduced(called.name, arguments))

    def build(self) -> None:
        state, target = self.pop(), self.stack[-1]
        if type(target) is _Array and target.made is None:
            target.made = _array(state)
        elif type(target) is _Type and not target.order:
            target.order = _byte_order(state)
        else:
            raise PickleRefusedError(f"sets the state of a {_kind(target)}")


# instruction -> what it puts on the stack, of its argument
_VALUES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), int),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), lambda text: text.encode("latin-1")),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), str),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), bytes),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "MARK": lambda _: _MARK,
}
# instruction -> what it does to the machine, with its argument
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "TUPLE": lambda machine, _: machine.make_tuple(None),
    "TUPLE1": lambda machine, _: machine.make_tuple(1),
    "TUPLE2": lambda machine, _: machine.make_tuple(2),
    "TUPLE3": lambda machine, _: machine.make_tuple(3),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_items()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_items()),
    "GLOBAL": lambda machine, names: machine.refer(*names),
    "STACK_GLOBAL": lambda machine, _: machine.refer(*[machine.pop(), machine.pop()][::-1]),
    "REDUCE": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
}
_CODES = {op.code.encode("latin-1"): op for op in pickletools.opcodes}
_ADMITTED = {*_VALUES, *_ACTIONS, "PROTO", "FRAME", "STOP"}


def _instructions(data: bytes) -> Iterator[tuple[str, Any]]:
    """Names of instructions with their arguments; of those not admitted none is read.

    Raises:
        ValueError: of pickletools, for an argument that is cut or damaged.
    """
    stream = BytesIO(data)
    while code := stream.read(1):
        instruction = _CODES.get(code)
        if instruction is None:
            raise ValueError("no instruction")
        name, argument = instruction.name, instruction.arg
        if name not in _ADMITTED:
            if stream.tell() == 1:  # some other kind of file
                raise ValueError("no pickle")
            raise PickleRefusedError(f"has the instruction {name}, which builds no array")
        if name == "GLOBAL":  # pickletools would read escapes here, pickle does not
            yield name, (_line(stream), _line(stream))
        else:
            yield name, None if argument is None else argument.reader(stream)


def _line(stream: BytesIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ValueError("no newline")
    return line[:-1].decode()


def _reduced(name: str, arguments: tuple[Any, ...]) -> Any:
    """What numpy and Python would make of a call that their own pickles hold."""
    match name, arguments:
        case "numpy._core.multiarray._reconstruct", (_Global(name="numpy.ndarray"), (0,), b"b"):
            return _Array()
        case "numpy.dtype", (str() | bytes() as code, 0 | False, 1 | True):
            text = _text(code)
            if text not in _PLAIN:
                raise PickleRefusedError(f"holds numbers of the type {_shown(text)}")
            return _Type(text)
        case "numpy._core.numeric._frombuffer", (bytes() as raw, _Type() as kind, shape, order):
            return _Array(_shaped(raw, kind, shape, order == "F"))
        case "_codecs.encode", (str() as text, "latin1"):  # bytes, as Python 3 writes protocol 2
            return text.encode("latin-1")
    raise PickleRefusedError(f"calls {name} otherwise than an array of plain numbers does")


def _array(state: Any) -> NDArray[Any]:
    """The array of a state (version, shape, type, column-major, bytes)."""
    match state:
        case (1, tuple() as shape, _Type() as kind, bool() as fortran, bytes() as raw):
            return _shaped(raw, kind, shape, fortran)
    raise PickleRefusedError("gives an array a state that is not that of plain numbers")


def _shaped(raw: bytes, kind: _Type, shape: Any, fortran: bool) -> NDArray[Any]:
    sizes_are_plain = type(shape) is tuple and all(type(n) is int and n >= 0 for n in shape)
    if not sizes_are_plain or len(shape) > _MOST_SIZES:
        raise PickleRefusedError("gives an array sizes that are none")
    made = kind.make()
    if max(shape, default=0) > _LARGEST or math.prod(shape) * made.itemsize != len(raw):
        sizes = _shown("×".join(str(n) if n < 2**63 else "…" for n in shape))
        raise PickleRefusedError(
            f"claims an array of {sizes} numbers of {made.itemsize} bytes and has {len(raw):,}"
        )
    return np.frombuffer(raw, made).reshape(shape, order="F" if fortran else "C")


def _byte_order(state: Any) -> str:
    """Of the state (3, order, no subtype, no names, no fields, …) of a plain type."""
    match state:
        case (3, str() | bytes() as order, None, None, None, -1, -1, 0):
            text = _text(order)
            if text in ("|", "<", ">", "="):
                return text
    raise PickleRefusedError("holds numbers of a type that is not plain")


def _finished(value: Any) -> Any:
    """An array that is complete; anything else as it is."""
    if type(value) is not _Array:
        return value
    if value.made is None:
        raise PickleRefusedError("holds an array without numbers")
    return value.made


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _kind(value: Any) -> str:
    """What to call a value; its content stays unseen, for it may refer to itself."""
    names = {_Array: "numpy array", _Type: "numpy type", _Global: "name", _Mark: "mark"}
    return names.get(type(value), type(value).__name__)


def _shown(text: str) -> str:
    """A name of a file's own making, fit for a message."""
    safe = "".join(c if c.isprintable() else "?" for c in text[:80])
    return safe if len(text) <= 80 else f"{safe}…"
