"""Ingestion stage: series on one axis, documents to blocks, source to functions, landscape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dlcc.errors import OptionError
from dlcc.findings import Finding
from dlcc.records import (
    Config,
    Documents,
    Dossier,
    Function,
    Series,
    Snapshots,
    Sources,
)
from dlcc.stage import Case, Context, Stage, StageResult
from dlcc.stages.ingestion.axis import common_axis, series_findings
from dlcc.stages.ingestion.code import parse_functions
from dlcc.stages.ingestion.documents.reading import read_documents
from dlcc.stages.ingestion.landscape import measured_landscape

Plain = str | int | float | bool | None


@dataclass(frozen=True)
class Ingestion(Stage):
    """Series on a common step axis, documents to blocks and formulas, source to functions."""

    name: ClassVar = "ingestion"
    version: ClassVar = 2
    needs: ClassVar = (Config, Series)
    wants: ClassVar = (Sources, Documents, Snapshots)
    gives: ClassVar = (Dossier,)

    gap_factor: float = 4.0
    """Ratio to the usual distance between rows from which a distance is a gap."""

    def __post_init__(self) -> None:
        if not self.gap_factor > 1:
            raise OptionError(f"ingestion.gap_factor {self.gap_factor:g}: expected more than 1")

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        series = case[Series]
        steps, names, values, present = common_axis(series)
        ctx.progress(0.5, "reads documents and source")
        documents = case.get(Documents)
        read = read_documents(
            documents.files if documents else {}, documents.others if documents else None
        )
        functions, unread_sources = _functions(case.get(Sources))
        ctx.progress(0.8, "reads what was measured of the landscape")
        config = flatten(case[Config].config)
        landscape, unread_summaries = measured_landscape(
            series, case.get(Snapshots), config, case.length
        )
        unread = (*unread_sources, *unread_summaries)
        dossier = Dossier(
            steps=steps,
            names=names,
            values=values,
            present=present,
            config=config,
            blocks=read.blocks,
            formulas=read.formulas,
            series=read.series,
            functions=functions,
            skipped=(*read.left_out, *((f.place or "", f.message) for f in unread)),
            landscape=landscape,
        )
        return StageResult(
            records=[dossier],
            findings=[*series_findings(series, self.gap_factor), *unread],
            details={
                "rows": len(steps),
                "series": list(names),
                "blocks": len(read.blocks),
                "formulas": len(read.formulas),
                "document_series": len(read.series),
                "functions": len(functions),
                "surveys": len(landscape.surveys) if landscape else 0,
                "skipped": [list(pair) for pair in dossier.skipped],
            },
        )


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Plain]:
    """Flatten nested mappings to dotted keys; lists become text."""
    flat: dict[str, Plain] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            plain = value is None or isinstance(value, str | int | float | bool)
            flat[f"{prefix}{key}"] = value if plain else repr(value)
    return flat


def _functions(sources: Sources | None) -> tuple[tuple[Function, ...], tuple[Finding, ...]]:
    functions: list[Function] = []
    unread = []
    for file, text in sources.files.items() if sources else ():
        if not file.endswith(".py"):
            continue
        try:
            functions += parse_functions(file, text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            place = f"{file}:{line}" if line else file
            why = error.msg if isinstance(error, SyntaxError) else str(error) or "too deep"
            unread.append(Finding("REC006", f"{file} is not readable Python: {why}.", place=place))
    return tuple(functions), tuple(unread)
