"""Reader of Jupyter notebooks: cells of text, of code, what they printed, and their figures."""

from __future__ import annotations

import base64
import json
from typing import Any

from dlcc.stages.ingestion.documents.markdown import read_markdown
from dlcc.stages.ingestion.documents.page import Page
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_MOST_CELLS = 20_000


def read_notebook(page: Page, text: str) -> None:
    """Read a notebook into a page; a block's line is the number of its cell.

    Raises:
        UnreadableDocument: It is no notebook.

    >>> page = Page("documents/a.ipynb")
    >>> read_notebook(page, '{"cells": [{"cell_type": "markdown", "source": ["# Method"]}]}')
    >>> [(block.kind, block.text, block.line) for block in page.blocks]
    [('heading', 'Method', 1)]
    """
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableDocument("not a notebook: it is no JSON") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or len(cells) > _MOST_CELLS:
        raise UnreadableDocument("not a notebook of version 4: it has no list of cells")
    for number, cell in enumerate(cells, start=1):
        if isinstance(cell, dict):
            _read_cell(page, cell, number)


def _read_cell(page: Page, cell: dict[str, Any], number: int) -> None:
    source = _joined(cell.get("source"))
    if cell.get("cell_type") == "markdown":
        read_markdown(page, source, line=number)
    elif cell.get("cell_type") == "code":
        if source:
            page.block("code", number, source)
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if not isinstance(output, dict):
                continue
            printed = _printed(output)
            if printed:
                page.printed(number, printed)
            picture = _picture(output)
            if picture:
                page.pictures.append((number, picture))


def _printed(output: dict[str, Any]) -> str:
    """Text that a cell printed or showed."""
    if output.get("output_type") == "stream":
        return _joined(output.get("text"))
    data = output.get("data")
    return _joined(data.get("text/plain")) if isinstance(data, dict) else ""


def _picture(output: dict[str, Any]) -> bytes:
    """Picture that a cell showed; empty without one."""
    data = output.get("data")
    coded = (
        _joined(data.get("image/png") or data.get("image/jpeg")) if isinstance(data, dict) else ""
    )
    try:
        return base64.b64decode(coded, validate=False)
    except ValueError:
        return b""


def _joined(text: Any) -> str:
    parts = text if isinstance(text, list) else [text]
    joined = "".join(part for part in parts if isinstance(part, str))
    return joined.encode("utf-8", "replace").decode("utf-8")  # half a pair is no character
