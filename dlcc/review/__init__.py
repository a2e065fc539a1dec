"""Reviews by people: their history, their effect on scores, and the queue of runs to look at.

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.review.candidates import Candidate as Candidate
    from dlcc.review.candidates import Queued as Queued
    from dlcc.review.candidates import queue as queue
    from dlcc.review.effect import Recalibration as Recalibration
    from dlcc.review.effect import ReviewEffect as ReviewEffect
    from dlcc.review.effect import recalibrate as recalibrate
    from dlcc.review.effect import review_effect as review_effect
    from dlcc.review.effect import term_evidence as term_evidence
    from dlcc.review.reviews import Review as Review
    from dlcc.review.reviews import history as history
    from dlcc.review.reviews import record as record
    from dlcc.review.reviews import undo as undo

_HOMES = {
    "Candidate": "dlcc.review.candidates",
    "Queued": "dlcc.review.candidates",
    "Recalibration": "dlcc.review.effect",
    "Review": "dlcc.review.reviews",
    "ReviewEffect": "dlcc.review.effect",
    "history": "dlcc.review.reviews",
    "queue": "dlcc.review.candidates",
    "recalibrate": "dlcc.review.effect",
    "record": "dlcc.review.reviews",
    "review_effect": "dlcc.review.effect",
    "term_evidence": "dlcc.review.effect",
    "undo": "dlcc.review.reviews",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
