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
    files.append(File.generated(config, "script.md", content=_script()))
    for name, source in COPIED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_without_links(text)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to files of the repository to the pages that repeat them; fences of blocks name
    files as titles."""
    markdown = re.sub(r"^```(\w+) file=(\S+).*$", r'```\1 title="\2"', markdown, flags=re.MULTILINE)
    markdown = re.sub(r"^```(\w+) (?!title=).*$", r"```\1", markdown, flags=re.MULTILINE)
    led = markdown.replace("../benchmarks/README.md", "measured.md")
    return led.replace("../README.md#record-your-own-training", "script.md")


def _script() -> str:
    """Section of the README that shows a whole script."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Record your own training")[2].partition("\n## ")[0]
    return f"# A whole script\n{_without_links(section)}"


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
