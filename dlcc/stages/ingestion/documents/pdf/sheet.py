"""Sheet of a PDF as it is drawn: glyphs, thin rules and pictures, in points, y upwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Glyph:
    """Glyph with the place of its baseline; two of the same look are two."""

    text: str
    """Character; empty where the font does not tell."""
    name: str
    """Name of the glyph in its font; empty where there is none."""
    font: str
    """Name of the font, without the prefix of a subset."""
    size: float
    x0: float
    x1: float
    y: float
    """Baseline of the line that the glyph stands on; signs that hang from their top are moved."""
    low: float
    high: float
    """Lowest and highest ink, as far as the sort of glyph tells."""

    @property
    def middle(self) -> float:
        """Horizontal middle."""
        return (self.x0 + self.x1) / 2

    @property
    def axis(self) -> float:
        """Height of the middle of its line, where a minus would lie."""
        return self.y + 0.25 * self.size


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Thin straight line, horizontal or vertical."""

    x0: float
    x1: float
    y0: float
    y1: float

    @property
    def horizontal(self) -> bool:
        """Whether it is wider than high."""
        return self.x1 - self.x0 >= self.y1 - self.y0

    @property
    def y(self) -> float:
        """Vertical middle."""
        return (self.y0 + self.y1) / 2

    @property
    def width(self) -> float:
        """Width, 0 of a vertical rule without thickness."""
        return self.x1 - self.x0


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Picture of pixels on a sheet."""

    x0: float
    x1: float
    y0: float
    y1: float
    content: bytes
    """PNG or JPEG; empty where its format is not read."""


@dataclass
class Sheet:
    """Page of a PDF."""

    number: int
    width: float
    height: float
    glyphs: list[Glyph] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    sideways: int = 0
    """Number of glyphs that stand upside down or sideways, which are not read."""


def box(glyphs: Iterable[Glyph]) -> tuple[float, float, float, float]:
    """Bound glyphs: left, right, lowest and highest ink."""
    its = list(glyphs)
    return (
        min(g.x0 for g in its),
        max(g.x1 for g in its),
        min(g.low for g in its),
        max(g.high for g in its),
    )
