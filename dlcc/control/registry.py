"""Controllers by the names that `dlcc train --control` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcc.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from dlcc.control.akde_bo.recipe_control import AkdeBoControl
    from dlcc.control.recipe_control import RecipeControl

    AnyControl = AkdeBoControl | RecipeControl

Span = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class ControlName:
    """Controller of recipes by name.

    >>> CONTROLS["rules"].description
    'rules of thumb on losses and gradient norms; mends little, see docs'
    """

    description: str
    """Description in one line."""
    make: Callable[[Span | None, bool], AnyControl]
    """Function from bounds and whether it is a dry run to the control."""


def _past_runs(bounds: Span | None, dry_run: bool) -> RecipeControl:
    from dlcc.control.recipe_control import RecipeControl
    from dlcc.past_runs.in_use import library

    return RecipeControl(bounds, library=library(), dry_run=dry_run)


def _rules(bounds: Span | None, dry_run: bool) -> RecipeControl:
    from dlcc.control.recipe_control import RecipeControl

    return RecipeControl(bounds, dry_run=dry_run)


def _learnt(bounds: Span | None, dry_run: bool) -> RecipeControl:
    from dlcc.control.recipe_control import LearntControl

    return LearntControl(bounds, dry_run=dry_run)


def _akde_bo(mode: str, surrogate: str = "gp") -> Callable[[Span | None, bool], AkdeBoControl]:
    def make(bounds: Span | None, dry_run: bool) -> AkdeBoControl:
        from dlcc.control.akde_bo.recipe_control import AkdeBoControl

        options = {"mode": mode, "surrogate": surrogate}
        return AkdeBoControl(options | ({"bounds": bounds} if bounds else {}), dry_run=dry_run)

    return make


DEFAULT = "past-runs"
"""Controller that `--control` alone stands for."""
CONTROLS: Mapping[str, ControlName] = {
    DEFAULT: ControlName("to where past runs did well", _past_runs),
    "rules": ControlName(
        "rules of thumb on losses and gradient norms; mends little, see docs", _rules
    ),
    "learnt": ControlName(
        "changes that controlled runs gained by, or a start anew; mends less than past-runs",
        _learnt,
    ),
    "akde-bo": ControlName(
        "slopes of the discriminator penalised, strength and rates sought; rescues from bad ones",
        _akde_bo("sculpt"),
    ),
    "akde-bo-literal": ControlName(
        "the study's instability of gradients added to the loss; for comparison",
        _akde_bo("literal"),
    ),
    "akde-bo-flipped": ControlName("the same with the other sign", _akde_bo("flipped")),
    "akde-bo-reweight": ControlName(
        "rows reweighted by how alone their gradients lie", _akde_bo("reweight")
    ),
    "random-walk": ControlName(
        "akde-bo whose settings move at random; the control", _akde_bo("sculpt", "random-walk")
    ),
}
"""Name -> controller."""


def make_control(name: str, bounds: Span | None = None, *, dry_run: bool = False) -> AnyControl:
    """Make the control of a recipe's training by name.

    Args:
        name: One of `CONTROLS`.
        bounds: Setting -> (lowest, highest) value; None for usual ones.
        dry_run: Whether to decide and record, and change nothing.

    Returns:
        The control, for `dlcc.recipes.train.train(..., control=...)`.

    Raises:
        OptionError: There is no controller of this name.

    >>> make_control("akde-bo").actions
    ()
    >>> make_control("akde")
    Traceback (most recent call last):
    dlcc.errors.OptionError: --control: no controller is called 'akde' (did you mean akde-bo?); \
choose one of past-runs, rules, learnt, akde-bo, akde-bo-literal, akde-bo-flipped, \
akde-bo-reweight, random-walk
    """
    if name not in CONTROLS:
        raise OptionError(
            f"--control: no controller is called {name!r}{did_you_mean(name, CONTROLS)}; choose "
            f"one of {', '.join(CONTROLS)}"
        )
    return CONTROLS[name].make(bounds, dry_run)
