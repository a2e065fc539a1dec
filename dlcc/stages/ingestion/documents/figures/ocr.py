"""Text in pictures by tesseract: each piece of a picture on a line of its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_HEIGHT, _MARGIN, _LEFT = 44, 26, 30  # pixels of a line of the picture that is shown to tesseract
_SECONDS = 30
_MOST_PIECES = 60


def check_there() -> None:
    """Check that there is OCR.

    Raises:
        UnreadableDocument: It is not installed.
    """
    if find_spec("pytesseract") is None:
        raise UnreadableDocument("figures are read where pip install 'dlcc[documents]' was done")
    if shutil.which("tesseract") is None:
        raise UnreadableDocument(
            "figures are read where tesseract is installed (apt-get install tesseract-ocr)"
        )


def read_pieces(pieces: Sequence[NDArray[np.uint8]], characters: str = "") -> list[str]:
    """Read pieces of a picture.

    Args:
        pieces: Grey pixels [height, width] of each, dark on bright.
        characters: Characters that may be there; empty for all.

    Returns:
        Text of each piece; empty where nothing is read.
    """
    import pytesseract
    from PIL import Image

    pieces = pieces[:_MOST_PIECES]
    if not pieces:
        return []
    lines = [_scaled(piece) for piece in pieces]
    width = max(line.shape[1] for line in lines) + 2 * _LEFT
    step = _HEIGHT + _MARGIN
    sheet = np.full((step * len(lines) + _MARGIN, width), 255, dtype=np.uint8)
    for k, line in enumerate(lines):
        top = _MARGIN + k * step
        sheet[top : top + _HEIGHT, _LEFT : _LEFT + line.shape[1]] = line
    config = "--psm 6 --dpi 150"
    if characters:
        config += f" -c tessedit_char_whitelist={characters}"
    try:
        data = pytesseract.image_to_data(
            Image.fromarray(sheet),
            config=config,
            timeout=_SECONDS,
            output_type=pytesseract.Output.DICT,
        )
    except RuntimeError:  # it took too long, or failed on its own
        return [""] * len(pieces)
    found: list[list[tuple[int, str]]] = [[] for _ in pieces]
    for text, left, top, height in zip(
        data["text"], data["left"], data["top"], data["height"], strict=True
    ):
        k = int((top + height / 2 - _MARGIN / 2) // step)
        if text.strip() and 0 <= k < len(found):
            found[k].append((left, text.strip()))
    return [" ".join(text for _, text in sorted(words)) for words in found]


def _scaled(piece: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale a piece to the height of a line, its ink cut out tightly."""
    from PIL import Image

    height = max(1, piece.shape[0])
    width = max(1, min(1_600, round(piece.shape[1] * _HEIGHT / height)))
    image = Image.fromarray(piece).resize((width, _HEIGHT), Image.Resampling.BICUBIC)
    return np.asarray(image)
