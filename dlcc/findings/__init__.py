"""Findings of stages: `Finding`, and the catalogue of stable codes behind `dlcc explain`."""

from dlcc.findings.catalogue import PAGES, CodePage, Severity, all_codes, page
from dlcc.findings.finding import Finding

__all__ = ["PAGES", "CodePage", "Finding", "Severity", "all_codes", "page"]
