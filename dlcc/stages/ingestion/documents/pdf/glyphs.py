"""Glyphs, rules and pictures of a PDF's pages, by pdfminer's interpreter of their content."""

from __future__ import annotations

import io
import itertools
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pdfminer.converter import PDFLayoutAnalyzer
from pdfminer.pdfdocument import PDFDocument, PDFPasswordIncorrect
from pdfminer.pdffont import PDFFont
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.pdftypes import PDFStream, list_value, resolve1
from pdfminer.psparser import PSLiteral
from pdfminer.utils import apply_matrix_pt

from dlcc.stages.ingestion.documents.pdf import signs
from dlcc.stages.ingestion.documents.pdf.sheet import Glyph, Picture, Rule, Sheet
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

MOST_PAGES = 300
_MOST_GLYPHS = 40_000  # of a page
_MOST_RULES = 20_000
_MOST_PIXELS = 30_000_000
_MOST_PICTURES = 200
_THICKEST, _AXIS = 1.7, 0.25  # a rule in points; the middle of large signs in ems above a baseline
_BULLET_CODES = (127, 129, 141, 143, 144, 157)  # codes that Windows's encoding leaves out
_MODES = {"DeviceGray": "L", "DeviceRGB": "RGB", "CalGray": "L", "CalRGB": "RGB"}


def read_sheets(path: Path) -> Iterator[Sheet]:
    """Read a PDF's pages in order.

    Raises:
        UnreadableDocument: It is encrypted, has too many pages, or is no PDF.
    """
    logging.getLogger("pdfminer").setLevel(logging.CRITICAL)  # broken files make it talk
    with path.open("rb") as stream:
        try:
            document = PDFDocument(PDFParser(stream))
        except PDFPasswordIncorrect:
            raise UnreadableDocument("it is encrypted; save it without a password") from None
        resources = _Resources()
        device = _Device(resources)
        interpreter = PDFPageInterpreter(resources, device)
        for number, page in enumerate(PDFPage.create_pages(document), start=1):
            if number > MOST_PAGES:
                raise UnreadableDocument(f"more than {MOST_PAGES} pages")
            device.begin(number)
            interpreter.process_page(page)
            yield device.sheet


class _Resources(PDFResourceManager):
    """Fonts of a document, and the names that each gives its glyphs."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[int, Mapping[int, str]] = {}

    def get_font(self, objid: object, spec: Mapping[str, object]) -> PDFFont:
        font = super().get_font(objid, spec)
        if id(font) not in self.names:
            self.names[id(font)] = _names(spec) or _built_in(font)
            title = spec.get("BaseFont") or spec.get("Name") or ""
            if getattr(font, "fontname", None) in (None, "unknown"):
                font.fontname = title.name if isinstance(title, PSLiteral) else str(title)
        return font


def _names(spec: Mapping[str, object]) -> dict[int, str]:
    """Code -> name of the glyph, as the font's encoding tells."""
    encoding = resolve1(spec.get("Encoding"))
    found: dict[int, str] = {}
    if isinstance(encoding, dict):
        code = 0
        for item in list_value(encoding.get("Differences") or []):
            if isinstance(item, int):
                code = item
            elif isinstance(item, PSLiteral):
                found[code] = str(item.name)
                code += 1
    return found


_PUT = re.compile(rb"dup\s+(\d{1,3})\s*/([\w.]{1,40})\s+put")


def _built_in(font: PDFFont) -> dict[int, str]:
    """Code -> name of the glyph, as the font's own file tells where the PDF does not."""
    stream = getattr(font, "fontfile", None)
    if not isinstance(stream, PDFStream):
        return {}
    return {int(c): n.decode() for c, n in _PUT.findall(stream.get_data()[:20_000])}


class _Device(PDFLayoutAnalyzer):
    """Device that keeps what is drawn, without any analysis."""

    def __init__(self, resources: _Resources) -> None:
        super().__init__(resources, laparams=None)
        self._resources = resources
        self.sheet = Sheet(0, 0.0, 0.0)
        self._frames: list[tuple[float, float, float, float]] = []

    def begin(self, number: int) -> None:
        """Begin a page."""
        self.sheet = Sheet(number, 0.0, 0.0)

    def begin_page(self, page: PDFPage, ctm: Any) -> None:
        super().begin_page(page, ctm)
        self.sheet.width, self.sheet.height = self.cur_item.width, self.cur_item.height

    def begin_figure(self, name: str, bbox: Any, matrix: Any) -> None:
        super().begin_figure(name, bbox, matrix)
        item = self.cur_item
        self._frames.append((item.x0, item.x1, item.y0, item.y1))

    def end_figure(self, _: str) -> None:
        super().end_figure(_)
        self._frames.pop()

    def receive_layout(self, ltpage: Any) -> None:
        """Take the page's end."""

    def render_char(
        self,
        matrix: Any,
        font: PDFFont,
        fontsize: float,
        scaling: float,
        rise: float,
        cid: int,
        ncs: Any,
        graphicstate: Any,
    ) -> float:
        width = font.char_width(cid) * fontsize * scaling
        if len(self.sheet.glyphs) >= _MOST_GLYPHS:
            raise UnreadableDocument(f"page {self.sheet.number} has over {_MOST_GLYPHS:,} glyphs")
        a, b, c, d, x, y = matrix
        if not all(math.isfinite(v) for v in matrix) or a <= 0 or abs(b) + abs(c) > 0.01 * a:
            self.sheet.sideways += 1
            return width
        glyph = self._glyph(font, cid, d * fontsize, x, x + a * width, y + d * rise)
        if glyph is not None:
            self.sheet.glyphs.append(glyph)
        return width

    def _glyph(
        self, font: PDFFont, code: int, size: float, x0: float, x1: float, y: float
    ) -> Glyph | None:
        name = self._resources.names.get(id(font), {}).get(code, "")
        title = str(font.fontname).rpartition("+")[2]
        size = abs(size)
        try:
            told = font.to_unichr(code)
        except Exception:  # no mapping, or a broken one
            told = ""
        told = "" if told.startswith("(cid:") else told
        if not told and not name and code in _BULLET_CODES and not font.is_multibyte():
            told = "•"
        text, name = signs.character(title, name, told, code)
        if not 0 < size < 500:
            return None
        depth = signs.hangs(title, name) * size
        if depth:
            return Glyph(
                text, name, title, size, x0, x1, y - depth / 2 - _AXIS * size, y - depth, y
            )
        return Glyph(text, name, title, size, x0, x1, y, y - 0.2 * size, y + 0.7 * size)

    def paint_path(
        self, gstate: Any, stroke: bool, fill: bool, evenodd: bool, path: Sequence[Any]
    ) -> None:
        if len(self.sheet.rules) >= _MOST_RULES or not (stroke or fill) or len(path) > 4_000:
            return
        start: list[tuple[float, float]] = []
        for operator, *numbers in path:
            if operator == "m":
                self._flush(start, stroke, gstate.linewidth)
                start = []
            if operator in "ml":
                point = apply_matrix_pt(self.ctm, (float(numbers[-2]), float(numbers[-1])))
                start.append((float(point[0]), float(point[1])))
            elif operator == "h" and start:
                start.append(start[0])
            else:
                return  # a curve is no rule
        self._flush(start, stroke, gstate.linewidth)

    def _flush(self, points: list[tuple[float, float]], stroke: bool, pen: float) -> None:
        """Keep what is a thin line of a path: a thin box, a line, or each side of an outline."""
        if len(points) < 2:
            return
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        whole = (min(xs), max(xs), min(ys), max(ys))
        if min(whole[1] - whole[0], whole[3] - whole[2]) <= _THICKEST:
            self.sheet.rules.append(Rule(*whole))
        elif stroke and len(points) <= 6 and pen <= 3:
            for (xa, ya), (xb, yb) in itertools.pairwise(points):
                if min(abs(xa - xb), abs(ya - yb)) < 0.1:
                    side = (min(xa, xb), max(xa, xb), min(ya, yb), max(ya, yb))
                    self.sheet.rules.append(Rule(*side))

    def render_image(self, name: str, stream: PDFStream) -> None:
        if self._frames and len(self.sheet.pictures) < _MOST_PICTURES:
            content = _picture(stream)
            self.sheet.pictures.append(Picture(*self._frames[-1], content))


def _picture(stream: PDFStream) -> bytes:
    """PNG or JPEG of a picture; empty for a format that is not read."""
    from PIL import Image

    filters = [str(getattr(f, "name", f)) for f, _ in stream.get_filters()]
    if filters[-1:] == ["DCTDecode"]:
        return bytes(stream.get_data())
    if any(f not in ("FlateDecode", "Fl", "LZWDecode", "ASCII85Decode") for f in filters):
        return b""
    width, height = resolve1(stream.get("Width")), resolve1(stream.get("Height"))
    space = resolve1(stream.get("ColorSpace"))
    if isinstance(space, list) and space:
        space = _of_profile(space)
    mode = _MODES.get(str(getattr(space, "name", space)))
    if mode is None or resolve1(stream.get("BitsPerComponent")) != 8:
        return b""
    if not (isinstance(width, int) and isinstance(height, int)):
        return b""
    if not 0 < width * height <= _MOST_PIXELS:
        return b""
    data = stream.get_data()
    if len(data) < width * height * len(mode):
        return b""
    buffer = io.BytesIO()
    Image.frombytes(mode, (width, height), data).save(buffer, "PNG")
    return buffer.getvalue()


def _of_profile(space: Sequence[Any]) -> Any:
    """Plain colour space of as many channels as a profile has."""
    head = resolve1(space[0])
    if getattr(head, "name", "") == "ICCBased":
        profile = resolve1(space[1])
        channels = resolve1(profile.get("N")) if isinstance(profile, PDFStream) else 0
        return {1: "DeviceGray", 3: "DeviceRGB"}.get(channels, "")
    return head
