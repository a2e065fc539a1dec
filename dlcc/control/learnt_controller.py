"""Controller by a policy that was learnt from controlled runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from dlcc.control import rules as control_rules
from dlcc.control.action import Action
from dlcc.control.adjustable import Adjustable, Restartable
from dlcc.control.learning.moves import MOVES, NOTHING, Move, moved
from dlcc.control.learning.policy import Policy
from dlcc.control.learning.situation import DECISIONS, WINDOWS, Situation
from dlcc.control.rules import window_of
from dlcc.control.settings_controller import FEWEST_ROWS, SettingsController
from dlcc.errors import OptionError
from dlcc.typing import Floats

_ROUNDING = 1e-9


class LearntController(SettingsController):
    """Controller that changes settings where controlled runs in such a situation gained by it.

        controller = LearntController(adjustable, length=2500, config={"loss": "ns"})
        recorder.control(controller)   # from then on every recorder.log() feeds it

    At `DECISIONS`, shares of the length, it asks the policy what each of a few moves would gain
    over changing nothing, from the record and the settings, and makes the best of those whose gain
    is sure: positive in nine of ten bags of trees. Rows are those of every controller of settings,
    `control/rule` is 12, or 13 where training began anew with its first weights, and
    `control/measure` the gain that is exceeded in nine bags of ten. What began anew does not come
    back by `undo`, which restores settings.

    Args:
        adjustable: Settings that are steered: `OptimizerRates`, or any `Adjustable`.
        policy: Policy that it goes by; by default the one that ships.
        length: Length of the training in steps, 250 or more.
        config: Configuration of the training; of it `loss` and `optimizer` say most.
        bounds: Setting -> (lowest, highest) value; settings that are not named stay. By default
            usual bounds for all, see `bounds_of`.
        dry_run: Whether to decide and record, and change nothing.
        budget: Largest share of the training's time that it may use; None for no limit.

    Raises:
        OptionError: A bound is empty, excludes the present value, or is of no setting; or the
            training is too short.

    >>> import torch
    >>> from dlcc.control import LearntController, OptimizerRates
    >>> weight = torch.nn.Parameter(torch.zeros(3))
    >>> rates = OptimizerRates({"generator": torch.optim.Adam([weight], lr=0.1)})
    >>> controller = LearntController(rates, length=1000, config={"loss": "ns"})
    >>> for step in range(50):  # recorder.log() calls watch()
    ...     _ = controller.watch(step, {"generator/loss": 0.7, "generator/grad_norm": 0.1})
    >>> controller.decide(59, {"generator/loss": np.full(20, 0.7)})  # no decision is due
    >>> controller.rewind(20)  # the training goes back to a snapshot of step 20
    >>> controller.load_state_dict(controller.state_dict())
    """

    name: ClassVar[str] = "learnt"

    def __init__(
        self,
        adjustable: Adjustable,
        policy: Policy | None = None,
        *,
        length: int,
        config: Mapping[str, Any] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        dry_run: bool = False,
        budget: float | None = None,
    ) -> None:
        if length < FEWEST_ROWS * WINDOWS:
            raise OptionError(
                f"control: a training of {length} steps is too short for what was learnt; it takes "
                f"{FEWEST_ROWS * WINDOWS} steps or more"
            )
        every = length // WINDOWS
        super().__init__(adjustable, bounds, every=every, dry_run=dry_run, budget=budget)
        self.policy = Policy.shipped() if policy is None else policy
        self.length, self.config = length, dict(config or {})
        self._windows: list[Floats] = []
        self._decided = 0
        self._is_refused = False

    def decide(self, step: int, rows: Mapping[str, Floats]) -> Action | None:
        """Look at a window of rows, and where a decision is due ask the policy.

        Args:
            step: Last step of the window.
            rows: `player/quantity` -> values [n] within the window.

        Returns:
            The change that was made, or None.
        """
        is_due = self._take_in(step, rows)
        lost = window_of(rows).lost
        if not is_due or lost or self._is_refused:
            return None
        now = self.adjustable.settings()
        share = (step + 1) / self.length
        seen = Situation(share, np.array(self._windows), self.config, self._started_from, now)
        restarts = isinstance(self.adjustable, Restartable)
        refused = [k for k, move in enumerate(MOVES) if move.anew and not restarts]
        advice = self.policy.advise(seen, self.bounds, refused)
        if advice.move == NOTHING:
            return None
        return self._make(step, MOVES[advice.move], advice.surely)

    def _make(self, step: int, move: Move, gain: float) -> Action | None:
        """Make a move, and say so."""
        optimizer = str(self.config.get("optimizer", "adam"))
        changes = moved(self.adjustable.settings(), move, self.bounds, optimizer)
        if not move.anew:
            return self._act(step, control_rules.LEARNT, changes, gain)
        if isinstance(self.adjustable, Restartable) and not self.dry_run:
            self.adjustable.begin_anew()
        return self._act(step, control_rules.ANEW, changes, gain, always=True)

    def _take_in(self, step: int, rows: Mapping[str, Floats]) -> bool:
        """Take a window in; returns whether a decision is due at its end."""
        self._windows.append(window_of(rows).figures)
        due = sum((step + 1) / self.length > share - _ROUNDING for share in DECISIONS)
        is_due, self._decided = due > self._decided, max(due, self._decided)
        return is_due

    def _look(self, step: int, rows: Mapping[str, Floats], *, acted: bool) -> None:
        self._take_in(step, rows)

    def _forget(self, step: int) -> None:
        done = step // self.every
        self._windows = self._windows[:done]
        self._decided = sum(done * self.every / self.length > s - _ROUNDING for s in DECISIONS)

    def _refuse(self, rule: int) -> None:
        self._is_refused = True

    def state_dict(self) -> dict[str, Any]:
        """Copy settings, actions, and what was seen.

        Returns:
            Plain values, which snapshots hold.
        """
        return super().state_dict() | {
            "windows": [window.tolist() for window in self._windows],
            "decided": self._decided,
            "refused": self._is_refused,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`; the settings of that moment are set too.

        Args:
            state: State that `state_dict` gave.
        """
        super().load_state_dict(state)
        self._windows = [np.array(window, dtype=np.float64) for window in state["windows"]]
        self._decided, self._is_refused = state["decided"], state["refused"]
