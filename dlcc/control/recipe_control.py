"""Control of a recipe's recorded training: what `dlcc train --control` attaches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcc.control.adjustable import SmallGANSettings
from dlcc.control.learning.policy import Policy
from dlcc.control.learnt_controller import LearntController
from dlcc.control.rule_controller import RuleController, controller_for
from dlcc.control.run_control import RunControl
from dlcc.control.settings_controller import SettingsController
from dlcc.errors import OptionError
from dlcc.recipes.small_gan import controlled
from dlcc.recipes.small_gan.training import SmallGAN

if TYPE_CHECKING:
    from dlcc.past_runs.store import Library
    from dlcc.runs import Run

_IMPORT = "from dlcc.recipes.small_gan.training import"


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

    def take(self, training: SmallGAN, config: Mapping[str, Any]) -> SmallGAN:
        """Put a training under a controller.

        Returns the same training with settings that may change; in a dry run the training itself.

        Raises:
            OptionError: A controller does not know the settings of a training of this kind.
        """
        if not isinstance(training, SmallGAN):
            raise OptionError(
                "control: steers the recipes on ring, grid9, grid25 and digits; train this one "
                "without --control, or, where it is a GAN on images or a VAE, with "
                "--control akde-bo"
            )
        taken = training if self._dry_run else controlled.ControlledGAN(training.config)
        adjustable = SmallGANSettings(taken)
        self._controller = self._make(adjustable, config)
        return taken

    def _make(self, adjustable: SmallGANSettings, config: Mapping[str, Any]) -> SettingsController:
        """Make the controller of a training."""
        if self._library is None:
            return RuleController(adjustable, self._bounds, dry_run=self._dry_run)
        return controller_for(
            adjustable,
            config,
            self._library,
            data=str(config["data"]),
            bounds=self._bounds,
            rules=self._rules,
            start=self._start,
            dry_run=self._dry_run,
        )

    def sources(self) -> tuple[str, Mapping[str, str]]:
        """Entry point and text of `controlled.py`, which the run holds beside `train.py`.

        Both are empty in a dry run.
        """
        if self._dry_run:
            return "", {}
        text = Path(str(controlled.__file__)).read_text(encoding="utf-8")
        return "source/controlled.py:build", {
            "controlled.py": text.replace(_IMPORT, "from train import")
        }

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

    def _make(self, adjustable: SmallGANSettings, config: Mapping[str, Any]) -> SettingsController:
        """Make the controller of a training."""
        return LearntController(
            adjustable,
            self._policy,
            length=int(config["steps"]),
            config=config,
            bounds=self._bounds,
            dry_run=self._dry_run,
        )
