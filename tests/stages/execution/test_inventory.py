"""All that a run recorded is compared, or named with the reason why it was not."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import dlcc
from dlcc.runs import Run
from dlcc.sandbox import available_levels
from tests.conftest import example
from tests.stages.execution.test_execution import execute

pytestmark = pytest.mark.skipif(
    not available_levels(), reason="this machine offers neither bubblewrap nor Landlock"
)


def recorded_things(path: Path) -> set[str]:
    """What lies in a run's folder, counted without the stage's help."""
    run = Run.open(path)
    things = set(run.series().columns)
    files = {f.stem for f in path.glob("snapshots/*/*") if f.stem != "snapshot"}
    things |= {f"snapshots/{stem}" for stem in files}
    return things | ({"samples"} if any((path / "samples").glob("0*")) else set())


VAE = """
import torch
from torch import nn
import dlcc

def build(config):
    encoder, decoder = nn.Linear(4, 4), nn.Linear(2, 4)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])

    def step(x):
        mean, logvar = encoder(x).chunk(2, 1)
        out = decoder(mean + torch.exp(logvar / 2) * torch.randn_like(mean))
        loss = (out - x).square().mean() + 0.1 * (mean**2 + logvar.exp() - 1 - logvar).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"model/loss": loss}

    return dlcc.Training.from_step(
        {"model": nn.ModuleDict({"encoder": encoder, "decoder": decoder})}, step,
        data=torch.randn(40, 4), batch=8, sample=lambda n: decoder(torch.randn(n, 2)),
    )
"""


def vae(folder: Path) -> Path:
    """A run of a VAE whose loop logs a metric of its own now and then."""
    (folder / "vae_train.py").write_text(VAE)
    spec = importlib.util.spec_from_file_location("vae_train", folder / "vae_train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["vae_train"] = module
    try:
        spec.loader.exec_module(module)
        path = folder / "run"
        with dlcc.Recorder(path, build=module.build, config={"seed": 1}, length=12) as recorder:
            recorder.train(snapshots=3, samples=4, sample_steps=2)
        with dlcc.Recorder(path) as recorder:
            recorder.log(11, {"model/psnr": 3.0})
    finally:
        del sys.modules["vae_train"]
    return path


@pytest.mark.parametrize("kind", ["gan", "measured", "no state", "vae"])
@pytest.mark.parametrize("full", [False, True])
def test_every_recorded_thing_is_compared_or_named(
    small_run: Path, tmp_path: Path, kind: str, full: bool
) -> None:
    path = small_run
    if kind == "measured":
        path = tmp_path / "measured"
        shutil.copytree(example("ring-oscillating"), path)
    if kind == "no state":
        (path / "snapshots" / "00000120" / "state.safetensors").unlink()
    if kind == "vae":
        path = vae(tmp_path)
    result = execute(path, full=full and kind != "measured", seconds=200)
    assert result.status == "scored", (result.reason, result.traceback)
    listed = result.details["recorded"]
    assert {one["what"] for one in listed} == recorded_things(path)
    columns = Run.open(path).series().columns
    for one in listed:
        assert 0 <= one["compared"] <= one["recorded"]
        assert (one["reason"] is None) == (one["compared"] == one["recorded"]), one
        if one["what"] in columns:
            assert one["recorded"] == len(columns[one["what"]].steps)
    if full and kind == "gan":
        whole = {one["what"] for one in listed if one["reason"] is None}
        assert {"generator/loss", "snapshots/players", "snapshots/probe"} <= whole
    assert np.isfinite(result.terms["logic"].mean)
