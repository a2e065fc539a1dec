"""Formulas of papers against the losses that trainings really minimise: right ones and wrong ones.

    python benchmarks/traced_losses.py

Every training of `training_styles.py` is recorded for a few steps, traced in the sandbox from its
last snapshots, and each formula is checked by the consistency stage's own functions: the right one,
and wrong ones made of it by a program: a sign, a constant off by five per cent, a missing term,
another loss. Right ones must never be accused; wrong ones are to be refuted with the term named.
`further_styles.py` has trainings whose wrong formulas differ in what they are of (distributions,
divergences, gradients, a batch that is cut off): none of these may hold.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import sympy as sp
from common import write_result
from further_styles import FurtherStyle
from kind_styles import STYLES  # those of further_styles and its own
from training_styles import BUILDS, FORMULAS, NS

import dlcc
from dlcc.records import Config, Formula, Samples, Snapshots, Sources
from dlcc.runs import Run
from dlcc.stages.consistency.documents import check_paper, stated_constants
from dlcc.stages.consistency.formulas.paper_losses import PaperLoss, paper_losses
from dlcc.stages.consistency.steps.step_tracing import trace_steps
from dlcc.stages.consistency.steps.traced_steps import TracedSteps

STEPS = 12
OTHERS = (
    *NS,
    r"L_D = E[\max(0, 1 - D(x))] + E[\max(0, 1 + D(G(z)))]",
    r"L_G = -E[D(G(z))]",
    r"L_D = E[(D(x) - 1)^2] + E[D(G(z))^2]",
    r"L_G = E[(D(G(z)) - 1)^2]",
    r"L_G = E[\log(1 - D(G(z)))]",
)


def recorded(build: Any, folder: Path, *, vae: bool) -> Run:
    """Record a few steps of a training."""
    with dlcc.Recorder(
        folder,
        build=build,
        length=STEPS,
        objective={"kind": "vae"} if vae else {"kind": "gan", "loss": "ns"},
        config={"gamma": 10.0, "seed": 0},
    ) as recorder:
        recorder.train(snapshots=3)
    return Run.open(folder)


def traced(run: Run) -> TracedSteps:
    """Trace the last steps of a run, as the consistency stage does."""
    return trace_steps(
        Config.of(run, None),
        Sources.of(run, None),
        Snapshots.of(run, None),
        Samples.of(run, None),
        trust=True,
        seconds=300,
    )


def variants(paper: PaperLoss) -> Iterator[tuple[str, PaperLoss]]:
    """Wrong formulas made of a right one."""
    assert paper.expression is not None
    terms = sp.Add.make_args(sp.expand(paper.expression))
    for term in terms:
        if term.is_number:
            continue
        for kind, change in (
            ("sign", -2 * term),
            ("constant", sp.Rational(1, 20) * term),
            ("missing term", -term),
        ):
            free = {s.name for s in term.free_symbols} & {"lambda", "beta"}
            if not (kind == "constant" and free):
                yield kind, replace(paper, expression=paper.expression + change)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--styles", nargs="*", default=list(BUILDS))
    parser.add_argument("--further", nargs="*")
    chosen = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    named = seconds = 0.0
    missed: list[str] = []
    for name in chosen.styles:
        with tempfile.TemporaryDirectory() as folder:
            vae = len(FORMULAS[name]) == 1
            run = recorded(BUILDS[name], Path(folder) / "run", vae=vae)
            started = time.perf_counter()
            steps = traced(run)
            seconds += time.perf_counter() - started
        stated = stated_constants(run.manifest.config)
        right = papers(FORMULAS[name])
        for paper in right:
            checked = check_paper(paper, steps, stated)
            verdict, reason = checked.verdict, checked.reason
            counts.setdefault("right", Counter())[verdict] += 1
            print(f"{name:22} {paper.player:14} {verdict:9} {reason[:150]}", flush=True)
            if verdict == "refuted":
                missed.append(f"{name}: right formula accused: {reason[:200]}")
            wrong = [*variants(paper), *other_losses(paper)]
            for kind, other in wrong:
                checked = check_paper(other, steps, stated)
                verdict, reason = checked.verdict, checked.reason
                counts.setdefault(kind, Counter())[verdict] += 1
                named += "its term" in reason or "the code minimises" in reason
                if verdict != "refuted":
                    missed.append(f"{name} {paper.player}: {kind}: {verdict}: {reason[:120]}")
    total = sum(sum(c.values()) for kind, c in counts.items() if kind != "right")
    refuted = sum(c["refuted"] for kind, c in counts.items() if kind != "right")
    further, unlike = further_verdicts(STYLES if chosen.further is None else chosen.further)
    missed += unlike
    figures: dict[str, Any] = {
        "styles": len(chosen.styles),
        "formulas": {kind: dict(found) for kind, found in counts.items()},
        "wrong_refuted": refuted,
        "wrong": total,
        "term_or_loss_named": named / max(1, refuted),
        "seconds_to_trace_a_run": seconds / len(chosen.styles),
        "further_styles": len(STYLES),
        "further_formulas": further,
        "not_as_hoped": missed,
    }
    for line in missed:
        print(line)
    print(figures)
    write_result("traced_losses", figures, seeds={"trainings": 0})


def further_verdicts(names: Iterable[str]) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Check the further trainings: verdicts by kind of formula, and what is not as hoped."""
    counts = {"right": Counter[str](), "wrong": Counter[str]()}
    unlike = []
    for name in names:
        training = STYLES[name]
        steps = traced_style(name, training)
        for kind, formulas in (("right", training.right), ("wrong", training.wrong)):
            documents = [(each,) if isinstance(each, str) else each for each in formulas]
            for paper in (loss for document in documents for loss in papers(document)[:1]):
                checked = check_paper(paper, steps, {})
                counts[kind][checked.verdict] += 1
                holds = checked.verdict in ("proved", "held")
                if holds != (kind == "right"):
                    unlike.append(f"{name}: {kind}: {checked.verdict}: {checked.reason[:160]}")
    return {kind: dict(found) for kind, found in counts.items()}, unlike


def traced_style(name: str, training: FurtherStyle) -> TracedSteps:
    with tempfile.TemporaryDirectory() as folder:
        return traced(
            recorded(
                training.build,
                Path(folder) / "run",
                vae=name.endswith("vae") or not training.judged,
            )
        )


def papers(latex: tuple[str, ...]) -> list[PaperLoss]:
    """Losses of a document that has these formulas and no others."""
    return paper_losses([Formula("paper.md", k, text, True, "") for k, text in enumerate(latex)])


def other_losses(paper: PaperLoss) -> Iterator[tuple[str, PaperLoss]]:
    """Losses of the field for the same player that are other functions."""
    for other in papers(OTHERS):
        same = other.player == paper.player and paper.expression is not None
        if same and sp.expand(other.expression - paper.expression) != 0:
            yield "other loss", replace(other, place=paper.place)


if __name__ == "__main__":
    main()
