"""Broken copies of what the outsider's package brings, each with the words that name its fault."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import torch
from drift.kind import DRIFT, STALLED
from drift.line import training
from drift.line.family import LineFamily
from drift.line.recipes import RECIPES
from drift.line.training import LineTraining
from drift.smoothness import Smoothness
from drift.trace import Trace, TraceFolder

import dlcc
from dlcc.kinds import Mark, PastRuns
from dlcc.runs.series import Column, Series
from dlcc.testing import check_format, check_kind, check_recipe, check_stage

Fault = tuple[Callable[..., None], tuple[Any, ...], str]


def all_of(run: Path, trace: Path, quick: dict[str, Any]) -> Iterator[Fault]:
    """Each kit, what it is given, and what it must say."""
    yield check_stage, (Unpaged(), run), "'DRF404', which has no page"
    for kind, words in faulty_formats():
        yield check_format, (kind, trace), words
    for faulty, words in faulty_kinds():
        yield check_kind, (faulty,), words
    for recipe, words in faulty_recipes():
        yield check_recipe, (recipe, quick), words


@dataclasses.dataclass(frozen=True)
class Unpaged(Smoothness):
    """Gives a finding without a page."""

    name: ClassVar = "unpaged"

    def __call__(self, case: dlcc.Case, ctx: dlcc.Context) -> dlcc.StageResult:
        return dlcc.StageResult(findings=[dlcc.Finding("DRF404", "Nothing is known of this.")])


def faulty_formats() -> Iterator[tuple[type, str]]:
    def format_of(**methods: Any) -> type:
        contents = type("Broken", (TraceFolder,), methods)

        def opened(self: Trace, path: Path, mapping: Any) -> Any:
            return contents(path, Trace.open(self, path, mapping).manifest)

        return type("BrokenTrace", (Trace,), {"open": opened})

    def doubled(self: TraceFolder, until: int | None) -> Any:
        table = TraceFolder.series(self, until)
        if until is None:
            return table
        columns = {n: Column(c.steps, 2 * c.values, c.clock) for n, c in table.columns.items()}
        return Series(columns)

    yield type("All", (Trace,), {"recognises": lambda self, path: True}), "empty folder"
    yield type("None_", (Trace,), {"recognises": lambda self, path: False}), "does not recognise"
    yield format_of(series=lambda self, until: TraceFolder.series(self, None)), "of later steps"
    yield (
        format_of(sample_steps=lambda self, until: TraceFolder.sample_steps(self, None)),
        ("sample_steps(99) shows later steps"),
    )
    yield format_of(samples=lambda self, step: [[1.0]]), "must be an array of numbers"
    yield format_of(samples=lambda self, step: np.ones((4, 9))), "has rows [9], the reference has"
    yield format_of(series=doubled), "has other values of model/grad_norm"
    yield format_of(snapshots=lambda self, until: None), "cannot read the folder"
    yield (
        type("Deaf", (Trace,), {"open": lambda self, path, mapping: Trace.open(self, path, {})}),
        ("ignores a mapping"),
    )
    yield (
        format_of(sources=lambda self: {"main.py": self.path / "model.py"}),
        ("must be named source/..."),
    )
    yield (
        format_of(documents=lambda self: {"documents/x": Path("/etc/passwd")}),
        ("lies outside of the folder"),
    )
    yield format_of(samples_digest=lambda self, steps: str(self.path)), "samples_digest depends"
    yield format_of(samples_digest=lambda self, steps: "same"), "samples_digest stays the same"
    yield (
        format_of(reference=lambda self: np.load(self.path / "real.npy")),
        ("where real.npy is cut in half it raises"),
    )

    def writes(self: TraceFolder, until: int | None) -> Any:
        (self.path / "index").write_text("x")
        return TraceFolder.series(self, until)

    yield format_of(series=writes), "writes into the folder (index)"


def faulty_kinds() -> Iterator[tuple[Any, str]]:
    changed = dataclasses.replace
    yield object(), "is no TrainingKind"
    yield changed(DRIFT, name="gan"), "its name is taken"
    yield changed(DRIFT, labels=DRIFT.labels[:2]), "lacks the usual label 'oscillating'"
    unpaged = changed(STALLED, finding="DRF404")
    yield changed(DRIFT, labels=(*DRIFT.labels[:-1], unpaged)), "'DRF404', which has no page"
    unmarked = changed(STALLED, marks=())
    yield changed(DRIFT, labels=(*DRIFT.labels[:-1], unmarked)), "needs marks"
    odd = changed(STALLED, marks=(Mark("luck", above=0.5),))
    yield changed(DRIFT, labels=(*DRIFT.labels[:-1], odd)), "marks 'luck', which runs do not have"
    calm = changed(DRIFT.label("diverged"), state="suspect")
    others = (calm if label.name == "diverged" else label for label in DRIFT.labels)
    yield changed(DRIFT, labels=tuple(others)), "else than failed"
    yield changed(DRIFT, run_features="by magic"), "expected one of by player, in order"
    yield changed(DRIFT, run_features="by player"), "for players discriminator and generator"
    yield changed(DRIFT, evidence="none"), "expected one of adversarial, samples"
    yield changed(DRIFT, remedies="prayer"), "expected one of adversarial"
    yield changed(DRIFT, past_runs=PastRuns("drift", ("moon",))), "names the group 'moon'"
    yield changed(DRIFT, past_runs=PastRuns("drift", ("drift",))), "no past runs: add another"
    yield changed(DRIFT, players=("maker",)), "players that the kind does not have"


class Carried(LineTraining):
    """Draws from the global generator."""

    def step(self, step: int) -> dict[str, float]:
        noise = float(torch.rand(()))
        return {**super().step(step), "model/noise": noise}


class Forgetful(LineTraining):
    """Leaves its optimiser out of its state."""

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict()}

    def load_state_dict(self, state: Any) -> None:
        self.model.load_state_dict(state["model"])


class Misnamed(LineTraining):
    """Logs a quantity without its player."""

    def step(self, step: int) -> dict[str, float]:
        return {"loss": super().step(step)["model/loss"]}


class Unseeded(LineTraining):
    """Draws the same batches whatever the seed."""

    def __init__(self, config: Any) -> None:
        super().__init__(dataclasses.replace(config, seed=1))


def faulty_recipes() -> Iterator[tuple[Any, str]]:
    def recipe_of(kind: type[LineTraining], **methods: Any) -> Any:
        module = ModuleType("broken")
        vars(module).update(vars(training), build=lambda c: kind(training.Config.parse(c)))
        family = type("BrokenFamily", (LineFamily,), {"module": module, **methods})()
        return dataclasses.replace(RECIPES[0], family=family)

    yield object(), "is no Recipe"
    yield dataclasses.replace(RECIPES[0], name="a b/../c"), "lower-case letters"
    yield recipe_of(Carried), "gives other rows when it is built again"
    yield recipe_of(Forgetful), "goes on otherwise from its state"
    yield recipe_of(Misnamed), "logs 'loss', which is not named player/quantity"
    yield recipe_of(Unseeded), "gives other rows"
    yield recipe_of(LineTraining, length=lambda self, config: 0), "its length is 0"
    yield (
        recipe_of(LineTraining, objective=lambda self, config: {"kind": "moon"}),
        ("cannot be judged: this run declares kind 'moon'"),
    )
    yield recipe_of(LineTraining, page=lambda self, recipe, config: "text"), "begins with a title"
    wide = np.zeros((8, 3), dtype=np.float32)
    yield recipe_of(LineTraining, reference=lambda self, config: wide), "the reference has [3]"
