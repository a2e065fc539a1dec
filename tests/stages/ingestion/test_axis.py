"""The common step axis, and findings of series."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlcc.records import Column, Series
from dlcc.stages.ingestion.axis import common_axis, series_findings


def series(columns: Mapping[str, Mapping[int, float]], **more: object) -> Series:
    return Series(
        {
            name: Column(
                np.array(sorted(rows), dtype=np.int64),
                np.array([rows[s] for s in sorted(rows)]),
                np.arange(float(len(rows))),
            )
            for name, rows in columns.items()
        },
        **more,  # type: ignore[arg-type]
    )


tables = st.dictionaries(
    st.sampled_from(["a/x", "b/y", "c/z"]),
    st.dictionaries(st.integers(0, 50), st.floats(allow_nan=True), min_size=1),
    min_size=1,
)


@given(tables)
def test_every_value_stands_at_its_step_and_nothing_else_is_present(
    columns: dict[str, dict[int, float]],
) -> None:
    steps, names, values, present = common_axis(series(columns))
    assert list(steps) == sorted({s for rows in columns.values() for s in rows})
    for k, name in enumerate(names):
        for i, step in enumerate(steps):
            assert present[i, k] == (step in columns[name])
            if present[i, k]:
                assert np.array_equal(values[i, k], columns[name][step], equal_nan=True)
            else:
                assert np.isnan(values[i, k])


def test_a_gap_is_one_finding_for_the_columns_that_share_it() -> None:
    rows = dict.fromkeys([*range(50), *range(90, 140)], 1.0)
    found = series_findings(series({"g/loss": rows, "d/loss": rows}), 4.0)
    assert [(f.code, f.first_step, f.last_step) for f in found] == [("REC001", 49, 90)]


def test_runs_that_are_not_finite_have_their_place_and_length() -> None:
    rows = dict.fromkeys(range(30), 1.0) | {5: np.nan, 10: np.inf, 11: np.nan, 12: np.nan}
    (found,) = series_findings(series({"g/loss": rows}), 4.0)
    assert (found.code, found.first_step, found.last_step) == ("REC002", 5, 12)
    assert found.evidence == {"rows": 4, "longest_run": 3}


def test_restarts_rewinds_and_a_torn_tail_are_said() -> None:
    rows = dict.fromkeys(range(30), 1.0)
    record = series({"g/loss": rows}, restarts=(10,), rewinds=((20, 15),), torn=True)
    assert [f.code for f in series_findings(record, 4.0)] == ["REC003", "REC004", "REC005"]


def test_an_even_cadence_is_no_gap() -> None:
    assert not series_findings(series({"g/loss": dict.fromkeys(range(0, 900, 100), 1.0)}), 4.0)


def test_measures_may_be_rare_and_a_noise_scale_infinite() -> None:
    every = dict.fromkeys(range(100), 1.0)
    rare = dict.fromkeys((*range(0, 40, 2), 90), np.inf)
    found = series_findings(series({"a/loss": every, "a/grad_noise_scale": rare}), 4.0)
    assert not found
    assert series_findings(series({"a/loss": every, "a/quality": rare}), 4.0)
