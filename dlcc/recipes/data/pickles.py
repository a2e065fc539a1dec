"""Pickles of plain values and numpy arrays, read without running any of them.

`pickle.load` calls what a file asks for. Here a file gets stand-ins for the five names that numpy's
pickles of arrays ask for, and no other name; the stand-ins call nothing and make an array only of
numbers that are there. Python's own reader of pickles, not the one in C: that takes memory for what
a length claims before it looks. Memory is bounded by the length of the file and the number of its
instructions, and what is stored once and referred to often is not copied.

Arrays: `numpy.ndarray.__reduce__` and `__reduce_ex__` of numpy 1 and 2, written by Python 2 or 3.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

_MOST_INSTRUCTIONS = 1_000_000  # a batch of CIFAR-10 has 30,000
_MOST_SIZES, _LARGEST = 8, 2**31
_PLAIN = {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"}

_NAMES = (
    "numpy._core.multiarray._reconstruct",
    "numpy._core.numeric._frombuffer",
    "numpy.ndarray",
    "numpy.dtype",
    "_codecs.encode",
)
# what a file may refer to -> what numpy 2 calls it; numpy 1 had no underscore
_KNOWN = {name: name for name in _NAMES} | {n.replace("._core.", ".core."): n for n in _NAMES}

# Sets and keys other than text are left out: they can be made to take forever to hash.
_ADMITTED = frozenset(
    [
        "PROTO",
        "FRAME",
        "STOP",
        "MARK",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINSTRING",
        "SHORT_BINSTRING",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BYTEARRAY8",
        "EMPTY_DICT",
        "EMPTY_LIST",
        "EMPTY_TUPLE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "APPEND",
        "APPENDS",
        "SETITEM",
        "SETITEMS",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
        "MEMOIZE",
        "GLOBAL",
        "STACK_GLOBAL",
        "REDUCE",
        "BUILD",
    ]
)
_CODES = {ord(op.code): op.name for op in pickletools.opcodes}


class PickleRefusedError(Exception):
    """Raised for a pickle that is damaged or asks for what is not read; a clause says which."""


def read_pickle(data: bytes) -> dict[str, Any]:
    """Read the dict that a pickle holds, its keys as text, arrays as numpy's.

    Values deeper than in the dict itself may hold arrays that are not resolved: nothing that is
    read here has such.

    Raises:
        PickleRefusedError: it is damaged, holds or asks for anything else.
    """
    try:
        value = _Reader(data).load()
    except PickleRefusedError:
        raise
    except Exception as error:  # whatever the reader trips over in a file that is damaged
        raise PickleRefusedError("is cut or no pickle of protocol 2 to 5") from error
    if type(value) is not _Dict:
        raise PickleRefusedError(f"holds a {_kind(value)} and not a dict")
    return {_text(key): _finished(entry) for key, entry in value.items()}


class _Dict(dict[Any, Any]):
    """Dict whose keys are text."""

    __slots__ = ()

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) not in (str, bytes):
            raise PickleRefusedError(f"has a {_kind(key)} as a key of a dict")
        super().__setitem__(key, value)


class _Instructions(dict[int, Callable[[Any], None]]):
    """Instructions that are admitted, with a limit on how many are followed."""

    def __init__(self) -> None:
        known = pickle._Unpickler.dispatch
        super().__init__((c, f) for c, f in known.items() if _CODES[c] in _ADMITTED)
        self[ord(pickle.EMPTY_DICT)] = lambda reader: reader.append(_Dict())
        self[ord(pickle.BYTEARRAY8)] = _load_bytearray8
        self._left = _MOST_INSTRUCTIONS

    def __getitem__(self, code: int) -> Callable[[Any], None]:
        self._left -= 1
        if self._left < 0:
            raise PickleRefusedError(f"has more than {_MOST_INSTRUCTIONS:,} instructions")
        return super().__getitem__(code)

    def __missing__(self, code: int) -> NoReturn:
        if self._left == _MOST_INSTRUCTIONS - 1 or code not in _CODES:
            raise ValueError("some other kind of file")
        raise PickleRefusedError(f"has the instruction {_CODES[code]}, which builds no array")


def _load_bytearray8(reader: Any) -> None:
    """Load a bytearray as bytes, as long as its 8-byte length says."""
    (length,) = struct.unpack("<Q", reader.read(8))
    reader.append(bytes(reader.read(length)))


class _Reader(pickle._Unpickler):
    """Reader of pickles, Python's own, with stand-ins in place of what a file refers to."""

    def __init__(self, data: bytes) -> None:
        super().__init__(BytesIO(data), encoding="bytes")
        # an attribute of the class, to typeshed: here each reader counts its own instructions
        self.dispatch = _Instructions()  # type: ignore[misc]
        self._to_encode = len(data)

    def find_class(self, module: Any, name: Any) -> _Name:
        """Give the stand-in for a name that numpy's pickles ask for, and refuse any other."""
        full = f"{module}.{name}"
        if full not in _KNOWN:
            raise PickleRefusedError(f"asks for {_shown(full)}, which was not run")
        return _Name(_KNOWN[full], self)

    def encodes(self, text: str) -> None:
        """Count a text that is encoded: one that is stored once could be a million times."""
        self._to_encode -= len(text)
        if self._to_encode < 0:
            raise PickleRefusedError("encodes more text than it has")


class _StandIn:
    """Stand-in for whatever a file refers to or builds; it takes no state unless it says so."""

    def __setstate__(self, state: Any) -> None:
        raise PickleRefusedError(f"sets the state of a {_kind(self)}")


class _Name(_StandIn):
    """Stand-in for what a file refers to by name, which is never looked up."""

    def __init__(self, name: str, reader: _Reader) -> None:
        self.name, self._reader = name, reader

    def __call__(self, *arguments: Any) -> Any:
        if self.name == "_codecs.encode" and arguments and type(arguments[0]) is str:
            self._reader.encodes(arguments[0])
        return _reduced(self.name, arguments)


class _Type(_StandIn):
    """Stand-in for a type of numbers, complete when its state has come."""

    def __init__(self, code: str) -> None:
        self.code, self.order = code, ""

    def __setstate__(self, state: Any) -> None:
        if self.order:
            super().__setstate__(state)
        self.order = _byte_order(state)

    def make(self) -> np.dtype[Any]:
        """Make numpy's type."""
        return np.dtype(f"{self.order.replace('|', '')}{self.code}")


class _Array(_StandIn):
    """Stand-in for an array: empty until its state comes."""

    def __init__(self, made: NDArray[Any] | None = None) -> None:
        self.made = made

    def __setstate__(self, state: Any) -> None:
        if self.made is not None:
            super().__setstate__(state)
        self.made = _array(state)


def _reduced(name: str, arguments: tuple[Any, ...]) -> Any:
    """Do what numpy and Python would do for a call that their own pickles hold."""
    match name, arguments:
        case "numpy._core.multiarray._reconstruct", (_Name(name="numpy.ndarray"), (0,), b"b"):
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
    """Make the array of a state (version, shape, type, column-major, bytes)."""
    match state:
        case (1, tuple() as shape, _Type() as kind, bool() as fortran, bytes() as raw):
            return _shaped(raw, kind, shape, fortran)
    raise PickleRefusedError("gives an array a state that is not that of plain numbers")


def _shaped(raw: bytes, kind: _Type, shape: Any, fortran: bool) -> NDArray[Any]:
    """Make an array of bytes, whose number must be what the shape and type ask for."""
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
    """Byte order in the state (3, order, no subtype, no names, no fields, …) of a plain type."""
    match state:
        case (3, str() | bytes() as order, None, None, None, -1, -1, 0):
            text = _text(order)
            if text in ("|", "<", ">", "="):
                return text
    raise PickleRefusedError("holds numbers of a type that is not plain")


def _finished(value: Any) -> Any:
    """Replace the stand-in of an array by the array; leave anything else as it is."""
    if type(value) is not _Array:
        return value
    if value.made is None:
        raise PickleRefusedError("holds an array without numbers")
    return value.made


def _text(value: str | bytes) -> str:
    """Convert text or bytes to text."""
    return value if isinstance(value, str) else value.decode("latin-1")


def _kind(value: Any) -> str:
    """Name for the type of a value; its content stays unseen, for it may refer to itself."""
    names: dict[type, str] = {
        _Array: "numpy array",
        _Type: "numpy type",
        _Name: "name",
        _Dict: "dict",
    }
    return names.get(type(value), type(value).__name__)


def _shown(text: str) -> str:
    """Shorten a name from a file, and make it fit for a message."""
    safe = "".join(c if c.isprintable() else "?" for c in text[:80])
    return safe if len(text) <= 80 else f"{safe}…"
