"""Opening a run: cheap, read-only, and clear about what is not one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.errors import OptionError, RunError
from dlcc.runs import Recorder, Run, resolve_until
from tests.conftest import unlisted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The folder of a run of 50 steps that has recorded 20."""
    path = tmp_path / "run"
    with Recorder(path, config={"lr": 0.1}, data={"name": "ring"}, seed=1, length=50) as recorder:
        for step in range(20):
            recorder.log(step, {"model/loss": float(step)})
        for step in (0, 10, 20):
            recorder.samples(step, np.full((2, 3), step, dtype=np.float16))
    return unlisted(path)


def test_what_is_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file or folder; check the path"):
        Run.open(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="found none"):
        Run.open(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="is empty"):
        Run.open(tmp_path / "empty")
    with pytest.raises(RunError, match="no record of a training was recognised among 1 files"):
        Run.open(tmp_path)


def test_what_a_run_tells(path: Path) -> None:
    run = Run.open(str(path))
    assert run.name == "run"
    assert run.length == 50
    assert run.manifest.config == {"lr": 0.1}
    assert run.manifest.data == {"name": "ring"}
    assert run.manifest.seed == 1
    assert run.manifest.versions["python"]
    assert run.manifest.machine["cpu"]
    assert run.sample_steps(until=10) == [0, 10]
    assert run.samples(10).dtype == np.float16
    assert run.samples(10).tolist() == [[10] * 3] * 2
    assert run.reference() is None
    assert run.source_files() == {}
    with pytest.raises(RunError, match=r"00000005\.safetensors: missing"):
        run.samples(5)


def test_length_of_a_run_that_names_none(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run") as recorder:
        assert Run.open(tmp_path / "run").length == 0
        recorder.log(41, {"model/loss": 1.0})
    assert Run.open(tmp_path / "run").length == 42


def test_reading_writes_nothing(path: Path) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in (path, *path.rglob("*"))}

    before = state()
    run = Run.open(path)
    run.series(), run.snapshots(), run.samples(0), run.reference(), run.document_files()
    assert state() == before


def test_opening_reads_run_json_alone(path: Path) -> None:
    for step in range(1000):
        (path / "snapshots" / f"{step * 10:08d}").mkdir(parents=True)
    (path / "series" / "000.series").write_bytes(b"not read")
    start = time.perf_counter()
    run = Run.open(path)
    handles = run.snapshots()
    assert time.perf_counter() - start < 0.2
    assert [handle.step for handle in handles] == list(range(0, 10_000, 10))
    assert [handle.step for handle in run.snapshots(until=25)] == [0, 10, 20]


def test_other_names_are_no_snapshots(path: Path) -> None:
    for name in ("0000001", "000000010", "00000010.old", ".00000020.writing", "latest", "²²²²²²²²"):
        (path / "snapshots" / name).mkdir(parents=True)
    (path / "snapshots" / "123456789").mkdir()
    assert [snapshot.step for snapshot in Run.open(path).snapshots()] == [123_456_789]


def test_links_that_lead_out_are_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (path / "source").mkdir()
    (path / "source" / "a.py").write_text("")
    (path / "source" / "b.py").symlink_to(path / "source" / "a.py")
    assert list(Run.open(path).source_files()) == ["source/a.py", "source/b.py"]
    (path / "source" / "c.py").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(RunError, match=r"c\.py: a link that leads out of source/"):
        Run.open(path).source_files()


@pytest.mark.parametrize("folder", ["source", "documents"])
def test_links_in_a_circle_are_refused(path: Path, folder: str) -> None:
    (path / folder).mkdir()
    (path / folder / "a.md").symlink_to(path / folder / "b.md")
    (path / folder / "b.md").symlink_to(path / folder / "a.md")
    with pytest.raises(RunError, match=rf"{folder}/a\.md: a link that cannot be followed"):
        Run.open(path).check_names()


def test_pipes_do_not_hang_a_reader(path: Path) -> None:
    (path / "run.json").unlink()
    os.mkfifo(path / "run.json")
    with pytest.raises(RunError, match=r"run\.json: expected a regular file"):
        Run.open(path)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"schema": 2}, "key schema: expected at most 1, found 2; .*update this one"),
        ({"schema": None}, "key schema: missing"),
        ({"schema": "1"}, "key schema: .*found '1'"),
        ({"seed": "one"}, "key seed: .*valid integer.*found 'one'"),
        ({"length": 0}, "key length: .*found 0"),
        ({"config": 3}, "key config: .*found 3"),
        ({"players": {"g": {"class": "x"}}}, r"key players\.g\.parameters: missing"),
        ({"players": {"g": {"class": "x", "parameters": -1}}}, r"key players\.g\.parameters"),
        ({"colour": "red"}, "key colour: .*found 'red'"),
        ({"name": ""}, "key name"),
    ],
)
def test_a_run_json_with_a_wrong_value(path: Path, change: dict[str, Any], what: str) -> None:
    file = path / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(RunError, match=rf"run\.json: {what}") as caught:
        Run.open(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00", '{"a": ' * 100_000])
def test_a_run_json_that_is_none(path: Path, content: str) -> None:
    (path / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"run\.json: (not valid JSON|expected a JSON object)"):
        Run.open(path)


@pytest.mark.parametrize(
    ("until", "step"),
    [("0.1", 600), (0.1, 600), ("1.0", 6000), (1.0, 6000), ("1", 1), (1, 1), ("4000", 4000),
     (9000, 9000), ("0.00001", 1)],
)  # fmt: skip
def test_until(until: str | float, step: int) -> None:
    assert resolve_until(until, 6000) == step


@pytest.mark.parametrize("until", ["", "x", "0", -3, "1.5", 0.0, "0.", "nan", float("nan"), "1e3"])
def test_until_that_makes_no_sense(until: str | float) -> None:
    with pytest.raises(OptionError, match=r"--until .*a step such as 600 or a fraction"):
        resolve_until(until, 6000)


def test_importing_and_opening_load_no_torch(path: Path) -> None:
    code = f"""
import sys
import dlcc.runs
assert "pydantic" not in sys.modules and "numpy" not in sys.modules
from dlcc.runs import Recorder, Run
run = Run.open({str(path)!r})
run.series(), run.samples(0), run.snapshots()
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
