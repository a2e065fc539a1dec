"""Content that was written after the reader was frozen: formulas, and styles of figures."""

from __future__ import annotations

FORMULAS: tuple[str, ...] = ()
FIGURE_STYLES: tuple[str, ...] = ()
LATEX_STYLES: dict[str, str] = {}
