"""Training by the steps of Hugging Face's Trainer that can be taken up at any snapshot."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from dlcc.callbacks.model_outputs import ModelOutputs
from dlcc.callbacks.rows import row_of
from dlcc.errors import OptionError
from dlcc.runs.step_training import StepTraining

PLAYER = "model"


def training_of(
    model: nn.Module,
    arguments: TrainingArguments,
    dataset: Any,
    *,
    sample: Callable[[int], Tensor] | None = None,
    trainer: Callable[..., Trainer] = Trainer,
    seed: int | None = None,
    **options: Any,
) -> StepTraining:
    """Make a training of a model by a Trainer's `training_step`, optimiser and schedule.

    The record has every number that the model returns beside its predictions, `loss` and its parts,
    of every step. Callbacks, evaluation and checkpoints of the Trainer are not there; nothing is
    written to `output_dir`.

    Args:
        model: Model that returns its loss.
        arguments: Arguments of the Trainer; steps are its batches, of the size that it has for one
            device, and gradients are not accumulated over several.
        dataset: Training data with a length and items.
        sample: Function that takes a number n and draws n samples `[n, ...]`.
        trainer: Class of the Trainer, if it is one of your own, with a `compute_loss` say.
        seed: Seed; default that of the configuration which the training is built from.
        options: Further arguments of the Trainer, such as `data_collator`.

    Returns:
        The training, of one player `model`.

    Raises:
        OptionError: Gradients are to be accumulated, or another argument is not what it should be.

    >>> import torch
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return {"loss": (self.layer(x) - 1).square().mean()}
    >>> arguments = TrainingArguments("out", max_steps=10, use_cpu=True, report_to=[])
    >>> training = training_of(Net(), arguments, [{"x": torch.ones(3)}] * 16)
    >>> sorted(training.step(0))
    ['model/grad_norm', 'model/loss']
    """
    if arguments.gradient_accumulation_steps != 1:
        raise OptionError(
            f"gradient_accumulation_steps={arguments.gradient_accumulation_steps}: expected 1; "
            "give larger batches"
        )
    arguments.output_dir = os.curdir  # a Trainer makes the folder, which a sandbox refuses
    made = trainer(model=model, args=arguments, train_dataset=dataset, **options)
    loader = made.get_train_dataloader()
    length = arguments.max_steps
    if length <= 0:
        length = math.ceil(arguments.num_train_epochs * len(loader))
    made.create_optimizer_and_scheduler(num_training_steps=length)
    made.current_gradient_accumulation_steps = 1
    outputs = ModelOutputs(model)
    optimizer: Any = made.optimizer
    scheduler: Any = made.lr_scheduler

    def step(batch: Any) -> dict[str, Any]:
        loss = made.training_step(model, batch)
        if arguments.max_grad_norm:
            nn.utils.clip_grad_norm_(model.parameters(), arguments.max_grad_norm)
        optimizer.step()
        scheduler.step()
        model.zero_grad()
        return row_of({"loss": loss, **outputs.take()}, [PLAYER])

    return StepTraining(
        {PLAYER: model},
        step,
        sample=sample,
        data=DataLoader(
            loader.dataset,
            batch_size=arguments.per_device_train_batch_size,
            collate_fn=loader.collate_fn,
        ),
        optimizers={"optimizer": optimizer, "scheduler": scheduler},
        seed=seed,
    )
