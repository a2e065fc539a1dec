"""Reading of a document's figures in a process of its own, bounded in time and memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dlcc.engine.process import supervise
from dlcc.engine.scratch import scratch_folder
from dlcc.records import DocumentSeries
from dlcc.stages.ingestion.documents.apart import child_environment
from dlcc.stages.ingestion.documents.figures.ocr import check_there
from dlcc.stages.ingestion.documents.page import Page
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_MOST, _LARGEST = 20, 20 << 20  # figures of a document, and bytes of one
_SECONDS, _SECONDS_EACH, _MEMORY = 20.0, 10.0, 1 << 30
_CHILD = "dlcc.stages.ingestion.documents.figures.child"


def read_figures(page: Page) -> None:
    """Read a page's pictures to series; what is not read of them is noted.

    Without OCR no picture is read, which is noted once.

    Args:
        page: Page whose pictures are read.
    """
    pictures = page.pictures[:_MOST]
    if not pictures:
        return
    if len(page.pictures) > _MOST:
        page.notes.append(f"{len(page.pictures) - _MOST} further figures are not read")
    try:
        check_there()
    except UnreadableDocument as reason:
        page.notes.append(f"{len(pictures)} figures: {reason}")
        return
    found = _read_apart([content for _, content in pictures])
    for (line, _), curves in zip(pictures, found, strict=True):
        if isinstance(curves, str):
            where = f"the figure at {line}: " if line > 1 or len(pictures) > 1 else ""
            page.notes.append(f"{where}{curves}")
            continue
        for curve in curves:
            values = {**curve, "steps": tuple(curve["steps"]), "values": tuple(curve["values"])}
            page.series.append(DocumentSeries(file=page.file, line=line, drawn=True, **values))


def _read_apart(pictures: list[bytes]) -> list[list[dict[str, Any]] | str]:
    """Curves of each picture, or the reason why it is not read."""
    with scratch_folder("dlcc-figures-") as folder:
        for number, content in enumerate(pictures):
            (folder / str(number)).write_bytes(content[:_LARGEST])
        ended = supervise(
            [sys.executable, "-m", _CHILD, str(folder)],
            seconds=_SECONDS + _SECONDS_EACH * len(pictures),
            memory=_MEMORY,
            cwd=folder,
            env=child_environment(),
        )
        lines = _lines(folder / "result.jsonl")
    why = {
        "time": "reading it takes too long",
        "memory": f"reading it takes more than {_MEMORY >> 30} GB of memory",
    }.get(ended.how, "its reader ended before its time")
    found: list[list[dict[str, Any]] | str] = [
        line["error"] if "error" in line else line["curves"] for line in lines
    ]
    return found + [why] * (len(pictures) - len(found))


def _lines(result: Path) -> list[dict[str, Any]]:
    """Whole lines of a result; the last may be cut."""
    if not result.is_file():
        return []
    lines = result.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]
