"""Catalogue of finding codes: one Markdown page a code, each of one shape.

Nothing is registered here: a code is the file `codes/CODE.md`.

Pages lie in `findings/codes/` beside the module that brings a stage, format, kind or recipe, or in
a package that the module is in; this package's own come first.

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
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from dlcc.entry_points import package_folders
from dlcc.errors import OptionError, PluginError

Severity = Literal["error", "warning", "note"]
PAGES = Path("findings") / "codes"
"""Place of pages in a package, or beside a module."""
_CODE = re.compile(r"[A-Z]{3}\d{3}")
_HEAD = re.compile(r"# (?P<code>[A-Z]{3}\d{3}) (?P<title>.+)\nseverity: (?P<severity>\w+)\n\n")
_of_stages: dict[Path, None] = {}  # folders, in the order in which their stages came


@dataclass(frozen=True)
class CodePage:
    """Page of one code of the catalogue."""

    code: str
    title: str
    severity: Severity
    remedy: str
    """First paragraph of "What to change", on one line."""
    text: str
    """Text of the whole page, Markdown."""


def pages_of(kind: type[Any]) -> tuple[Path, ...]:
    """Folders in which the pages of a class may lie: beside its module, and in the packages above
    it."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None:
        return ()
    beside = Path(file).resolve().parent
    depth = kind.__module__.count(".")
    return tuple(folder / PAGES for folder in [beside, *beside.parents][: max(1, depth)])


def add_pages_of(kind: type[Any]) -> None:
    """Take the pages of a stage's class into the catalogue."""
    _of_stages.update(dict.fromkeys(pages_of(kind)))


def all_codes() -> tuple[str, ...]:
    """List the stable codes of all findings.

    Returns:
        Codes, sorted.

    >>> "GAN003" in all_codes()
    True
    """
    return tuple(sorted({path.stem for folder in _folders() for path in folder.glob("*.md")}))


def _folders() -> Iterator[Path]:
    yield from (package / PAGES for package in package_folders())
    yield from _of_stages


def page(code: str) -> CodePage:
    """Read the page of a finding's code.

    Args:
        code: Code such as GAN003, in any case.

    Returns:
        Page of the code. Where several packages have one, this package's comes first.

    Raises:
        OptionError: There is no such code; the message names near ones.
        PluginError: The page is not of the shape that pages have.

    >>> page("gan003").title, page("gan003").severity
    ('mode collapse', 'error')
    """
    path = page_path(code)
    if path is None:
        near = difflib.get_close_matches(code.upper(), all_codes(), n=3, cutoff=0.5)
        known = ", ".join(near or all_codes())
        raise OptionError(f"there is no finding {code!r}; expected one of {known}")
    return read_page(path)


def page_path(code: str) -> Path | None:
    """Find the file of a code's page; None where there is none."""
    if not _CODE.fullmatch(code.upper()):
        return None
    paths = (folder / f"{code.upper()}.md" for folder in _folders())
    return next((path for path in paths if path.is_file()), None)


@cache
def read_page(path: Path) -> CodePage:
    """Read a page into its parts.

    Raises:
        PluginError: The page is not of the shape that pages have.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    head = _HEAD.match(text)
    if head is None or head["code"] != path.stem or head["severity"] not in get_args(Severity):
        words = ", ".join(get_args(Severity))
        raise PluginError(
            f"{path}: expected '# {path.stem} TITLE' and 'severity: ' with one of {words} in its "
            "first two lines, and an empty third one"
        )
    remedy = text.partition("## What to change\n")[2].strip().split("\n\n")[0]
    if not remedy:
        raise PluginError(f"{path}: has no part '## What to change' that says what to do")
    return CodePage(
        code=head["code"],
        title=head["title"],
        severity=cast(Severity, head["severity"]),
        remedy=" ".join(remedy.split()),
        text=text,
    )
