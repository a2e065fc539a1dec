"""Typed cells of tables: numbers as people write them, with the precision that they state."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIMES = r"(?:\\times|\\cdot|×|·|\*|x)"
_POWER = re.compile(rf"\s*{_TIMES}\s*10\s*\^?\s*\{{?\s*([-−+]?\s*\d{{1,3}})\s*\}}?")
_NUMBER = re.compile(r"[-−+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-−+]?\d{1,3})?")
_SPREAD = re.compile(r"\s*(?:±|\\pm|\+/-)\s*(\d*\.?\d+)")
_SUFFIXES = {"k": 1e3, "M": 1e6, "%": 1.0}
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_LONGEST = 60


@dataclass(frozen=True)
class Cell:
    """Content of a table's cell."""

    text: str
    number: float | None = None
    tolerance: float = 0.0
    """Half of its last digit, or the spread that it states, whichever is larger."""
    truth: bool | None = None


def read_cell(text: str) -> Cell:
    """Read a cell.

    >>> [read_cell(text).number for text in ("2e-4", "2 × 10^{-4}", "1,000")]
    [0.0002, 0.0002, 1000.0]
    >>> read_cell("12.3 ± 0.4").tolerance, read_cell("10k").number, read_cell("Adam").number
    (0.4, 10000.0, None)
    """
    bare = re.sub(r"\\(?:mathbf|textbf|mathrm|,|;|!)|\$", "", text).strip().strip("*_ ")
    bare = re.sub(r"^\{(.*)\}$", r"\1", bare).replace("−", "-")
    if len(bare) > _LONGEST:
        return Cell(text.strip())
    if bare.lower() in _WORDS:
        return Cell(bare, truth=_WORDS[bare.lower()])
    match = _NUMBER.match(bare)
    digits = match[0] if match else ""
    if not any(c.isdigit() for c in digits):
        return Cell(text.strip())
    number, unit = float(digits.replace(",", "")), _last_digit(digits)
    rest = bare[len(digits) :]
    if (power := _POWER.match(rest)) is not None:
        scale = 10.0 ** int(power[1].replace(" ", ""))
        number, unit, rest = (
            float(f"{digits}e{power[1].replace(' ', '')}"),
            unit * scale,
            rest[power.end() :],
        )
    if (spread := _SPREAD.match(rest)) is not None:
        unit, rest = max(unit, 2 * float(spread[1])), rest[spread.end() :]
    rest = rest.strip()
    if rest in _SUFFIXES:
        number, unit, rest = number * _SUFFIXES[rest], unit * _SUFFIXES[rest], ""
    if rest and not re.fullmatch(r"\([^()]*\)|(?:steps|epochs|iterations|iters|rows|images)", rest):
        return Cell(text.strip())
    return Cell(bare, number, unit / 2)


def _last_digit(digits: str) -> float:
    """Unit of a number's last digit; 0 of a whole number, which is meant exactly."""
    mantissa, _, exponent = digits.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    if not decimals and not exponent:
        return 0.0
    return float(f"1e{int(exponent or 0) - decimals}") if decimals else 0.0
