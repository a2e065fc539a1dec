"""Formulas that were written after the reader was frozen; two of five papers draw from them too."""

from __future__ import annotations

FORMULAS: tuple[str, ...] = ()
