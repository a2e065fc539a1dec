"""Outcome of a reader that cannot read a document."""

from __future__ import annotations


class UnreadableDocument(Exception):  # noqa: N818  # an outcome: the document is named as skipped
    """Document that cannot be read; the message says why."""
