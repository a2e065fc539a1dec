"""Cells of tables to numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.stages.consistency.cells import read_cell


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_python_writes_is_read(number: float) -> None:
    found = read_cell(repr(number)).number
    assert found is not None
    assert math.isclose(found, number, rel_tol=1e-15) or found == number


@given(st.text())
def test_any_text_is_a_cell(text: str) -> None:
    assert read_cell(text).tolerance >= 0


@pytest.mark.parametrize("text", ["ResNet-50", "64x64", "1e", "10-20", "2/3", "", "n/a", "1" * 400])
def test_what_is_no_number_is_text(text: str) -> None:
    assert read_cell(text).number is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("**12.5**", 12.5), ("−0.5", -0.5), ("3 × 10^-4", 3e-4), ("2.5%", 2.5), ("200k", 2e5),
        ("1,000,000", 1e6), ("10 epochs", 10.0), (r"\mathbf{4.2}", 4.2), (".5", 0.5),
        ("0.1 (decayed)", 0.1),
    ],
)  # fmt: skip
def test_numbers_as_papers_write_them(text: str, number: float) -> None:
    assert read_cell(text).number == number
