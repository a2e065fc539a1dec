"""Training of a LightningModule that can be taken up at any snapshot, without a Trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcc.callbacks.rows import row_of
from dlcc.errors import OptionError
from dlcc.runs.roles import role_of_name
from dlcc.runs.step_training import StepTraining


def training_of(
    module: LightningModule,
    data: Any,
    *,
    players: Mapping[str, nn.Module] | None = None,
    sample: Callable[[int], Tensor] | None = None,
    batch: int = 64,
    seed: int | None = None,
) -> StepTraining:
    """Make a training of a LightningModule, whose `training_step` is the step.

    Optimisers and schedulers come from `configure_optimizers`, the module may optimise by hand or
    leave it to the loop, and what it logs is the row. Parts of the module that need a Trainer
    (`self.trainer`, callbacks, validation) are not there.

    Args:
        module: Module, on the device on which it is to be trained.
        data: Training data, as for `Training.from_step`; a batch is what `training_step` takes.
        players: Networks by name; default the module's parts whose parameters an optimiser has,
            `generator` and `discriminator` by whatever name the module has for them, or `model` for
            the whole module where there is one optimiser.
        sample: Function that takes a number n and draws n samples `[n, ...]`.
        batch: Rows of a batch.
        seed: Seed; default that of the configuration which the training is built from.

    Returns:
        The training.

    Raises:
        OptionError: The module configures no optimiser, or several that it does not step by hand;
            or another argument is not what it should be.

    >>> import torch
    >>> class Fit(LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.net = nn.Linear(3, 1)
    ...     def training_step(self, batch, batch_idx):
    ...         loss = (self.net(batch) - 1).square().mean()
    ...         self.log("train_loss", loss)
    ...         return loss
    ...     def configure_optimizers(self):
    ...         return torch.optim.SGD(self.parameters(), lr=0.1)
    >>> training = training_of(Fit(), torch.randn(100, 3), batch=20)
    >>> list(training.players), sorted(training.step(0))
    (['model'], ['model/grad_norm', 'model/loss', 'model/train_loss'])
    """
    loop = _Loop(module)
    if players is None:
        players = players_of(module, loop.optimizers)
    names = list(players)

    def step(rows: Any, number: int) -> dict[str, Any]:
        return row_of(loop.step(rows, number), names)

    made = StepTraining(
        players,
        step,
        sample=sample,
        data=data,
        optimizers=loop.stateful,
        batch=batch,
        seed=seed,
    )
    loop.epoch = made.steps_of_an_epoch
    return made


def players_of(module: LightningModule, optimizers: Sequence[Optimizer]) -> dict[str, nn.Module]:
    """Find the players of a module: the parts whose parameters its optimisers have.

    Args:
        module: Module.
        optimizers: Its optimisers.

    Returns:
        Networks by name; the whole module as `model` where there is one optimiser, or where an
        optimiser has parameters of several parts.

    >>> import torch
    >>> module = LightningModule()
    >>> module.netG, module.critic = nn.Linear(2, 2), nn.Linear(2, 1)
    >>> list(players_of(module, [torch.optim.SGD(n.parameters()) for n in module.children()]))
    ['generator', 'discriminator']
    """
    found: dict[str, nn.Module] = {}
    for optimizer in optimizers:
        stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
        parts = [
            (name, part)
            for name, part in module.named_children()
            if any(id(p) in stepped for p in part.parameters())
        ]
        if len(parts) != 1:
            return {"model": module}
        ((name, part),) = parts
        role, _ = role_of_name(f"{name}_loss")
        told = role.player if role is not None and role.player else name
        found[name if told in found or told == "model" else told] = part
    return found if len(found) > 1 else {"model": module}


class _Loop:
    """Stand-in for a Trainer, with as much of one as a LightningModule needs to take a step."""

    def __init__(self, module: LightningModule) -> None:
        self.module = module
        self.optimizers, self.schedulers = _configured(module.configure_optimizers())
        if module.automatic_optimization and len(self.optimizers) != 1:
            raise OptionError(
                f"{type(module).__name__}: has {len(self.optimizers)} optimisers and does not step "
                "them by hand; set automatic_optimization=False, or configure one"
            )
        self.epoch: int | None = None
        self._logged: dict[str, Any] = {}
        names = ("log", "log_dict", "manual_backward", "lr_schedulers", "toggle_optimizer")
        for name in (*names, "untoggle_optimizer", "toggled_optimizer"):
            object.__setattr__(module, name, getattr(self, f"_{name}"))
        object.__setattr__(module, "optimizers", self._own_optimizers)
        object.__setattr__(module, "clip_gradients", self._clip_gradients)
        self._frozen: list[Tensor] = []

    @property
    def stateful(self) -> dict[str, Any]:
        """Optimisers and schedulers by a name."""
        named = {f"optimizer{k}": one for k, one in enumerate(self.optimizers)}
        return named | {f"scheduler{k}": one for k, (one, _) in enumerate(self.schedulers)}

    def step(self, batch: Any, number: int) -> dict[str, Any]:
        """Take a step as a Trainer does, and return what was logged."""
        self._logged = {}
        loss = self.module.training_step(batch, number)
        loss = loss.get("loss") if isinstance(loss, Mapping) else loss
        if self.module.automatic_optimization and isinstance(loss, Tensor):
            (optimizer,) = self.optimizers
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            for scheduler, interval in self.schedulers:
                ends = self.epoch is not None and (number + 1) % self.epoch == 0
                if interval == "step" or ends:
                    scheduler.step()
        if isinstance(loss, Tensor):
            return {"loss": loss.detach(), **self._logged}
        return self._logged

    def _log(self, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        self._logged[name] = value.detach() if isinstance(value, Tensor) else value

    def _log_dict(self, dictionary: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        for name, value in dictionary.items():
            self._log(name, value)

    def _own_optimizers(self, use_pl_optimizer: bool = True) -> Any:
        return self.optimizers[0] if len(self.optimizers) == 1 else self.optimizers

    def _lr_schedulers(self) -> Any:
        found = [scheduler for scheduler, _ in self.schedulers]
        return found[0] if len(found) == 1 else found or None

    def _manual_backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        loss.backward(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _clip_gradients(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        if gradient_clip_val and gradient_clip_algorithm == "value":
            nn.utils.clip_grad_value_(parameters, gradient_clip_val)
        elif gradient_clip_val:
            nn.utils.clip_grad_norm_(parameters, gradient_clip_val)

    def _toggle_optimizer(self, optimizer: Optimizer, *args: Any) -> None:
        mine = {id(p) for group in optimizer.param_groups for p in group["params"]}
        every = [p for one in self.optimizers for g in one.param_groups for p in g["params"]]
        self._frozen = [p for p in every if id(p) not in mine and p.requires_grad]
        for parameter in self._frozen:
            parameter.requires_grad = False

    def _untoggle_optimizer(self, optimizer: Optimizer) -> None:
        for parameter in self._frozen:
            parameter.requires_grad = True
        self._frozen = []

    @contextmanager
    def _toggled_optimizer(self, optimizer: Optimizer, *args: Any) -> Any:
        self._toggle_optimizer(optimizer)
        try:
            yield
        finally:
            self._untoggle_optimizer(optimizer)


def _configured(made: Any) -> tuple[list[Optimizer], list[tuple[Any, str]]]:
    """Optimisers, and schedulers with their intervals, of what `configure_optimizers` returns."""
    if isinstance(made, Optimizer):
        return [made], []
    if isinstance(made, Mapping):
        given = made.get("lr_scheduler")
        return [made["optimizer"]], [] if given is None else [_scheduler(given)]
    if isinstance(made, list | tuple) and made:
        if all(isinstance(part, list | tuple) for part in made):
            optimizers, schedulers = made
            return list(optimizers), [_scheduler(one) for one in schedulers]
        parts = [_configured(part) for part in made]
        return [o for part in parts for o in part[0]], [s for part in parts for s in part[1]]
    raise OptionError(
        f"configure_optimizers returned {type(made).__name__}: expected optimisers; configure one"
    )


def _scheduler(given: Any) -> tuple[Any, str]:
    if isinstance(given, Mapping):
        return given["scheduler"], str(given.get("interval", "epoch"))
    return given, "epoch"
