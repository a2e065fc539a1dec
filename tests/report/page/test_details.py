"""Details of stages as rows instead of JSON."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlcc.report.page.details import rows

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), PLAIN, max_size=5))
def test_whatever_a_stage_says_becomes_rows_of_text(details: dict[str, object]) -> None:
    found = rows(details)
    assert all(isinstance(name, str) and isinstance(text, str) and text for name, text in found)
    assert len(found) <= 61


def test_long_tables_are_cut_and_say_so() -> None:
    found = rows({"replays": [{"step": k} for k in range(200)]})
    assert found[-1] == ("more", "140 rows, in report.json")


def test_names_can_be_put_into_words() -> None:
    assert rows({"good_half": 0.25}, {"good_half": "good sample steps"}) == (
        ("good sample steps", "0.25"),
    )
