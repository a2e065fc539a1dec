"""Command `dlcc rerun`: the same training again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import EngineName, duration, in_range, say
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.records import Reruns


def rerun(
    run: Annotated[Path, typer.Argument(help="The run folder.", metavar="RUN")],
    n: Annotated[
        int, typer.Option(help="Reruns: half with other seeds, half other settings.")
    ] = 200,
    budget: Annotated[str, typer.Option(help="Time for all of them: 90s, 5m, 2h.")] = "10m",
    json_: Annotated[bool, typer.Option("--json", help="Print the outcomes as JSON.")] = False,
    trust: Annotated[
        bool, typer.Option(help="Run the run's own code even without real isolation.")
    ] = False,
    engine: EngineName = "",
) -> None:
    """Run a training again, hundreds of times: does it end the same, what does best?"""
    from dlcc.engine.engines import engine_of
    from dlcc.reruns.folder import rerun_folder

    in_range("--n", n, 2, 100_000)
    where = engine_of(engine) if engine else None
    seconds = duration("--budget", budget)
    with bars() as progress:
        made = rerun_folder(
            run,
            n,
            seconds,
            trust=trust,
            progress=lambda share, what: progress("rerun", share, what),
            engine=where,
        )
    typer.echo(json.dumps(_plain(made), indent=1) if json_ else _summary(made, n), nl=True)
    if len(made.outcomes) < n:
        say(f"{len(made.outcomes)} of {n} reruns fitted into {budget}")


def _plain(made: Reruns) -> dict[str, Any]:
    low, high = made.deviation.interval(0.9)
    own = made.own
    return {
        "reproducibility": made.deviation.mean,
        "interval": [low, high],
        "own": None if own is None else {"label": own.label, "stability": own.stability},
        "how": made.how,
        "best": dict(made.best),
        "outcomes": [
            {
                "kind": o.kind,
                "seed": o.seed,
                "changes": dict(o.changes),
                "label": o.label,
                "p_healthy": o.p_healthy,
                "stability": o.stability,
            }
            for o in made.outcomes
        ],
    }


def _summary(made: Reruns, asked: int) -> str:
    from collections import Counter

    from dlcc.report.text import one_line

    low, high = made.deviation.interval(0.9)
    lines = [f"{len(made.outcomes)} of {asked} reruns, {made.how}"]
    names = {"seed": "other seeds", "batches": "other batches alone", "setting": "other settings"}
    for kind, words in names.items():
        ends = Counter(o.label for o in made.outcomes if o.kind == kind)
        if ends:
            listed = ", ".join(f"{n} {label}" for label, n in ends.most_common())
            lines.append(f"  {words:20} {listed}")
    if made.own is not None:
        lines.append(f"  {'the run itself':20} {made.own.label}")
    against = "each other" if made.own is None else "the run's own end"
    found = f"{made.deviation.mean:.2f} ({low:.2f} to {high:.2f})"
    lines.append(f"reproducibility {found}, held against {against}")
    for effect in made.effects:
        size = 2 * effect.effect.mean - 1
        few, many = (2 * bound - 1 for bound in effect.effect.interval(0.9))
        lines.append(
            f"  {effect.setting:10} {effect.low} -> {effect.high}: good share {size:+.2f} "
            f"({few:+.2f} to {many:+.2f})"
        )
    best = ", ".join(f"{k} {v}" for k, v in made.best.items())
    lines.append(f"best setting: {best}" if best else "no setting of the plan beats the run's own")
    return "\n".join(one_line(line) if not line.startswith(" ") else line for line in lines)
