"""A Lightning training is recorded and measured, and stays the training that it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("lightning")

from lightning.pytorch import LightningModule, Trainer

from dlcc.callbacks.lightning import RunRecorder
from dlcc.control import AkdeBo
from dlcc.errors import OptionError
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
    recorder = RunRecorder(
        tmp_path / "run", {"net": loss_of_each}, every=4, budget=1.0, surveys=1e9
    )
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
    summaries = [s.landscape() for s in snapshots]
    assert all(found and found.survey.players["net"].largest > 0 for found in summaries)
    last = snapshots[-1].torch_weights("net")
    for name, value in last.items():
        assert torch.equal(value, measured[f"net.{name}"]), name


class Game(Fit):
    """Two players that take a step each on every batch, as the GANs of Lightning's examples do."""

    def __init__(self, critic_steps: int = 1) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.other = nn.Linear(3, 1)
        self.critic_steps = critic_steps

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimisers: Any = self.optimizers()
        for net, optimiser, times in zip(
            (self.net, self.other), optimisers, (1, self.critic_steps), strict=True
        ):
            for _ in range(times):
                loss = loss_of_each(net, batch).mean()
                optimiser.zero_grad()
                self.manual_backward(loss)
                optimiser.step()
        self.log("other/loss", loss)

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(p.parameters(), lr=1e-2) for p in (self.net, self.other)]


class Gan(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.netG, self.netD = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), nn.Linear(3, 1)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        opt_g, opt_d = optimizers
        fake, softplus = self.netG(torch.randn(len(batch[0]), 3)), nn.functional.softplus
        d_loss = softplus(-self.netD(batch[0])).mean() + softplus(self.netD(fake.detach())).mean()
        opt_d.zero_grad()
        self.manual_backward(d_loss)
        opt_d.step()
        g_loss = softplus(-self.netD(fake)).mean()
        opt_g.zero_grad()
        self.manual_backward(g_loss)
        opt_g.step()
        self.log_dict({"g_loss": g_loss, "d_loss": d_loss}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        return [torch.optim.Adam(p.parameters(), lr=1e-2) for p in (self.netG, self.netD)]


def fit(module: LightningModule, folder: Path, callback: RunRecorder, **options: Any) -> Trainer:
    torch.manual_seed(0)
    rows = TensorDataset(torch.randn(64, 3), torch.randn(64, 1))
    trainer = Trainer(**{
        "max_epochs": 3, "accelerator": "cpu", "logger": False, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, "callbacks": [callback],
        "default_root_dir": folder, **options,
    })  # fmt: skip
    trainer.fit(module, DataLoader(rows, batch_size=8))
    return trainer


@pytest.mark.filterwarnings("ignore")
def test_a_training_without_losses_to_measure_is_recorded_to_its_end(tmp_path: Path) -> None:
    trainer = fit(Fit(), tmp_path, RunRecorder(tmp_path / "run", losses={}))
    assert trainer.global_step == 24
    run = Run.open(tmp_path / "run")
    assert run.series().columns["model/loss"].steps.tolist() == list(range(24))
    assert list(run.manifest.players) == ["model"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("critic_steps", [1, 3])
def test_several_optimisers_make_one_step_a_batch(tmp_path: Path, critic_steps: int) -> None:
    losses = {"net": loss_of_each, "other": loss_of_each}
    fit(Game(critic_steps), tmp_path, RunRecorder(tmp_path / "run", losses, every=4, snapshots=3))
    run = Run.open(tmp_path / "run")
    columns = run.series().columns
    assert run.length == 24
    assert columns["other/loss"].steps.tolist() == list(range(24))
    assert columns["net/updates"].values[-1] == 24
    assert columns["other/updates"].values[-1] == 24 * critic_steps
    assert [s.step for s in run.snapshots()] == [0, 8, 16, 24]


@pytest.mark.filterwarnings("ignore")
def test_a_gan_with_two_optimisers_is_recorded_whole(tmp_path: Path) -> None:
    """And with its samples it is the training that it is without."""

    def drawn(module: LightningModule, n: int) -> Tensor:
        made: Tensor = module.netG(torch.randn(n, 3))
        return made

    torch.manual_seed(1)
    recorded, plain = Gan(), Gan()
    plain.load_state_dict(recorded.state_dict())
    recorder = RunRecorder(
        tmp_path / "run", samples=drawn, sample_size=30, sample_steps=6,
        objective={"kind": "gan", "loss": "ns"},
    )  # fmt: skip
    fit(recorded, tmp_path, recorder)
    fit(plain, tmp_path, RunRecorder(tmp_path / "other"))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, recorded.state_dict()[name]), name
    run = Run.open(tmp_path / "run")
    assert list(run.manifest.players) == ["generator", "discriminator"]
    columns = run.series().columns
    for quantity in ("loss", "grad_norm", "updates"):
        for player in run.manifest.players:
            assert columns[f"{player}/{quantity}"].steps.tolist() == list(range(24)), quantity
    assert columns["discriminator/updates"].values.tolist() == list(range(1, 25))
    assert run.sample_steps() == [4, 8, 12, 16, 20, 24]
    assert run.samples(24).shape == (30, 3)
    reference = run.reference()
    assert reference is not None
    assert reference.shape == (64, 3)
    assert not any(s.landscape() for s in run.snapshots()), "surveys are off"


@pytest.mark.filterwarnings("ignore")
def test_a_number_of_optimiser_steps_is_no_number_of_batches(tmp_path: Path) -> None:
    fit(Game(), tmp_path, RunRecorder(tmp_path / "run", {}), max_steps=20)
    run = Run.open(tmp_path / "run")
    assert run.manifest.length is None
    assert run.series().columns["other/loss"].steps.tolist() == list(range(10))
    assert run.length == 10


@pytest.mark.filterwarnings("ignore")
def test_a_training_by_hand_goes_on_where_it_stopped(tmp_path: Path) -> None:
    trainer = fit(Game(), tmp_path, RunRecorder(tmp_path / "run", {}), max_epochs=1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    torch.manual_seed(0)
    rows = TensorDataset(torch.randn(64, 3), torch.randn(64, 1))
    again = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
        callbacks=[RunRecorder(tmp_path / "more", {})], default_root_dir=tmp_path,
    )  # fmt: skip
    again.fit_loop.max_epochs = 2
    again.fit(Game(), DataLoader(rows, batch_size=8), ckpt_path=str(tmp_path / "half.ckpt"))
    steps = Run.open(tmp_path / "more").series().columns["other/loss"].steps.tolist()
    assert steps == list(range(8, 16))


@pytest.mark.parametrize("snapshots", [0, -1, 2.5, True])
def test_no_snapshots_are_no_number_of_them(tmp_path: Path, snapshots: Any) -> None:
    with pytest.raises(OptionError, match="at least 1"):
        RunRecorder(tmp_path / "run", {}, snapshots=snapshots)


@pytest.mark.filterwarnings("ignore")
def test_a_controller_sees_the_rows_and_shapes_the_loss_of_a_module(tmp_path: Path) -> None:
    class Controlled(Gan):
        """Takes its discriminator's penalty from a controller."""

        def training_step(self, batch: Any, batch_idx: int) -> None:
            _, opt_d = cast("list[Any]", self.optimizers())
            fake = self.netG(torch.randn(len(batch[0]), 3)).detach()
            loss = self.netD(fake).mean() - self.netD(batch[0]).mean()
            added = control.penalty("discriminator", batch_idx, real=batch[0], fake=fake)
            opt_d.zero_grad()
            self.manual_backward(loss + added)
            opt_d.step()
            self.log_dict({"d_loss": loss})

    module = Controlled()
    players = {"generator": module.netG, "discriminator": module.netD}
    optimizers = {n: torch.optim.Adam(p.parameters(), lr=1e-3) for n, p in players.items()}
    control = AkdeBo(players, optimizers)
    fit(module, tmp_path, RunRecorder(tmp_path / "run", control=control), max_epochs=1)
    columns = Run.open(tmp_path / "run").series().columns
    assert columns["control/rule"].values.tolist() == [0]
    assert columns["control/penalty"].values.tolist() == [1]
