"""Pages that are made when the documentation is built: findings, measurements, the change log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from dlcc.findings import all_codes, page

ROOT = Path(__file__).parent.parent.parent
COPIED = {"measured.md": "benchmarks/README.md", "changes.md": "CHANGELOG.md"}
"""Page -> file of the repository that it repeats."""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    files.append(File.generated(config, "findings.md", content=_findings()))
    for name, source in COPIED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_without_links(text)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to files of the repository to the pages that repeat them."""
    return markdown.replace("../benchmarks/README.md", "measured.md")


def _findings() -> str:
    """Catalogue of all findings, as `dlcc explain` has them."""
    parts = ["# Findings\n\nWhat DLCC notices, by its code. `dlcc explain CODE` prints one.\n"]
    for code in all_codes():
        text = page(code).text.strip()
        parts.append(re.sub(r"^(#+) ", r"#\1 ", text, flags=re.MULTILINE))
    return "\n\n".join(parts) + "\n"


def _without_links(text: str) -> str:
    """Keep the text of links to files that are not pages."""
    return re.sub(r"!?\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)
