"""Process that reads one PDF: `python -m dlcc.stages.ingestion.documents.pdf.child PDF RESULT`."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import asdict
from pathlib import Path

from dlcc.stages.ingestion.documents.page import Page
from dlcc.stages.ingestion.documents.pdf.glyphs import read_sheets
from dlcc.stages.ingestion.documents.pdf.layout import read_layout
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument


def main(pdf: Path, result: Path) -> None:
    """Read a PDF and write its blocks, or the reason why it is not read, as JSON."""
    page = Page("")
    try:
        unread = read_layout(page, read_sheets(pdf))
        if not page.blocks:
            raise UnreadableDocument("no text is in it: its pages are pictures")
        found: dict[str, object] = {
            "blocks": [asdict(block) for block in page.blocks],
            "formulas": [asdict(formula) for formula in page.formulas],
            "unread": unread,
            "pictures": [
                (line, base64.b64encode(content).decode()) for line, content in page.pictures
            ],
        }
    except UnreadableDocument as reason:
        found = {"error": str(reason)}
    except MemoryError:
        found = {"error": "reading it takes more memory than a document may"}
    except Exception as error:  # a broken file breaks its reader in many ways
        found = {"error": f"it is no whole PDF ({type(error).__name__})"}
    result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
