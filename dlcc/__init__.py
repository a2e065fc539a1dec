"""Dynamic Loss Landscape Cartography: judge a training run from the folder it left behind.

Importing this loads no torch or faiss: names are looked up when first used.
"""

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc import landscape as landscape
    from dlcc import metrics as metrics
    from dlcc.diagnosis import Diagnosis as Diagnosis
    from dlcc.diagnosis import diagnose as diagnose
    from dlcc.errors import DlccError as DlccError
    from dlcc.estimate import Estimate as Estimate
    from dlcc.evaluation import Evaluation as Evaluation
    from dlcc.evaluation import evaluate as evaluate
    from dlcc.findings import Finding as Finding
    from dlcc.pipeline import Limits as Limits
    from dlcc.report import Report as Report
    from dlcc.runs import Recorder as Recorder
    from dlcc.runs import Run as Run
    from dlcc.runs import Training as Training
    from dlcc.stage import Case as Case
    from dlcc.stage import Context as Context
    from dlcc.stage import NotApplicable as NotApplicable
    from dlcc.stage import Stage as Stage
    from dlcc.stage import StageResult as StageResult

    __version__: str

_HOMES = {
    **dict.fromkeys(("Case", "Context", "NotApplicable", "Stage", "StageResult"), "dlcc.stage"),
    **dict.fromkeys(("Recorder", "Run", "Training"), "dlcc.runs"),
    **dict.fromkeys(("Diagnosis", "diagnose"), "dlcc.diagnosis"),
    **dict.fromkeys(("Evaluation", "evaluate"), "dlcc.evaluation"),
    "DlccError": "dlcc.errors",
    "Estimate": "dlcc.estimate",
    "Finding": "dlcc.findings",
    "Limits": "dlcc.pipeline",
    "Report": "dlcc.report",
    "landscape": "dlcc.landscape",
    "metrics": "dlcc.metrics",
    "__version__": "dlcc.version",
}
__all__ = [name for name in _HOMES if name != "__version__"]
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
