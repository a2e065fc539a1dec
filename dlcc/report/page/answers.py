"""Answers: each question that a report is asked, in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dlcc.estimate import Number
from dlcc.records import Forecast, Reruns
from dlcc.report.record import FindingRecord, LandscapeRecord, Report, StageRecord
from dlcc.report.score_record import TermRecord
from dlcc.report.text import percent

Tone = Literal["good", "warn", "bad", "open"]
_OUTLOOK = {
    "healthy": "Will it stay so?",
    "suspect": "Will it end healthy?",
    "failed": "Will it recover?",
    "unknown": "Will it end healthy?",
}
"""State of the verdict -> what one asks next."""


@dataclass(frozen=True)
class Answer:
    """Answer to one question, which opens its section and stands in the contents."""

    key: str
    """Id of the section."""
    question: str
    sentence: str
    """Answer, beginning with yes, no, or that it is not known."""
    tone: Tone
    """Whether it is good news."""


def answers(report: Report, forecast: Forecast | None, reruns: Reruns | None) -> tuple[Answer, ...]:
    """Answer the questions that a report is asked, in the order of the page.

    >>> from dlcc.evaluation import evaluate
    >>> found = evaluate("runs/digits-collapsed", only=["health"])
    >>> for answer in answers(found.report, None, None)[1:3]:
    ...     print(answer.question, answer.sentence)
    Will it recover? Not known: the stage was not run.
    Can the record be trusted? Not known: the stage was not run.
    """
    return (
        _healthy(report),
        _stays(report, forecast),
        _trusted(report),
        _again(report, reruns),
        _change(report),
        _landscape(report.landscape),
    )


def _healthy(report: Report) -> Answer:
    verdict = report.verdict
    opening: dict[str, tuple[str, Tone]] = {
        "healthy": ("Yes.", "good"),
        "suspect": ("Not quite.", "warn"),
        "failed": ("No.", "bad"),
        "unknown": ("Not decided.", "open"),
    }
    word, tone = opening[verdict.state]
    grave = [f.message for f in findings_of(report, "health", "diagnosis") if f.severity != "note"]
    said = (verdict.sentence.partition(": ")[2] or verdict.sentence).partition("; ")[0]
    if verdict.label is not None and grave:
        said = grave[0]  # the headline has said since when; this says what it is seen by
    sentence = f"{word} {_ended(said)}"
    return Answer("healthy", "Is it healthy?", sentence, tone)


def _stays(report: Report, forecast: Forecast | None) -> Answer:
    question, expected = _OUTLOOK[report.verdict.state], _expected(report, forecast)
    if expected is None:
        return Answer("outlook", question, f"Not known: {_why_not(report, 'impact')}.", "open")
    share, said = expected
    word, tone = _likely(share)
    return Answer("outlook", question, f"{word} {said}", tone)


def _expected(report: Report, forecast: Forecast | None) -> tuple[Number, str] | None:
    """Share that past runs let one expect, and a sentence on it; None where they say nothing."""
    term = _term(report, "impact")
    if forecast is not None and report.run.recorded < report.run.length:
        p = forecast.p_healthy.number
        return p, f"P(healthy) at the end is {percent(p)}, by past runs like it."
    if term is not None:
        good = Number(term.mean, term.low, term.high)
    elif forecast is not None:
        good = forecast.stability.number
    else:
        return None
    return good, f"Were it trained on, {percent(good)} of the sample steps would be good."


def _likely(share: Number) -> tuple[str, Tone]:
    if share.low > 0.5:
        return "Most likely.", "good"
    if share.high < 0.5:
        return "Most likely not.", "bad"
    return "Open.", "open"


def _trusted(report: Report) -> Answer:
    question, verdict = "Can the record be trusted?", report.verdict
    if verdict.doubt:
        broken = [f for f in report.findings if f.stage in ("consistency", "execution")]
        why = broken[0].message if broken else verdict.record
        return Answer("record", question, f"No. {_ended(why)}", "bad")
    notes = [n for t in report.terms if t.name == "logic" and t.measured for n in [t.note] if n]
    if not notes:
        return Answer("record", question, f"Not known: {_why_not(report, 'execution')}.", "open")
    replayed = "replay" in notes[0] or "execution" in _term_stages(report, "logic")
    word = "Yes." if replayed else "As far as it can be checked without running it again."
    return Answer("record", question, f"{word} {_ended(verdict.record)}", "good")


def _again(report: Report, reruns: Reruns | None) -> Answer:
    question = "Would it happen again?"
    own = [] if reruns is None else [o for o in reruns.outcomes if o.kind == "seed"]
    if not own:
        return Answer(
            "again", question, f"Not known: {_why_not(report, 'reproducibility')}.", "open"
        )
    counts = Counter(o.label for o in own)
    listed = ", ".join(f"{n} {label}" for label, n in counts.most_common())
    made = f"{len(own)} reruns with other seeds: {listed}."
    label, healthy = report.verdict.label, counts["healthy"]
    same = counts[label] / len(own) if label else 0.0
    if healthy == 0 and report.verdict.state != "healthy":
        return Answer("again", question, f"No other seed ended healthy. {made}", "bad")
    most, times = counts.most_common(1)[0]
    if label is None and times >= 0.8 * len(own):
        return Answer(
            "again",
            question,
            f"Other seeds end alike. {made}",
            "good" if most == "healthy" else "bad",
        )
    if label is not None and same >= 0.8:
        return Answer("again", question, f"Yes. {made}", "good" if healthy else "bad")
    return Answer("again", question, f"It depends on the seed. {made}", "warn")


def _change(report: Report) -> Answer:
    question, verdict = "What should change?", report.verdict
    if report.advice is not None and report.advice.changes:
        best = report.advice.changes[0]
        sentence = (
            f"{best.words} helps most by past runs: P(healthy) {percent(best.p_healthy)} after it, "
            f"{percent(report.advice.another_seed)} with another seed alone."
        )
        return Answer("change", question, sentence, "warn")
    urgent = [f for f in report.findings if f.severity == "error" and f.remedy]
    if urgent:
        return Answer("change", question, _ended(urgent[0].remedy), "warn")
    if verdict.state == "unknown":
        wanted = report.diagnosis.to_know_more if report.diagnosis else ()
        said = f"Nothing yet. To know more, {wanted[0]}." if wanted else "Nothing yet."
        return Answer("change", question, said, "open")
    if verdict.label == "untrained":
        return Answer("change", question, "Nothing yet: it still improves. Train on.", "open")
    warned = [f for f in report.findings if f.severity == "warning" and f.remedy]
    if warned:
        return Answer("change", question, _ended(warned[0].remedy), "warn")
    sentence = "Nothing." if verdict.state == "healthy" else "No change is known that would help."
    return Answer("change", question, sentence, "good" if verdict.state == "healthy" else "open")


def _landscape(landscape: LandscapeRecord | None) -> Answer:
    question = "How does the landscape look?"
    if landscape is None:
        return Answer("landscape", question, "Not known: nothing of it was measured.", "open")
    said = " ".join(_in_words(landscape))
    return Answer("landscape", question, said or "It was measured too rarely to say.", "open")


def _in_words(landscape: LandscapeRecord) -> Iterator[str]:
    """Sentences on what happened to each player's curvature, or else to its cloud."""
    if len(landscape.surveys) > 1:
        first, last = landscape.surveys[0], landscape.surveys[-1]
        for player in sorted(first.players.keys() & last.players.keys()):
            before, after = first.players[player].largest, last.players[player].largest
            yield (
                f"The {player}'s largest curvature went from {before:.3g} at step {first.step:,} "
                f"to {after:.3g} at step {last.step:,}."
            )
        return
    for player, cloud in sorted(landscape.clouds.items()):
        if cloud.whole.drift is not None and cloud.whole.spread is not None:
            yield (
                f"The {player}'s cloud of losses and gradients moved by {cloud.whole.drift:.2g} "
                f"times its own width."
            )


def _term(report: Report, name: str) -> TermRecord | None:
    return next((t for t in report.terms if t.name == name and t.measured), None)


def _term_stages(report: Report, name: str) -> tuple[str, ...]:
    return next((t.stages for t in report.terms if t.name == name), ())


def _why_not(report: Report, stage: str) -> str:
    found: StageRecord | None = next((s for s in report.stages if s.name == stage), None)
    if found is None:
        return "the stage was not run"
    return _first_clause(found.reason or "there was nothing to go by")


def _first_clause(reason: str) -> str:
    """Shorten a reason; the whole of it stands with its stage."""
    return reason.partition("; ")[0].partition(": ")[0].rstrip(".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ended(text: str) -> str:
    text = _capital(text)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def findings_of(report: Report, *stages: str) -> tuple[FindingRecord, ...]:
    """Findings of some stages, in the report's order."""
    return tuple(f for f in report.findings if f.stage in stages)
