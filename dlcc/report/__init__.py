"""Reports: the record, and its terminal and HTML views.

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.report.record import FindingRecord as FindingRecord
    from dlcc.report.record import Report as Report
    from dlcc.report.record import RunSummary as RunSummary
    from dlcc.report.record import StageRecord as StageRecord
    from dlcc.report.record import VerdictRecord as VerdictRecord
    from dlcc.report.score_record import HyperScoreRecord as HyperScoreRecord
    from dlcc.report.score_record import TermRecord as TermRecord
    from dlcc.report.terminal import render as render

_HOMES = {
    "FindingRecord": "dlcc.report.record",
    "HyperScoreRecord": "dlcc.report.score_record",
    "Report": "dlcc.report.record",
    "RunSummary": "dlcc.report.record",
    "StageRecord": "dlcc.report.record",
    "TermRecord": "dlcc.report.score_record",
    "VerdictRecord": "dlcc.report.record",
    "render": "dlcc.report.terminal",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
