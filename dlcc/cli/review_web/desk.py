"""Desk of a reviewer: the runs that wait, what is said of them, and what that moves."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcc.debate.language_model import LanguageModel
from dlcc.errors import OptionError
from dlcc.evaluation import Evaluation
from dlcc.records import HealthRecord, Samples, Series
from dlcc.report.arguments import debate_of
from dlcc.report.page.html import rendered
from dlcc.report.page.specimens import specimens
from dlcc.report.page.training_charts import series_charts
from dlcc.report.text import percent_alone
from dlcc.review import reviews
from dlcc.review.candidates import Candidate, Queued, queue
from dlcc.review.effect import ReviewEffect, review_effect
from dlcc.scoring.ahp import DEFAULT_JUDGEMENTS, ahp_weights

_CHARTS = 4


@dataclass(frozen=True)
class Item:
    """Run on the desk."""

    candidate: Candidate
    evaluation: Evaluation


class Desk:
    """State of a review: which run is next, what was said, and what it moved.

    Everything that was said lies in the file of reviews; a desk that is opened again goes on there.

    Args:
        items: Evaluated runs.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = {item.candidate.name: item for item in items}
        self._skipped: set[str] = set()
        self._lock = threading.Lock()

    def page(self, token: str) -> str:
        """Render the page of the run whose verdict would teach most, blind to ours.

        Args:
            token: Secret that the page's script sends along.

        Returns:
            HTML.
        """
        with self._lock:
            name = self._next()
            item = None if name is None else self._items[name]
            return rendered(
                "review.html.j2",
                ("uplot.js", "page.js", "review.js"),
                token=token,
                name=name,
                shown=None if item is None else _evidence(item),
                left=len(self._waiting()),
                said=[(r.run, r.healthy, r.note) for r in reversed(reviews.history())][:10],
                settings=() if item is None else _settings(item),
                connect="connect-src 'self'; ",
            )

    def say(self, name: str, healthy: bool, confidence: float, reason: str) -> dict[str, Any]:
        """Keep a verdict, and say what it moved.

        Args:
            name: Name of the run.
            healthy: Verdict.
            confidence: Probability with which it is held, above 0.5.
            reason: Reason in words; an argument of the run's debate.

        Returns:
            What our verdict was, and P(healthy) and weights before and after, as plain values.

        Raises:
            OptionError: There is no such run, it was reviewed already, or an answer is out of
                range.
        """
        with self._lock:
            item = self._items.get(name)
            if item is None:
                raise OptionError(f"there is no run {name!r:.80} here; load the page again")
            if name not in {c.candidate.name for c in self._waiting()}:
                raise OptionError(f"{name} was reviewed already; load the page again")
            before = review_effect(reviews.history())
            reviews.record(
                name,
                healthy=healthy,
                p_before=item.candidate.p_healthy,
                terms=item.candidate.terms,
                digest=item.candidate.digest,
                note=reason,
                confidence=confidence,
            )
            after = review_effect(reviews.history())
            return {
                "verdict": item.evaluation.report.verdict.sentence,
                "debate": _settled(item, healthy, reason),
                "moved": self._moved(before, after),
                "argued": _argued(item, healthy, reason),
            }

    def skip(self, name: str) -> None:
        """Put a run aside until the desk is opened again."""
        with self._lock:
            self._skipped.add(name)

    def undo(self) -> str:
        """Take the last review back, and say whose it was.

        Raises:
            OptionError: There is none.
        """
        with self._lock:
            taken = reviews.undo()
            self._skipped.discard(taken.run)
            return taken.run

    def _waiting(self) -> list[Queued]:
        waiting = [i.candidate for n, i in self._items.items() if n not in self._skipped]
        return list(queue(waiting, reviews.history()))

    def _next(self) -> str | None:
        waiting = self._waiting()
        return waiting[0].candidate.name if waiting else None

    def _moved(self, before: ReviewEffect, after: ReviewEffect) -> list[list[str]]:
        """Rows (what, before, after): P(healthy) of every run, then counts of terms, if changed."""
        rows = []
        for name, item in self._items.items():
            p = np.array([item.candidate.p_healthy])
            was, now = (float(effect.calibration(p)[0]) for effect in (before, after))
            if abs(now - was) >= 0.005:
                rows.append([f"P(healthy) of {name}", percent_alone(was), percent_alone(now)])
        known = ahp_weights(DEFAULT_JUDGEMENTS)
        for name in known:
            was, now = (e.counts(known).get(name, 0.0) for e in (before, after))
            if abs(now - was) >= 0.005:
                rows.append([f"evidence for {name}, in counts", f"{was:.2f}", f"{now:.2f}"])
        return rows


def _evidence(item: Item) -> Mapping[str, Any]:
    """Samples over time and series of a run; nothing that says what we think of it."""
    run = item.evaluation.evaluated_run
    samples, series = Samples.of(run, None), Series.of(run, None)
    shown = specimens(samples, None)
    return {
        "samples": () if shown is None else shown.over_time,
        "charts": series_charts(series, (None, None), {}, "step")[:_CHARTS],
    }


def _settings(item: Item) -> tuple[tuple[str, str], ...]:
    config = item.evaluation.evaluated_run.manifest.config
    return tuple((str(k)[:40], str(v)[:60]) for k, v in list(config.items())[:20])


def _settled(item: Item, healthy: bool, reason: str) -> str:
    """Sentence on how the debate over a run ends with the review as an argument in it."""
    health = item.evaluation.record(HealthRecord)
    alone = debate_of(item.evaluation.report, health).outcome
    together = debate_of(item.evaluation.report, health, [(healthy, reason)]).outcome
    return f"without your review: {alone}; with it: {together}"


def _argued(item: Item, healthy: bool, reason: str) -> list[str]:
    """Sentences of the language model that the user named; empty where there is none."""
    model = LanguageModel.of_environment()
    if model is None:
        return []
    health = item.evaluation.record(HealthRecord)
    debate = debate_of(item.evaluation.report, health, [(healthy, reason)])
    try:
        return [f"{a.claim}: {a.sentence}" for a in model.argue(debate)]
    except OptionError as error:
        return [str(error)]
