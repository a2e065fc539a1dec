"""What protects the files of a run that are written once: digests.txt."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcc import evaluate
from dlcc.errors import RunError, SnapshotError
from dlcc.records import Samples
from dlcc.runs import Recorder, Run, RunLayout
from dlcc.runs.digests import Digests
from dlcc.runs.snapshot_landscape import write_landscape
from dlcc.runs.tensors import write_tensors
from tests.conftest import example
from tests.landscape_summaries import player, record
from tests.runs.conftest import LOSS, SmallTraining

ROWS = np.arange(60, dtype=np.float32).reshape(30, 2)
ONCE = [
    "run.json", "snapshots/00000000/snapshot.json", "snapshots/00000000/landscape.json",
    "samples/00000000.safetensors", "samples/reference.safetensors", "source/train.py",
    "documents/notes.md", "series/000.series",
]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a file of every kind."""
    for name in ("train.py", "notes.md"):
        (tmp_path / name).write_text("# text\n")
    with Recorder(
        tmp_path / "run", training=SmallTraining(), reference=ROWS, track_updates=False,
        sources=[tmp_path / "train.py"], documents=[tmp_path / "notes.md"], length=30,
    ) as rec:  # fmt: skip
        rec.snapshot(0, samples=ROWS)
        rec.write_landscape(record(0, players={"model": player()}))
        for step in range(30):
            rec.log(step, LOSS)
    return tmp_path / "run"


def read_all(run: Path) -> Run:
    """Read everything that is there."""
    opened = Run.open(run)
    opened.check_names()
    opened.series()
    for snapshot in opened.snapshots():
        snapshot.weights()
        snapshot.landscape()
        if snapshot.resumable:
            snapshot.state()
    for step in opened.sample_steps():
        opened.samples(step)
    opened.reference()
    return opened


def test_every_file_that_is_written_once_is_listed(run: Path) -> None:
    assert sorted(Digests(RunLayout(run)).listed()) == sorted(ONCE)
    assert read_all(run).notes == ()


@pytest.mark.parametrize("name", ONCE)
def test_a_changed_file_is_named(name: str, run: Path) -> None:
    path = run / name
    data = path.read_bytes()
    place = data.index(b'"F32"') + 1 if b'"F32"' in data else data.index(b"e")
    path.write_bytes(data[:place] + (b"I" if b'"F32"' in data else b"E") + data[place + 1 :])
    with pytest.raises(RunError, match=rf"{name}: differs from what was recorded, by digests\.txt"):
        read_all(run)


@pytest.mark.parametrize("name", ONCE[1:])
def test_a_missing_file_is_named(name: str, run: Path) -> None:
    (run / name).unlink()
    with pytest.raises(RunError, match=rf"{name}: is gone, by digests\.txt; restore it"):
        read_all(run)


def test_a_type_that_was_changed_in_a_header_is_not_believed(run: Path) -> None:
    """The data are the same bytes, so that their checksum in the header holds."""
    for name in ("samples/00000000.safetensors", "snapshots/00000000/players.safetensors"):
        path = run / name
        path.write_bytes(path.read_bytes().replace(b'"F32"', b'"I32"'))
    with pytest.raises(SnapshotError, match=r"00000000\.safetensors: differs from what was"):
        Run.open(run).samples(0)
    with pytest.raises(SnapshotError, match=r"differs from its checksum in snapshot\.json"):
        Run.open(run).snapshots()[0].weights()


def test_samples_that_are_gone_are_left_out_by_stages(run: Path) -> None:
    (run / "samples" / "00000000.safetensors").unlink()
    (run / "samples" / "reference.safetensors").unlink()
    samples = Samples.of(Run.open(run), None)
    assert samples is not None
    assert samples.steps == ()
    assert sorted(samples.damaged) == sorted(n for n in ONCE if n.startswith("samples"))
    assert samples.digest()


def test_rows_after_the_header_are_no_damage(run: Path) -> None:
    with Recorder(run, training=SmallTraining(), track_updates=False) as rec:
        rec.log(30, LOSS)
    assert len(read_all(run).series().columns["model/loss"].steps) == 31


def test_a_file_that_nobody_listed_is_said_and_read(run: Path) -> None:
    (run / "documents" / "later.md").write_text("later")
    write_tensors(run / "samples" / "00000005.safetensors", {"samples": ROWS})
    (note,) = read_all(run).notes
    assert "does not list samples/00000005.safetensors, documents/later.md, so nothing" in note
    assert Run.open(run).samples(5).shape == (30, 2)


def test_a_run_without_a_list_is_read_and_said_to_be_unprotected(run: Path) -> None:
    (run / "digests.txt").unlink()
    (run / "run.json").write_text((run / "run.json").read_text() + "\n")
    (note,) = read_all(run).notes
    assert "has no digests.txt, so a changed or missing file" in note
    assert not Run.open(example("digits-healthy")).notes
    with Recorder(run, training=SmallTraining(), track_updates=False) as rec:
        rec.snapshot(30)
    (note,) = read_all(run).notes
    assert "does not list run.json, series/000.series, snapshots/00000000" in note


def test_an_evaluation_refuses_a_changed_run(run: Path) -> None:
    (run / "documents" / "notes.md").write_text("# Text\n")
    with pytest.raises(RunError, match=r"notes\.md: differs"):
        evaluate(run, only=["ingestion"])


# --- the list itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_last_line_that_a_kill_cut_is_ignored_and_cut_off(cut: int, run: Path) -> None:
    path = run / "digests.txt"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert "does not list" in read_all(run).notes[0]
    with Recorder(run, training=SmallTraining(), track_updates=False) as rec:
        rec.samples(30, ROWS)
    assert path.read_bytes().startswith(whole[: whole[:-1].rindex(b"\n") + 1])
    assert "samples/00000030.safetensors" in Digests(RunLayout(run)).listed()


def test_any_flipped_bit_of_the_list_accuses_no_file(run: Path) -> None:
    path = run / "digests.txt"
    whole = path.read_bytes()
    drawn = random.Random(0)
    for place in drawn.sample(range(len(whole)), 60):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 1 << drawn.randrange(8)]) + whole[place + 1 :]
        )
        try:
            notes = read_all(run).notes
        except RunError as error:
            assert "digests.txt: line " in str(error)  # noqa: PT017  # not every bit is damage
        else:
            assert "does not list" in notes[0]


@pytest.mark.parametrize(
    "entry",
    [{"path": "../x", "bytes": 1, "xxh3_128": ""}, {"path": "/etc/x"}, {"path": 7}, [], 1,
     {"path": "a", "bytes": "1", "xxh3_128": ""}],
    ids=str,
)  # fmt: skip
def test_a_line_that_makes_no_sense_is_damage(entry: Any, run: Path) -> None:
    import xxhash

    text = json.dumps(entry).encode()
    path = run / "digests.txt"
    line = xxhash.xxh3_64_hexdigest(text).encode() + b" " + text + b"\n"
    path.write_bytes(line + path.read_bytes())
    with pytest.raises(RunError, match=r"digests\.txt: line 1 "):
        Run.open(run)


# --- what a recorder does -------------------------------------------------------------------------


def actions(rec: Recorder) -> Iterator[Callable[[], Any]]:
    """Everything that makes, replaces or moves a listed file."""
    yield lambda: rec.snapshot(0, samples=ROWS)
    yield lambda: rec.write_landscape(record(0, players={"model": player()}))
    yield lambda: rec.log(0, LOSS)
    yield lambda: rec.samples(1, ROWS)
    yield lambda: rec.samples(1, ROWS + 1)  # replaced
    yield lambda: rec.snapshot(1)
    yield lambda: rec.snapshot(1)  # the same step again
    yield lambda: rec.log(1, LOSS)
    yield lambda: rec.snapshot(2, samples=ROWS)
    yield lambda: rec.log(0, LOSS)  # a rewind
    yield lambda: rec.snapshot(1, samples=ROWS)


def begun(path: Path) -> Recorder:
    return Recorder(path, training=SmallTraining(), reference=ROWS, track_updates=False)


def test_rewinds_and_replacements_keep_the_list_true(tmp_path: Path) -> None:
    for _ in range(2):  # the second time in a session that goes on
        with begun(tmp_path / "run") as rec:
            for action in actions(rec):
                action()
                assert read_all(tmp_path / "run").notes == ()


def test_a_kill_at_any_instant_accuses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each call that changes the folder, all that a kill there would leave is read."""
    seen = 0

    def looking(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal seen
            done: list[Any] = []
            for do in (lambda: None, lambda: done.append(real(*arguments, **options))):
                do()
                if (tmp_path / "run" / "run.json").exists():
                    seen += 1
                    read_all(tmp_path / "run")
            return done[0]

        monkeypatch.setattr(os, name, call)

    for name in ("rename", "replace", "write", "fsync"):
        looking(name)
    with begun(tmp_path / "run") as rec:
        for action in actions(rec):
            action()
    with begun(tmp_path / "run") as rec:  # a session that goes on, and back
        rec.snapshot(0)
    assert seen > 100


def test_a_reader_beside_the_recorder_sees_replaced_samples(tmp_path: Path) -> None:
    with begun(tmp_path / "run") as rec:
        rec.samples(0, ROWS)
        opened = Run.open(tmp_path / "run")
        assert opened.samples(0)[0, 0] == 0
        rec.samples(0, ROWS + 1)
        assert opened.samples(0)[0, 0] == 1
        rec.samples(0, torch.ones(3, 2))
        assert opened.samples(0).shape == (3, 2)


def test_a_list_that_cannot_be_written_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with begun(tmp_path / "run") as rec:
        before = (tmp_path / "run" / "digests.txt").read_bytes()
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
        with pytest.raises(RunError, match=r"digests\.txt: cannot be written"):
            rec.samples(0, ROWS)
        monkeypatch.undo()
        assert (tmp_path / "run" / "digests.txt").read_bytes() == before
        rec.samples(0, ROWS)
    assert read_all(tmp_path / "run").notes == ()


def test_a_landscape_written_by_another_hand_is_said(run: Path) -> None:
    path = RunLayout(run).snapshot(0).landscape
    path.unlink()
    write_landscape(path, record(0, players={"model": player(largest=9.0)}))
    with pytest.raises(SnapshotError, match=r"landscape\.json: differs"):
        Run.open(run).snapshots()[0].landscape()
