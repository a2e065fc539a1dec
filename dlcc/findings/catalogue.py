"""The catalogue: one Markdown page a code, each of one shape.

Pages lie in `findings/codes/` of the package that brings a stage, format, kind or recipe by entry
point, this one included, or beside the file that `--stage` names.

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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

from dlcc.entry_points import package_folders
from dlcc.errors import OptionError, PluginError

Severity = Literal["error", "warning", "note"]
PAGES = Path("findings") / "codes"
"""Where pages lie in a package, or beside a stage file."""
_CODE = re.compile(r"[A-Z]{3}\d{3}")
_HEAD = re.compile(r"# (?P<code>[A-Z]{3}\d{3}) (?P<title>.+)\nseverity: (?P<severity>\w+)\n\n")
_beside_files: dict[Path, None] = {}  # folders, in the order in which their files were loaded


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


def add_pages_beside(file: Path) -> None:
    """Take in the pages that lie beside a stage file."""
    _beside_files[file.resolve().parent / PAGES] = None


def all_codes() -> tuple[str, ...]:
    """Every stable code, sorted."""
    return tuple(sorted({path.stem for folder in _folders() for path in folder.glob("*.md")}))


def _folders() -> Iterator[Path]:
    yield from (package / PAGES for package in package_folders())
    yield from _beside_files


def page(code: str) -> CodePage:
    """The page of a code.

    Raises:
        OptionError: there is none; the message has near ones.
        PluginError: it is not of the shape that pages have, or two packages bring one.
    """
    name = f"{code.upper()}.md"
    paths = [folder / name for folder in _folders() if (folder / name).is_file()]
    if not _CODE.fullmatch(code.upper()) or not paths:
        near = difflib.get_close_matches(code.upper(), all_codes(), n=3, cutoff=0.5)
        known = ", ".join(near or all_codes())
        raise OptionError(f"there is no finding {code!r}; expected one of {known}")
    if len(paths) > 1:
        raise PluginError(
            f"two pages describe the finding {code.upper()}: {paths[0]} and {paths[1]}; rename one"
        )
    return read_page(paths[0])


@cache
def read_page(path: Path) -> CodePage:
    """A page's parts.

    Raises:
        PluginError: it is not of the shape that pages have.
    """
    try:
        text = path.read_text(encoding="utf-8")
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
