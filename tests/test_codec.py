"""Records travel unchanged, without pickle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dlcc import codec
from dlcc.codec import Array
from dlcc.errors import StageDeclarationError


@dataclass(frozen=True)
class Inner:
    value: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class Outer:
    array: Array
    inner: tuple[Inner, ...]
    table: Mapping[str, float]
    maybe: int | None = None


@dataclass(frozen=True)
class Unfit:
    thing: object


def outer() -> Outer:
    inner = (Inner(math.nan, ("a", "ü")), Inner(-math.inf, ()))
    return Outer(np.arange(6.0).reshape(2, 3), inner, {"x": 0.1})


def test_a_record_comes_back_the_same(tmp_path: Path) -> None:
    codec.save(tmp_path / "record", outer())
    back = codec.load(tmp_path / "record", Outer)
    assert codec.digest(back) == codec.digest(outer())
    assert np.array_equal(back.array, outer().array)
    assert math.isnan(back.inner[0].value)
    assert back.inner[1] == outer().inner[1]


def test_arrays_of_a_travelled_record_are_read_only(tmp_path: Path) -> None:
    codec.save(tmp_path / "record", outer())
    with pytest.raises(ValueError, match="read-only"):
        codec.load(tmp_path / "record", Outer).array[0, 0] = 1


def test_the_digest_sees_every_part() -> None:
    base = codec.digest(outer())
    changed = outer().array.copy()
    changed[1, 2] = np.nextafter(changed[1, 2], 9)
    assert codec.digest(Outer(changed, outer().inner, {"x": 0.1})) != base
    assert codec.digest(Outer(outer().array, outer().inner, {"x": 0.1}, 0)) != base


def test_a_record_that_cannot_travel_is_named() -> None:
    class Plain:
        pass

    with pytest.raises((StageDeclarationError, Exception), match=r"Unfit|serialize"):
        codec.encode(Unfit(Plain()))


def test_text_of_another_record_is_refused() -> None:
    with pytest.raises(ValueError, match="Inner"):
        codec.decode(Inner, '{"value": "many"}', {})
