"""Controller of settings: it watches the record in windows, and changes settings within bounds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from dlcc.control import rules as control_rules
from dlcc.control.action import Action
from dlcc.control.adjustable import Adjustable, OptimizerRates, bounds_of
from dlcc.control.controller import Controller
from dlcc.control.watched_rows import column, detached, is_plain, rows_before
from dlcc.errors import OptionError
from dlcc.health.windows import QUANTITIES
from dlcc.typing import Floats

EVERY = 50
FEWEST_ROWS = 5
"""Rows without which a window is not looked at."""


class SettingsController(Controller):
    """Controller that looks at the record window by window, and may change settings at their ends.

    At a step s with `(s + 1) % every == 0` it looks at the rows since the last such step and acts
    at most once; the change holds from step s + 1 on. It hands rows to the recorder, one when it
    begins and one for each action: all settings as `control/<setting>`, `control/rule` and
    `control/measure`, with `would_` before the names in a dry run, which changes nothing.

    A subclass says what it does with a window in `decide`, and what else is forgotten or kept.

    Args:
        adjustable: Settings that are steered: `OptimizerRates`, or any `Adjustable`.
        bounds: Setting -> (lowest, highest) value; settings that are not named stay. By default
            usual bounds for all, see `bounds_of`.
        every: Number of steps between decisions, 5 or more.
        dry_run: Whether to decide and record, and change nothing.
        budget: Largest share of the training's time that it may use; None for no limit.

    Raises:
        OptionError: A bound is empty, excludes the present value, or is of no setting; or `every`
            is too small.
    """

    def __init__(
        self,
        adjustable: Adjustable,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        every: int = EVERY,
        dry_run: bool = False,
        budget: float | None = None,
    ) -> None:
        super().__init__(dry_run=dry_run, budget=budget)
        if every < FEWEST_ROWS:
            raise OptionError(f"control: every is {every}; give {FEWEST_ROWS} steps or more")
        self.adjustable = adjustable
        self.bounds = bounds_of(adjustable.settings(), bounds)
        self.every = every
        self._rows: list[Mapping[str, Any]] = []
        self._due = every - 1
        self._last = -1
        self._news: tuple[int, float] | None = (control_rules.STARTED, 0.0)
        self._started_from: Mapping[str, float] = dict(adjustable.settings())

    @classmethod
    def of_optimizers(cls, optimizers: Mapping[str, Any], **options: Any) -> Self:
        """Control the learning rates of a training's own optimisers.

        Args:
            optimizers: Player -> its `torch.optim` optimiser.
            options: Further arguments of the controller.

        Returns:
            A controller of `OptimizerRates(optimizers)`.

        Raises:
            OptionError: There is no optimiser, a rate is 0, or an option cannot be used.
        """
        return cls(OptimizerRates(optimizers), **options)

    # ------------------------------------------------------------------------------- watching

    def watch(self, step: int, row: Mapping[str, Any]) -> Mapping[str, float] | None:
        """Take in the row of a step, and decide where a window ends.

        Numbers that are tensors are read at the next decision, so that no step waits for them.

        Args:
            step: Step of the row, from 0. A step before the last one rewinds the controller.
            row: `player/quantity` -> number or tensor of one element.

        Returns:
            The row that is to be recorded with it, or None.
        """
        if step < self._last:
            self.rewind(step)
        self._last = step
        with self.budget.spending():
            self._rows.append(row if is_plain(row) else detached(row))
            if self._is_due(step):
                rows = self._window_ended(step)
                if self.budget.is_spent():
                    self.budget.skipped += 1
                    self._news = (control_rules.SKIPPED, self.budget.share_used())
                else:
                    self.decide(step, rows)
            return self._record() if self._news else None

    def _is_due(self, step: int) -> bool:
        """Whether a window ends with the row of a step."""
        return step >= self._due and len(self._rows) >= FEWEST_ROWS

    def _window_ended(self, step: int) -> dict[str, Floats]:
        """Begin the next window; returns the columns of the one that ended."""
        rows, self._rows = self._rows, []
        self._due = (step + 1) // self.every * self.every + self.every - 1
        return {name: column(rows, name) for name in QUANTITIES}

    @abstractmethod
    def decide(self, step: int, rows: Mapping[str, Floats]) -> Action | None:
        """Look at a window of rows, and act where there is reason to.

        Args:
            step: Last step of the window.
            rows: `player/quantity` -> values [n] within the window.

        Returns:
            The change that was made, or None.
        """

    @abstractmethod
    def _look(self, step: int, rows: Mapping[str, Floats], *, acted: bool) -> None:
        """Take in a window of the past that ended with a step, and with an action or not."""

    @abstractmethod
    def _forget(self, step: int) -> None:
        """Forget what was seen from a step on."""

    def _take_over_action(self, action: Action) -> None:
        """Take in an action of the past."""

    def _refuse(self, rule: int) -> None:
        """Refuse a rule from now on, whose action was taken back."""

    # ---------------------------------------------------------------------------------- undoing

    def undo(self) -> Action:
        """Take the last action back: all settings are exactly what they were before it.

        The rule that acted does not act again. The undoing is recorded with the next row.

        Returns:
            The action that was taken back.

        Raises:
            OptionError: There is no action left to undo.
        """
        action = super().undo()
        different = changed(action.after, action.before)
        if different and not self.dry_run:
            self.adjustable.adjust(**different)
        self._refuse(action.rule)
        self._news = (control_rules.UNDONE, float(action.rule))
        return action

    def rewind(self, step: int) -> None:
        """Forget what was seen and done from a step on; the training restores its own settings.

        Args:
            step: First step that is forgotten.
        """
        self.actions = [action for action in self.actions if action.step < step]
        self._forget(step)
        self._rows, self._last = [], -1
        self._due = step // self.every * self.every + self.every - 1

    def catch_up(self, series: Mapping[str, Any], step: int) -> None:
        """Take in a record as if it had been watched.

        Actions are read from the record and not done again.

        Args:
            series: `player/quantity` -> column with `steps` [n] and `values` [n], such as
                `run.series().columns`.
            step: Step before which rows are taken in.

        >>> import torch
        >>> from dlcc.control import RuleController
        >>> from dlcc.runs import Run
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> controller = RuleController.of_optimizers({"generator": optimizer})
        >>> controller.catch_up(Run.open("runs/ring-oscillating").series().columns, step=1000)
        >>> controller.actions  # nothing controlled that run
        []
        """
        would = "would_" if self.dry_run else ""
        rows = rows_before(series, step)
        done = {s: r for s, r in rows.items() if f"control/{would}rule" in r}
        before = dict(self._started_from)
        self.actions = [] if done else self.actions
        for at in sorted(rows):
            self._rows.append(rows[at])
            if self._is_due(at):
                self._look(at, self._window_ended(at), acted=at in done)
            if at in done:
                before = self._take_over(at, done[at], before, would)
            self._last = at
        self._news = None if done else self._news

    def _take_over(
        self, step: int, row: Mapping[str, float], before: dict[str, float], would: str
    ) -> dict[str, float]:
        """Enter an action of the record; returns the settings after it."""
        after = {field: row[f"control/{would}{field}"] for field in before}
        rule = int(row[f"control/{would}rule"])
        if rule == control_rules.UNDONE:
            if self.actions:
                self._refuse(self.actions.pop().rule)
        elif rule not in (control_rules.STARTED, control_rules.SKIPPED):
            at = -1 if rule == control_rules.STARTED_THERE else step
            measure = row[f"control/{would}measure"]
            self.actions.append(Action(at, rule, before, after, measure))
            self._take_over_action(self.actions[-1])
        return before if self.dry_run else after

    # ------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """Copy settings, actions, and the rows of the present window.

        Returns:
            Plain values, which snapshots hold.
        """
        return {
            "settings": dict(self.adjustable.settings()),
            "actions": [action.to_dict() for action in self.actions],
            "rows": [{n: float(v) for n, v in row.items()} for row in self._rows],
            "due": self._due,
            "last": self._last,
            "news": self._news,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`; the settings of that moment are set too.

        Args:
            state: State that `state_dict` gave.
        """
        if not self.dry_run:
            different = changed(self.adjustable.settings(), state["settings"])
            if different:
                self.adjustable.adjust(**different)
        self.actions = [Action.from_dict(action) for action in state["actions"]]
        self._rows = [dict(row) for row in state["rows"]]
        self._due, self._last = state["due"], state["last"]
        self._news = None if state["news"] is None else (state["news"][0], state["news"][1])

    # ------------------------------------------------------------------------------------ acting

    def _act(
        self,
        step: int,
        rule: int,
        changes: Mapping[str, float],
        measure: float,
        *,
        always: bool = False,
    ) -> Action | None:
        """Change settings within bounds; None where that leaves everything as it is, unless it is
        `always` an action."""
        before = dict(self.adjustable.settings())
        after = before | self._within_bounds(changes)
        if after == before and not always:
            return None
        if after != before and not self.dry_run:
            self.adjustable.adjust(**changed(before, after))
        action = Action(step, rule, before, after, measure)
        self.actions.append(action)
        self._news = (rule, measure)
        return action

    def _within_bounds(self, changes: Mapping[str, float]) -> dict[str, float]:
        """Clip new values of settings; those that may not change are left out."""
        return {
            field: self.bounds[field].clip(value)
            for field, value in changes.items()
            if field in self.bounds
        }

    def _record(self) -> dict[str, float]:
        """Row with the settings as they are now, or in a dry run as they would be, and why."""
        assert self._news is not None
        rule, measure = self._news
        self._news = None
        would = "would_" if self.dry_run else ""
        settings: Mapping[str, float] = self.adjustable.settings()
        if self.dry_run and self.actions and rule != control_rules.UNDONE:
            settings = self.actions[-1].after
        row = {f"control/{would}{field}": float(value) for field, value in settings.items()}
        return row | {f"control/{would}rule": float(rule), f"control/{would}measure": measure}


def changed(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Select the settings whose values differ, with the new values."""
    return {field: value for field, value in after.items() if value != before[field]}
