"""Parsers of options: numbers in range, KEY=VALUE pairs, mappings, durations."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dlcc.runs import Run

Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="In another tool's folder, the column of a series, PLAYER/QUANTITY=COLUMN (or "
        "step=COLUMN); repeatable.",
    ),
]
"""Option `--map` that names columns."""
Reference = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        help="Training data for another tool's samples: a folder of images, or .npy.",
        metavar="FOLDER",
    ),
]
"""Option `--reference` that names training data."""
OwnFeatures = Annotated[
    str | None,
    typer.Option(
        "--features",
        help="Function of your own that samples are compared in, FILE.py:FUNCTION, or pretrained.",
        metavar="FUNCTION",
    ),
]
"""Option `--features` that names a feature function, whose file is run, or `pretrained`."""
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Where the work is done: local, processes, ray (this machine's cluster) or "
        "ray://HOST:PORT.",
    ),
]
"""Option `--engine` that names where jobs are done."""
FAIL_ON = ("error", "warning", "note", "never")
"""Values of `--fail-on`, the most severe first."""
_LONGEST_LINE = 4_000  # characters of a sentence on stderr
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def in_range(option: str, value: float | None, low: float, high: float) -> None:
    """Refuse a number outside of its range with OptionError; None passes."""
    from dlcc.errors import OptionError

    if value is not None and not low <= value <= high:
        raise OptionError(f"{option} {value:g}: expected {low:g} to {high:g}")


def duration(option: str, text: str) -> float:
    """Parse a duration, `90s`, `5m`, `2h` or a plain number, into seconds."""
    from dlcc.errors import OptionError

    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    with contextlib.suppress(ValueError):
        seconds = float(number) * _UNITS[unit]
        if 0 < seconds < 1e8:
            return seconds
    raise OptionError(f"{option} {text!r}: expected a time such as 90s, 5m or 2h")


def pairs_of(settings: list[str]) -> dict[str, Any]:
    """Parse KEY=VALUE texts; values that read as numbers become numbers."""
    from dlcc.errors import OptionError

    pairs: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not (equals and key):
            raise OptionError(f"--set {text!r}: expected KEY=VALUE")
        pairs[key] = _number_or_text(value)
    return pairs


def _number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def mapping_of(texts: list[str]) -> dict[str, str]:
    """Parse PLAYER/QUANTITY=COLUMN texts."""
    from dlcc.errors import OptionError

    mapping: dict[str, str] = {}
    for text in texts:
        name, equals, column = text.partition("=")
        if not equals:
            raise OptionError(
                f"--map {text}: expected PLAYER/QUANTITY=COLUMN such as discriminator/loss=errD, "
                "or step=COLUMN"
            )
        if name in mapping:
            raise OptionError(f"--map {text}: {name} is {mapping[name]} already; give it once")
        mapping[name] = column
    return mapping


def say(sentence: str) -> None:
    """Print a line on stderr; it may repeat what a file said, so it is made printable."""
    from dlcc.report.text import one_line

    line = one_line(sentence)
    shown = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..."
    typer.echo(f"dlcc: {shown}", err=True)


def show_notes(run: Run) -> None:
    """Print on stderr how the folder was read, so that the report on stdout stays what it is."""
    for note in (*run.notes, *run.sample_notes):
        say(note)
