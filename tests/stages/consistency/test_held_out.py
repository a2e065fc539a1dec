"""A quantity on two parts of the data: equal in every row is not what two measurements give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dlcc import evaluate
from dlcc.records import Column, Series
from dlcc.stages.consistency.held_out import check_held_out
from dlcc.stages.consistency.ledger import Ledger

# a published table of a map of the plane, every 100 epochs: its losses on validation and test rows
HELD_OUT = (
    0.3895, 0.2856, 0.2161, 0.1714, 0.1431, 0.1254, 0.1144, 0.1076, 0.1033, 0.1007, 0.0991,
    0.0980, 0.0974, 0.0970, 0.0968, 0.0967,
)  # fmt: skip
TRAIN = (
    0.4107, 0.3059, 0.2341, 0.1866, 0.1556, 0.1355, 0.1224, 0.1138, 0.1081, 0.1043, 0.1018,
    0.1000, 0.0988, 0.0979, 0.0973, 0.0968,
)  # fmt: skip


def codes(columns: Mapping[str, NDArray[np.float64]]) -> list[str]:
    series = Series({
        name: Column(np.arange(len(values)), values, np.full(len(values), np.nan))
        for name, values in columns.items()
    })  # fmt: skip
    ledger = Ledger()
    check_held_out(ledger, series)
    return [finding.code for finding in ledger.findings]


def write(folder: Path, test: tuple[float, ...]) -> Path:
    rows = zip(range(0, 1600, 100), TRAIN, HELD_OUT, test, strict=True)
    lines = ["step,model/train_loss,model/validation_loss,model/test_loss"]
    lines += [",".join(map(str, row)) for row in rows]
    folder.mkdir()
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    (folder / "config.json").write_text(json.dumps({"kind": "map", "epochs": 1600}))
    return folder


@pytest.mark.usefixtures("in_process")
def test_the_table_is_found_by_an_evaluation_of_its_folder(tmp_path: Path) -> None:
    report = evaluate(write(tmp_path / "table", HELD_OUT), only=["consistency"]).report
    (finding,) = report.findings
    assert (finding.code, finding.first_step, finding.last_step) == ("LOG009", 0, 1500)
    assert "model/test_loss and model/validation_loss are equal in all 16 rows" in finding.message
    other = (*HELD_OUT[:-1], 0.0968)
    assert evaluate(write(tmp_path / "honest", other), only=["consistency"]).report.findings == ()


@given(st.lists(st.floats(-9, 9), min_size=8, max_size=40, unique=True), st.data())
def test_one_row_that_differs_is_enough(values: list[float], data: st.DataObject) -> None:
    column = np.array(values)
    assert codes({"model/val_acc": column, "model/test_acc": column.copy()}) == ["LOG009"]
    other = column.copy()
    other[data.draw(st.integers(0, len(values) - 1))] += 1
    assert codes({"model/val_acc": column, "model/test_acc": other}) == []


@pytest.mark.parametrize(
    "names",
    [("model/val_loss", "model/test_acc"), ("generator/val_loss", "model/test_loss"),
     ("model/loss", "model/total_loss"), ("model/latest_loss", "model/loss"),
     ("generator/updates", "discriminator/updates")],
)  # fmt: skip
def test_other_columns_may_be_equal(names: tuple[str, str]) -> None:
    column = np.arange(40.0)
    assert "LOG009" not in codes(dict.fromkeys(names, column))


def test_what_hardly_moves_may_be_equal() -> None:
    column = np.repeat([0.25, 0.5, 0.75, 1.0], 10)
    assert codes({"model/val_acc": column, "model/test_acc": column}) == []
