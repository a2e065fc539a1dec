"""Order, isolation, cache and limits of the pipeline."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dlcc import (
    Case,
    Context,
    Estimate,
    NotApplicable,
    Stage,
    StageResult,
    cache,
)
from dlcc.errors import StageDeclarationError
from dlcc.pipeline import Limits, StageOutcome, discovery, order, run_stages, select, terms_of
from dlcc.records import Dossier, Series
from dlcc.runs import Run
from dlcc.stages.ingestion import Ingestion

pytestmark = pytest.mark.usefixtures("own_cache")


FILES = Path(__file__).parent / "stage_files"


@dataclass(frozen=True)
class A:
    value: int


@dataclass(frozen=True)
class B:
    value: int


def stage(name: str, needs: tuple[Any, ...] = (), gives: tuple[Any, ...] = ()) -> Stage:
    body = {"name": name, "needs": needs, "gives": gives, "__call__": lambda self, c, x: None}
    return dataclass(frozen=True)(type(name, (Stage,), body))()  # type: ignore[no-any-return]


def one(name: str, run: Path, limits: Limits | None = None) -> StageOutcome:
    loaded = discovery.from_argument(f"{FILES}/{name}")
    return run_stages(Run.open(run), [loaded], until=200, limits=limits)[0]


def test_givers_come_before_takers_and_ties_stay() -> None:
    stages = [stage("c", (B,)), stage("b", (A,), (B,)), stage("a", (), (A,)), stage("d")]
    assert [s.name for s in order(stages)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ([stage("a", (A,))], "stage 'a' needs A, which no stage here gives"),
        ([stage("a", (A,), (B,)), stage("b", (B,), (A,))], "wait for each other"),
        ([stage("a"), stage("a")], "two stages are named 'a'"),
        ([stage("a", (), (A,)), stage("b", (), (A,))], "both give A"),
    ],
)
def test_a_wrong_order_is_said_before_anything_runs(stages: list[Stage], says: str) -> None:
    with pytest.raises(StageDeclarationError, match=says):
        order(stages)


def test_only_brings_along_the_stages_it_takes_from() -> None:
    stages = [stage("a", (), (A,)), stage("b", (A,), (B,)), stage("c", (B,)), stage("d")]
    kept, left_out = select(stages, only=["c"])
    assert [s.name for s in kept] == ["a", "b", "c"]
    assert list(left_out) == ["d"]
    with pytest.raises(StageDeclarationError, match="there is no stage 'x'"):
        select(stages, skip=["x"])


def test_a_stage_file_runs_in_a_process_of_its_own_and_feeds_a_term(small_run: Path) -> None:
    outcome = one("good.py:Calm", small_run)
    assert outcome.status == "scored"
    assert isinstance(outcome.terms["calm"], Estimate)
    assert outcome.environment["peak_memory"] > 10 << 20
    assert "in_process" not in outcome.environment


def test_a_stage_of_a_notebook_runs_in_this_process_and_says_so(small_run: Path) -> None:
    @dataclass(frozen=True)
    class Here(Stage):
        """Says which process it is in."""

        name: ClassVar = "here"
        needs: ClassVar = (Series,)

        def __call__(self, case: Case, ctx: Context) -> StageResult:
            return StageResult(details={"pid": os.getpid()})

    outcome = run_stages(Run.open(small_run), [Here()], until=200)[0]
    assert outcome.details["pid"] == os.getpid()
    assert "ran in this process" in outcome.environment["in_process"]


def test_not_applicable_is_an_outcome_and_spreads_with_its_reason(small_run: Path) -> None:
    @dataclass(frozen=True)
    class Shy(Stage):
        """Has nothing to say."""

        name: ClassVar = "shy"
        gives: ClassVar = (A,)

        def __call__(self, case: Case, ctx: Context) -> StageResult:
            raise NotApplicable("nothing here")

    outcomes = run_stages(Run.open(small_run), [stage("taker", (A,)), Shy()], until=200)
    assert [(o.stage, o.status) for o in outcomes] == [
        ("shy", "not applicable"),
        ("taker", "not applicable"),
    ]
    assert outcomes[1].reason == "the stage shy, which it builds on, gave no result: nothing here"


@pytest.mark.parametrize(
    ("name", "limits", "says"),
    [
        ("Raises", Limits(), "ZeroDivisionError at violent.py:"),
        ("Dies", Limits(), "its process ended with code -9"),
        ("Gorges", Limits(), "MemoryError"),
        ("Swells", Limits(60, 400 << 20), "more than 0.390625 GiB (--memory)"),
        ("Sleeps", Limits(1.5), "still running after 1.5 s (--timeout)"),
    ],
)
def test_a_violent_stage_fails_alone(name: str, limits: Limits, says: str, small_run: Path) -> None:
    outcome = one(f"violent.py:{name}", small_run, limits)
    assert outcome.status == "failed"
    assert says in (outcome.reason or "")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core runs one stage at a time")
def test_stages_that_need_nothing_of_each_other_run_side_by_side(
    small_run: Path, tmp_path: Path
) -> None:
    waiting = [
        dataclasses.replace(
            discovery.from_argument(f"{FILES}/meeting.py:{name}"),
            folder=str(tmp_path),  # type: ignore[call-arg]
        )
        for name in ("First", "Second")
    ]
    told: list[str] = []
    outcomes = run_stages(
        Run.open(small_run), waiting, until=200, progress=lambda stage, *_: told.append(stage)
    )
    assert [(o.stage, o.status, o.details["met"]) for o in outcomes] == [
        ("first", "scored", "second"),
        ("second", "scored", "first"),
    ]
    assert set(told) == {"first", "second"}


def test_results_are_cached_by_content(small_run: Path) -> None:
    def cached() -> bool:
        outcome = run_stages(Run.open(small_run), [Ingestion()], until=200)[0]
        assert outcome.records
        assert isinstance(outcome.records[0], Dossier)
        return bool(outcome.environment.get("cached"))

    assert not cached()
    assert cached()
    renamed = small_run.with_name("elsewhere")
    small_run.rename(renamed)
    shutil.copytree(renamed, small_run)
    assert cached(), "the same content under another path"
    page = small_run / "documents" / "method.md"
    page.write_text(page.read_text() + "\nOne more sentence.\n")
    assert not cached()


def test_changed_code_and_settings_are_other_results(small_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text((FILES / "good.py").read_text())
    first = discovery.from_argument(f"{file}:Calm")
    run = Run.open(small_run)

    def cached(stage: Stage) -> bool:
        return bool(run_stages(run, [stage], until=200)[0].environment.get("cached"))

    assert not cached(first)
    assert cached(first)
    assert not cached(dataclasses.replace(first, factor=2.0))  # type: ignore[call-arg]
    file.write_text(file.read_text() + "\n# changed\n")
    assert not cached(first)


def test_a_damaged_cache_entry_is_no_entry(small_run: Path) -> None:
    run = Run.open(small_run)
    run_stages(run, [Ingestion()], until=200)
    for reply in (cache.cache_folder() / "stages").glob("*/reply.json"):
        reply.write_text(reply.read_text()[:40])
    again = run_stages(run, [Ingestion()], until=200)[0]
    assert again.status == "scored"
    assert "cached" not in again.environment


def test_until_hides_what_comes_after(small_run: Path) -> None:
    dossier = run_stages(Run.open(small_run), [Ingestion()], until=50)[0].records[0]
    assert dossier.steps.max() < 50


def test_terms_of_several_stages_are_pooled() -> None:
    def outcome(hits: int) -> StageOutcome:
        terms = {"logic": Estimate.proportion(hits, 10)}
        return StageOutcome("s", "", 1, {}, "scored", terms=terms)

    assert terms_of([outcome(3), outcome(9)]) == {"logic": Estimate.proportion(12, 20)}


def test_the_run_is_left_untouched(small_run: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in small_run.rglob("*")}
    run_stages(Run.open(small_run), [Ingestion()], until=200)
    assert {p: p.stat().st_mtime_ns for p in small_run.rglob("*")} == before
    assert json.loads((small_run / "run.json").read_text())["schema"] == 1
