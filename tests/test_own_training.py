"""The README's script: a loop of one's own gets every stage, for ten lines more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.command import dlcc
from tests.conftest import ROOT
from tests.test_examples import BLOCK


def script() -> str:
    blocks = BLOCK.finditer((ROOT / "README.md").read_text())
    return next(block["text"] for block in blocks if "file=train.py" in block["info"])


def test_ten_lines_are_marked_at_most() -> None:
    """A line that a bracket continues is one."""
    assert 0 < len(re.findall(r"# \+$", script(), re.MULTILINE)) <= 10


def test_every_stage_applies(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(script().replace("length=1000", "length=300"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "train.py"], cwd=tmp_path, env=environment, check=True)
    done = dlcc(
        "evaluate", "my-run", "--set", "reproducibility.reruns=4", "--out", "report", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    status = {stage["name"]: (stage["status"], stage.get("reason")) for stage in report["stages"]}
    assert len(status) >= 9
    assert {how for how, _ in status.values()} == {"scored"}, status
    severe = [f["code"] for f in report["findings"] if f["code"].startswith(("EXE", "REC", "LOG"))]
    assert severe == [], report["findings"]
    advised = dlcc("advise", "my-run", "--no-reruns", cwd=tmp_path)
    assert advised.returncode == 0, advised.stderr
    assert "lr_d" in advised.stdout
