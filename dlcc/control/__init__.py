"""Controllers: changes to a live training, within bounds, that can be taken back.

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.control.action import Action as Action
    from dlcc.control.adjustable import Adjustable as Adjustable
    from dlcc.control.adjustable import Bounds as Bounds
    from dlcc.control.adjustable import OptimizerRates as OptimizerRates
    from dlcc.control.adjustable import bounds_of as bounds_of
    from dlcc.control.akde_bo.controller import AkdeBo as AkdeBo
    from dlcc.control.controller import Controller as Controller
    from dlcc.control.learnt_controller import LearntController as LearntController
    from dlcc.control.rule_controller import RuleController as RuleController
    from dlcc.control.rule_controller import controller_for as controller_for

_HOMES = {
    "AkdeBo": "dlcc.control.akde_bo.controller",
    "Action": "dlcc.control.action",
    "Adjustable": "dlcc.control.adjustable",
    "Bounds": "dlcc.control.adjustable",
    "Controller": "dlcc.control.controller",
    "LearntController": "dlcc.control.learnt_controller",
    "OptimizerRates": "dlcc.control.adjustable",
    "bounds_of": "dlcc.control.adjustable",
    "RuleController": "dlcc.control.rule_controller",
    "controller_for": "dlcc.control.rule_controller",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
