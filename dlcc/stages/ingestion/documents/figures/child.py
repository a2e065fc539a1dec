"""Process that reads figures: `python -m dlcc.stages.ingestion.documents.figures.child FOLDER`.

The folder holds the pictures as 0, 1, ...; a line of JSON for each is written to `result.jsonl`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from dlcc.stages.ingestion.documents.figures.figure import read_figure
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument


def main(folder: Path) -> None:
    """Read each picture, and write its curves or the reason why it is not read."""
    with (folder / "result.jsonl").open("w", encoding="utf-8") as result:
        number = 0
        while (picture := folder / str(number)).is_file():
            found: dict[str, object]
            try:
                found = {"curves": [asdict(curve) for curve in read_figure(picture.read_bytes())]}
            except UnreadableDocument as reason:
                found = {"error": str(reason)}
            except Exception as error:  # whatever it is, the other figures are read
                found = {"error": f"it cannot be read ({type(error).__name__})"}
            result.write(json.dumps(found) + "\n")
            result.flush()
            number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
