"""What stages notice: `Finding`, and the catalogue of stable codes behind `dlcc explain`."""

from dlcc.findings.catalogue import CodePage, Severity, all_codes, page
from dlcc.findings.finding import Finding

__all__ = ["CodePage", "Finding", "Severity", "all_codes", "page"]
