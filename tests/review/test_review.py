from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from dlcc.errors import OptionError
from dlcc.review.candidates import Candidate, candidate_of, expected_change, queue
from dlcc.review.effect import (
    SHIFT_SD,
    SLOPE_SD,
    Recalibration,
    logit,
    recalibrate,
    review_effect,
    sigmoid,
    term_evidence,
)
from dlcc.review.reviews import Review, history, record, reviews_path, undo
from dlcc.scoring.weights import posterior_weights

TERMS = ("logic", "novelty", "impact", "reproducibility")
probabilities = st.floats(0.001, 0.999)


def given_review(path: Path, i: int, rng: np.random.Generator) -> Review:
    terms = {name: (float(rng.random()), 0.05) for name in TERMS}
    return record(f"run-{i}", healthy=bool(rng.random() < 0.5), p_before=float(rng.random()),
                  terms=terms, digest=f"{i:x}", path=path)  # fmt: skip


# --- the file ---


def test_without_a_file_there_are_no_reviews_and_nothing_to_undo(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    assert history(path) == ()
    with pytest.raises(OptionError, match="nothing to undo") as caught:
        undo(path)
    assert caught.value.exit_code == 2
    assert not path.exists()


def test_the_file_lies_beside_the_users_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "deep" / "mine.npz"))
    assert reviews_path() == tmp_path / "deep" / "reviews.jsonl"
    review = record("a", healthy=True, p_before=0.2, terms={"logic": (0.9, 0.1)}, note="looks fine")
    assert history() == (review,)


def test_it_only_grows_and_undoing_brings_back_every_bit(tmp_path: Path) -> None:
    path, rng = tmp_path / "reviews.jsonl", np.random.default_rng(0)
    prior = dict.fromkeys((*TERMS, "meta"), 0.2)

    def state() -> str:
        now = review_effect(history(path))
        return repr((now, posterior_weights(None, prior, now.counts(prior))))

    states, sizes = [state()], [0]
    for i in range(6):
        given_review(path, i, rng)
        states.append(state())
        sizes.append(path.stat().st_size)
    assert len(set(states)) == len(states)
    for expected in states[-2::-1]:
        undo(path)
        assert state() == expected
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes)
    with pytest.raises(OptionError, match="no review is left"):
        undo(path)
    assert given_review(path, 9, rng).id == 7  # numbers are not used twice


def test_a_torn_last_line_does_not_count_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path, rng = tmp_path / "reviews.jsonl", np.random.default_rng(0)
    first = given_review(path, 0, rng)
    whole = path.read_bytes()
    for cut in range(1, len(whole) - 1, 17):
        path.write_bytes(whole + whole[:cut])
        assert history(path) == (first,)
    second = given_review(path, 1, rng)
    assert history(path) == (first, second)
    entry = json.loads(whole)
    wrong = [entry, *({**entry, "id": 3} | more for more in (
        {"healthy": "no"}, {"p_before": 2}, {"terms": {"logic": [0.5]}}, {"id": [1]},
    ))]  # fmt: skip
    lines = [
        b"nonsense",
        b'{"id": 3}',
        b"[1]",
        b'{"undo": [1]}',
        *(json.dumps(w).encode() for w in wrong),
    ]
    for line in lines:
        path.write_bytes(whole + line + b"\n")
        with pytest.raises(OptionError, match=r"line 2 is no review"):
            history(path)
        with pytest.raises(OptionError, match=r"line 2 is no review"):
            given_review(path, 2, rng)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, p: float) -> None:
    with pytest.raises(OptionError, match=r"within 0\.\.1"):
        record("a", healthy=True, p_before=p, terms={}, path=tmp_path / "reviews.jsonl")
    assert history(tmp_path / "reviews.jsonl") == ()


# --- what they move ---


@given(st.lists(st.tuples(probabilities, st.booleans()), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_recalibration_is_the_posterior_mode(pairs: list[tuple[float, bool]]) -> None:
    p = np.array([p for p, _ in pairs])
    y = np.array([float(healthy) for _, healthy in pairs])

    def negative(theta: np.ndarray) -> float:
        logits = theta[0] + theta[1] * logit(p)
        prior = (theta[0] / SHIFT_SD) ** 2 + ((theta[1] - 1) / SLOPE_SD) ** 2
        return float((np.logaddexp(0, logits) - y * logits).sum() + prior / 2)

    found = recalibrate(p, y)
    best = minimize(negative, np.array([0.0, 1.0]), method="Nelder-Mead",
                    options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000})  # fmt: skip
    np.testing.assert_allclose([found.shift, found.slope], best.x, atol=1e-4)


def test_without_reviews_everything_stays_as_it_is() -> None:
    p = np.array([0.0, 1e-9, 0.3, 1.0])
    now = review_effect(())
    assert now.calibration(p) is p
    assert now.evidence == {}
    assert now.counts(TERMS) == {}


def test_verdicts_pull_probabilities_their_way() -> None:
    p = np.full(12, 0.6)
    assert recalibrate(p, np.ones(12))(np.array([0.6]))[0] > 0.7
    assert recalibrate(p, np.zeros(12))(np.array([0.6]))[0] < 0.45


def test_the_order_of_reviews_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    reviews = [
        Review(i, "", f"{i}", "", {n: (float(rng.random()), 0.1) for n in TERMS},
               float(rng.random()), bool(rng.random() < 0.5))
        for i in range(4)
    ]  # fmt: skip
    assert len({repr(review_effect(order)) for order in itertools.permutations(reviews)}) == 1


def test_two_hundred_verdicts_find_planted_weights() -> None:
    errors = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        weights, terms = rng.dirichlet(np.ones(5)), rng.random((200, 5))
        score = terms @ weights
        healthy = rng.random(200) < sigmoid(20 * (score - np.median(score)))
        found = term_evidence(terms, healthy.astype(float))
        assert found.argmax() == weights.argmax()
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1)
        errors.append(np.abs(found - weights).sum())
    assert np.median(errors) < 0.2


def test_evidence_of_terms_that_tell_nothing_stays_even() -> None:
    terms = np.full((20, 4), 0.7)
    np.testing.assert_allclose(term_evidence(terms, np.arange(20) % 2.0), 0.25, atol=1e-6)
    missing = np.column_stack([np.linspace(0, 1, 20), np.full(20, np.nan)])
    first, second = term_evidence(missing, (np.arange(20) > 9).astype(float))
    assert first > second


def test_reviews_move_the_weights_toward_the_term_that_agrees(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    for i in range(30):
        value = i / 29
        terms = {"logic": (value, 0.02), "impact": (0.5, 0.02), "own": (0.5, 0.02)}
        record(f"{i}", healthy=value > 0.5, p_before=0.5, terms=terms, path=path)
    prior = dict.fromkeys((*TERMS, "meta"), 0.2)
    now = review_effect(history(path))
    assert "own" not in now.counts(prior)  # a term that nobody judged
    weights = posterior_weights(None, prior, now.counts(prior)).posterior
    assert weights["logic"] > 0.3
    assert sum(weights.values()) == pytest.approx(1)


# --- the queue ---


def candidate(name: str, p: float, digest: str = "", value: float = 0.5) -> Candidate:
    return Candidate(name, dict.fromkeys(TERMS, (value, 0.05)), p, digest=digest or name)


def test_the_expected_change_is_that_of_refitting_under_both_answers() -> None:
    p = np.array([0.02, 0.2, 0.4, 0.6, 0.9, 0.99])
    asked, said = np.tile(p, 8), np.tile([0.0, 0, 1, 0, 1, 1], 8)
    now = recalibrate(asked, said)
    before = now(p)
    expected = []
    for one in p:
        chance = float(now(np.array([one]))[0])
        square = 0.0
        for answer, weight in ((1.0, chance), (0.0, 1 - chance)):
            after = recalibrate(np.append(asked, one), np.append(said, answer))(p)
            square += weight * float(((after - before) ** 2).mean())
        expected.append(np.sqrt(square))
    np.testing.assert_allclose(expected_change(p, now), expected, rtol=0.03)


def test_what_is_certain_either_way_is_asked_last_and_doubt_is_not_all() -> None:
    p = np.array([1e-4, 0.5, 0.15, 0.85, 1 - 1e-4])
    change = expected_change(p, Recalibration(0.0, 1.0, np.eye(2), 0))
    assert set(np.argsort(change)[:2]) == {0, 4}
    sure_shift = Recalibration(0.0, 1.0, np.diag([1e-6, 0.06]), 40)
    assert expected_change(p, sure_shift)[1] < expected_change(p, sure_shift)[2]


def test_copies_are_asked_once_and_reviewed_runs_never_again(tmp_path: Path) -> None:
    runs = [candidate("a", 0.4, "x"), candidate("b", 0.4, "x"), candidate("c", 0.4001, "y"),
            candidate("d", 0.2, "z", value=0.9)]  # fmt: skip
    ordered = queue(runs, ())
    assert [q.candidate.name for q in ordered] == ["a", "d", "c"] or [
        q.candidate.name for q in ordered] == ["d", "a", "c"]  # fmt: skip
    assert ordered[-1].change < 0.1 * ordered[0].change  # c is a copy in all but its digest
    path = tmp_path / "reviews.jsonl"
    record("a", healthy=True, p_before=0.4, terms=runs[0].terms, digest="x", path=path)
    again = queue(runs, history(path))
    assert [q.candidate.name for q in again] == ["d", "c"]
    assert again[0].p_healthy != 0.2  # the review has moved it
    assert queue([], ()) == ()
    assert len(queue(runs, (), most=1)) == 1


def test_lines_of_the_file_are_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    record("läuft", healthy=False, p_before=0.5, terms={"logic": (0.1, 0.2)}, note="é", path=path)
    (line,) = path.read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert entry["run"] == "läuft"
    assert entry["terms"] == {"logic": [0.1, 0.2]}
    assert entry["healthy"] is False


def test_a_report_becomes_a_candidate_by_its_measured_terms() -> None:
    def term(name: str, measured: bool) -> SimpleNamespace:
        return SimpleNamespace(name=name, measured=measured, mean=0.8, low=0.7, high=0.9)

    verdict = SimpleNamespace(p_healthy=SimpleNamespace(mean=0.3), label="weak", sentence="Weak.",
                              record="41 of 42 hold")  # fmt: skip
    report: Any = SimpleNamespace(
        verdict=verdict, findings=(), terms=(term("logic", True), term("novelty", False)),
    )  # fmt: skip
    found = candidate_of(report, name="ring-7", digest="abc")
    assert (found.name, found.p_healthy, found.label, found.digest) == (
        "ring-7",
        0.3,
        "weak",
        "abc",
    )
    assert found.evidence == ("Weak.", "41 of 42 hold")
    assert found.terms == {"logic": (0.8, pytest.approx(0.0608, abs=1e-3))}
    verdict.p_healthy = None
    with pytest.raises(OptionError, match=r"ring-7: Weak\. .*nothing to review"):
        candidate_of(report, name="ring-7")
