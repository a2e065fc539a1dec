"""Cases from packages: their code without docstrings, and their docstrings as a document.

A case is some files of one folder of a package. Its document has a section for each function or
class whose docstring displays a formula. What a formula or sentence there is of is known: the
function or class that the docstring stood in.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.documented_code.docstrings import as_markdown
from dlcc.records import Dossier, Formula
from dlcc.stages.decomposition.documents import formula_ids, sentence_ids
from dlcc.stages.ingestion.code import parse_functions
from dlcc.stages.ingestion.documents.markdown import parse_markdown

MOST_FUNCTIONS = 150
"""Functions of a case's code: what one training's source has, or a little more."""
FEWEST_SECTIONS = 2
ORPHANS = 5  # one in so many documented units is taken out of the code: its formulas have no link
_LEFT_OUT = ("test", "tests", "testing", "examples", "docs", "doc", "benchmarks", "_vendor")
_Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Unit:
    """Function or class with a docstring that displays a formula."""

    file: str
    name: str
    """Qualified name within its file."""
    docstring: str

    @property
    def digest(self) -> str:
        """Hash of the docstring, 12 hexadecimal digits."""
        return hashlib.sha256(self.docstring.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Case:
    """Document and code, with what each passage is of."""

    name: str
    dossier: Dossier
    truth: Mapping[str, frozenset[str]]
    """Ids of formulas and sentences -> units `file:name` that they are of; empty where the code
    has it no more."""


@dataclass
class _Group:
    """Files of a case."""

    name: str
    texts: dict[str, str] = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)
    functions: int = 0


def cases_of(folder: Path, package: str, names: bool) -> list[Case]:
    """Make the cases of an unpacked package, in the order of its files.

    Args:
        folder: Folder that holds the package's modules.
        package: Name of the package.
        names: Whether the document names what it is about, as documentation does, or has no name
            of the code in it.
    """
    return [case(group.name, group.texts, group.units, names) for group in _groups(folder, package)]


def case(name: str, texts: Mapping[str, str], units: Sequence[Unit], names: bool) -> Case:
    """Make a case of source texts and documented units."""
    gone = {f"{u.file}:{u.name}" for u in units if _drawn(f"{name}/{u.file}:{u.name}", ORPHANS)}
    blocks, formulas, place_of = [], [], {}
    for file in dict.fromkeys(u.file for u in units):
        page = f"{Path(file).stem}.md"
        lines: list[str] = []
        for k, unit in enumerate(u for u in units if u.file == file):
            text = as_markdown(unit.docstring, names)
            if not names:
                text = _without(text, unit.name)
            lines += [f"## {unit.name if names else k + 1}", "", *text.splitlines(), ""]
            place_of.update({(page, n): f"{file}:{unit.name}" for n in range(len(lines) + 1)
                             if (page, n) not in place_of})  # fmt: skip
        more = parse_markdown(page, "\n".join(lines))
        blocks += more[0]
        formulas += more[1]
    functions = [
        f
        for file, text in texts.items()
        for f in parse_functions(file, without_docstrings(text))
        if not any(_within(f"{file}:{f.name}", unit) for unit in gone)
    ]
    nothing = np.zeros(0)
    dossier = Dossier(
        nothing, (), nothing, nothing, {}, tuple(blocks), tuple(formulas), tuple(functions)
    )
    return Case(name, dossier, _truth(dossier, place_of, gone))


def _truth(
    dossier: Dossier, place_of: Mapping[tuple[str, int], str], gone: set[str]
) -> dict[str, frozenset[str]]:
    ids = dict(zip(formula_ids(dossier), dossier.formulas, strict=True))
    same: dict[str, set[str]] = {}
    for formula in ids.values():
        same.setdefault(_bare(formula.latex), set()).add(place_of[formula.file, formula.line])
    truth = {id_: frozenset(same[_bare(f.latex)] - gone) for id_, f in ids.items() if states(f)}
    of_block = {(b.file, b.line): place_of[b.file, b.line] for b in dossier.blocks}
    for id_ in sentence_ids(dossier):
        _, file, place = id_.split(":")
        unit = of_block[file, int(place.partition(".")[0])]
        truth[id_] = frozenset({unit} - gone)
    return truth


def states(formula: Formula) -> bool:
    """Whether a formula states something: displayed, and more than a few signs."""
    return formula.displayed and len(_bare(formula.latex)) >= 6


def right(function: str, units: frozenset[str]) -> bool:
    """Whether a function `file:name` is one of the units, or a part of one."""
    return any(_within(function, unit) for unit in units)


def units_of(folder: Path, package: str) -> Iterator[Unit]:
    """List the documented units of a package."""
    for group in _groups(folder, package):
        yield from group.units


def _groups(folder: Path, package: str) -> list[_Group]:
    groups: list[_Group] = []
    paths = sorted(
        p for p in folder.rglob("*.py") if not {*p.relative_to(folder).parts[:-1]} & {*_LEFT_OUT}
    )
    previous: Path | None = None
    for path in paths:
        file = path.relative_to(folder).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                units = list(_units(file, ast.parse(text)))
                count = len(parse_functions(file, text))
        except (SyntaxError, ValueError):
            continue
        if not units and count > MOST_FUNCTIONS:
            continue
        if path.parent != previous or groups[-1].functions + count > MOST_FUNCTIONS:
            groups.append(_Group(f"{package}/{file}"))
        previous = path.parent
        groups[-1].texts[file] = text
        groups[-1].units += units
        groups[-1].functions += count
    return [g for g in groups if len(g.units) >= FEWEST_SECTIONS]


def _units(file: str, tree: ast.AST, prefix: str = "") -> Iterator[Unit]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Documented):
            docstring = ast.get_docstring(node) or ""
            if "$$" in as_markdown(docstring, names=True):
                yield Unit(file, prefix + node.name, docstring)
            yield from _units(file, node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _units(file, node, prefix)


def without_docstrings(text: str) -> str:
    """Source without docstrings and comments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, _Documented | ast.Module) and node.body:
            node.body = [s for s in node.body if not _is_text(s)]
            if not node.body and not isinstance(node, ast.Module):
                node.body = [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(tree))


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _without(text: str, name: str) -> str:
    """Text in which a unit's own name, however it is split, is not said."""
    for part in {*name.split("."), name}:
        if len(part) > 3:
            text = re.sub(rf"\b_?{re.escape(part.strip('_'))}\b", "it", text, flags=re.IGNORECASE)
    return text


def _bare(latex: str) -> str:
    return re.sub(r"\s+|\\[,;! ]", "", latex).strip(".,;")


def _within(function: str, unit: str) -> bool:
    return function == unit or function.startswith(f"{unit}.")


def _drawn(key: str, one_in: int) -> bool:
    return hashlib.sha256(key.encode()).digest()[0] % one_in == 0
