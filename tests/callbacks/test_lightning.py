"""A Lightning training is recorded and measured, and stays the training that it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("lightning")

from lightning.pytorch import LightningModule, Trainer

from dlcc.callbacks.lightning import RunRecorder
from dlcc.runs import Run


def loss_of_each(model: nn.Module, batch: list[Tensor]) -> Tensor:
    x, y = batch
    found: Tensor = (model(x) - y).square().sum(dim=1)
    return found


class Fit(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = loss_of_each(self.net, batch).mean()
        self.log("squared", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def fitted(callbacks: list[RunRecorder], folder: Path, accumulate: int = 1) -> Fit:
    torch.manual_seed(0)
    module, rows = Fit(), TensorDataset(torch.randn(64, 3), torch.randn(64, 1))
    trainer = Trainer(
        max_epochs=5, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=list(callbacks),
        default_root_dir=folder, accumulate_grad_batches=accumulate,
    )  # fmt: skip
    trainer.fit(module, DataLoader(rows, batch_size=8, shuffle=True))
    return module


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_training_is_recorded_and_not_changed(tmp_path: Path, accumulate: int) -> None:
    recorder = RunRecorder(tmp_path / "run", {"net": loss_of_each}, every=4, budget=1.0)
    measured = fitted([recorder], tmp_path, accumulate).state_dict()
    plain = fitted([], tmp_path, accumulate).state_dict()
    for name, value in plain.items():
        assert torch.equal(value, measured[name]), name
    run = Run.open(tmp_path / "run")
    steps = 40 // accumulate
    columns = run.series().columns
    assert run.length == steps
    assert columns["net/loss"].steps.tolist() == list(range(steps))
    assert np.allclose(columns["net/squared"].values, columns["net/loss"].values)
    assert not (columns["net/sample_grad_norm"].steps % 4).any()
    snapshots = run.snapshots()
    assert [s.step for s in snapshots] == list(range(0, steps + 1, steps // 10))
    surveys = [s.survey() for s in snapshots]
    assert all(found and found.survey.players["net"].largest > 0 for found in surveys)
    last = snapshots[-1].torch_weights("net")
    for name, value in last.items():
        assert torch.equal(value, measured[f"net.{name}"]), name
