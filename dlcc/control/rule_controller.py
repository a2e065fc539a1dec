"""Controller by rules of thumb and past runs: it watches the record and adjusts settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dlcc.control import rules as control_rules
from dlcc.control.action import Action
from dlcc.control.adjustable import Adjustable, bounds_of
from dlcc.control.rules import LARGEST_FACTOR, RULES, Rule, Watched, Window, window_of
from dlcc.control.settings_controller import EVERY, SettingsController
from dlcc.errors import OptionError
from dlcc.typing import Floats

if TYPE_CHECKING:
    from dlcc.advice.prior import ConfigPrior
    from dlcc.control.steering import Target
    from dlcc.health.curves import Curves
    from dlcc.past_runs.store import Library

COOLDOWN = 4
_GOOD = 0.5


class RuleController(SettingsController):
    """Controller that watches the rows of a training and adjusts its settings.

        controller = RuleController(OptimizerRates({"generator": opt_g, "discriminator": opt_d}),
                                    bounds={"lr_d": (1e-4, 1e-2)})
        recorder.control(controller)   # from then on every recorder.log() feeds it

    At a step s with `(s + 1) % every == 0` it looks at the rows since the last such step and acts
    at most once; the change holds from step s + 1 on. It hands rows to the recorder, one when it
    begins and one for each action: all settings as `control/<setting>`, `control/rule` (0 as set, 1
    to 4 the rules, 10 and 11 by past runs, 90 undone, 91 over its budget) and `control/measure`. A
    dry run changes nothing and names them `control/would_<setting>`, `control/would_rule` and
    `control/would_measure`.

    Args:
        adjustable: Settings that are steered: `OptimizerRates`, or any `Adjustable`.
        bounds: Setting -> (lowest, highest) value; settings that are not named stay. By default
            usual bounds for all, see `bounds_of`.
        every: Number of steps between decisions, 5 or more.
        cooldown: Number of windows after an action in which no rule acts; steering goes on.
        rules: Rules of thumb to go by.
        good: P(good) of windows by past runs; where the last window looks good nothing is done.
        course: Target to steer to while windows do not look good; `controller_for` finds one.
        dry_run: Whether to decide and record, and change nothing.
        budget: Largest share of the training's time that it may use; None for no limit.

    Raises:
        OptionError: A bound is empty, excludes the present value, or is of no setting; or `every`
            or `cooldown` is too small.

    >>> import numpy as np
    >>> import torch
    >>> from dlcc.control import RuleController
    >>> weight = torch.nn.Parameter(torch.zeros(3))
    >>> optimizer = torch.optim.SGD([weight], lr=0.1)
    >>> controller = RuleController.of_optimizers({"generator": optimizer}, every=5)
    >>> for step in range(5):  # recorder.log() calls watch()
    ...     _ = controller.watch(step, {"generator/loss": 400.0, "generator/grad_norm": 2e4})
    >>> controller.actions[-1].words
    'step 4, exploding: lr_g 0.1 -> 0.05'
    >>> controller.undo().rule, optimizer.param_groups[0]["lr"]
    (1, 0.1)
    >>> controller.decide(9, {"generator/loss": np.full(5, 400.0)})  # what was undone stays undone
    >>> controller.start()  # there is no course to steer to
    >>> controller.rewind(3)  # the training goes back to a snapshot of step 3
    >>> controller.load_state_dict(controller.state_dict())
    """

    name: ClassVar[str] = "rules"

    def __init__(
        self,
        adjustable: Adjustable,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        every: int = EVERY,
        cooldown: int = COOLDOWN,
        rules: Sequence[Rule] = RULES,
        good: Callable[[Curves], Floats] | None = None,
        course: Target | None = None,
        dry_run: bool = False,
        budget: float | None = None,
    ) -> None:
        super().__init__(adjustable, bounds, every=every, dry_run=dry_run, budget=budget)
        if cooldown < 0:
            raise OptionError(f"control: cooldown is {cooldown}; give 0 windows or more")
        self.cooldown, self.rules = cooldown, tuple(rules)
        self.course = course
        self._watched = Watched(good)
        self._held = dict.fromkeys((rule.number for rule in self.rules), 0)
        self._refused: set[int] = set()
        self._rest = 0

    def decide(self, step: int, rows: Mapping[str, Floats]) -> Action | None:
        """Look at a window of rows, and act where past runs or a rule say so.

        Args:
            step: Last step of the window.
            rows: `player/quantity` -> values [n] within the window.

        Returns:
            The change that was made, or None.
        """
        self._watched.add(window_of(rows))
        on = [rule for rule in self.rules if self._is_on(rule)]
        if self._watched.last.lost:
            return None
        good = self._watched.p_good()
        if self.course is not None and good < _GOOD and control_rules.STEERED not in self._refused:
            now = self.adjustable.settings()
            toward = self.course.step(now, LARGEST_FACTOR)
            if toward:
                return self._act(step, control_rules.STEERED, toward, good)
        if self._rest > 0:
            self._rest -= 1
            return None
        if self._watched.good_model is not None and good >= _GOOD:
            return None
        for rule in on:
            if rule.number in self._refused:
                continue
            changes = rule.act(self.adjustable.settings())
            action = self._act(step, rule.number, changes, rule.measure(self._watched))
            if action is not None:
                self._take_over_action(action)
                return action
        return None

    def start(self) -> Action | None:
        """Go to the target of the course at once, before the first step.

        Returns:
            The change that was made; None without a course or where nothing changes.
        """
        if self.course is None:
            return None
        return self._act(-1, control_rules.STARTED_THERE, self.course.target, self.course.after)

    def _look(self, step: int, rows: Mapping[str, Floats], *, acted: bool) -> None:
        self._watched.add(window_of(rows))
        for rule in self.rules:
            self._is_on(rule)
        if not (acted or self._watched.last.lost):
            self._rest = max(0, self._rest - 1)

    def _take_over_action(self, action: Action) -> None:
        """Rest after an action of a rule of thumb."""
        if action.rule in self._held:
            self._rest, self._held[action.rule] = self.cooldown, 0

    def _forget(self, step: int) -> None:
        self._watched = Watched(self._watched.good_model)
        self._held = dict.fromkeys(self._held, 0)
        self._rest = 0

    def _refuse(self, rule: int) -> None:
        """Refuse a rule from now on; going by past runs is one rule, at once or on the way."""
        self._refused.add(rule)
        if rule == control_rules.STARTED_THERE:
            self._refused.add(control_rules.STEERED)

    def _is_on(self, rule: Rule) -> bool:
        """Whether a rule has been on for long enough, this window counted."""
        measured = rule.measure(self._watched)
        if measured >= rule.on:
            self._held[rule.number] += 1
        elif not measured >= rule.off:  # NaN too
            self._held[rule.number] = 0
        return self._held[rule.number] >= rule.hold

    def state_dict(self) -> dict[str, Any]:
        """Copy settings, actions, and what was seen of the present window and the last ones.

        Returns:
            Plain values, which snapshots hold.
        """
        return super().state_dict() | {
            "windows": [window.to_dict() for window in self._watched.windows],
            "seen": self._watched.seen,
            "held": {str(rule): times for rule, times in self._held.items()},
            "refused": sorted(self._refused),
            "rest": self._rest,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`; the settings of that moment are set too.

        Args:
            state: State that `state_dict` gave.
        """
        super().load_state_dict(state)
        self._watched = Watched(self._watched.good_model)
        self._watched.windows = [Window.from_dict(window) for window in state["windows"]]
        self._watched.seen = state["seen"]
        self._held = {int(rule): times for rule, times in state["held"].items()}
        self._refused = set(state["refused"])
        self._rest = state["rest"]


def controller_for(
    adjustable: Adjustable,
    config: Mapping[str, Any],
    library: Library,
    *,
    data: str | None = None,
    prior: ConfigPrior | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    rules: bool = False,
    start: bool = True,
    dry_run: bool = False,
) -> RuleController:
    """Make a controller that goes by past runs.

    Args:
        adjustable: Settings that are steered: `OptimizerRates`, or any `Adjustable`.
        config: Whole configuration of the training.
        library: Past runs.
        data: Name of the data set; past runs on the same data are preferred.
        prior: P(healthy) of configurations; by default fitted on the library.
        bounds: Setting -> (lowest, highest) value; see `RuleController`.
        rules: Whether the rules of thumb act too, where windows do not look good.
        start: Whether to go to where past runs did well before the first step, rather than on the
            way.
        dry_run: Whether to decide and record, and change nothing.

    Returns:
        The controller; with `start` it has already changed the settings, if that promises enough.

    Raises:
        OptionError: A bound is empty, excludes the present value, or is of no setting.

    >>> import numpy as np
    >>> import torch
    >>> from dlcc.control import OptimizerRates, controller_for
    >>> from dlcc.past_runs.in_use import library
    >>> few = library().select(np.arange(60) * 30)
    >>> rates = OptimizerRates({"generator": torch.optim.Adam([torch.zeros(3)], lr=0.02)})
    >>> bounds = {"lr_g": (0.002, 0.02)}
    >>> slow = lambda configs: np.array([0.9 if c["lr_g"] < 0.004 else 0.2 for c in configs])
    >>> controller = controller_for(rates, {"lr_g": 0.02}, few, prior=slow, bounds=bounds)
    >>> controller.actions[0].words
    'before the first step, begun where past runs did well: lr_g 0.02 -> 0.00328'
    """
    from dlcc.advice.prior import ConfigPrior
    from dlcc.control.steering import choose_target

    settings = adjustable.settings()
    allowed = bounds_of(settings, bounds)
    course = choose_target(prior or ConfigPrior.fit(library, data), config, settings, allowed)
    controller = RuleController(
        adjustable,
        bounds,
        rules=RULES if rules else (),
        good=library.good,
        course=course,
        dry_run=dry_run,
    )
    if start:
        controller.start()
    return controller
