"""Where a system has none of what Linux has, a training is recorded and judged all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

BLOCKED = '''
"""Takes away what Windows and macOS lack, in every process that begins with this on its path."""

import ctypes, os, select, shutil, signal, subprocess, sys, tempfile  # whole, with what they ask

sys.modules["fcntl"] = None
for name in ("O_CLOEXEC", "O_NONBLOCK", "O_DIRECTORY", "O_NOFOLLOW", "pwrite", "pread",
             "sched_getaffinity"):
    delattr(os, name)
library = ctypes.CDLL

class Library(library):
    def __getattr__(self, name):
        if name == "prctl":
            raise AttributeError(name)
        return super().__getattr__(name)

ctypes.CDLL = Library
open(os.path.join(os.environ["BLOCKED"], str(os.getpid())), "w").close()
'''
SCRIPT = """
import torch
import dlcc

def build(config):
    G, D = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), lr=1e-3) for net in (G, D))
    softplus = torch.nn.functional.softplus
    def step(real):
        fake = G(torch.randn(len(real), 2))
        d_loss = softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()
        opt_d.zero_grad(); d_loss.backward(); opt_d.step()
        g_loss = softplus(-D(fake)).mean()
        opt_g.zero_grad(); g_loss.backward(); opt_g.step()
        return {"generator/loss": g_loss, "discriminator/loss": d_loss}
    def sample(n):
        return G(torch.randn(n, 2))
    players = {"generator": G, "discriminator": D}
    return dlcc.Training.from_step(players, step, sample=sample, data=torch.randn(500, 2))

if __name__ == "__main__":
    objective = {"kind": "gan", "loss": "ns"}
    with dlcc.Recorder("run", build=build, length=100, objective=objective) as rec:
        rec.train(snapshots=2, samples=50, sample_steps=8)
"""


def test_recorder_diagnose_and_evaluate_need_no_linux(tmp_path: Path) -> None:
    blocked, began = tmp_path / "blocked", tmp_path / "began"
    blocked.mkdir()
    began.mkdir()
    (blocked / "sitecustomize.py").write_text(BLOCKED)
    (tmp_path / "train.py").write_text(SCRIPT)
    path = os.pathsep.join((str(blocked), str(ROOT)))
    environment = {**os.environ, "PYTHONPATH": path, "BLOCKED": str(began)}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment,
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    run("train.py")
    assert "run" in run("-m", "dlcc.cli", "diagnose", "run")
    stages = ["health", "execution", "landscape"]
    only = [argument for stage in stages for argument in ("--only", stage)]
    run("-m", "dlcc.cli", "evaluate", "run", *only, "--out", "report")
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    status = {stage["name"]: stage["status"] for stage in report["stages"]}
    assert status.pop("execution") != "failed"
    assert set(status.values()) == {"scored"}
    assert len(list(began.iterdir())) > 3, "workers are without them too"
