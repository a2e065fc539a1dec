"""The Report record, its JSON Schema, and its terminal and HTML views."""

from dlcc.report.record import Report

__all__ = ["Report"]
