"""Cases from packages: their code without docstrings, and their docstrings as a document.

A case is some files of one folder of a package. Its document has a section for each function or
class whose docstring displays a formula. What a formula or sentence there is of is known: the
function or class that the docstring stood in, with the private helpers that it calls and what it
inherits from classes that have no such docstring of their own.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from benchmarks.documented_code.docstrings import Names, as_markdown, called
from dlcc.records import Dossier, Formula, Function
from dlcc.stages.decomposition.call_graph import Calls, follow_calls
from dlcc.stages.decomposition.documents import formula_ids, sentence_ids
from dlcc.stages.ingestion.code import parse_functions
from dlcc.stages.ingestion.documents.markdown import parse_markdown

MOST_FUNCTIONS = 150
"""Functions of a case's code: what one training's source has, or a little more."""
FEWEST_SECTIONS = 2
ORPHANS = 5  # one in so many documented units is taken out of the code: its formulas have no link
_TOGETHER = 3  # functions that share a section, where some do
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
    strict: Mapping[str, frozenset[str]]
    """The same, without helpers and what is inherited."""
    calls: Calls
    """Calls between the functions."""


@dataclass(frozen=True)
class Way:
    """How a document speaks of code."""

    names: Names
    together: bool = False
    """Whether three functions share a section, rather than each having its own."""


@dataclass
class _Group:
    """Files of a case."""

    name: str
    texts: dict[str, str] = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)
    functions: int = 0

    @cached_property
    def code(self) -> _Code:
        """Code without docstrings, and without what is taken out of it."""
        bare = {file: without_docstrings(text) for file, text in self.texts.items()}
        calls = follow_calls(bare)
        documented = {f"{u.file}:{u.name}" for u in self.units}
        classes = _classes(bare)
        helpers = {unit: _helpers(unit, calls, classes, documented) for unit in documented}
        drawn = {unit for unit in documented if _drawn(f"{self.name}/{unit}", ORPHANS)}
        kept = set().union(*(helpers[unit] for unit in documented - drawn))
        gone = drawn.union(*(helpers[unit] - kept for unit in drawn))
        functions = tuple(
            f
            for file, text in bare.items()
            for f in parse_functions(file, text)
            if not any(_within(f"{file}:{f.name}", unit) for unit in gone)
        )
        return _Code(functions, calls, helpers, gone)


@dataclass(frozen=True)
class _Code:
    """Code of a case."""

    functions: tuple[Function, ...]
    calls: Calls
    helpers: Mapping[str, frozenset[str]]
    """Documented units -> what belongs to them."""
    gone: set[str]
    """What was taken out."""


def cases_of(folder: Path, package: str, way: Way) -> list[Case]:
    """Make the cases of an unpacked package, in the order of its files.

    Args:
        folder: Folder that holds the package's modules.
        package: Name of the package.
        way: How the document speaks of the code.
    """
    return [_case(group, way) for group in _groups(folder, package)]


def _case(group: _Group, way: Way) -> Case:
    blocks, formulas = [], []
    place_of: dict[tuple[str, int], str] = {}
    code = group.code
    for file in dict.fromkeys(u.file for u in group.units):
        page = f"{Path(file).stem}.md"
        lines: list[str] = []
        for k, unit in enumerate(u for u in group.units if u.file == file):
            lines += _told(unit, k, way)
            for n in range(len(lines) + 1):
                place_of.setdefault((page, n), f"{file}:{unit.name}")
        more = parse_markdown(page, "\n".join(lines))
        blocks += more[0]
        formulas += more[1]
    nothing = np.zeros(0)
    dossier = Dossier(
        nothing, (), nothing, nothing, {}, tuple(blocks), tuple(formulas), code.functions
    )
    strict = _truth(dossier, place_of, code.gone)
    truth = {
        id_: its.union(*(code.helpers[unit] - code.gone for unit in its))
        for id_, its in strict.items()
    }
    return Case(group.name, dossier, truth, strict, code.calls)


def _told(unit: Unit, number: int, way: Way) -> list[str]:
    """Lines that a document has on its unit of a number."""
    text = as_markdown(unit.docstring, way.names)
    if way.names != "code":
        text = _renamed(text, unit.name, way.names)
    title = called(unit.name, way.names) if way.names != "none" else str(number + 1)
    if not way.together:
        return [f"## {title}", "", *text.splitlines(), ""]
    heading = [f"## Part {number // _TOGETHER + 1}", ""] if number % _TOGETHER == 0 else []
    if way.names != "none":
        text = f"{title}: {text}"
    return [*heading, *text.splitlines(), ""]


def _helpers(
    unit: str, calls: Calls, classes: Mapping[str, Sequence[str]], documented: set[str]
) -> frozenset[str]:
    """Private functions that a unit calls, also through each other, and undocumented classes that
    it inherits from."""
    found: set[str] = set()
    waiting = [caller for caller in calls.calls if _within(caller, unit)]
    while waiting:
        for callee in calls.calls.get(waiting.pop(), ()):
            names = callee.partition(":")[2].split(".")
            private = any(n.startswith("_") and not n.startswith("__") for n in names)
            if private and callee not in found and not any(_within(callee, d) for d in documented):
                found.add(callee)
                waiting.append(callee)
    return frozenset(found | (set(_bases(unit, classes)) - documented))


def _bases(unit: str, classes: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Classes `file:name` that a class inherits from, by the names that it gives them."""
    waiting, seen = [*classes.get(unit, ())], set()
    while waiting:
        name = waiting.pop()
        for other in (c for c in classes if c.partition(":")[2] == name and c not in seen):
            seen.add(other)
            waiting += classes[other]
            yield other


def _classes(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Classes `file:name` with the names of their bases."""
    return {
        f"{file}:{node.name}": [
            b.attr if isinstance(b, ast.Attribute) else getattr(b, "id", "") for b in node.bases
        ]
        for file, text in texts.items()
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    }


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


@cache
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
            if "$$" in as_markdown(docstring, names="code"):
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


def _renamed(text: str, name: str, names: Names) -> str:
    """Text in which a unit's own name stands as plain words, or not at all."""
    for part in {*name.split("."), name}:
        if len(part) > 3:
            word = re.compile(rf"\b_?{re.escape(part.strip('_'))}\b", re.IGNORECASE)
            text = word.sub(lambda m: called(m[0], names), text)
    return text


def _bare(latex: str) -> str:
    return re.sub(r"\s+|\\[,;! ]", "", latex).strip(".,;")


def _within(function: str, unit: str) -> bool:
    return function == unit or function.startswith(f"{unit}.")


def _drawn(key: str, one_in: int) -> bool:
    return hashlib.sha256(key.encode()).digest()[0] % one_in == 0
