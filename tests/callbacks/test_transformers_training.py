"""The steps of a Trainer, without the Trainer's loop, are those that it takes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("accelerate")

from transformers import Trainer, TrainingArguments

from dlcc.callbacks.transformers import training_of
from dlcc.errors import OptionError

ROWS = torch.randn(48, 4, generator=torch.Generator().manual_seed(1))


class Vae(nn.Module):
    """One that returns the parts of its loss beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(4, 4), nn.Linear(2, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        recon = (self.decoder(code) - x).square().sum(dim=1).mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return {"loss": recon + kl, "recon_loss": recon, "kl": kl, "code": code}


def arguments(folder: Path, **options: Any) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder / "out"), max_steps=12, per_device_train_batch_size=8, use_cpu=True,
        save_strategy="no", report_to=[], disable_tqdm=True, learning_rate=1e-2, max_grad_norm=0.5,
        dataloader_pin_memory=False, **options,
    )  # fmt: skip


def data(rows: Tensor) -> list[dict[str, Tensor]]:
    return [{"x": row} for row in rows]


def test_steps_are_those_of_a_trainer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Vae()
    given = copy.deepcopy(model)
    order: list[Tensor] = []
    noise: list[Tensor] = []

    class Seen(Trainer):
        def training_step(self, model: nn.Module, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
            order.append(inputs["x"])
            noise.append(torch.get_rng_state())
            return super().training_step(model, inputs, *args, **kwargs)

    training = training_of(model, arguments(tmp_path), data(ROWS), trainer=Seen)
    for step in range(12):
        training.step(step)
    assert not (tmp_path / "out").exists()

    class Repeated(Trainer):
        """The loop of a Trainer, with the batches and random numbers of the other."""

        def training_step(self, model: nn.Module, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
            step = self.state.global_step
            torch.set_rng_state(noise[step])
            return super().training_step(model, {"x": order[step]}, *args, **kwargs)

    Repeated(model=given, args=arguments(tmp_path), train_dataset=data(ROWS)).train()
    for name, tensor in given.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_a_training_is_taken_up_where_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    training = training_of(Vae(), arguments(tmp_path), data(ROWS))
    row = training.step(0)
    assert sorted(row) == ["model/grad_norm", "model/kl", "model/loss", "model/reconstruction"]
    assert float(row["model/loss"]) == pytest.approx(
        float(row["model/kl"]) + float(row["model/reconstruction"])
    )
    for step in range(1, 5):
        training.step(step)
    kept = copy.deepcopy(training.state_dict())
    rest = [float(training.step(step)["model/loss"]) for step in range(5, 9)]
    again = training_of(Vae(), arguments(tmp_path), data(ROWS))
    again.load_state_dict(kept)
    assert [float(again.step(step)["model/loss"]) for step in range(5, 9)] == rest


def test_accumulated_gradients_are_refused(tmp_path: Path) -> None:
    given = arguments(tmp_path, gradient_accumulation_steps=2)
    with pytest.raises(OptionError, match="gradient_accumulation_steps=2: expected 1"):
        training_of(Vae(), given, data(ROWS))
