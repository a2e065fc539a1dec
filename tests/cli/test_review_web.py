"""Review in the browser: blind evidence, verdicts kept as by the command, strangers refused."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlcc.cli.review_web.desk import Desk, Item
from dlcc.cli.review_web.server import ReviewServer
from dlcc.errors import OptionError
from dlcc.evaluation import evaluate
from dlcc.review import reviews
from dlcc.review.candidates import candidate_of
from dlcc.review.effect import review_effect
from dlcc.runs import Run
from tests.command import dlcc
from tests.conftest import example

RUNS = ("digits-healthy", "digits-collapsed", "ring-oscillating")


@pytest.fixture(scope="module")
def items() -> list[Item]:
    """The three examples, judged by their health alone."""
    made = [evaluate(Run.open(example(name)), only=["health"], reviews=()) for name in RUNS]
    return [Item(candidate_of(m.report, name=name), m) for name, m in zip(RUNS, made, strict=True)]


@pytest.fixture
def served(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReviewServer]:
    """A server of the three examples with a file of reviews of its own."""
    yield from serving(items, tmp_path, monkeypatch)


@pytest.fixture
def ten_served(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReviewServer]:
    """A server of the three examples under ten names."""
    ten = [items[k % len(items)].evaluation for k in range(10)]
    named = [Item(candidate_of(e.report, name=f"run-{k}"), e) for k, e in enumerate(ten)]
    yield from serving(named, tmp_path, monkeypatch)


def serving(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReviewServer]:
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "library.npz"))
    with ReviewServer(Desk(items)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(
    server: ReviewServer, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    sent = None if body is None else json.dumps(body)
    connection.request(method, path, sent, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def verdict(run: str, **changes: Any) -> dict[str, Any]:
    return {"run": run, "healthy": True, "confidence": 1, "reason": "clear", **changes}


def test_the_page_does_not_say_what_we_think(served: ReviewServer, items: list[Item]) -> None:
    status, page = asked(served, "GET", f"/?token={served.token}")
    assert status == 200
    for item in items:
        report = item.evaluation.report
        assert report.verdict.sentence not in page
        assert "P(healthy)" not in page
        assert all(finding.message not in page for finding in report.findings)
    assert "data:image/png" in page or 'class="square"' in page


@pytest.mark.parametrize("token", ["", "wrong", "é"])
def test_a_wrong_token_is_refused(served: ReviewServer, token: str) -> None:
    from urllib.parse import quote

    assert asked(served, "GET", f"/?token={quote(token)}")[0] == 403
    if token.isascii():
        assert asked(served, "POST", "/say", verdict(RUNS[0]), X_Token=token)[0] == 403
    assert reviews.history() == ()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_origin_is_refused(served: ReviewServer, origin: str) -> None:
    body = verdict(RUNS[0])
    status, _ = asked(served, "POST", "/say", body, X_Token=served.token, Origin=origin)
    assert status == 403
    assert reviews.history() == ()


def test_a_foreign_host_name_is_refused(served: ReviewServer) -> None:
    status, _ = asked(
        served, "GET", f"/?token={served.token}", Host=f"evil.example:{served.server_port}"
    )
    assert status == 403


def test_other_pages_are_not_there(served: ReviewServer) -> None:
    assert asked(served, "GET", f"/etc/passwd?token={served.token}")[0] == 403
    status, said = asked(served, "POST", "/delete", {}, X_Token=served.token)
    assert (status, "no such action" in said) == (409, True)


@pytest.mark.parametrize(
    "body",
    [{}, [], "x", verdict("elsewhere"), verdict(RUNS[0], healthy="yes"),
     verdict(RUNS[0], confidence=0.2), verdict(RUNS[0], confidence="sure"),
     verdict(RUNS[0], reason="x" * 2_001)],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_changes_nothing(served: ReviewServer, body: Any) -> None:
    status, said = asked(served, "POST", "/say", body, X_Token=served.token)
    assert status == 409
    assert json.loads(said)["error"]
    assert reviews.history() == ()


def test_a_long_answer_is_refused(served: ReviewServer) -> None:
    status, _ = asked(
        served, "POST", "/say", verdict(RUNS[0], reason="x" * 30_000), X_Token=served.token
    )
    assert status == 409


def test_what_is_said_is_kept_as_by_the_command(
    served: ReviewServer, items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for item in items:
        status, said = asked(
            served, "POST", "/say", verdict(item.candidate.name), X_Token=served.token
        )
        assert status == 200
        assert json.loads(said)["verdict"] == item.evaluation.report.verdict.sentence
    by_page = review_effect(reviews.history())
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "other" / "library.npz"))
    for item in items:
        reviews.record(
            item.candidate.name, healthy=True, p_before=item.candidate.p_healthy,
            terms=item.candidate.terms, note="clear",
        )  # fmt: skip
    by_command = review_effect(reviews.history())
    assert by_page.evidence == by_command.evidence
    assert by_page.calibration.shift == by_command.calibration.shift


def test_a_run_is_reviewed_once_and_undone_once(served: ReviewServer) -> None:
    post = {"X_Token": served.token}
    assert asked(served, "POST", "/say", verdict(RUNS[0]), **post)[0] == 200
    status, said = asked(served, "POST", "/say", verdict(RUNS[0]), **post)
    assert (status, "reviewed already" in said) == (409, True)
    assert json.loads(asked(served, "POST", "/undo", {}, **post)[1]) == {"undone": RUNS[0]}
    assert reviews.history() == ()
    assert asked(served, "POST", "/undo", {}, **post)[0] == 409
    assert asked(served, "POST", "/say", verdict(RUNS[0]), **post)[0] == 200


def test_a_guess_moves_less_than_a_certainty(served: ReviewServer) -> None:
    post = {"X_Token": served.token}
    shifts = []
    for confidence in (0.65, 1.0):
        answer = verdict("digits-collapsed", confidence=confidence)
        assert asked(served, "POST", "/say", answer, **post)[0] == 200
        shifts.append(review_effect(reviews.history()).calibration.shift)
        asked(served, "POST", "/undo", {}, **post)
    assert 0 < shifts[0] < shifts[1]


def test_a_port_that_is_taken_is_said(served: ReviewServer, items: list[Item]) -> None:
    with pytest.raises(OptionError, match="choose another"):
        ReviewServer(Desk(items), served.server_port)


def test_ten_verdicts_by_hand_reload_undo_and_a_second_window(
    browser: Any, ten_served: ReviewServer
) -> None:
    first = browser.new_page()
    troubles: list[str] = []
    first.on("pageerror", lambda error: troubles.append(str(error)))
    first.goto(ten_served.address)
    second = browser.new_page()
    second.goto(ten_served.address)
    name = first.get_attribute("body", "data-run")
    assert second.get_attribute("body", "data-run") == name
    first.check("input[value=not]")
    first.check("input[value='0.85']")
    first.fill("#reason", "they all look alike")
    first.dblclick("#send")
    first.wait_for_selector("#after:not([hidden])")
    assert first.inner_text("#wrong") == ""
    assert "Our verdict:" in first.inner_text("#verdict")
    assert "with it:" in first.inner_text("#settled")
    (kept,) = reviews.history()
    assert (kept.run, kept.healthy, kept.confidence) == (name, False, 0.85)
    second.check("input[value=healthy]")
    second.click("#send")
    second.wait_for_selector("#wrong:not(:empty)")
    assert "reviewed already" in second.inner_text("#wrong")
    first.click("#next")
    first.wait_for_selector(f"body:not([data-run='{name}'])")
    assert "they all look alike" in first.inner_text("#history")
    first.reload()
    assert first.get_attribute("body", "data-run") != name
    first.click("#undo")
    first.wait_for_selector("#history", state="detached")
    assert reviews.history() == ()
    for _ in range(10):
        first.check("input[value=healthy]")
        first.click("#send")
        first.wait_for_selector("#after:not([hidden])")
        first.click("#next")
        first.wait_for_selector("#after", state="hidden")
    assert "Every run is reviewed" in first.inner_text("h1")
    assert len(reviews.history()) == 10
    assert troubles == []


def test_the_command_refuses_what_does_not_go_together(tmp_path: Path) -> None:
    done = dlcc("review", tmp_path, "--web", "--run", "x", "--verdict", "healthy")
    assert done.returncode == 2
    assert "--web stands alone" in done.stderr


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none_is_named(items: list[Item], port: int) -> None:
    with pytest.raises(OptionError, match="expected 0 to 65535"):
        ReviewServer(Desk(items), port)


@pytest.mark.parametrize("body", ["[" * 15_000, "[]", "{", "\0"])
def test_a_body_that_is_no_answer_is_refused_in_words(served: ReviewServer, body: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=20)
    connection.request("POST", "/say", body, {"X-Token": served.token})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"][:3]) == (409, "the")
