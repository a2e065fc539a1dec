"""Records that mean harm: one sentence, exit code 2, in bounded time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SECONDS, BYTES = 10, 500 << 20
GOOD = "step,d_loss,g_loss\n" + "".join(f"{i},1.{i % 7},0.{i % 9}\n" for i in range(30))


def many_columns(folder: Path) -> None:
    (folder / "log.csv").write_text(
        ",".join(f"c{i}" for i in range(100_000)) + "\n" + "1," * 99_999
    )


def deep_json(folder: Path) -> None:
    (folder / "log.json").write_text('{"a":' * 100_000)


def deep_json_lines(folder: Path) -> None:
    (folder / "log.jsonl").write_text('{"step": 1, "loss": ' + "[" * 100_000 + "\n")


def sparse(folder: Path) -> None:
    with open(folder / "train.log", "wb") as stream:
        stream.write(b"step 1 loss 0.5\n")
        stream.truncate(10 << 30)


def endless_line(folder: Path) -> None:
    (folder / "train.log").write_text("x 1 " * 25_000_000)


def link_loop(folder: Path) -> None:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    (folder / "loop").symlink_to(folder, target_is_directory=True)


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "train.log")


def no_database(folder: Path) -> None:
    (folder / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)


def claims(folder: Path) -> None:
    (folder / "events.out.tfevents.1").write_bytes((4 << 30).to_bytes(8, "little") + b"\0" * 64)


def peak(pid: int) -> int:
    """Largest memory of a process so far, in bytes; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


def diagnosed(folder: Path) -> tuple[int, str, float, int]:
    """Exit code, stderr, seconds and the largest memory of `dlcc diagnose` in its own process."""
    errors = folder.parent / "stderr"
    began, memory = time.monotonic(), 0
    with open(errors, "wb") as stream:
        command = [sys.executable, "-m", "dlcc.cli", "diagnose", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stream) as process:
            while process.poll() is None:
                memory = max(memory, peak(process.pid))
                time.sleep(0.01)
    return process.returncode, errors.read_text(), time.monotonic() - began, memory


@pytest.mark.parametrize(
    "make",
    [many_columns, deep_json, deep_json_lines, sparse, endless_line, link_loop, pipe, no_database,
     claims],
)  # fmt: skip
def test_hostile_records_are_refused_in_one_sentence(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    make(folder)
    code, said, seconds, memory = diagnosed(folder)
    assert code == 2, said
    assert said.startswith("dlcc: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert seconds < SECONDS
    assert memory < BYTES


def yaml_bomb(folder: Path) -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    (folder / "config.yaml").write_text("\n".join(lines))


def huge_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"a": ' * 300_000)


def thousands_of_files(folder: Path) -> None:
    for i in range(3_000):
        (folder / f"note{i}.txt").write_text("nothing")


@pytest.mark.parametrize("make", [yaml_bomb, huge_config, thousands_of_files, link_loop])
def test_what_lies_beside_a_good_record_costs_it_nothing(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "log.csv").write_text(GOOD)
    make(folder)
    code, said, seconds, memory = diagnosed(folder)
    assert code == 0, said
    assert seconds < SECONDS
    assert memory < BYTES
