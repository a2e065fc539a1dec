"""The catalogue: one Markdown page a code, in `codes/`, each of one shape.

```
# GAN003 mode collapse
severity: error

What it means, one paragraph.

## What it looks like
## What to change
```
The title, the severity and the first paragraph of "What to change" are read from the page, so that
a finding, `dlcc explain` and the report can never tell three stories.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

from dlcc.errors import OptionError

Severity = Literal["error", "warning", "note"]
_FOLDER = Path(__file__).parent / "codes"
_HEAD = re.compile(r"# (?P<code>[A-Z]{3}\d{3}) (?P<title>.+)\nseverity: (?P<severity>\w+)\n\n")


@dataclass(frozen=True)
class CodePage:
    """One code of the catalogue."""

    code: str
    title: str
    severity: Severity
    remedy: str
    """The first paragraph of "What to change", on one line."""
    text: str
    """The whole page, Markdown."""


def all_codes() -> tuple[str, ...]:
    """Every stable code, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.md")))


@cache
def page(code: str) -> CodePage:
    """The page of a code; OptionError with near misses for one that does not exist."""
    path = _FOLDER / f"{code.upper()}.md"
    if not re.fullmatch(r"[A-Z]{3}\d{3}", code.upper()) or not path.is_file():
        near = difflib.get_close_matches(code.upper(), all_codes(), n=3, cutoff=0.5)
        known = ", ".join(near or all_codes())
        raise OptionError(f"there is no finding {code!r}; expected one of {known}")
    text = path.read_text(encoding="utf-8")
    head = _HEAD.match(text)
    if head is None or head["code"] != path.stem or head["severity"] not in get_args(Severity):
        raise ValueError(f"{path.name}: expected '# CODE title' and 'severity: {Severity}' on top")
    remedy = text.partition("## What to change\n")[2].strip().split("\n\n")[0]
    return CodePage(
        code=head["code"],
        title=head["title"],
        severity=cast(Severity, head["severity"]),
        remedy=" ".join(remedy.split()),
        text=text,
    )
