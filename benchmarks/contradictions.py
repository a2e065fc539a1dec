"""Statements of reports that contradict each other, and how often the debate settles rightly.

    python benchmarks/contradictions.py --runs FOLDER [--seed N]

FOLDER is a corpus with truth beside each run, as `benchmarks/corpus.py` makes it. Each run is
evaluated without reruns and replay, as a whole and at a random cut, and every pair of statements of
its page is held against each other by the rules below.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcc.evaluation import SLOW, Evaluation, evaluate
from dlcc.records import Forecast, HealthRecord, Reruns
from dlcc.report.arguments import debate_of
from dlcc.report.page.actions import Action, actions
from dlcc.report.page.answers import Answer, answers
from dlcc.report.page.specimens import best_step
from dlcc.report.record import FindingRecord, Report


@dataclass(frozen=True)
class Said:
    """What a page says."""

    report: Report
    answers: Mapping[str, Answer]
    actions: tuple[Action, ...]
    best: int | None
    outcome: str
    """Outcome of the debate."""

    @property
    def state(self) -> str:
        """State of the verdict."""
        return self.report.verdict.state

    @property
    def p(self) -> float:
        """P(healthy); one half where it is unknown, or a sentence says that it points elsewhere."""
        verdict = self.report.verdict
        known = verdict.p_healthy is not None and verdict.disagreement is None
        return verdict.p_healthy.mean if known and verdict.p_healthy else 0.5

    @property
    def errors(self) -> list[FindingRecord]:
        """Findings of severity error."""
        return [f for f in self.report.findings if f.severity == "error"]

    @property
    def onset_is_shared(self) -> bool:
        """Whether a finding that puts the label into words is since the headline's onset."""
        since = {f.first_step for f in self.errors if f.code.startswith(("GAN00", "GEN00"))}
        return self.report.verdict.onset is None or not since or self.report.verdict.onset in since


TONES = {"healthy": "good", "suspect": "warn", "failed": "bad", "unknown": "open"}
RULES: Mapping[str, Callable[[Said], bool]] = {
    "the first answer against the verdict's state": lambda s: (
        s.answers["healthy"].tone != TONES[s.state]
    ),
    "the debate against the verdict": lambda s: (
        (s.state, s.outcome) in (("healthy", "not healthy"), ("failed", "healthy"))
    ),
    "healthy against a P(healthy) under one half": lambda s: s.state == "healthy" and s.p < 0.5,
    "failed against a P(healthy) over one half": lambda s: s.state == "failed" and s.p > 0.5,
    "healthy against an error": lambda s: s.state == "healthy" and bool(s.errors),
    "nothing to mend against advice": lambda s: (
        s.state in ("healthy", "unknown") and s.report.advice is not None
    ),
    "nothing to change against a verdict that is not healthy": lambda s: (
        s.answers["change"].sentence == "Nothing." and s.state != "healthy"
    ),
    "healthy against an action that changes the training": lambda s: (
        s.state == "healthy" and any("advise" in (a.command or "") for a in s.actions)
    ),
    "the headline's onset against the finding's": lambda s: not s.onset_is_shared,
    "the best step against the onset before it": lambda s: (
        s.report.verdict.label == "collapsed"
        and None not in (s.report.verdict.onset, s.best)
        and (s.best or 0) >= (s.report.verdict.onset or 0)
    ),
    "it will recover against a failed verdict": lambda s: (
        s.answers["outlook"].question == "Will it recover?" and s.answers["outlook"].tone == "good"
    ),
    "it will not stay so against a healthy verdict": lambda s: (
        s.answers["outlook"].question == "Will it stay so?" and s.answers["outlook"].tone == "bad"
    ),
    "the seed decides against reruns that all end alike": lambda s: (
        s.answers["again"].sentence.startswith("It depends on the seed")
        and s.answers["again"].sentence.count(",") == 0
        and s.report.verdict.label is None
    ),
    "no seed is healthy against another seed that would be": lambda s: (
        s.report.advice is not None
        and s.answers["again"].sentence.startswith("No other seed")
        and s.report.advice.another_seed.low > 0.5
    ),
}


def contradictions(evaluation: Evaluation) -> list[str]:
    """Pairs of statements on a page that cannot both be true, in words."""
    said = said_of(evaluation)
    return [words for words, holds in RULES.items() if holds(said)]


def said_of(evaluation: Evaluation) -> Said:
    """Collect what the page of an evaluation says."""
    report, run = evaluation.report, evaluation.evaluated_run
    health = evaluation.record(HealthRecord)
    best = best_step(health)
    answered = answers(report, evaluation.record(Forecast), evaluation.record(Reruns))
    return Said(
        report,
        {answer.key: answer for answer in answered},
        actions(report, run, best),
        best,
        debate_of(report, health).outcome,
    )


def main() -> None:
    """Run the benchmark."""
    from common import write_result

    from dlcc.recipes import truth as truths

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    found: Counter[str] = Counter()
    settled: Counter[str] = Counter()
    folders = sorted(p for p in asked.runs.iterdir() if (p / "run.json").exists())
    for folder in folders:
        truth = truths.read(folder)
        for until in (None, float(rng.uniform(0.2, 0.9))):
            evaluation = evaluate(folder, skip=SLOW, until=until)
            found.update(contradictions(evaluation))
            if until is None:
                outcome = debate_of(evaluation.report, evaluation.record(HealthRecord)).outcome
                right = truth.label == "healthy"
                state = evaluation.report.verdict.state
                settled["runs"] += 1
                settled["debate settles"] += outcome != "open"
                settled["debate right"] += outcome == ("healthy" if right else "not healthy")
                settled["verdict known"] += state != "unknown"
                settled["verdict right"] += state != "unknown" and (state == "healthy") == right
        print(folder.name, dict(found), dict(settled), flush=True)
    write_result(
        "contradictions",
        {"reports": 2 * len(folders), "contradictions": dict(found), "debate": dict(settled)},
        {"cuts": asked.seed},
    )


if __name__ == "__main__":
    main()
