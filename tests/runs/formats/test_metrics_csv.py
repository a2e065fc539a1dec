"""A CSV of metrics read in place: which columns, which rows, and what is refused."""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.foreign import export_csv
from dlcc.errors import InputError, OptionError, RunError
from dlcc.runs import Recorder, Run
from dlcc.runs.formats import csv_rows
from tests.conftest import EXAMPLES, example
from tests.runs.formats.conftest import Leave

HEAD = "step,d_loss,g_loss\n"


def values(run: Run, name: str) -> dict[int, float]:
    column = run.series().columns[name]
    return dict(zip(column.steps.tolist(), column.values.tolist(), strict=True))


def test_the_known_columns_need_no_mapping(leave: Leave) -> None:
    folder = leave(
        "step,d_loss,g_loss,d_grad_norm,g_grad_norm,d_real,d_fake\n0,1,2,3,4,5,6\n7,1.5,nan,inf,-inf,-0,1e-3\n"
    )
    run = Run.open(folder)
    assert values(run, "discriminator/loss") == {0: 1, 7: 1.5}
    assert values(run, "discriminator/grad_norm") == {0: 3, 7: math.inf}
    assert values(run, "generator/grad_norm") == {0: 4, 7: -math.inf}
    assert values(run, "discriminator/real")[0] == 5
    assert values(run, "discriminator/fake") == {0: 6, 7: 0.001}
    assert math.isnan(values(run, "generator/loss")[7])
    assert math.copysign(1, values(run, "discriminator/real")[7]) == -1
    assert run.length == 8
    assert run.notes == ()
    assert run.manifest.objective == {"kind": "gan"}
    assert run.name == "theirs"
    assert (run.snapshots(), run.sample_steps(), run.reference()) == ([], [], None)
    assert (run.source_files(), run.document_files()) == ({}, {})
    assert np.isnan(run.series().columns["generator/loss"].clock).all()
    with pytest.raises(RunError, match="holds none"):
        run.samples(0)


def test_source_and_documents_are_read_and_nothing_is_written(leave: Leave) -> None:
    folder = leave("step,d_loss,g_loss\n0,1,2\n")
    for name in ("source", "documents", "samples", "snapshots"):
        (folder / name).mkdir()
        (folder / name / "a.txt").write_text("x")
    (folder / "samples" / "latest").symlink_to(folder)  # theirs, not ours: not looked at
    before = {p: p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))}
    run = Run.open(folder)
    assert list(run.source_files()) == ["source/a.txt"]
    assert list(run.document_files()) == ["documents/a.txt"]
    assert (run.snapshots(), run.sample_steps()) == ([], [])
    run.series()
    assert {p: p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))} == before


def test_a_mapping_names_columns(leave: Leave) -> None:
    folder = leave("iter,errD,errG,d_loss,fid,critic/gap\n5,1,2,3,4,9\n")
    mapping = {"step": "iter", "discriminator/loss": "errD", "generator/loss": "errG"}
    run = Run.open(folder, mapping)
    table = {name: c.values.tolist() for name, c in run.series().columns.items()}
    assert table == {"discriminator/loss": [1], "generator/loss": [2], "critic/gap": [9]}
    assert run.series().columns["generator/loss"].steps.tolist() == [5]
    assert run.mapping == mapping
    (note,) = run.notes
    assert "left out columns d_loss, fid;" in note
    assert "--map PLAYER/QUANTITY=COLUMN" in note


def test_a_columns_own_name_goes_before_a_short_one(leave: Leave) -> None:
    run = Run.open(leave("step,d_loss,discriminator/loss,g_loss\n0,1,2,3\n"))
    assert values(run, "discriminator/loss") == {0: 2}
    assert "left out column d_loss" in run.notes[0]


def test_without_a_step_column_rows_count(leave: Leave) -> None:
    run = Run.open(leave("d_loss,g_loss\n1,2\n\n3,4\n"))
    assert values(run, "discriminator/loss") == {0: 1, 1: 3}
    assert any("no column step, so its rows are steps 0, 1, 2" in note for note in run.notes)


def test_what_is_no_gan_is_said_not_to_be(leave: Leave) -> None:
    run = Run.open(leave("step,model/loss\n0,1\n"))
    assert run.manifest.objective == {"kind": "unknown"}
    assert "no series of a discriminator or a generator" in run.notes[0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_line_ends_and_marks(delimiter: str, end: str, mark: str, leave: Leave) -> None:
    rows = [["step", "d_loss", " g_loss"], ["0", "1.5", " 2"], ["1", "", '"3"'], ["2", "4", "5"]]
    text = mark + "".join(delimiter.join(row) + end for row in rows)
    run = Run.open(leave(text))
    assert values(run, "discriminator/loss") == {0: 1.5, 2: 4}
    assert values(run, "generator/loss") == {0: 2, 1: 3, 2: 5}


def test_text_beside_the_numbers_is_left_out(leave: Leave) -> None:
    rows = "".join(f"{i},2024-01-{i + 1:02d} 10:00,ü,{i}.5,,warm\n" for i in range(9))
    run = Run.open(leave("step,time,note,d_loss,g_loss,meta/phase\n" + rows))
    assert values(run, "discriminator/loss")[8] == 8.5
    assert list(run.series().columns) == ["discriminator/loss"]  # g_loss was never logged
    assert "left out columns time, note, meta/phase;" in run.notes[0]


# --- rows that come again -------------------------------------------------------------------------


def test_a_training_that_went_back_as_a_recorder_has_it(leave: Leave, tmp_path: Path) -> None:
    logged = [(s, float(s)) for s in range(10)] + [(s, 100.0 + s) for s in range(6, 9)]
    with Recorder(tmp_path / "run") as recorder:
        for step, value in logged:
            recorder.log(step, {"generator/loss": value, "discriminator/loss": -value})
    text = "step,g_loss,d_loss\n" + "".join(f"{s},{v},{-v}\n" for s, v in logged)
    theirs, ours = Run.open(leave(text)).series(), Run.open(tmp_path / "run").series()
    assert theirs.rewinds == ours.rewinds == ((9, 6),)
    for name in ours.columns:
        assert theirs.columns[name].steps.tolist() == ours.columns[name].steps.tolist()
        assert theirs.columns[name].values.tolist() == ours.columns[name].values.tolist()


def test_nested_rewinds_and_until(leave: Leave) -> None:
    steps = [0, 1, 2, 3, 4, 2, 3, 1, 2, 3, 4, 5]
    run = Run.open(leave("step,g_loss\n" + "".join(f"{s},{i}\n" for i, s in enumerate(steps))))
    table = run.series()
    assert table.rewinds == ((4, 2), (3, 1))
    assert values(run, "generator/loss") == {0: 0, 1: 7, 2: 8, 3: 9, 4: 10, 5: 11}
    cut = run.series(until=4)
    assert cut.rewinds == ((3, 1),)
    assert cut.columns["generator/loss"].steps.tolist() == [0, 1, 2, 3]
    assert run.series(until=0).columns == {}


def test_rows_of_one_step_add_up(leave: Leave) -> None:
    run = Run.open(leave("step,d_loss,g_loss\n0,1,\n0,,2\n1,3,\n1,5,\n1,,4\n"))
    assert values(run, "discriminator/loss") == {0: 1, 1: 5}
    assert values(run, "generator/loss") == {0: 2, 1: 4}
    assert run.series().rewinds == ()


def test_the_header_again_is_a_new_session(leave: Leave) -> None:
    run = Run.open(leave("step,d_loss\n0,1\n1,2\nstep,d_loss\n1,3\n2,4\nstep,d_loss\n"))
    assert run.series().restarts == (1,)
    assert run.series().rewinds == ((1, 1),)
    assert values(run, "discriminator/loss") == {0: 1, 1: 3, 2: 4}


@pytest.mark.parametrize("again", ["", HEAD])
@pytest.mark.parametrize("rows", [20, 60])
def test_a_training_that_another_one_replaced_is_told(again: str, rows: int, leave: Leave) -> None:
    first = "".join(f"{i},1,2\n" for i in range(30))
    run = Run.open(leave(HEAD + first + again + "".join(f"{i},3,4\n" for i in range(rows))))
    (note,) = run.notes
    assert f"start anew in row 31 of {30 + rows}: the 30 rows before are of another" in note
    assert f"left out, the {rows} from there on are judged" in note
    assert set(values(run, "discriminator/loss").values()) == {3}


def test_a_training_that_was_resumed_is_no_other_one(leave: Leave) -> None:
    steps = [*range(30), *range(10, 40)]
    assert Run.open(leave(HEAD + "".join(f"{i},1,2\n" for i in steps))).notes == ()
    of_three = [*range(5, 9), *range(5, 12), *range(9, 20)]
    (note,) = Run.open(leave(HEAD + "".join(f"{i},1,2\n" for i in of_three))).notes
    assert "start anew in row 5 of 22: the 4 rows before" in note


@pytest.mark.parametrize("tail", ["2", "2,", "2,3", "2,3,-", "2,3,1e", "2,3,4e-"])
def test_a_torn_last_line_is_dropped(tail: str, leave: Leave) -> None:
    series = Run.open(leave(f"step,d_loss,g_loss\n0,1,1\n1,2,2\n{tail}")).series()
    assert series.torn
    assert series.columns["generator/loss"].steps.tolist() == [0, 1]


@pytest.mark.parametrize("tail", ["2,3,4", "2,3,", "2,3,4\r", "2,3,4\n\n", "2,3,4\n  "])
def test_a_whole_last_line_stands(tail: str, leave: Leave) -> None:
    run = Run.open(leave(f"step,d_loss,g_loss\n0,1,1\n1,2,2\n{tail}"))
    assert not run.series().torn
    assert values(run, "discriminator/loss")[2] == 3


def test_a_file_that_grows_is_read_again(leave: Leave) -> None:
    run = Run.open(leave("step,g_loss\n0,1\n"))
    assert len(run.series().columns["generator/loss"].steps) == 1
    with open(run.path / "metrics.csv", "a") as stream:
        stream.write("1,2\n")
    assert len(run.series().columns["generator/loss"].steps) == 2


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_export_holds_the_same_series(name: str, tmp_path: Path) -> None:
    ours = Run.open(example(name))
    theirs = Run.open(export_csv(example(name), tmp_path / name))
    assert theirs.notes == ()
    assert theirs.length == ours.length
    for part in ("config", "data", "seed", "objective", "length"):
        assert getattr(theirs.manifest, part) == getattr(ours.manifest, part)
    for until in (None, 700):
        mine, its = ours.series(until).columns, theirs.series(until).columns
        assert its.keys() == mine.keys()
        for key, column in mine.items():
            assert its[key].steps.tolist() == column.steps.tolist()
            assert its[key].values.tobytes() == column.values.tobytes()


_FLOATS = st.none() | st.floats()


@settings(max_examples=60, deadline=None)
@given(
    rows=st.dictionaries(
        st.integers(0, 2**53 - 1), st.tuples(_FLOATS, _FLOATS), min_size=1, max_size=30
    ),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    ends=st.booleans(),
)
def test_what_is_written_is_read(
    rows: dict[int, tuple[float | None, float | None]], delimiter: str, end: str, ends: bool
) -> None:
    lines = [["step", "d_loss", "g_loss"]]
    lines += [
        [str(step), *("" if x is None else repr(x) for x in its)]
        for step, its in sorted(rows.items())
    ]
    text = end.join(delimiter.join(line) for line in lines) + (end if ends else "")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "metrics.csv").write_bytes(text.encode())
        columns = Run.open(folder).series().columns
    for k, name in enumerate(("discriminator/loss", "generator/loss")):
        expected = {step: its[k] for step, its in sorted(rows.items()) if its[k] is not None}
        if not expected:
            assert name not in columns
            continue
        assert columns[name].steps.tolist() == list(expected)
        np.testing.assert_array_equal(columns[name].values, np.array(list(expected.values())))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, headed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "metrics.csv").write_bytes(b"step,d_loss\n0,1\n" * headed + data)
        with contextlib.suppress(InputError):
            Run.open(folder).series()


def test_blocks_and_odd_rows_between_regular_ones(
    leave: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 64)
    rows = [f"{i},{i}.25,{'' if i % 17 == 0 else i}\n" for i in range(500)]
    rows.insert(250, "\n")
    run = Run.open(leave("step,d_loss,g_loss\n" + "".join(rows)))
    assert values(run, "discriminator/loss") == {i: i + 0.25 for i in range(500)}
    assert values(run, "generator/loss") == {i: i for i in range(500) if i % 17}
    with pytest.raises(RunError, match=r"line 402: column g_loss: .*'x'"):
        Run.open(leave("step,d_loss,g_loss\n" + "".join(rows[:400]) + "999,1,x\n2,2,2\n")).series()


def test_a_big_file_is_read_quickly(leave: Leave) -> None:
    rng = np.random.default_rng(0).normal(size=(20_000, 6)).tolist()
    lines = [f"{i},{','.join(map(repr, row))}\n" for i, row in enumerate(rng)]
    header = "step,d_loss,g_loss,d_grad_norm,g_grad_norm,d_real,d_fake\n"
    folder = leave(header + "".join(lines))
    start = time.process_time()
    assert len(Run.open(folder).series().columns["generator/loss"].steps) == 20_000
    assert time.process_time() - start < 2  # a tenth of it on an idle machine


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metrics", "what"),
    [
        ("", "its first line is empty; expected a header such as step,d_loss,g_loss"),
        ("\n\n", "its first line is empty"),
        (HEAD, "a header and no rows"),
        (HEAD.rstrip(), "a header and no rows"),
        ("step,d_loss,d_loss\n0,1,2\n", "line 1: 2 columns are named 'd_loss'; rename all but one"),
        ("0,1,2\n1,2,3\n", "line 1: expected the names of the columns .*'0,1,2'; write a header"),
        (HEAD + "0,1,2\n1,x,3\n", "line 3: column d_loss: expected a number, found 'x'; correct"),
        (HEAD + "0,1,2\n1,1_000,3\n", "line 3: column d_loss: .*'1_000'"),
        (HEAD + "-1,1,2\n", "line 2: column step: expected a step, a whole number .*'-1'"),
        (HEAD + "0,1,2\n1.5,1,2\n", "line 3: column step: .*'1.5'"),
        (HEAD + "9007199254740992,1,2\n", "line 2: column step: .*'9007199254740992'"),
        (HEAD + "nan,1,2\n", "line 2: column step: .*'nan'"),
        (HEAD + "zero,1,2\n", "line 2: column step: .*'zero'"),
        (HEAD + "0,1,2\n,1,2\n", "line 3: column step: .*''"),
        (HEAD + "0,1,2\n1,2\n2,3,4\n", "line 3: 2 cells, the header names 3 columns"),
        (HEAD + "0,0,5,0,3\n", "line 2: 5 cells, .*decimal comma"),
        ("step;d_loss\n0;0,5\n", "line 2: column d_loss: .*'0,5'; .*a decimal comma are not read"),
        (HEAD + '0,1,"2\n3"\n', "line 2: cannot be read as CSV .*several lines"),
        ("iter,errD,errG\n0,1,2\n", "found columns iter, errD, errG, none .*--map discriminator/"),
        ("step\n0\n", "found column step, none"),
        (HEAD + "".join(f"{i % 5},1,2\n" for i in range(40)), "the steps go back 7 times"),
        (HEAD + "".join(f"{9 - i},1,2\n" for i in range(9)), "the steps go back 8 times"),
        (HEAD + "0,1,2\n0,1,\0\n", "a NUL at byte 29; expected a text file in UTF-8"),
        (b"step,d_loss\n0,1\n\xff\xfe\n", "no UTF-8 at byte 16; expected a text file in UTF-8"),
        (b"\xff\xfes\0t\0e\0p\0", "metrics.csv: (a NUL|no UTF-8) at byte"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "metrics.csv: (a NUL|no UTF-8) at byte"),
        ("a\rb\rc", "line 1: cannot be read as CSV"),
        (HEAD + "0,1," + "2" * (3 << 20), "a line of more than 1,048,576 bytes after byte 19"),
        (",".join(f"c{i}" for i in range(5000)), "5,000 columns, expected at most 4,096"),
    ],
)
def test_a_metrics_csv_that_is_none(metrics: str | bytes, what: str, leave: Leave) -> None:
    with pytest.raises(RunError, match=what) as caught:
        Run.open(leave(metrics)).series()
    message = str(caught.value)
    assert "metrics.csv" in message
    assert "\n" not in message
    assert len(message) < 500
    assert caught.value.exit_code == 2


def test_sizes_are_bounded(leave: Leave, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = leave(HEAD + "0,1,2\n" * 3)
    monkeypatch.setattr(csv_rows, "MAX_NUMBERS", 8)
    with pytest.raises(RunError, match="more than 8 numbers; keep every tenth row"):
        Run.open(folder).series()
    os.truncate(folder / "metrics.csv", 3 << 30)
    with pytest.raises(RunError, match="3,221,225,472 bytes, expected at most 2,147,483,648"):
        Run.open(folder)


@pytest.mark.parametrize(
    ("mapping", "what"),
    [
        ({"generator/loss": "errG"}, "errG: .* has no such column; it has columns step, d_loss"),
        ({"loss": "d_loss"}, "--map loss=d_loss: expected player/quantity=COLUMN"),
        ({"generator/": "d_loss"}, "expected player/quantity=COLUMN"),
        ({"a b/c": "d_loss"}, "expected player/quantity=COLUMN"),
        ({"generator/loss": " "}, "names no column"),
    ],
)
def test_a_mapping_that_makes_no_sense(mapping: dict[str, str], what: str, leave: Leave) -> None:
    with pytest.raises(OptionError, match=what):
        Run.open(leave("step,d_loss\n0,1\n"), mapping)


def test_links_and_pipes_are_refused(leave: Leave, tmp_path: Path) -> None:
    folder = leave(HEAD + "0,1,2\n")
    (tmp_path / "secret").write_text("root:x\n")
    for name in ("metrics.csv", "config.json"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(tmp_path / "secret")
        with pytest.raises(RunError, match=rf"{name}: a link that leads out of the folder"):
            Run.open(folder)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(RunError, match=rf"{name}: expected a regular file"):
            Run.open(folder)
        (folder / name).unlink()
        leave(HEAD + "0,1,2\n")
    (folder / "metrics.csv").rename(folder / "latest.csv")
    (folder / "metrics.csv").symlink_to("latest.csv")
    assert values(Run.open(folder), "discriminator/loss") == {0: 1}


def test_run_json_makes_a_folder_ours(leave: Leave, tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    with Recorder(folder) as recorder:
        recorder.log(0, {"model/loss": 9.0})
    (leave(HEAD + "0,1,2\n") / "metrics.csv").rename(folder / "metrics.csv")
    assert list(Run.open(folder).series().columns) == ["model/loss"]
    assert Run.open(folder).notes == ()
    with pytest.raises(OptionError, match=r"--map a/b=c: .* holds run\.json"):
        Run.open(folder, {"a/b": "c"})
    (folder / "run.json").unlink()
    (folder / "run.json").symlink_to(tmp_path / "gone")
    with pytest.raises(RunError, match=r"run\.json"):
        Run.open(folder)


def test_a_folder_of_no_format_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(RunError, match=r"run\.json: not found, .*metrics\.csv") as caught:
        Run.open(tmp_path)
    assert re.search("dlcc.Recorder or name the folder", str(caught.value))
