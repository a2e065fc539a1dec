"""Tables with delimiters: any header, any cells, damage that costs its own cells alone."""

from __future__ import annotations

import contextlib
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.foreign import export_csv
from dlcc.errors import InputError, OptionError, RunError
from dlcc.runs import Recorder, Run
from dlcc.runs.formats.csv_shape import number_in
from tests.conftest import EXAMPLES, example
from tests.runs.formats.conftest import Leave

HEAD = "step,d_loss,g_loss\n"


def values(run: Run, name: str) -> dict[int, float]:
    column = run.series()[name]
    return dict(zip(column.steps.tolist(), column.values.tolist(), strict=True))


def test_numbers_that_are_not_finite_are_values(leave: Leave) -> None:
    run = Run.open(leave("step,d_loss,g_loss,D(x)\n0,1,2,-0\n7,1.5,nan,inf\n"))
    assert values(run, "discriminator/loss") == {0: 1, 7: 1.5}
    assert math.isnan(values(run, "generator/loss")[7])
    assert values(run, "discriminator/real")[7] == math.inf
    assert math.copysign(1, values(run, "discriminator/real")[0]) == -1
    assert run.length == 8


def test_source_and_documents_are_read_and_nothing_is_written(leave: Leave) -> None:
    folder = leave(HEAD + "0,1,2\n")
    for name in ("source", "documents"):
        (folder / name).mkdir()
        (folder / name / "a.txt").write_text("x")
    before = {p: p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))}
    run = Run.open(folder)
    assert list(run.source_files()) == ["source/a.txt"]
    assert list(run.document_files()) == ["documents/a.txt"]
    assert (run.snapshots(), run.sample_steps()) == ([], [])
    run.series()
    assert {p: p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))} == before


def test_a_mapping_wins_over_names(leave: Leave) -> None:
    folder = leave("iter,errD,errG,d_loss,critic/gap\n5,1,2,3,9\n6,1,2,3,9\n")
    mapping = {"step": "iter", "discriminator/loss": "errD", "generator/loss": "errG"}
    run = Run.open(folder, mapping)
    assert values(run, "discriminator/loss") == {5: 1, 6: 1}
    assert values(run, "generator/loss") == {5: 2, 6: 2}
    assert any("left out column" in note and "d_loss" in note for note in run.notes)


def test_a_mapping_to_no_column_is_refused(leave: Leave) -> None:
    with pytest.raises(OptionError, match=r"no such column; it has columns step, d_loss, g_loss"):
        Run.open(leave(HEAD + "0,1,2\n1,1,2\n"), {"generator/loss": "nope"})


def test_without_a_step_column_rows_count(leave: Leave) -> None:
    run = Run.open(leave("d_loss,g_loss\n1,2\n\n3,4\n"))
    assert values(run, "discriminator/loss") == {0: 1, 1: 3}
    assert any("rows are counted" in note for note in run.notes)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_line_ends_and_marks(delimiter: str, end: str, mark: str, leave: Leave) -> None:
    rows = [["step", "d_loss", " g_loss"], ["0", "1.5", " 2"], ["1", "", '"3"'], ["2", "4", "5"]]
    text = mark + "".join(delimiter.join(row) + end for row in rows)
    run = Run.open(leave(text))
    assert values(run, "discriminator/loss") == {0: 1.5, 2: 4}
    assert values(run, "generator/loss") == {0: 2, 1: 3, 2: 5}


def test_an_empty_cell_of_a_tab_table_is_no_shift(leave: Leave) -> None:
    run = Run.open(leave("step\td_loss\tg_loss\n0\t1 2\t\n1\t3\t4\n2\t5\t6\n"))
    assert values(run, "generator/loss") == {1: 4, 2: 6}


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("blank", ["", " ", "   "])
@pytest.mark.parametrize("odd", ["0.5", "oops"])
def test_blank_cells_hold_no_number(delimiter: str, blank: str, odd: str, leave: Leave) -> None:
    rows = [
        ["step", "d_loss", "g_loss", "fid"],
        ["0", blank, "1.0", "30.0"],
        ["1", "0.5", blank, blank],
        ["2", "0.6", "2.0", blank],
        ["3", odd, "3.0", "31.0"],
    ]
    run = Run.open(leave("".join(delimiter.join(row) + "\n" for row in rows)))
    assert values(run, "generator/loss") == {0: 1, 2: 2, 3: 3}
    assert values(run, "metrics/fid") == {0: 30, 3: 31}
    assert values(run, "discriminator/loss") == {1: 0.5, 2: 0.6} | (
        {3: 0.5} if odd == "0.5" else {}
    )


def test_junk_costs_its_own_cells(leave: Leave) -> None:
    rows = "".join(f"{i},{'oops' if i == 3 else i},{i / 2}\n" for i in range(9))
    run = Run.open(leave(HEAD + rows))
    assert values(run, "discriminator/loss") == {i: i for i in range(9) if i != 3}
    assert values(run, "generator/loss") == {i: i / 2 for i in range(9)}
    (note,) = (n for n in run.notes if "oops" in n)
    assert "line 5" in note
    assert "1 such cells are left out" in note


def test_text_and_dates_beside_the_numbers_are_no_junk(leave: Leave) -> None:
    rows = "".join(f"{i},2024-01-{i + 1:02d} 10:00,ü,{i}.5,,warm\n" for i in range(9))
    run = Run.open(leave("step,when,note,d_loss,g_loss,meta/phase\n" + rows))
    assert values(run, "discriminator/loss")[8] == 8.5
    assert list(run.series()) == ["discriminator/loss"]  # g_loss was never logged


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("tensor(10.5290, grad_fn=<AddBackward0>)", 10.529),
        ("tensor(0.5, device='cuda:0')", 0.5),
        ("[1.25]", 1.25),
        ("51.56%", 51.56),
        ("0,25", 0.25),
        ("1,234,567", 1_234_567.0),
        ("N/A", None),
        ("None", None),
        ("warm", None),
        ("2024-01-01", None),
    ],
)
def test_cells_as_people_print_them(cell: str, number: float | None) -> None:
    assert number_in(cell) == number


def test_tensors_in_quotes(leave: Leave) -> None:
    text = "losses_g,losses_d\n" + "".join(
        f'"tensor({g}, grad_fn=<A>)","tensor({d}, grad_fn=<B>)"\n' for g, d in ((3.5, 1), (2, 0.5))
    )
    assert values(Run.open(leave(text)), "generator/loss") == {0: 3.5, 1: 2}


def test_a_table_without_a_header(leave: Leave) -> None:
    run = Run.open(leave("0,1.5\n1,2.5\n2,2.25\n"), {"step": "#1", "generator/loss": "#2"})
    assert values(run, "generator/loss") == {0: 1.5, 1: 2.5, 2: 2.25}


def test_lines_of_another_width_keep_what_they_have(leave: Leave) -> None:
    run = Run.open(leave(HEAD + "0,1,2\n1,3\n2,4,5,6\n3,7,8\n"))
    assert values(run, "discriminator/loss") == {0: 1, 1: 3, 2: 4, 3: 7}
    assert values(run, "generator/loss") == {0: 2, 2: 5, 3: 8}
    assert any("line 3: expected 3 cells; 2 lines" in note for note in run.notes)


# --- rows that come again -------------------------------------------------------------------------


def test_a_training_that_went_back_as_a_recorder_has_it(leave: Leave, tmp_path: Path) -> None:
    logged = [(s, float(s)) for s in range(30)] + [(s, 100.0 + s) for s in range(16, 29)]
    with Recorder(tmp_path / "run") as recorder:
        for step, value in logged:
            recorder.log(step, {"generator/loss": value, "discriminator/loss": -value})
    text = "step,g_loss,d_loss\n" + "".join(f"{s},{v},{-v}\n" for s, v in logged)
    theirs, ours = Run.open(leave(text)).series(), Run.open(tmp_path / "run").series()
    assert theirs.rewinds == ours.rewinds == ((29, 16),)
    for name in ours:
        assert theirs[name].steps.tolist() == ours[name].steps.tolist()
        assert theirs[name].values.tolist() == ours[name].values.tolist()


def test_rows_of_one_step_add_up(leave: Leave) -> None:
    run = Run.open(leave(HEAD + "0,1,\n0,,2\n1,3,\n1,5,\n1,,4\n2,1,1\n"))
    assert values(run, "discriminator/loss") == {0: 1, 1: 5, 2: 1}
    assert values(run, "generator/loss") == {0: 2, 1: 4, 2: 1}
    assert run.series().rewinds == ()


@pytest.mark.parametrize("again", ["", HEAD])
@pytest.mark.parametrize("rows", [20, 60])
def test_a_training_that_another_one_replaced_is_told(again: str, rows: int, leave: Leave) -> None:
    first = "".join(f"{i},1,2\n" for i in range(30))
    run = Run.open(leave(HEAD + first + again + "".join(f"{i},3,4\n" for i in range(rows))))
    (note,) = run.notes
    assert f"2 sessions (a training began anew): 30 rows to iteration 29, {rows} rows" in note
    assert "the last is judged" in note
    assert set(values(run, "discriminator/loss").values()) == {3}


def test_a_header_as_the_last_line_is_no_session(leave: Leave) -> None:
    run = Run.open(leave(HEAD + "".join(f"{i},1,2\n" for i in range(30)) + HEAD))
    assert run.series().rows == 30


def test_a_training_that_was_resumed_is_no_other_one(leave: Leave) -> None:
    steps = [*range(30), *range(10, 40)]
    assert Run.open(leave(HEAD + "".join(f"{i},1,2\n" for i in steps))).notes == ()


@pytest.mark.parametrize("tail", ["3,3,4.", "3,3,0", "3,3"])
def test_a_cut_end_gives_no_wrong_value(tail: str, leave: Leave) -> None:
    rows = "".join(f"{i},{i}.125,{i}.875\n" for i in range(3))
    series = Run.open(leave(HEAD + rows + tail)).series()
    assert series["generator/loss"].values.tolist() == [0.875, 1.875, 2.875]


def test_a_file_that_grows_is_read_again(leave: Leave) -> None:
    folder = leave(HEAD + "0,1,1\n1,2,2\n")
    assert Run.open(folder).series().rows == 2
    with open(folder / "metrics.csv", "a") as stream:
        stream.write("2,2,2\n")
    assert Run.open(folder).series().rows == 3


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_export_holds_the_same_series(name: str, tmp_path: Path) -> None:
    ours = Run.open(example(name))
    theirs = Run.open(export_csv(example(name), tmp_path / name))
    for part in ("config", "data", "seed", "length"):
        assert getattr(theirs.manifest, part) == getattr(ours.manifest, part)
    for until in (None, 700):
        mine, its = ours.series(until), theirs.series(until)
        assert set(its) == set(mine)
        for key, column in mine.items():
            assert its[key].steps.tolist() == column.steps.tolist()
            assert its[key].values.tobytes() == column.values.tobytes()


numbers = st.one_of(st.none(), st.floats(width=64))


@settings(max_examples=150, deadline=None)
@given(
    rows=st.dictionaries(
        st.integers(0, 10**9), st.tuples(numbers, numbers), min_size=3, max_size=30
    ),
    delimiter=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(
    rows: dict[int, tuple[float | None, float | None]], delimiter: str, end: str
) -> None:
    lines = [["step", "d_loss", "g_loss"]]
    lines += [
        [str(step), *("" if x is None else repr(x) for x in its)]
        for step, its in sorted(rows.items())
    ]
    text = end.join(delimiter.join(line) for line in lines) + end
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "metrics.csv").write_bytes(text.encode())
        series = Run.open(folder).series()
    for k, name in enumerate(("discriminator/loss", "generator/loss")):
        wanted = {step: its[k] for step, its in sorted(rows.items()) if its[k] is not None}
        found = (
            dict(zip(series[name].steps.tolist(), series[name].values.tolist(), strict=True))
            if name in series
            else {}
        )
        assert repr(found) == repr(wanted)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300), headed=st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, headed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "metrics.csv").write_bytes(b"step,d_loss\n0,1\n1,2\n" * headed + data)
        with contextlib.suppress(InputError):
            Run.open(folder).series()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "hello world\n",
        "epoch,d_loss,g_loss\n",
        ",".join(f"c{i}" for i in range(5_000)) + "\n1\n",
        "a,b\nx,y\n",
    ],
)
def test_what_is_no_record_is_one_sentence(text: str, leave: Leave) -> None:
    with pytest.raises(RunError) as caught:
        Run.open(leave(text)).series()
    assert "\n" not in str(caught.value)
