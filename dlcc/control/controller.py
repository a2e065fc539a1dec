"""Controller: the interface of what watches a live training and acts on it within bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dlcc.control.action import Action
from dlcc.control.step_budget import StepBudget
from dlcc.deprecation import warn_renamed
from dlcc.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor


class Controller(ABC):
    """Controller of a live training: it sees what the record sees, and acts within bounds.

        recorder.control(controller)                                # every logged row goes to it
        loss = loss + controller.penalty("discriminator", step, real=real, fake=fake)

    The first line is for all controllers; the second for those that shape a loss, and adds exactly
    0 where there is nothing to add. Every action is a row `control/...` of the record and can be
    taken back by `undo`; a dry run decides and records, and changes nothing. `state_dict` belongs
    into the training's own, so that snapshots hold it and a replay goes on to the bit.

    Args:
        dry_run: Whether to decide and record, and change nothing.
        budget: Largest share of the training's time that it may use; beyond it, it skips its work
            and says so in a row. None for no limit.

    Raises:
        OptionError: The budget is no number from 0 to 1.

    >>> class Stopwatch(Controller):
    ...     name = "stopwatch"
    ...     def watch(self, step, row):
    ...         return {"control/seen": float(step)}
    ...     def state_dict(self):
    ...         return {}
    ...     def load_state_dict(self, state):
    ...         pass
    >>> controller = Stopwatch()
    >>> controller.watch(3, {"generator/loss": 0.7})
    {'control/seen': 3.0}
    >>> controller.penalty("generator", 3).item(), controller.actions
    (0.0, [])
    >>> controller.load_state_dict(controller.state_dict())
    >>> controller.catch_up({}, step=100)  # it reads no record
    >>> controller.undo()
    Traceback (most recent call last):
    dlcc.errors.OptionError: control: nothing to undo: the controller has changed nothing
    """

    name: ClassVar[str]
    """Name by which `dlcc train --control` knows it."""

    def __new__(cls, *_args: Any, **_options: Any) -> Self:
        """Make the controller by rules where the old name of that class is called."""
        if cls is Controller:
            from dlcc.control.rule_controller import RuleController

            warn_renamed("dlcc.control", "Controller(...)", "RuleController(...)")
            return object.__new__(RuleController)  # type: ignore[return-value]
        return object.__new__(cls)

    def __init__(self, *, dry_run: bool = False, budget: float | None = None) -> None:
        self.dry_run = dry_run
        self.budget = StepBudget(budget)
        self.actions: list[Action] = []
        """Actions so far; in a dry run those that would have been taken."""

    @classmethod
    def of_optimizers(cls, optimizers: Mapping[str, Any], **options: Any) -> Controller:
        """Control learning rates by rules: the old name of `RuleController.of_optimizers`.

        Args:
            optimizers: Player -> its `torch.optim` optimiser.
            options: Further arguments of `RuleController`.

        Returns:
            A controller by rules.

        Raises:
            OptionError: There is no optimiser, a rate is 0, or an option cannot be used.

        >>> import torch, warnings
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     Controller.of_optimizers({"generator": optimizer}).name
        'rules'
        """
        from dlcc.control.rule_controller import RuleController

        warn_renamed("Controller", "of_optimizers", "RuleController.of_optimizers")
        return RuleController.of_optimizers(optimizers, **options)

    @abstractmethod
    def watch(self, step: int, row: Mapping[str, Any]) -> Mapping[str, float] | None:
        """Take in the row of a step, and decide where it is time to.

        Args:
            step: Step of the row, from 0. A step before the last one rewinds the controller.
            row: `player/quantity` -> number or tensor of one element.

        Returns:
            The row that is to be recorded with it, always of the same names; or None.
        """

    def penalty(self, player: str, step: int, **tensors: Any) -> Tensor:
        """Compute what is to be added to a player's loss in a step.

        Args:
            player: Player whose loss it is.
            step: Step of the training, from 0.
            tensors: What the controller asks for, such as `real=` and `fake=`, batches [n, ...].

        Returns:
            A scalar with a graph to the player's weights; exactly 0 where nothing is to be added.
        """
        import torch

        device = next((t.device for t in tensors.values() if isinstance(t, torch.Tensor)), None)
        return torch.zeros((), device=device)

    def undo(self) -> Action:
        """Take the last action back: all settings are exactly what they were before it.

        Returns:
            The action that was taken back.

        Raises:
            OptionError: There is no action left to undo.
        """
        if not self.actions:
            raise OptionError("control: nothing to undo: the controller has changed nothing")
        return self.actions.pop()

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Copy all that the controller has seen and done.

        Returns:
            Plain values and tensors, which snapshots hold.
        """

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`.

        Args:
            state: State that `state_dict` gave.
        """

    def catch_up(self, series: Mapping[str, Any], step: int) -> None:  # noqa: B027
        """Take in a record as if it had been watched; nothing where snapshots hold the state.

        Args:
            series: `player/quantity` -> column with `steps` [n] and `values` [n].
            step: Step before which rows are taken in.
        """
