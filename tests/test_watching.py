"""Watch on a live folder: nothing lost or doubled, whatever happens to the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dlcc.watching import WatchEvent, watch


class Live:
    """Log that grows between two looks of a watch; every sleep is a turn of its script."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turns: list[str] = []

    def write(self, text: str) -> None:
        with open(self.path, "a") as stream:
            stream.write(text)

    def events(self, script: list[str]) -> list[WatchEvent]:
        """Events of a watch while a script runs: `+TEXT` appends, `rotate`, `restart`, `gone`."""
        left = iter(script)

        def turn(seconds: float) -> None:
            step = next(left, None)
            if step is None:
                raise StopIteration
            if step == "rotate":
                os.replace(self.path, self.path.with_suffix(".old"))
                self.path.with_suffix(".old").unlink()
            elif step == "restart":
                self.path.write_text("")
            elif step.startswith("+"):
                self.write(step[1:])

        return list(self._until(turn))

    def _until(self, turn: Callable[[float], None]) -> Iterator[WatchEvent]:
        events = watch(self.path, sleep=turn)
        while True:
            try:
                yield next(events)
            except (StopIteration, RuntimeError):
                return


def rows(first: int, last: int, d: float = 1.0) -> str:
    return "".join(
        f"step {i} d_loss {d + 0.01 * (i % 3):.4f} g_loss 0.7{i % 4}\n" for i in range(first, last)
    )


def last_rows(events: list[WatchEvent]) -> tuple[int, int]:
    found = [e.diagnosis for e in events if e.event == "rows"][-1]
    assert found is not None
    return found.rows, found.record.series.recorded


def test_rows_as_they_come(tmp_path: Path) -> None:
    live = Live(tmp_path / "train.log")
    live.write(rows(0, 5))
    events = live.events(
        ["+" + rows(5, 9), "+" + rows(9, 20), "+step 20 d_lo", "+ss 1.0000 g_loss 0.70\n"]
    )
    assert last_rows(events) == (21, 21)


def test_a_half_line_is_not_a_row(tmp_path: Path) -> None:
    live = Live(tmp_path / "train.log")
    live.write(rows(0, 9))
    half, whole = live.events(["+step 9 d_loss 1.00"]), live.events(["+00 g_loss 0.70\n"])
    cut = [e.diagnosis.record.series["discriminator/loss"] for e in half if e.diagnosis is not None]
    assert cut[-1].steps.tolist() == [*range(9)]
    assert last_rows(whole) == (10, 10)


def test_a_rotation_loses_nothing(tmp_path: Path) -> None:
    live = Live(tmp_path / "train.log")
    live.write(rows(0, 30))
    events = live.events(["rotate", "+" + rows(30, 45), "+" + rows(45, 50)])
    assert last_rows(events) == (50, 50)
    assert "restart" not in {e.event for e in events}


def test_a_training_begun_anew_is_told(tmp_path: Path) -> None:
    live = Live(tmp_path / "train.log")
    live.write(rows(0, 30))
    events = live.events(["restart", "+" + rows(0, 6), "+" + rows(6, 12)])
    assert "restart" in {e.event for e in events}
    assert last_rows(events) == (12, 12)


def test_a_finding_is_told_once_and_as_it_arises(tmp_path: Path) -> None:
    live = Live(tmp_path / "train.log")
    live.write(rows(0, 10))
    lost = "".join(f"step {i} d_loss nan g_loss nan\n" for i in range(10, 13))
    events = live.events(["+" + lost, "+" + lost.replace("step 1", "step 2")])
    findings = [e.finding.code for e in events if e.finding is not None]
    assert findings.count("NAN001") == 1
    states = [e.diagnosis.state for e in events if e.event == "state" and e.diagnosis is not None]
    assert states == ["unknown", "failed"]


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    live = Live(tmp_path / "later.log")
    events = live.events(["", "+" + rows(0, 8)])
    assert [e.event for e in events[:2]] == ["waiting", "rows"]


def test_the_command_ends_at_a_finding_and_writes_the_stop_file(tmp_path: Path) -> None:
    log, stop, told = tmp_path / "train.log", tmp_path / "STOP", tmp_path / "told.json"
    log.write_text(rows(0, 10))
    command = [
        sys.executable, "-m", "dlcc.cli", "watch", str(log), "--json", "--until-finding", "error",
        "--stop-file", str(stop), "--exec", f"cat > {told}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert (first["event"], first["last_step"]) == ("rows", 9)
        with open(log, "a") as stream:
            stream.write("".join(f"step {i} d_loss nan g_loss nan\n" for i in range(10, 14)))
        assert process.wait(timeout=30) == 1
    assert json.loads(stop.read_text())["finding"]["code"] == "NAN001"
    assert json.loads(told.read_text())["finding"]["code"] == "NAN001"
