"""Dynamic Loss Landscape Cartography: judge a training run from the folder it left behind.

Importing this loads no torch, faiss, z3 or matplotlib: names are looked up when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcc.errors import DlccError
    from dlcc.estimate import Estimate
    from dlcc.evaluation import evaluate
    from dlcc.findings import Finding
    from dlcc.pipeline import Limits
    from dlcc.report import Report
    from dlcc.runs import Recorder, Run, Training
    from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult

_HOMES = {
    **dict.fromkeys(("Case", "Context", "NotApplicable", "Stage", "StageResult"), "dlcc.stage"),
    **dict.fromkeys(("Recorder", "Run", "Training"), "dlcc.runs"),
    "DlccError": "dlcc.errors",
    "Estimate": "dlcc.estimate",
    "Finding": "dlcc.findings",
    "Limits": "dlcc.pipeline",
    "Report": "dlcc.report",
    "evaluate": "dlcc.evaluation",
}
__all__ = ["Case", "Context", "DlccError", "Estimate", "Finding", "Limits", "NotApplicable",
           "Recorder", "Report", "Run", "Stage", "StageResult", "Training", "evaluate"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dlcc' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
