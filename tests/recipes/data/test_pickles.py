"""Pickles are read and not run: whatever a file asks for beyond arrays is refused by name."""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dlcc.recipes.data.pickles import PickleRefusedError, read_pickle
from tests.recipes.data.writing import pixels, python_batch, short

PROTOCOLS = (2, 3, 4, 5)
TYPES = ["?", "i1", "u1", "<i2", ">u2", "<i4", "u4", ">i8", "u8", "f2", "<f4", ">f8"]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text() | st.binary(min_size=1),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), PLAIN, max_size=5), st.sampled_from(PROTOCOLS))
def test_plain_values_come_back(values: dict[str, Any], protocol: int) -> None:
    assert read_pickle(pickle.dumps(values, protocol)) == values


@settings(deadline=None)
@given(
    st.sampled_from(TYPES).flatmap(
        lambda code: npst.arrays(np.dtype(code), npst.array_shapes(max_dims=4, max_side=5))
    ),
    st.sampled_from(PROTOCOLS),
    st.booleans(),
)
def test_arrays_come_back(array: np.ndarray, protocol: int, fortran: bool) -> None:
    array = np.asfortranarray(array) if fortran else array
    back = read_pickle(pickle.dumps({"a": array, "again": array}, protocol))["a"]
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()
    assert back.shape == array.shape


def test_what_python_2_wrote_reads_as_numpy_reads_it() -> None:
    data = python_batch(pixels(3, 3072), [1, 2, 9])
    theirs = pickle.loads(data, encoding="bytes")
    ours = read_pickle(data)
    assert list(ours) == [key.decode() for key in theirs]
    assert np.array_equal(ours["data"], theirs[b"data"])
    assert ours["labels"] == theirs[b"labels"] == [1, 2, 9]
    assert ours["filenames"] == theirs[b"filenames"]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_spoilt_pickle_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(
        data.draw(
            st.sampled_from(
                [python_batch(pixels(1, 4), [3])]
                + [pickle.dumps({"data": pixels(2, 2), "l": [1, ()]}, p) for p in PROTOCOLS]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PickleRefusedError):
        read_pickle(bytes(whole))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(PickleRefusedError):
        read_pickle(b"\x80\x04" + junk + b"N.")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_cut_is_seen(protocol: int) -> None:
    data = pickle.dumps({"data": pixels(2, 3), "labels": [1, 2], "x": "é" * 300}, protocol)
    for end in range(len(data)):
        with pytest.raises(PickleRefusedError):
            read_pickle(data[:end])


# --- hostile ones ---------------------------------------------------------------------------------


class Call:
    """What unpickling would call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def in_dict(value: bytes, protocol: int = 4) -> bytes:
    """The instructions of {"data": value}."""
    return b"\x80" + bytes([protocol]) + b"}" + text("data") + value + b"s."


def call(module: str, name: str, arguments: bytes) -> bytes:
    return f"c{module}\n{name}\n".encode() + arguments + b"R"


SIZES = b"\x8a\x08" + struct.pack("<q", 2**40)
OBJECT_TYPE = b"cnumpy\ndtype\n" + text("O8") + b"\x89\x88\x87R"
ARRAY = call("numpy.core.multiarray", "_reconstruct", b"cnumpy\nndarray\nK\x00\x85C\x01b\x87")
BYTES_TYPE = b"cnumpy\ndtype\n" + text("u1") + b"\x89\x88\x87R"


def calling(command: str) -> dict[str, tuple[bytes, str]]:
    """Pickles that would run a command or a function; what the refusal must name."""
    code = f"__import__('os').system({command!r})"
    cases = {
        f"system, {p}": (pickle.dumps({"a": Call(os.system, command)}, p), "posix.system")
        for p in PROTOCOLS
    }
    cases |= {
        f"eval, {p}": (pickle.dumps({"a": Call(eval, code)}, p), r"(__builtin__|builtins)\.eval")
        for p in PROTOCOLS
    }
    cases |= {
        name: (in_dict(call(*name.rsplit(".", 1), arguments)), name.replace(".", r"\."))
        for name, arguments in {
            "os.system": text(command) + b"\x85",
            "subprocess.Popen": b"]" + text("touch") + b"a\x85",
            "numpy.fromfile": text("/etc/passwd") + b"\x85",
            "numpy.load": text("x.npy") + b"\x85",
            "numpy.memmap": text("x.npy") + b"\x85",
            "numpy.zeros": SIZES + b"\x85",
            "numpy.core.multiarray.zeros": SIZES + b"\x85",
            "numpy.core.multiarray.scalar": b")",
            "numpy.testing._private.utils.runstring": text(code) + b"}\x86",
            "_codecs.decode": text("x") + b"\x85",
            "copyreg._reconstructor": b")",
        }.items()
    }
    return cases | {
        "instance": (b"\x80\x02}U\x01a(" + short(command.encode()) + b"ios\nsystem\ns.", "INST"),
        "object": (b"\x80\x02}U\x01a(cos\nsystem\n" + text(command) + b"os.", r"os\.system"),
        "new": (b"\x80\x02}U\x01acos\nsystem\n)\x81s.", r"os\.system"),
        "at the top": (b"\x80\x02cos\nsystem\n" + text(command) + b"\x85R.", r"os\.system"),
        "protocol 0": (b"cos\nsystem\n(S'" + command.encode() + b"'\ntR.", r"os\.system"),
        "name from the stack": (
            in_dict(text("os") + text("system") + b"\x93" + text(command) + b"\x85R"),
            r"os\.system",
        ),
        "a dotted name": (
            in_dict(text("numpy") + text("ndarray.__subclasses__") + b"\x93)R"),
            r"numpy\.ndarray\.__subclasses__",
        ),
        "behind a known name": (in_dict(b"cnumpy\nndarray\n)\x81"), "NEWOBJ"),
        "a name that is none": (in_dict(b"K\x01K\x02\x93"), "cut or no pickle"),
        "persistent": (in_dict(b"Px\n"), "PERSID"),
        "extension": (in_dict(b"\x82\x01"), "EXT1"),
        "a number is called": (in_dict(b"K\x01)R"), "cut or no pickle"),
        "state of a dict": (in_dict(b"}}U\x01aK\x01sb"), "cut or no pickle"),
        "state of a number": (in_dict(b"K\x01}U\x01aK\x01sb"), "cut or no pickle"),
        "state of a name": (in_dict(b"cnumpy\nndarray\n}b"), "state of a name"),
    }


@pytest.mark.parametrize("case", calling(""))
def test_nothing_is_called(tmp_path: Path, case: str) -> None:
    canary = tmp_path / "canary"
    data, what = calling(f"touch {canary}")[case]
    with pytest.raises(PickleRefusedError, match=what):
        read_pickle(data)
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pickle.loads(calling(f"touch {canary}")["os.system"][0])
    assert canary.exists()


ARRAYS = {
    "sizes given at once": (
        call("numpy.core.multiarray", "_reconstruct",
             b"cnumpy\nndarray\n" + SIZES + b"\x85C\x01b\x87"), "otherwise than an array"),
    "another class": (
        call("numpy.core.multiarray", "_reconstruct",
             b"cnumpy\nmatrix\nK\x00\x85C\x01b\x87"), r"numpy\.matrix"),
    "no class": (
        call("numpy.core.multiarray", "_reconstruct", b"K\x01K\x00\x85C\x01b\x87"), "otherwise"),
    "never filled": (ARRAY, "without numbers"),
    "more than is there": (
        ARRAY + b"(K\x01" + SIZES + SIZES + b"\x86" + BYTES_TYPE + b"\x89C\x04abcdtb", "claims an"),
    "more than any": (
        ARRAY + b"(K\x01\x8a\xff" + b"\x7f" * 255 + b"\x85" + BYTES_TYPE + b"\x89C\x01atb",
        "claims an array of … numbers"),
    "less than is there": (
        ARRAY + b"(K\x01K\x02\x85" + BYTES_TYPE + b"\x89C\x04abcdtb", "claims an array of 2"),
    "negative sizes": (
        ARRAY + b"(K\x01J\xff\xff\xff\xffJ\xfc\xff\xff\xff\x86" + BYTES_TYPE + b"\x89C\x04abcdtb",
        "sizes that are none"),
    "objects": (ARRAY + b"(K\x01K\x01\x85" + OBJECT_TYPE + b"\x89]K\x01atb", "type O8"),
    "a list as numbers": (
        ARRAY + b"(K\x01K\x01\x85" + BYTES_TYPE + b"\x89]K\x01atb", "not that of plain"),
    "filled twice": (
        ARRAY + 2 * (b"(K\x01K\x01\x85" + BYTES_TYPE + b"\x89C\x01atb"), "state of a numpy array"),
    "type with fields": (
        b"cnumpy\ndtype\n" + text("V8") + b"\x89\x88\x87R", "type V8"),
    "type with a subtype": (
        BYTES_TYPE + b"(K\x03" + text("|") + b"K\x01NNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
        "not plain"),
    "buffer of an array": (
        call("numpy.core.numeric", "_frombuffer",
             b"(C\x01a" + BYTES_TYPE + SIZES + b"\x85" + text("C") + b"t"), "claims an"),
    "encoded otherwise": (call("_codecs", "encode", text("x") + text("rot13") + b"\x86"), "otherw"),
}  # fmt: skip


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_holds_what_is_there(case: str) -> None:
    value, what = ARRAYS[case]
    tracemalloc.start()
    try:
        with pytest.raises(PickleRefusedError, match=what):
            read_pickle(in_dict(value))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


LENGTHS = {
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 2**60),
    "BINBYTES8 beyond any": b"\x8e" + struct.pack("<Q", 2**64 - 1),
    "BINBYTES": b"B" + struct.pack("<I", 2**32 - 1),
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 2**50),
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 2**50),
    "BINSTRING": b"T" + struct.pack("<i", 2**31 - 1),
    "BINSTRING below 0": b"T" + struct.pack("<i", -1),
    "LONG4": b"\x8b" + struct.pack("<i", 2**31 - 1),
    "FRAME": b"\x95" + struct.pack("<Q", 2**60),
    "INT": b"I" + b"9" * 100_000 + b"\n",
}


@pytest.mark.parametrize("case", LENGTHS)
def test_a_length_that_lies_takes_no_memory(case: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PickleRefusedError):
            read_pickle(in_dict(LENGTHS[case]))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def doubled(depth: int) -> bytes:
    """A tuple of the same tuple twice, and so on: 2^depth leaves for who looks at all of it."""
    steps = (b"h%c" % k + b"h%c" % k + b"\x86q%c" % (k + 1) for k in range(depth))
    return b"()q\x00" + b"".join(steps) + b"t"


def test_a_value_that_refers_to_itself_costs_nothing() -> None:
    begun = time.monotonic()
    for value in (doubled(200), b"]q\x00h\x00a", b"]" * 300_000 + b"a" * 299_999):
        read_pickle(in_dict(value))
    with pytest.raises(PickleRefusedError, match="tuple as a key"):
        read_pickle(b"\x80\x04}" + doubled(200) + b"K\x01s.")
    assert time.monotonic() - begun < 10


def test_one_text_is_not_encoded_a_million_times() -> None:
    again = b"c_codecs\nencode\nh\x00" + text("latin1") + b"\x86R"
    value = text("x" * 100_000) + b"q\x00" + 50_000 * again
    tracemalloc.start()
    try:
        with pytest.raises(PickleRefusedError, match="encodes more"):
            read_pickle(in_dict(value))
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


def test_the_instructions_are_counted() -> None:
    with pytest.raises(PickleRefusedError, match="1,000,000 instructions"):
        read_pickle(b"\x80\x04" + b"N" * 1_100_000 + b".")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "cut"), (b".", "cut"), (b"\x80\x04N.", "holds a NoneType"),
        (b"\x80\x04}K\x01K\x02s.", "int as a key"), (b"\x80\x04(.", "cut or"),
        (b"\x80\x04K\x01K\x02a.", "cut or"), (b"\x80\x04}h\x05.", "cut or"),
        (b"\x80\x04}e.", "cut or"), (b"\x80\x04}(K\x01u.", "cut or"),
        (b"\x80\x04(\x85.", "cut or"), (in_dict(b"G" + bytes(8)), "FLOAT"),
        (in_dict(b"\x80\x04\x8f"), "EMPTY_SET"), (in_dict(b"\xff"), "cut or no pickle"),
        (in_dict(b"cos\n\xc3\xa9\n"), r"os\.é, which was not run"),
        (in_dict(b"cos\n\xff\n"), "cut or no pickle"),
        (in_dict(b"cos\nsys"), r"os\.syss, which was not run"),
        (in_dict(b"cnumpy\nd\\x74ype\n"), r"asks for numpy\.d.x74ype"),
        (in_dict(b"c" + b"a" * 5_000 + b"\nb\n"), "a…, which was not run"),
        (in_dict(text("\x1b[2J") + text("x") + b"\x93"), r"asks for \?\[2J\.x"),
        (b"PK\x03\x04" + bytes(64), "cut or no pickle"), (b"\x1f\x8b" + bytes(64), "cut or no"),
    ],
)  # fmt: skip
def test_what_it_says_of_others(data: bytes, what: str) -> None:
    with pytest.raises(PickleRefusedError, match=what):
        read_pickle(data)
