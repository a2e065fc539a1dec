"""Advice: changes to a training that would mend it, each with its measured effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.advice.change import Change as Change
    from dlcc.advice.evidence import Advice as Advice
    from dlcc.advice.evidence import Advised as Advised
    from dlcc.advice.folder import FolderAdvice as FolderAdvice
    from dlcc.advice.folder import advise_folder as advise_folder
    from dlcc.advice.folder import first_advice as first_advice
    from dlcc.advice.remedies import candidates as candidates

_HOMES = {
    "Advice": "dlcc.advice.evidence",
    "Advised": "dlcc.advice.evidence",
    "Change": "dlcc.advice.change",
    "FolderAdvice": "dlcc.advice.folder",
    "advise_folder": "dlcc.advice.folder",
    "candidates": "dlcc.advice.remedies",
    "first_advice": "dlcc.advice.folder",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
