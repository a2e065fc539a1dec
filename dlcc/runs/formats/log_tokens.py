"""Numbers of a log line with their labels: what stands before each, since the last break."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

ABSENT = float.fromhex("-0x1.123456789abcdp+1000")
"""Value that stands for a cell without a number, such as N/A; no log holds it."""

_DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{2}-\d{2}-\d{2})"
_TIME = r"\d{1,3}:\d{2}(?::\d{2})?(?:[.,]\d+)?"
_CTIME = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s+[A-Z][a-z]{2}\s+\d+\s+\d+:\d\d:\d\d(?:\s[A-Z]+)?\s+\d{4}"
)
_PERIOD = r"\d+(?:\.\d+)?(?:ms|us|s|m|h|d|min|mins|sec|secs|hr|hrs)(?:/\w+)?(?![A-Za-z0-9_])"
_PLAIN = r"(?:\d{1,3}(?:,\d{3})+(?!\d|,\d)(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBER = (
    rf"(?:(?<![A-Za-z0-9_)\]])[-+])?"
    rf"(?:(?<![A-Za-z0-9_.])(?<!_\d/)|(?<=[Ee]poch)|(?<=[Ss]tep)|(?<=[Ii]ter))"
    rf"{_PLAIN}(?![A-Za-z0-9_]|\.\d)"
)
_WORD_VALUES = r"[-+]?(?<![\w.])(?:nan|NaN|NAN|inf|Inf|INF|[Ii]nfinity|N/A|n/a|None|null)(?![\w.])"
_TOKEN = re.compile(
    rf"({_CTIME}|(?<!\d){_DATE}(?:[T ,_]+{_TIME}(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"
    rf"|(?<![\d.]){_TIME}(?![\d:])"
    rf"|(?<![A-Za-z0-9_.]){_PERIOD}(?:\s{_PERIOD})*|{_WORD_VALUES}|{_NUMBER})"
)
_TENSOR = re.compile(
    r"(?:tensor|array|np\.float\d\d|Array)\(\[*\s*([^\s,()\[\]]+)\s*\]*"
    r"(?:,[^()]*(?:\([^()]*\))?[^()]*)?\)"
)
_BAR = re.compile(r"[█▏▎▍▌▋▊▉■□░▒▓]+|\[[=>.\-#~ ]{4,}\]|(?<=\|)[#\- ]{4,}(?=\|)")
_LEVEL = re.compile(
    r"^\W*(?:INFO|DEBUG|WARNING|WARN|ERROR|CRITICAL|info|debug)\b\s*[\]:>|-]?(?:\s*[\w.]+:(?=\S))?"
)
_SECTION = re.compile(
    r"(?i)(?<![A-Za-z_])(train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?|eval(?:uation)?)"
    r"\s*(?:\]|:|>|\||-\s|$)"
)
_BREAK = re.compile(r"[|;,\t，；｜。、]|\s{2,}|\s[-–—>]+\s|[=\-*#>]{2,}|<br\s*/?>|->|=>")
_VALUE_BEFORE = re.compile(r"(?i)^.*:\s*(?:no|none|n/a|off|on|yes|true|false)\b(?=.)")
"""Beginning of a label that is another key with a value in words."""
_OPENING, _CLOSING = "([{<【（", ")]}>】）"
_STRIPPED = " \t:=-~@*#/&\"'`.>：→%_!?"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_SHOWN = re.compile(r"[^\x20-\x7e\u00a1-\u1fff\u2100-\ud7ff\uf900-\ufdff\uff00-\uffef]+")
_LONGEST_LABEL = 80


@dataclass(frozen=True)
class Layout:
    """Layout of the log lines that differ in their numbers alone."""

    labels: tuple[str, ...]
    """Label of each token; empty for one that is no quantity."""


def cleaned(line: str) -> str:
    """Take out of a line what only a terminal or a page shows: colours, bars, wrappers of tensors.

    >>> cleaned("loss: tensor(0.6931, grad_fn=<MeanBackward0>)")
    'loss: 0.6931'
    """
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    if "tensor(" in line or "rray(" in line or "np.float" in line:
        line = _TENSOR.sub(r"\1", line)
    if not line.isascii() or "[=" in line or "[>" in line or "[." in line or "|#" in line:
        line = _BAR.sub(" ", line)
    return line


def split_line(line: str) -> tuple[list[str], list[str]]:
    """Split a cleaned line into the texts between its numbers and the numbers.

    Args:
        line: Line without its end.

    Returns:
        Texts, one more than numbers; and the numbers, dates and times as they stand there.

    >>> split_line("Epoch 1/9: loss 0.5")
    (['Epoch ', '/', ': loss ', ''], ['1', '9', '0.5'])
    """
    parts = _TOKEN.split(line)
    return parts[0::2], parts[1::2]


def value_of(token: str) -> float:
    """Read a number; `ABSENT` for one that is none, such as N/A, a date or a duration.

    >>> value_of("107,200"), value_of("nan"), value_of("0:05:20") == ABSENT
    (107200.0, nan, True)
    """
    try:
        return float(token)
    except ValueError:
        pass
    try:
        return float(token.replace(",", ""))
    except ValueError:
        return ABSENT


def clock_of(token: str) -> float:
    """Read a date with a time as Unix time in seconds, taken as UTC; NaN for anything else."""
    if len(token) < 15 or ":" not in token:
        return math.nan
    if token[:1].isalpha():
        return _ctime(token)
    text = token.replace(",", ".").replace("/", "-").replace("_", " ")
    if text[2:3] == "-":
        text = f"20{text}"
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _ctime(token: str) -> float:
    """Read a date as C's ctime writes it, the name of a time zone left out."""
    words = token.split()
    try:
        found = datetime.strptime(" ".join([*words[1:4], words[-1]]), "%b %d %H:%M:%S %Y")
    except ValueError:
        return math.nan
    return found.replace(tzinfo=UTC).timestamp()


@lru_cache(maxsize=20_000)
def layout_of(texts: tuple[str, ...]) -> Layout:
    """Find the label of every number between these texts.

    A label is the text before its number since the last break. Without one, the number has that of
    the number before it and a count, or is one of a list without names: `#1`, `#2`.

    Args:
        texts: Texts of `split_line`.

    Returns:
        Layout, with labels that are all different.

    >>> layout_of(("[Epoch ", "/", "] [D loss: ", "] D(G(z)): ", " / ", "")).labels
    ('Epoch', 'Epoch of', 'D loss', 'D(G(z))', 'D(G(z)) (2)')
    """
    labels: list[str] = []
    taken: set[str] = set()
    section, base, outside, unnamed = "", "", "", 0
    for i, text in enumerate(texts[:-1]):
        piece = _LEVEL.sub("", text) if i == 0 or "INFO" in text else text
        found = _SECTION.search(piece)
        if found:
            word = found[1].lower()
            section = "" if word.startswith("train") else "test/" if word[0] == "t" else "val/"
        label = _label(piece) or (_cell_before(piece) if i == 0 else "")
        if not label and outside and piece.rstrip(" :=").endswith(")"):
            label, outside = outside, ""  # `FID (step 5): 9.1`: the label stands before the bracket
        outside = _before_bracket(piece) or outside
        if label:
            base = name = f"{section}{label}"
        elif i == 0 or (not base and not labels):
            unnamed += 1
            base, name = "", f"#{unnamed}"
        else:
            of_a_count = piece == "/" or piece.strip().endswith("of")
            name = _continued(piece, labels[-1] if of_a_count else base or labels[-1])
            if not base and name.endswith("(2)"):
                unnamed += 1
                name = f"#{unnamed}"
        count = 2
        unique = name
        while unique in taken:
            stem = name.removesuffix(" (2)") if name.endswith(" (2)") else name
            unique = f"{stem} ({count})"
            count += 1
        taken.add(unique)
        labels.append(unique)
    return Layout(tuple(labels))


def _continued(piece: str, base: str) -> str:
    """Name a number that has no label of its own, after the one before it."""
    text = piece.strip()
    if piece == "/" or text == "of" or text.endswith(" of"):
        return f"{base} of"
    if text.endswith("(") and not text.startswith(")"):
        return f"{base} (mean)"
    if text in ("±", "+/-", "+-"):
        return f"{base} (spread)"
    return f"{base} (2)"


def _label(piece: str) -> str:
    """Label at the end of a text; empty where it ends in a break."""
    text = piece.rstrip(_STRIPPED)
    while text and text[-1] in _OPENING:  # `Epoch [1/20]`: the label stands before the bracket
        outside = text[:-1].rstrip(_STRIPPED)
        if _breaks(outside, text):
            return ""
        text = outside
    if text and text[-1] in ",|;，；｜":
        return ""
    start = max((match.end() for match in _BREAK.finditer(text)), default=0)
    label = _balanced(text[start:]).strip(_STRIPPED + "".join(_OPENING + _CLOSING[1:]))
    label = " ".join(_NOT_SHOWN.sub(" ", label).split())
    label = _VALUE_BEFORE.sub("", label).lstrip(_STRIPPED)
    return label if len(label) <= _LONGEST_LABEL else ""


def _before_bracket(piece: str) -> str:
    """Label before an opening bracket that does not close within the text; empty without one."""
    at = piece.rfind("(")
    return _label(piece[:at]) if at > 0 and ")" not in piece[at:] else ""


def _cell_before(piece: str) -> str:
    """Text of the cell before a number in a table drawn with pipes; empty where there is none."""
    cells = piece.split("|")
    text = cells[-2].strip() if len(cells) > 2 and not cells[-1].strip() else ""
    return text if any(c.isalpha() for c in text) and len(text) <= _LONGEST_LABEL else ""


def _breaks(outside: str, text: str) -> bool:
    """Whether nothing that can be a label stands before an opening bracket."""
    return not outside or outside[-1] in _CLOSING


def _balanced(text: str) -> str:
    """End of a text after its last bracket that opens or closes without its counterpart."""
    depth: list[int] = []
    start = 0
    for at, character in enumerate(text):
        if character in _OPENING:
            depth.append(at)
        elif character in _CLOSING:
            if depth:
                depth.pop()
            else:
                start = at + 1
    return text[max(start, depth[-1] + 1 if depth else 0) :]


def named_by(header: str, count: int) -> Sequence[str] | None:
    """Names of the columns of a table, from the line above its numbers.

    Args:
        header: Line without numbers, such as `| epoch | loss |` or `epoch  loss`.
        count: Number of columns.

    Returns:
        Names; None where the line does not have as many.

    >>> named_by("| epoch | G loss |", 2)
    ['epoch', 'G loss']
    """
    if count < 2 or not any(c.isalpha() for c in header):
        return None
    for pattern in (r"\s*\|\s*", r"\t+", r"\s*[,;]\s*", r"\s{2,}", r"\s+"):
        names = [part.strip() for part in re.split(pattern, header.strip().strip("|").strip())]
        if len(names) == count and all(names) and len(set(names)) == count:
            return names
    return None
