"""What the callbacks of Lightning and of Hugging Face's Trainer cost, and that they change no bit.

    python benchmarks/callbacks.py

writes benchmarks/results/callbacks.json. Each training is run with the callback and without; times
are CPU times of the whole fit, of pairs that alternate, after one that loads what is to be loaded.
Rows come with one snapshot; the ten snapshots and 40 times 512 samples of the defaults cost as much
in a training of any length, so that they are given in steps.
"""

from __future__ import annotations

import copy
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import write_result
from lightning.pytorch import LightningModule, Trainer
from recording import Dcgan, spread
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer as HfTrainer
from transformers import TrainingArguments

from dlcc.callbacks.lightning import RunRecorder
from dlcc.callbacks.transformers import RunRecorder as HfRecorder

PAIRS = 3
ROWS_STEPS, WHOLE_STEPS = 300, 100
SEED = 0


class Gan(LightningModule):
    """The DCGAN of recording.py, with two optimisers that it steps by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        gan = Dcgan()
        self.generator, self.discriminator = gan.generator, gan.discriminator

    def training_step(self, real: Tensor, batch_idx: int) -> None:
        softplus = nn.functional.softplus
        opt_g, opt_d = self.optimizers()  # type: ignore[misc]
        fake = self.generator(torch.randn(len(real), 64))
        d_loss = softplus(-self.discriminator(real)).mean()
        d_loss = d_loss + softplus(self.discriminator(fake.detach())).mean()
        opt_d.zero_grad()
        self.manual_backward(d_loss)
        opt_d.step()
        g_loss = softplus(-self.discriminator(fake)).mean()
        opt_g.zero_grad()
        self.manual_backward(g_loss)
        opt_g.step()
        self.log_dict({"g_loss": g_loss, "d_loss": d_loss})

    def configure_optimizers(self) -> Any:
        nets = (self.generator, self.discriminator)
        return [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in nets]


class Vae(nn.Module):
    """A convolutional VAE of 28 × 28 images, which returns the parts of its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * 49, 32),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(16, 64 * 49), nn.Unflatten(1, (64, 7, 7)), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        reconstruction = (self.decoder(z) - x).square().flatten(1).sum(dim=1).mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


def by_lightning(model: nn.Module, folder: Path | None, steps: int, *, samples: bool) -> None:
    drawn = (lambda module, n: module.generator(torch.randn(n, 64))) if samples else None
    callbacks: list[Any] = []
    if folder is not None:
        callbacks = [RunRecorder(folder, samples=drawn, snapshots=10 if samples else 1)]
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=callbacks,
    )  # fmt: skip
    trainer.fit(model, DataLoader(torch.rand(steps * 32, 1, 28, 28), batch_size=32))  # type: ignore[arg-type]


def by_trainer(model: nn.Module, folder: Path | None, steps: int, *, samples: bool) -> None:
    drawn = (lambda net, n: net.decoder(torch.randn(n, 16))) if samples else None
    arguments = TrainingArguments(
        output_dir=tempfile.gettempdir(), max_steps=steps, per_device_train_batch_size=32,
        use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True, logging_steps=50,
        dataloader_pin_memory=False, seed=SEED,
    )  # fmt: skip
    rows = [{"x": x} for x in torch.rand(steps * 32, 1, 28, 28)]
    callbacks: list[Any] = []
    if folder is not None:
        callbacks = [HfRecorder(folder, samples=drawn, snapshots=10 if samples else 1)]
    HfTrainer(model=model, args=arguments, train_dataset=rows, callbacks=callbacks).train()


def measured(
    make: Callable[[], nn.Module], fit: Callable[..., None], folder: Path, *, samples: bool
) -> dict[str, Any]:
    """CPU time of a fit with the callback over one without, and whether the weights are equal."""
    torch.manual_seed(SEED)
    first = make()
    steps = WHOLE_STEPS if samples else ROWS_STEPS
    fit(copy.deepcopy(first), folder / "first", 20, samples=samples)
    ratios, equal = [], True
    for pair in range(PAIRS):
        seconds, weights = {}, {}
        for recorded in (pair % 2 == 0, pair % 2 == 1):
            torch.manual_seed(SEED)
            model = copy.deepcopy(first)
            start = time.process_time()
            fit(model, folder / f"{pair}" if recorded else None, steps, samples=samples)
            seconds[recorded] = time.process_time() - start
            weights[recorded] = list(model.state_dict().values())
        ratios.append(seconds[True] / seconds[False])
        equal &= all(torch.equal(a, b) for a, b in zip(*weights.values(), strict=True))
    return {"over_plain": spread(ratios), "weights_equal_with_and_without": equal}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    load = os.getloadavg()[0]
    figures: dict[str, Any] = {
        "load_average_at_start": round(load, 2), "pairs": PAIRS, "steps": ROWS_STEPS
    }  # fmt: skip
    cases: tuple[tuple[str, Callable[[], nn.Module], Callable[..., None]], ...] = (
        ("lightning_gan_with_two_optimisers", Gan, by_lightning),
        ("vae_under_the_trainer", Vae, by_trainer),
    )
    with tempfile.TemporaryDirectory() as name:
        for case, make, fit in cases:
            rows = measured(make, fit, Path(name) / case, samples=False)
            whole = measured(make, fit, Path(name) / f"{case}-whole", samples=True)
            more = whole["over_plain"]["median"] - rows["over_plain"]["median"]
            figures[case] = {
                "rows": rows,
                "with_snapshots_and_samples": whole,
                "snapshots_and_samples_in_steps": round(WHOLE_STEPS * more),
            }
    write_result("callbacks", figures, seeds={"weights and batches": SEED})


if __name__ == "__main__":
    main()
