"""A LightningModule without a Trainer takes the steps that it takes with one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("lightning")

from lightning.pytorch import LightningModule, Trainer

from dlcc.callbacks.lightning_training import players_of, training_of
from dlcc.errors import OptionError

ROWS = torch.randn(48, 3, generator=torch.Generator().manual_seed(0))


class Fit(LightningModule):
    def __init__(self, interval: str = "epoch") -> None:
        super().__init__()
        self.net, self.interval = nn.Linear(3, 1), interval

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss = (self.net(x) - x.sum(dim=1, keepdim=True)).square().mean()
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self.interval},
        }


class Game(LightningModule):
    """A GAN that optimises by hand, as Lightning's examples do."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.netG, self.netD = nn.Linear(3, 3), nn.Linear(3, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (x,) = batch
        optimizers: Any = self.optimizers()
        schedulers: Any = self.lr_schedulers()
        opt_g, opt_d = optimizers
        self.toggle_optimizer(opt_d)
        softplus = nn.functional.softplus
        d_loss = softplus(-self.netD(x)).mean() + softplus(self.netD(self.netG(x).detach())).mean()
        opt_d.zero_grad()
        self.manual_backward(d_loss)
        self.clip_gradients(opt_d, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
        opt_d.step()
        self.untoggle_optimizer(opt_d)
        self.toggle_optimizer(opt_g)
        g_loss = softplus(-self.netD(self.netG(x))).mean()
        opt_g.zero_grad()
        self.manual_backward(g_loss)
        opt_g.step()
        self.untoggle_optimizer(opt_g)
        schedulers.step()
        self.log_dict({"g_loss": g_loss, "d_loss": d_loss})

    def configure_optimizers(self) -> Any:
        opt_g = torch.optim.Adam(self.netG.parameters(), lr=0.01, betas=(0.5, 0.9))
        opt_d = torch.optim.SGD(self.netD.parameters(), lr=0.1)
        return [opt_g, opt_d], [torch.optim.lr_scheduler.ExponentialLR(opt_g, 0.9)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "module", [Fit("epoch"), Fit("step"), Game()], ids=["an epoch", "a step", "by hand"]
)
def test_steps_are_those_of_a_trainer(module: LightningModule, tmp_path: Any) -> None:
    given = copy.deepcopy(module)
    training = training_of(module, TensorDataset(ROWS), batch=8)
    order: list[Tensor] = []
    plain = module.training_step

    def seen(batch: Any, number: int) -> Any:
        order.append(batch[0])
        return plain(batch, number)

    object.__setattr__(module, "training_step", seen)
    for step in range(12):
        training.step(step)
    loader: Any = DataLoader(TensorDataset(torch.cat(order)), batch_size=8)
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    if getattr(module, "interval", None) == "epoch":
        trainer.fit_loop.max_epochs = 2
        loader = [DataLoader(TensorDataset(torch.cat(order[k : k + 6])), 8) for k in (0, 6)]
        trainer = Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
            reload_dataloaders_every_n_epochs=1,
        )  # fmt: skip
        object.__setattr__(given, "train_dataloader", lambda: loader[trainer.current_epoch])
        trainer.fit(given)
    else:
        trainer.fit(given, loader)
    for name, tensor in given.state_dict().items():
        assert torch.equal(tensor, module.state_dict()[name]), name


def test_a_game_is_recorded_whole_and_taken_up() -> None:
    torch.manual_seed(1)
    training = training_of(Game(), TensorDataset(ROWS), batch=8)
    assert list(training.players) == ["generator", "discriminator"]
    row = training.step(0)
    assert sorted(row) == [
        "discriminator/grad_norm", "discriminator/loss", "generator/grad_norm", "generator/loss",
    ]  # fmt: skip
    for step in range(1, 5):
        training.step(step)
    kept = copy.deepcopy(training.state_dict())
    rest = [float(training.step(step)["generator/loss"]) for step in range(5, 9)]
    again = training_of(Game(), TensorDataset(ROWS), batch=8)
    again.load_state_dict(kept)
    assert [float(again.step(step)["generator/loss"]) for step in range(5, 9)] == rest


def test_players_are_the_parts_that_optimisers_have() -> None:
    module = LightningModule()
    module.G, module.encoder, module.judge = nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1)

    def stepped(*parts: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD([p for part in parts for p in part.parameters()], lr=0.1)

    assert list(players_of(module, [stepped(module)])) == ["model"]
    assert list(players_of(module, [stepped(module.G), stepped(module.judge)])) == [
        "generator", "judge",
    ]  # fmt: skip
    both = [stepped(module.G, module.encoder), stepped(module.judge)]
    assert list(players_of(module, both)) == ["model"]


def test_a_module_that_cannot_be_stepped_is_refused() -> None:
    class Two(Game):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = True

    with pytest.raises(OptionError, match="has 2 optimisers and does not step them by hand"):
        training_of(Two(), ROWS)

    class None_(Fit):  # noqa: N801
        def configure_optimizers(self) -> Any:
            return None

    with pytest.raises(OptionError, match="returned NoneType: expected optimisers"):
        training_of(None_(), ROWS)
