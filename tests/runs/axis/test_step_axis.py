"""Steps of a foreign record, from whatever counts them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dlcc.runs.axis import split_sessions, step_axis
from dlcc.runs.axis.step_axis import what_counts
from dlcc.runs.raw_table import RawColumn, RawTable, Scalar


def table(config: dict[str, Scalar] | None = None, **columns: Sequence[float | None]) -> RawTable:
    rows = max(len(cells) for cells in columns.values())
    cells = {name.replace("_of", " of"): RawColumn.of_cells(c) for name, c in columns.items()}
    return RawTable("CSV", (Path("a.csv"),), cells, rows=rows, config=config or {})


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("step", "step"), ("global_step", "step"), ("trainer/global_step", "step"),
        ("Iter", "step"), ("iteration", "step"), ("num_updates", "step"),
        ("Epoch", "epoch"), ("Train Epoch", "epoch"), ("epochs", "epoch"),
        ("Batch", "batch"), ("batch_idx", "batch"), ("Progress/kimg", "kimg"),
        ("tick", "tick"), ("Epoch of", "total"), ("#1", "unnamed"), ("", None),
        ("d_loss", None), ("step_time", None), ("steps/sec", None),
        ("Saved checkpoints and samples at epoch", None), ("epoch_seconds", None),
    ],
)  # fmt: skip
def test_names_that_count(name: str, what: str | None) -> None:
    assert what_counts(name) == what


def test_a_global_step_wins_over_the_epoch() -> None:
    axis = step_axis(table(epoch=[0, 0, 1, 1], step=[10, 20, 30, 40], loss=[4, 3, 2, 1]))
    assert axis.steps.tolist() == [10, 20, 30, 40]
    assert axis.columns == {"epoch", "step"}


def test_batches_within_epochs_of_a_known_length() -> None:
    axis = step_axis(
        table(Epoch=[0, 0, 1, 1], Epoch_of=[5] * 4, Batch=[0, 50, 0, 50], Batch_of=[142] * 4)
    )
    assert axis.steps.tolist() == [0, 50, 142, 192]
    assert (axis.per_epoch, axis.length) == (142, 710)
    assert axis.said == ()


def test_epochs_of_a_length_that_nothing_states() -> None:
    axis = step_axis(table(epoch=[1, 1, 1, 2, 2, 2], iters=[100, 200, 300, 100, 200, 300]))
    assert np.diff(axis.steps).tolist() == [100] * 5
    assert "exact to within 100" in axis.said[0]


def test_epochs_alone() -> None:
    axis = step_axis(table({"n_epochs": 20}, epoch=[1, 2, 3], loss=[1, 2, 3]))
    assert (axis.unit, axis.steps.tolist(), axis.length) == ("epoch", [1, 2, 3], 20)


def test_an_epoch_too_coarse_for_its_rows_does_not_count_them() -> None:
    axis = step_axis(table(epoch=[0] * 10 + [1] * 10, loss=[1.0] * 20))
    assert (axis.unit, axis.steps.tolist()) == ("row", [*range(20)])
    assert "rows are counted" in axis.said[0]


def test_rows_without_a_step_have_that_before() -> None:
    axis = step_axis(
        table(step=[5, None, 10, None], loss=[1, None, 2, None], fid=[None, 3, None, 4])
    )
    assert axis.steps.tolist() == [5, 5, 10, 10]


def test_thousands_of_images_in_fractions() -> None:
    axis = step_axis(table(kimg=[0.008, 0.1, 0.2, 0.3], loss=[1, 2, 3, 4]))
    assert (axis.unit, axis.steps.tolist()) == ("image", [8, 100, 200, 300])


def test_unnamed_columns_are_told_by_what_they_hold() -> None:
    fields = {"#1": [0.0, 0, 1, 1], "#2": [0.0, 10, 0, 10], "Loss_D": [1.0, 2, 3, 4]}
    cells = {name: RawColumn.of_cells(c) for name, c in fields.items()}
    axis = step_axis(RawTable("log", (Path("a"),), cells, rows=4))
    assert axis.columns == {"#1", "#2"}
    assert axis.steps.tolist() == [0, 10, 20, 30]


def test_milliseconds_are_no_steps() -> None:
    fields = {
        "#1": [1.67e12, 1.67e12 + 246, 1.67e12 + 500],
        "#2": [0.5, 0.4, 0.3],
        "#3": [0.0, 7, 14],
    }
    cells = {name: RawColumn.of_cells(c) for name, c in fields.items()}
    assert step_axis(RawTable("log", (Path("a"),), cells, rows=3)).steps.tolist() == [0, 7, 14]


def test_the_users_column_wins() -> None:
    axis = step_axis(table(step=[1, 2, 3], tock=[7, 8, 9]), "tock")
    assert axis.steps.tolist() == [7, 8, 9]


# --- sessions -------------------------------------------------------------------------------------


def bounds(steps: Sequence[int], begun: tuple[int, ...] = ()) -> list[tuple[int, int, bool]]:
    found = split_sessions(np.array(steps, dtype=np.int64), begun)
    return [(s.first, s.end, s.judged) for s in found]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([*range(20)], [(0, 20, True)]),
        ([*range(20), *range(20)], [(0, 20, False), (20, 40, True)]),
        ([*range(40), *range(4)], [(0, 40, True), (40, 44, False)]),
        ([*range(4), *range(40)], [(0, 4, False), (4, 44, True)]),
        ([*range(30), *range(20, 40)], [(0, 50, True)]),  # a rewind
        ([0, 10, 20, 19, 30, 40, 39, 50], [(0, 8, True)]),  # rows written late
        ([5], [(0, 1, True)]),
        ([], []),
    ],
)
def test_sessions(steps: list[int], wanted: list[tuple[int, int, bool]]) -> None:
    assert bounds(steps) == wanted


def test_a_header_again_is_a_session_only_where_steps_begin_anew() -> None:
    assert bounds([*range(20), *range(20, 40)], begun=(20,)) == [(0, 40, True)]


def test_sessions_share_no_row_and_lose_none() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        parts = [np.arange(rng.integers(0, 50), rng.integers(51, 120)) for _ in range(4)]
        steps = np.concatenate(parts)
        found = split_sessions(steps)
        assert [s.first for s in found] == [0, *(s.end for s in found[:-1])]
        assert found[-1].end == len(steps)
        assert sum(s.judged for s in found) == 1
