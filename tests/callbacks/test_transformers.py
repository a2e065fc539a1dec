"""A Trainer's training is recorded and measured, and stays the training that it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

pytest.importorskip("accelerate")

from transformers import Trainer, TrainingArguments

from dlcc.callbacks.transformers import RunRecorder
from dlcc.errors import OptionError
from dlcc.runs import Run

ROWS = 48


class Rows(torch.utils.data.Dataset[dict[str, Tensor]]):
    def __init__(self) -> None:
        drawn = torch.Generator().manual_seed(1)
        self.x = torch.randn(ROWS, 4, generator=drawn)

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, k: int) -> dict[str, Tensor]:
        return {"x": self.x[k], "labels": self.x[k].sum()}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        out = self.layers(x).squeeze(1)
        return {"logits": out} if labels is None else {"loss": F.mse_loss(out, labels)}


def loss_of_each(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    found: Tensor = (model(x=batch["x"])["logits"] - batch["labels"]).square()
    return found


def trained(folder: Path, callbacks: list[Any]) -> nn.Module:
    torch.manual_seed(0)
    model = Net()
    arguments = TrainingArguments(
        output_dir=str(folder / "out"), max_steps=20, per_device_train_batch_size=8,
        logging_steps=2, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True, seed=0,
        gradient_accumulation_steps=2, dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(model=model, args=arguments, train_dataset=Rows(), callbacks=callbacks)
    trainer.train()
    return model


@pytest.mark.filterwarnings("ignore")
def test_a_training_is_recorded_and_not_changed(tmp_path: Path) -> None:
    rows = Rows()
    batch = {"x": rows.x, "labels": rows.x.sum(dim=1)}
    options: dict[str, Any] = {"every": 4, "budget": 1.0, "surveys": 1e9}
    recorder = RunRecorder(
        tmp_path / "run", loss_of_each, batch, samples=lambda model, n: torch.randn(n, 2),
        sample_size=20, sample_steps=4, **options,
    )  # fmt: skip
    measured = trained(tmp_path, [recorder]).state_dict()
    plain = trained(tmp_path, []).state_dict()
    for name, value in plain.items():
        assert torch.equal(value, measured[name]), name
    run = Run.open(tmp_path / "run")
    columns = run.series().columns
    assert run.length == 20
    assert columns["model/loss"].steps.tolist() == list(range(20))
    assert columns["model/learning_rate"].steps.tolist() == list(range(1, 20, 2))
    assert run.sample_steps() == [5, 10, 15, 20]
    assert run.samples(5).shape == (20, 2)
    assert not (columns["model/sample_grad_norm"].steps % 4).any()
    snapshots = run.snapshots()
    assert [s.step for s in snapshots] == list(range(0, 21, 2))
    assert all(s.landscape() for s in snapshots)


@pytest.mark.parametrize("snapshots", [0, -1, 2.5, True])
def test_no_snapshots_are_no_number_of_them(tmp_path: Path, snapshots: Any) -> None:
    with pytest.raises(OptionError, match="at least 1"):
        RunRecorder(tmp_path / "run", loss_of_each, {}, snapshots=snapshots)


def test_a_controller_sees_every_row(tmp_path: Path) -> None:
    class Watching:
        """Counts the rows."""

        seen = 0

        def watch(self, step: int, row: Any) -> dict[str, float]:
            self.seen += 1
            return {"control/seen": float(self.seen)}

    control = Watching()
    trained(tmp_path, [RunRecorder(tmp_path / "run", control=control)])
    assert control.seen >= 20  # what the Trainer logs has rows of its own
    assert Run.open(tmp_path / "run").series().columns["control/seen"].values[-1] >= 20
