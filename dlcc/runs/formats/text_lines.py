"""Lines of a text file, in bounded memory whatever the file is."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
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
    notes: list[str] = field(default_factory=list)
    ended: bool = True
    """Whether the last line has its line end; known once all lines were read."""

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Iterate over (line number from 1, line without its end).

        Raises:
            RunError: The file cannot be read, or holds no text.
        """
        for first, lines in self.blocks():
            for number, line in enumerate(lines, first):
                if len(line) <= LONGEST_LINE:
                    yield number, line
                else:
                    self._too_long(number)

    def blocks(self) -> Iterator[tuple[int, list[str]]]:
        """Iterate over blocks of lines: (number of the first, from 1; lines without their ends).

        A carriage return ends a line too: progress bars write their rows with it. A line that is
        too long is left out with a note, and an empty one stands in its place.

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
            decoder = None
            number, rest, empty = 1, "", 0
            while data := stream.read(_BLOCK):
                if decoder is None:
                    name = next((n for bom, n in _BOMS if data.startswith(bom)), "utf-8")
                    name = "utf-8-sig" if name == "utf-8" else name
                    decoder = codecs.getincrementaldecoder(name)(errors="replace")
                if not data.strip(b"\0"):
                    empty += 1
                    self._check_zeros(empty)
                    continue
                lines = _split(rest + decoder.decode(data))
                rest = lines.pop()
                if lines:
                    yield number, lines
                    number += len(lines)
                if len(rest) > LONGEST_LINE:
                    self._too_long(number)
                    number += 1
                    rest = self._skip_line(stream, decoder)
            # several lines, where the last block ended one that was too long
            *lines, rest = _split(rest.removesuffix("\r"))
            self.ended = not rest
            if rest or lines:
                yield number, [*lines, rest] if rest else lines

    def _check_zeros(self, blocks: int) -> None:
        if blocks > _MOST_EMPTY:
            raise RunError(
                f"{self.path}: holds {blocks:,} MiB of zeros and no text there; it is damaged or "
                "no log, take it from a copy"
            )

    def _too_long(self, number: int) -> None:
        if len(self.notes) < 3:
            self.notes.append(
                f"{self.path}: line {number:,} has more than {LONGEST_LINE:,} characters and is "
                "left out"
            )

    @staticmethod
    def _skip_line(stream: BufferedReader, decoder: codecs.IncrementalDecoder) -> str:
        """Skip to the end of a line that is too long; the text after it."""
        while data := stream.read(_BLOCK):
            at = data.find(b"\n")
            if at >= 0:
                decoder.reset()
                return decoder.decode(data[at + 1 :])
        return ""


def _split(text: str) -> list[str]:
    """Lines of a text, the last of which may go on."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        held = text.endswith("\r")  # the other half of the end may come in the next block
        text = text[:-1].replace("\r", "\n") + ("\r" if held else text[-1:].replace("\r", "\n"))
    return text.split("\n")
