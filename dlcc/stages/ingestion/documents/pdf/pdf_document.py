"""Reading of a PDF in a process of its own, bounded in time and memory."""

from __future__ import annotations

import base64
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlcc.engine.process import Ended, supervise
from dlcc.engine.scratch import scratch_folder
from dlcc.errors import RunError
from dlcc.records import Block, Formula
from dlcc.runs.files import read_regular
from dlcc.stages.ingestion.documents.apart import child_environment
from dlcc.stages.ingestion.documents.page import Page
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_LARGEST = 64 << 20  # bytes of a PDF
_SECONDS, _MEMORY = 60.0, 1 << 30
_LARGEST_RESULT = 64 << 20
_CHILD = "dlcc.stages.ingestion.documents.pdf.child"


def read_pdf(page: Page, path: Path) -> None:
    """Read a PDF into a page; a block's line is 1,000 times its page, plus its number there.

    Args:
        page: Page to add to what is read, and what was found and not read.
        path: Place of the PDF.

    Raises:
        UnreadableDocument: It is no whole PDF, encrypted, too large, or takes too long.
    """
    if find_spec("pdfminer") is None:
        raise UnreadableDocument("PDF is read where pip install 'dlcc[documents]' was done")
    try:
        content = read_regular(path, _LARGEST, RunError)
    except RunError:
        raise UnreadableDocument(f"larger than {_LARGEST >> 20} MB, or not readable") from None
    found = _read_apart(content)
    if "error" in found:
        raise UnreadableDocument(str(found["error"]))
    for block in found["blocks"]:
        sentences, rows = block.pop("sentences"), block.pop("rows")
        its = tuple(tuple(row) for row in rows)
        values = {**block, "file": page.file, "sentences": tuple(sentences), "rows": its}
        page.blocks.append(Block(**values))
    page.formulas += [Formula(**{**formula, "file": page.file}) for formula in found["formulas"]]
    page.pictures += [(line, base64.b64decode(coded)) for line, coded in found["pictures"]]
    page.notes += [str(sentence) for sentence in found["unread"]]


def _read_apart(content: bytes) -> dict[str, Any]:
    """Read a PDF in a process that is killed where it takes too long or too much."""
    with scratch_folder("dlcc-pdf-") as folder:
        pdf, result = folder / "document.pdf", folder / "result.json"
        pdf.write_bytes(content)
        ended = supervise(
            [sys.executable, "-m", _CHILD, str(pdf), str(result)],
            seconds=_SECONDS,
            memory=_MEMORY,
            cwd=folder,
            env=child_environment(),
        )
        if ended.how != "exited" or ended.returncode != 0 or not result.is_file():
            raise UnreadableDocument(_why(ended))
        if result.stat().st_size > _LARGEST_RESULT:
            raise UnreadableDocument("more text than a document has")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def _why(ended: Ended) -> str:
    if ended.how == "time":
        return f"reading it takes more than {_SECONDS:.0f} seconds"
    if ended.how == "memory" or "MemoryError" in ended.output:
        return f"reading it takes more than {_MEMORY >> 30} GB of memory"
    return "its reader ended before its time"
