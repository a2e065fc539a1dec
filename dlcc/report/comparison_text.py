"""View of a comparison for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from dlcc.comparison import Comparison
from dlcc.report.text import one_line

_MOST_SETTINGS = 40
_COLUMN = 24


def in_lines(comparison: Comparison) -> str:
    """Write a comparison for a terminal: verdicts, settings that differ, where series part.

    Args:
        comparison: Comparison of runs with the first of them.

    Returns:
        Lines.

    >>> from dlcc.comparison import compare
    >>> from dlcc.diagnosis import diagnose
    >>> run = diagnose("runs/digits-collapsed")
    >>> "no setting differs" in in_lines(compare([run, run], [{}, {}]))
    True
    """
    return "\n".join(line.rstrip() for line in _lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    runs = comparison.runs
    yield _row("", [one_line(run.run) for run in runs])
    yield _row("state", [run.assessment.state for run in runs])
    yield _row("since", [_count(run.assessment.since) for run in runs])
    yield _row("last step", [_count(_last(run.record.series.recorded)) for run in runs])
    for name in dict.fromkeys(q.name for run in runs if (q := run.assessment.quality)):
        of_name = [
            q if (q := run.assessment.quality) is not None and q.name == name else None
            for run in runs
        ]
        title = name.rpartition("/")[2].upper()
        yield _row(f"best {title}", [_value(None if q is None else q.best) for q in of_name])
        yield _row("  at", [_count(None if q is None else q.best_step) for q in of_name])
        yield _row(f"last {title}", [_value(None if q is None else q.last) for q in of_name])
    yield ""
    if not comparison.settings:
        yield "no setting differs"
    for key, values in list(comparison.settings.items())[:_MOST_SETTINGS]:
        yield _row(one_line(key), ["-" if v is None else one_line(str(v)) for v in values])
    if len(comparison.settings) > _MOST_SETTINGS:
        yield f"{len(comparison.settings) - _MOST_SETTINGS} more settings differ; see --json"
    yield ""
    unit = runs[0].record.unit
    for parting in comparison.partings:
        if parting.step is None:
            yield f"{parting.series}: {one_line(parting.run)} stays within the noise"
        else:
            yield (
                f"{parting.series}: {one_line(parting.run)} parts at {unit} {parting.step:,}, by "
                f"{-parting.difference:+.3g} from there on (noise {parting.noise:.2g})"
            )


def _last(recorded: int) -> int | None:
    return recorded - 1 if recorded else None


def _row(name: str, cells: list[str]) -> str:
    return f"{name[:_COLUMN]:{_COLUMN}}" + "".join(
        f"  {cell[:_COLUMN]:{_COLUMN}}" for cell in cells
    )


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
