"""Lines of a text file, in bounded memory whatever the file is."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dlcc.errors import RunError
from dlcc.runs.files import opened_regular

LONGEST_LINE = 1 << 20
_BLOCK = 1 << 20
_MOST_BYTES = 4 << 30
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MOST_EMPTY = 64  # blocks of NUL alone, as a sparse file has them


@dataclass
class TextLines:
    """Lines of a text file, read once, and what had to be left out of them."""

    path: Path
    start: int = 0
    """Byte at which to begin, which must be the beginning of a line."""
    notes: list[str] = field(default_factory=list)
    ended: bool = True
    """Whether the last line has its line end; known once all lines were read."""

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Iterate over (line number from 1, line without its end).

        A carriage return ends a line too: progress bars write their rows with it.

        Raises:
            RunError: The file cannot be read, or holds no text.
        """
        with opened_regular(self.path, RunError) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > _MOST_BYTES:
                raise RunError(
                    f"{self.path}: {size:,} bytes, expected at most {_MOST_BYTES:,}; keep every "
                    "tenth row, or the part that matters"
                )
            stream.seek(self.start)
            decoder = None
            number, rest, empty = 0, "", 0
            while data := stream.read(_BLOCK):
                if decoder is None:
                    name = next((n for bom, n in _BOMS if data.startswith(bom)), "utf-8")
                    decoder = codecs.getincrementaldecoder(name)(errors="replace")
                if not data.strip(b"\0"):
                    empty += 1
                    if empty > _MOST_EMPTY:
                        raise RunError(
                            f"{self.path}: holds {empty:,} MiB of zeros and no text there; it is "
                            "damaged or no log, take it from a copy"
                        )
                    continue
                text = rest + decoder.decode(data)
                lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
                rest = lines.pop()
                for line in lines:
                    number += 1
                    if len(line) <= LONGEST_LINE:
                        yield number, line
                    else:
                        self._too_long(number)
                if len(rest) > LONGEST_LINE:
                    number += 1
                    self._too_long(number)
                    rest = self._skip_line(stream, decoder)
            self.ended = not rest
            if rest:
                yield number + 1, rest

    def _too_long(self, number: int) -> None:
        if len(self.notes) < 3:
            self.notes.append(
                f"{self.path}: line {number:,} has more than {LONGEST_LINE:,} characters and is "
                "left out"
            )

    @staticmethod
    def _skip_line(stream: object, decoder: codecs.IncrementalDecoder) -> str:
        """Skip to the end of a line that is too long; the text after it."""
        while data := stream.read(_BLOCK):  # type: ignore[attr-defined]
            at = data.find(b"\n")
            if at >= 0:
                decoder.reset()
                return decoder.decode(data[at + 1 :])
        return ""
