"""AKDE-BO as a controller: a penalty on a loss, whose strength is sought while training runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from dlcc.control import rules as control_rules
from dlcc.control.action import Action
from dlcc.control.adjustable import Bounds
from dlcc.control.akde_bo.best_state import BestState
from dlcc.control.akde_bo.modes import mode_of
from dlcc.control.akde_bo.search import Search, no_prior
from dlcc.control.akde_bo.shaped_loss import ShapedLoss
from dlcc.control.akde_bo.steered_settings import SteeredSettings
from dlcc.control.akde_bo.window_score import WindowScore
from dlcc.control.controller import Controller
from dlcc.errors import OptionError
from dlcc.landscape.model_state import unchanged
from dlcc.recipes.averaged_weights import AveragedWeights
from dlcc.typing import Floats

if TYPE_CHECKING:
    from dlcc.control.akde_bo.penalties import RowLoss

EVERY, WINDOWS, INTERVAL = 50, 20, 4
GOOD, RISING, RISING_ERROR = -1.0, 0.15, 0.01
"""Quality from which on settings are left alone; the rise over two windows, of samples and of the
reconstruction error; all in decades."""
PATIENCE = 6
"""Windows that settings are given which are expected to be sensible."""
FALLEN = 1.0
"""Decades under the best at which the best state is restored."""
LEAST_GAIN = 0.1
"""Decades that a move away from sensible settings must promise."""


class AkdeBo(Controller):
    """Controller that adds a penalty to a loss and seeks its strength by Bayesian optimisation.

        controller = AkdeBo(players, optimizers)
        ...
        loss = loss + controller.penalty("discriminator", step, real=real, fake=fake)

    Every `every` steps it scores the window by F = α · stability + (1 − α) · quality (AKDE-BO,
    section 3.2) and chooses the next settings within a trust region; after `windows` of them it
    stays at the best. `sculpt`, the default, also steers the learning rates, as a factor on those
    that are set, and leaves settings alone while quality is good or rising: it is a rescue from bad
    settings. In a sensible setting it is no better than leaving it, by measurement.

    Rows of the record are `control/penalty`, `control/rate`, `control/quality`,
    `control/stability`, `control/rule` and `control/measure`, with `would_` before the settings and
    the rule in a dry run; quality and stability are 0 before the first window's end.

    Args:
        players: Player -> network.
        optimizers: Player -> its `torch.optim` optimiser.
        mode: `sculpt`, `literal`, `flipped` or `reweight`, see `dlcc.control.akde_bo.modes`.
        losses: Player -> function of its network and a batch that gives the loss of each row, [n],
            for players whose penalty is given `batch=`.
        objective: Loss of a discriminator that is given `real=` and `fake=`, a name of
            `ADVERSARIAL_LOSSES`.
        quality: Function that measures quality, more is better; by default samples are compared
            with the training rows that were shown, or the reconstruction error where `penalty` is
            given `error=`.
        sample: Function of a number n and a seed that draws samples [n, ...]; by default the rows
            given as `fake=`.
        penalty: Strength at first; by default the mode's.
        bounds: `penalty` and `rate` -> (lowest, highest) value; those not named stay.
        every: Steps of a window.
        windows: Windows after which settings are frozen.
        interval: Steps from one penalty to the next; it then counts that many times.
        surrogate: `gp`, `forest`, `mlp`; or, as controls, `random-walk` or `prior`.
        acquisition: `ucb` or `ei`.
        alpha: Weight α of stability; by default the mode's.
        plain: Whether gradients' density is computed as it is written, without a projection.
        average: Whether to keep an average of the generator's weights, as `average`.
        seed: Seed of the search and of the projection.
        dry_run: Whether to decide and record, and change nothing.
        budget: Largest share of the training's time that it may use; None for no limit.

    Raises:
        OptionError: An option is unknown, or a bound excludes the present value.

    >>> model = nn.Linear(2, 1)
    >>> optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    >>> c = AkdeBo({"discriminator": model}, {"discriminator": optimizer})
    >>> x = torch.arange(16.0).view(8, 2)
    >>> bool(c.penalty("discriminator", 0, real=x, fake=x) > 0)
    True
    >>> c.penalty("discriminator", 1, real=x, fake=x).item()  # every fourth step
    0.0
    >>> sorted(c.watch(0, {}))[:2]
    ['control/measure', 'control/penalty']
    >>> c.begin(50)  # a window has ended; sensible settings are given six
    >>> c.load_state_dict(c.state_dict())
    >>> c.undo()
    Traceback (most recent call last):
    dlcc.errors.OptionError: control: nothing to undo: the controller has changed nothing
    """

    name: ClassVar[str] = "akde-bo"

    def __init__(
        self,
        players: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        *,
        mode: str = "sculpt",
        losses: Mapping[str, RowLoss] | None = None,
        objective: str = "ns",
        quality: Callable[[], float] | None = None,
        sample: Callable[[int, int], Tensor] | None = None,
        penalty: float | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        every: int = EVERY,
        windows: int = WINDOWS,
        interval: int = INTERVAL,
        surrogate: str = "gp",
        acquisition: str = "ucb",
        alpha: float | None = None,
        plain: bool = False,
        average: bool = True,
        seed: int = 0,
        dry_run: bool = False,
        budget: float | None = None,
    ) -> None:
        super().__init__(dry_run=dry_run, budget=budget)
        self.mode = mode_of(mode)
        self.mode_name = mode
        _check_counts(every, windows, interval)
        self.players, self.optimizers = dict(players), dict(optimizers)
        self.every, self.windows, self.interval = every, windows, interval
        self.alpha = self.mode.alpha if alpha is None else alpha
        self.seed = seed
        self._shaped = ShapedLoss(
            mode, self.players, dict(losses or {}), objective, plain, seed, self.alpha > 0
        )
        self._steered = SteeredSettings(self.mode, optimizers, penalty, bounds)
        self._search = self._make_search(surrogate, acquisition)
        self.average = _average_of(players) if average and not dry_run else None
        """Average of the generator's weights; None where there is none."""
        rival = self.players.get("discriminator") if self.mode.judged_by_rival else None
        self._score = WindowScore(rival, quality, sample, self.average)
        self.best_state: BestState | None = None
        """Best state so far, by the quality that the controller measures."""
        self._history: list[float] = []
        self._step, self._due, self._skipped = -1, every, 0
        self._frozen = self._uncontrolled = False
        self._news: list[tuple[int, float]] = [(control_rules.STARTED, 0.0)]
        self._last_figures = (math.nan, math.nan)
        self._in_graph = self._restore_due = False

    # --- the loss -------------------------------------------------------------------------------

    def penalty(self, player: str, step: int, **tensors: Any) -> Tensor:
        """Compute what is to be added to a player's loss in a step, and decide at a window's end.

        Args:
            player: Player whose loss it is.
            step: Step of the training, from 0.
            tensors: `real=` and `fake=`, batches [n, ...] of a discriminator; or `batch=`, one of a
                player in `losses`; and `error=`, a scalar, where reconstruction is the quality.

        Returns:
            A scalar with a graph to the player's weights; exactly 0 between the intervals, and in a
            dry run.

        Raises:
            OptionError: The player or its tensors are unknown.
        """
        parts = self._shaped.parts(player, tensors)
        nothing = super().penalty(player, step, **tensors)
        with self.budget.spending():
            self._in_graph = True  # weights may not change before the loop's backward
            self.begin(step)
            self._in_graph = False
            self._score.see(tensors)
            if self.dry_run or self._uncontrolled or step % self.interval or not parts:
                return nothing
            if self.budget.is_spent():
                self._skipped += 1
                return nothing
            model = self.players[player]
            with unchanged(model):
                value = self._shaped.penalty(
                    model, parts, self._score.note_trace, of_outputs="real" in tensors
                )
        if value is None:
            return nothing
        return self.interval * self.mode.sign * self.settings["penalty"] * value

    @property
    def settings(self) -> dict[str, float]:
        """Settings as they are: `penalty`, and `rate` where that is steered."""
        return self._steered.now

    @property
    def bounds(self) -> dict[str, Bounds]:
        """Bounds of the settings that may change."""
        return self._steered.bounds

    def begin(self, step: int) -> None:
        """Take in that a step begins, which may end a window; `penalty` does it where nobody did.

        A loop that calls it before its pass forward lets the controller put weights back; else
        that waits for the next `watch`.

        Args:
            step: Step of the training, from 0.
        """
        if step == self._step:
            return
        if self.average is not None and self._step >= 0:
            self.average.follow(self._step)
        self._step = step
        if step >= self._due:
            self._due = (step // self.every + 1) * self.every
            self._end_window(step)

    # --- windows ----------------------------------------------------------------------------------

    def _end_window(self, step: int) -> None:
        """Score the window that ended before `step`, and choose the settings of the next."""
        if self._uncontrolled:
            return
        quality, stability = self._score.figures(len(self._history))
        self._last_figures = quality, stability
        if not math.isfinite(quality):
            self._give_up()
            return
        score = (1 - self.alpha) * quality + (self.alpha * stability if self.alpha else 0.0)
        self._history.append(quality)
        self._keep_best(step, quality)
        if self._skipped:
            self._news.append((control_rules.SKIPPED, self.budget.share_used()))
            self._skipped = 0
        if self._frozen:
            return
        self._search.tell(self._steered.point(), score)
        if len(self._history) >= self.windows:
            self._frozen = True
            self._go(step, control_rules.FROZEN, self._search.best(), score)
        elif not self._is_left_alone():
            if self.mode.gate:
                self._restore_if_fallen(step, quality)
            self._go(step, control_rules.TRIED, self._search.ask(), score)

    def _keep_best(self, step: int, quality: float) -> None:
        if self.dry_run or not self.mode.gate:
            return
        if self.best_state is None or quality > self.best_state.quality:
            self.best_state = BestState.of(self.players, self.average, step, quality)

    def _restore_if_fallen(self, step: int, quality: float) -> None:
        """Go back to the best state where quality fell far under it."""
        best = self.best_state
        if best is None or self.dry_run or quality > best.quality - FALLEN:
            return
        now = dict(self.settings)
        self.actions.append(Action(step - 1, control_rules.RESTORED, now, now, best.quality))
        self._news.append((control_rules.RESTORED, best.quality))
        self._restore_due = True
        if not self._in_graph:
            self._restore()

    def _restore(self) -> None:
        assert self.best_state is not None
        self.best_state.restore(self.players, self.optimizers, self.average)
        self._restore_due = False

    def _is_left_alone(self) -> bool:
        """Whether quality is good, or rises, or sensible settings have not had their time."""
        if not self.mode.gate:
            return False
        sensible = self._search.is_sensible(self._steered.point())
        if sensible and len(self._history) < PATIENCE:
            return True
        rise = self._history[-1] - self._history[-3] if len(self._history) > 2 else 0.0
        if self._score.measures_errors:  # of no known scale
            return rise > RISING_ERROR
        return self._history[-1] >= GOOD or rise > RISING

    # --- settings ---------------------------------------------------------------------------------

    def _go(self, step: int, rule: int, point: Floats, measure: float) -> None:
        """Go to a point: settings within bounds, one action where that changes any."""
        before, after = dict(self.settings), self._steered.at(point)
        if after == before:
            return
        self._news.append((rule, measure))
        self.actions.append(Action(step - 1, rule, before, after, measure))
        if not self.dry_run:
            self._steered.set(after)

    def _give_up(self) -> None:
        """Leave the training as it was set, uncontrolled from now on."""
        self._uncontrolled = True
        if not self.dry_run:
            self._steered.set(self._steered.first)
        self._news.append((control_rules.UNCONTROLLED, 0.0))

    def undo(self) -> Action:
        """Take the last action back; nothing is tried afterwards.

        Returns:
            The action that was taken back; one that restored the best state leaves weights as they
            are.

        Raises:
            OptionError: There is no action left to undo.
        """
        action = super().undo()
        if not self.dry_run:
            self._steered.set(action.before)
        self._frozen = True
        self._news.append((control_rules.UNDONE, float(action.rule)))
        return action

    def _make_search(self, surrogate: str, acquisition: str) -> Search:
        known = self.mode_name == "sculpt" and "discriminator" in self.players
        return Search(
            self._steered.region(),
            surrogate=surrogate,
            acquisition=acquisition,
            prior=self._steered.prior if known else no_prior,
            least_gain=LEAST_GAIN if known else 0.0,
            seed=self.seed,
        )

    # --- the record -------------------------------------------------------------------------------

    def watch(self, step: int, row: Mapping[str, Any]) -> Mapping[str, float] | None:
        """Tell what was done since the last row; what is watched comes with `penalty`.

        Args:
            step: Step of the row.
            row: Quantities of the row, which are not looked at.

        Returns:
            Settings, quality, stability, rule and measure; None where nothing was done.
        """
        if self._restore_due:
            self._restore()
        if not self._news:
            return None
        rule, measure = self._news.pop(0)
        would = "would_" if self.dry_run else ""
        settings = self.settings
        if self.dry_run and self.actions and rule != control_rules.UNDONE:
            settings = dict(self.actions[-1].after)
        quality, stability = self._last_figures
        found = {f"control/{would}{name}": value for name, value in settings.items()}
        return found | {
            "control/quality": quality if math.isfinite(quality) else 0.0,
            "control/stability": stability if math.isfinite(stability) else 0.0,
            f"control/{would}rule": float(rule),
            f"control/{would}measure": measure,
        }

    def state_dict(self) -> dict[str, Any]:
        """Copy all that was seen and done, with the averaged weights and the best state.

        Returns:
            Plain values and tensors, which snapshots hold.
        """
        return {
            "settings": dict(self.settings),
            "actions": [action.to_dict() for action in self.actions],
            "search": self._search.state_dict(),
            "score": self._score.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "best": None if self.best_state is None else self.best_state.to_dict(),
            "history": list(self._history),
            "place": [self._step, self._due, self._skipped],
            "stopped": [self._frozen, self._uncontrolled, self._restore_due],
            "news": [list(news) for news in self._news],
            "figures": list(self._last_figures),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`; rates are set as they were.

        Args:
            state: State that `state_dict` gave.
        """
        self.actions = [Action.from_dict(action) for action in state["actions"]]
        self._search.load_state_dict(state["search"])
        self._score.load_state_dict(state["score"])
        if self.average is not None and state["average"] is not None:
            self.average.load_state_dict(state["average"])
        self.best_state = None if state["best"] is None else BestState.from_dict(state["best"])
        self._history = list(state["history"])
        self._step, self._due, self._skipped = state["place"]
        self._frozen, self._uncontrolled, self._restore_due = state["stopped"]
        self._news = [(rule, measure) for rule, measure in state["news"]]
        self._last_figures = (state["figures"][0], state["figures"][1])
        if self.dry_run:
            self._steered.now = dict(state["settings"])
        else:
            self._steered.set(state["settings"])


def _check_counts(every: int, windows: int, interval: int) -> None:
    if every < 2 or windows < 1 or not 1 <= interval <= every:
        raise OptionError(
            f"control: every is {every}, windows {windows} and interval {interval}; give 2 steps "
            "or more, 1 window or more, and an interval from 1 to a window's steps"
        )


def _average_of(players: Mapping[str, nn.Module]) -> AveragedWeights | None:
    return AveragedWeights(players["generator"]) if "generator" in players else None
