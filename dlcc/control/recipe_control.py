"""Control of a recipe's recorded training: what `dlcc train --control` attaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlcc.control.learning.policy import Policy
from dlcc.control.learnt_controller import LearntController
from dlcc.control.rule_controller import RuleController, controller_for
from dlcc.control.run_control import RunControl
from dlcc.control.settings_controller import SettingsController
from dlcc.control.steered_recipe import SteeredRecipe, steered_recipe

if TYPE_CHECKING:
    from dlcc.past_runs.store import Library
    from dlcc.runs import Run


class RecipeControl(RunControl[SettingsController]):
    """Control of a recipe's training by past runs, or by rules of thumb alone.

    The recorded run brings `source/controlled.py` beside `source/train.py`: its snapshots hold the
    settings of their moment, so that replays from them are exact as long as they meet no action.
    In a dry run the training is recorded as it would be without a controller.

    Args:
        bounds: Setting -> (lowest, highest) value; by default usual bounds for all settings.
        library: Past runs; without, the rules of thumb act alone.
        rules: Whether the rules of thumb act beside past runs.
        start: Whether to go to where past runs did well before the first step, rather than on the
            way.
        dry_run: Whether to decide and record, and change nothing.
    """

    def __init__(
        self,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        library: Library | None = None,
        rules: bool = False,
        start: bool = True,
        dry_run: bool = False,
    ) -> None:
        super().__init__(dry_run=dry_run)
        self._bounds, self._library = bounds, library
        self._rules, self._start = rules, start
        self._steered: SteeredRecipe | None = None

    def take(self, training: Any, config: Mapping[str, Any]) -> Any:
        """Put a training under a controller.

        Returns the training with settings that may change; in a dry run the training itself.

        Raises:
            OptionError: A controller does not know the settings of a training of this kind.
        """
        self._steered = steered_recipe(training, config, dry_run=self._dry_run)
        self._controller = self._make(self._steered, config)
        return self._steered.training

    def _make(self, steered: SteeredRecipe, config: Mapping[str, Any]) -> SettingsController:
        """Make the controller of a training."""
        if self._library is None:
            return RuleController(steered.adjustable, self._bounds, dry_run=self._dry_run)
        return controller_for(
            steered.adjustable,
            config,
            self._library,
            data=steered.data,
            bounds=self._bounds,
            rules=self._rules,
            start=self._start,
            dry_run=self._dry_run,
        )

    def sources(self) -> tuple[str, Mapping[str, str]]:
        """Entry point and text of `controlled.py`, which the run holds beside `train.py`.

        Both are empty in a dry run.
        """
        if self._dry_run or self._steered is None:
            return "", {}
        return "source/controlled.py:build", {"controlled.py": self._steered.source()}

    def catch_up(self, run: Run, step: int) -> None:
        """Take in the record of a run before `step`, as if it had been watched."""
        if step > 0:
            self.controller.catch_up(run.series().columns, step)


class LearntControl(RecipeControl):
    """Control of a recipe's training by the policy that was learnt from controlled runs.

    Args:
        bounds: Setting -> (lowest, highest) value; by default usual bounds for all settings.
        policy: Policy to go by; by default the one that ships.
        dry_run: Whether to decide and record, and change nothing.
    """

    def __init__(
        self,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        policy: Policy | None = None,
        dry_run: bool = False,
    ) -> None:
        super().__init__(bounds, dry_run=dry_run)
        self._policy = policy

    def _make(self, steered: SteeredRecipe, config: Mapping[str, Any]) -> SettingsController:
        """Make the controller of a training."""
        return LearntController(
            steered.adjustable,
            self._policy,
            length=steered.length,
            config=config,
            bounds=self._bounds,
            dry_run=self._dry_run,
        )
