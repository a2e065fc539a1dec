"""`dlcc review`: what people say of runs, and which to look at next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import say
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.cli.review_web.desk import Item
    from dlcc.review.candidates import Candidate, Queued

_VERDICTS = {"healthy": True, "not": False}
_SKIPPED = ("decomposition", "reproducibility")  # dear, and no verdict rests on them


def review(
    folder: Annotated[Path | None, typer.Argument(help="A folder of runs.", metavar="DIR")] = None,
    run: Annotated[str | None, typer.Option(help="Review this run of DIR, with --verdict.")] = None,
    verdict: Annotated[str | None, typer.Option(help="healthy or not.")] = None,
    note: Annotated[str, typer.Option(help="Why, in your words; kept with the verdict.")] = "",
    web: Annotated[
        bool, typer.Option("--web", help="Review in the browser, on this machine alone.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of --web; 0 takes a free one.")] = 0,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last review back.")] = False,
    history: Annotated[bool, typer.Option("--history", help="List the reviews that hold.")] = False,
) -> None:
    """Look at the runs whose verdict would teach most, and say what they are."""
    from dlcc.errors import OptionError

    if undo or history:
        if folder or run or verdict or (undo and history):
            raise OptionError("--undo and --history stand alone: leave the rest out")
        _take_back() if undo else _list_history()
        return
    if folder is None:
        raise OptionError("name a folder of runs, or give --history or --undo")
    if not folder.is_dir():
        raise OptionError(f"{folder}: no such folder; name one that holds runs")
    if web:
        if run or verdict:
            raise OptionError("--web stands alone: the page asks for run and verdict")
        _serve(_evaluated(folder, _folders_in(folder)), port)
        return
    if (run is None) != (verdict is None):
        raise OptionError("--run and --verdict go together")
    if run is None or verdict is None:
        _ask_or_list([item.candidate for item in _evaluated(folder, _folders_in(folder))])
        return
    if verdict not in _VERDICTS:
        raise OptionError(f"--verdict {verdict!r}: expected healthy or not")
    names = [path.name for path in _folders_in(folder)]
    if run not in names:
        raise OptionError(f"--run {run!r}: {folder} has {', '.join(names[:8]) or 'no runs'}")
    (item,) = _evaluated(folder, [folder / run])
    _record(item.candidate, _VERDICTS[verdict], note)


def _take_back() -> None:
    from dlcc.review import reviews

    taken = reviews.undo()
    typer.echo(f"taken back: {_printable(taken.run)} was called {_word(taken.healthy)}")


def _list_history() -> None:
    from dlcc.review import reviews

    for entry in reviews.history():
        typer.echo(_printable(f"{entry.time}  {entry.run}  {_word(entry.healthy)}  {entry.note}"))


def _folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _serve(items: list[Item], port: int) -> None:
    """Serve the review page until Ctrl-C."""
    from dlcc.cli.review_web.desk import Desk
    from dlcc.cli.review_web.server import ReviewServer

    with ReviewServer(Desk(items), port) as server:
        typer.echo(f"open {server.address}\nCtrl-C ends it; what was said is kept")
        sys.stdout.flush()
        server.serve_forever()


def _evaluated(folder: Path, paths: list[Path]) -> list[Item]:
    """The runs as they can be reviewed; those that cannot be judged are named on stderr."""
    from dlcc.cli.review_web.desk import Item
    from dlcc.errors import OptionError, RunError
    from dlcc.evaluation import evaluate
    from dlcc.past_runs.twins import first_rows_hash
    from dlcc.records import Series
    from dlcc.review.candidates import candidate_of
    from dlcc.runs import Run

    found = []
    with bars() as progress:
        for k, path in enumerate(paths):
            progress("review", k / len(paths), path.name)
            try:
                opened = Run.open(path)
                made = evaluate(opened, skip=_SKIPPED, reviews=(), progress=progress)
                series = Series.of(opened, None)
                digest = "" if series is None else first_rows_hash(series)
                candidate = candidate_of(made.report, name=path.name, digest=digest)
                found.append(Item(candidate, made))
            except (RunError, OptionError) as error:
                say(f"left out: {error}")
    if not found:
        raise OptionError(f"{folder}: holds no run that could be judged")
    return found


def _ask_or_list(candidates: list[Candidate]) -> None:
    """Ask at a terminal, run after run; elsewhere list the queue."""
    from dlcc.review.candidates import queue
    from dlcc.review.reviews import history

    skipped: set[str] = set()
    while True:
        waiting = [c for c in candidates if c.name not in skipped]
        queued = queue(waiting, history())
        if not sys.stdin.isatty():
            for place, entry in enumerate(queued, start=1):
                typer.echo(f"{place}. {_line(entry)}")
            return
        if not queued:
            typer.echo("every run is reviewed")
            return
        first = queued[0]
        typer.echo(_line(first))
        for sentence in first.candidate.evidence:
            typer.echo(f"   {_printable(sentence)}")
        answer = typer.prompt("healthy? y, n, s to skip, q to end", default="s")
        if answer == "q":
            return
        if answer in ("y", "n"):
            _record(first.candidate, answer == "y", "")
        skipped.add(first.candidate.name)


def _record(candidate: Candidate, healthy: bool, note: str) -> None:
    from dlcc.review import reviews

    made = reviews.record(
        candidate.name, healthy=healthy, p_before=candidate.p_healthy, terms=candidate.terms,
        digest=candidate.digest, note=note,
    )  # fmt: skip
    typer.echo(f"{_printable(made.run)}: {_word(healthy)}; taken back by dlcc review --undo")


def _line(entry: Queued) -> str:
    from dlcc.report.text import percent_alone

    return (
        f"{_printable(entry.candidate.name)}  P(healthy) {percent_alone(entry.p_healthy)}  "
        f"{entry.candidate.label}  expected to move P by {entry.change:.3f}"
    )


def _word(healthy: bool) -> str:
    return "healthy" if healthy else "not healthy"


def _printable(text: str) -> str:
    from dlcc.report.text import one_line

    return one_line(text)
