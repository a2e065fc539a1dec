"""Reproducibility stage: reruns of the training with other seeds and settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from dlcc.errors import (
    ForeignCodeError,
    ForeignCodeStopped,
    IsolationError,
    LimitExceeded,
    OptionError,
)
from dlcc.findings import Finding
from dlcc.health.domain import circumstances_of
from dlcc.health.judgeable import NotJudgeableError, check_judgeable, judgeable_kind
from dlcc.records import Config, Reruns, Samples, Series, Sources
from dlcc.reruns import program_of
from dlcc.reruns.study import rerun
from dlcc.sandbox import best_level
from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult

_FEWEST = 4
_APART = 0.5  # Δ under which outcomes depend on the seed more than on the setting
_CHANCE = 0.25


@dataclass(frozen=True)
class Reproducibility(Stage):
    """Whether the same training ends the same way with other seeds, and which setting does best."""

    name: ClassVar = "reproducibility"
    needs: ClassVar = (Config, Series)
    wants: ClassVar = (Sources, Samples)
    gives: ClassVar = (Reruns,)
    long: ClassVar = True

    reruns: int = 20
    """Number of trainings that are run: half with other seeds, the rest with other batches alone,
    or with other settings."""

    def __post_init__(self) -> None:
        if self.reruns < _FEWEST:
            raise OptionError(f"reproducibility.reruns {self.reruns}: expected {_FEWEST} or more")

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        config, series, samples = case[Config], case[Series], case.get(Samples)
        try:
            kind = judgeable_kind(config.objective, config.players)
            check_judgeable(kind, series, samples, circumstances_of(config, samples))
            program = program_of(config, case.get(Sources), samples, lambda: best_level(ctx.trust))
            if isinstance(program, str):
                raise NotApplicable(program)
            made = rerun(
                program,
                config.config,
                config.length,
                ctx.library.excluding(series),
                self.reruns,
                rng=ctx.rng,
                deadline=ctx.deadline,
                progress=ctx.progress,
                own=(series, samples),
            )
        except NotJudgeableError as error:
            raise NotApplicable(str(error)) from None
        except IsolationError as error:
            raise NotApplicable(str(error)) from None
        except (LimitExceeded, ForeignCodeStopped) as error:
            raise NotApplicable(
                f"no rerun of {config.length:,} steps was done in time ({error}); give more with "
                "--timeout, or run dlcc rerun with a --budget"
            ) from None
        except ForeignCodeError as error:
            raise NotApplicable(f"the run's code could not be run again: {error}") from None
        if len(made.outcomes) < _FEWEST:
            raise NotApplicable(
                f"{len(made.outcomes)} reruns were done in time, {_FEWEST} are needed; give more "
                "time with --timeout, or run dlcc rerun with a --budget"
            )
        return StageResult(
            terms={"reproducibility": made.deviation},
            records=[made],
            findings=list(_findings(made, kind.failed)),
            details=_details(made, self.reruns),
            environment={"cut": "fewer reruns than asked for were done in time"}
            if len(made.outcomes) + made.refused < self.reruns
            else {},
        )


def _ends(made: Reruns) -> Counter[str]:
    """Count the labels of the reruns with other seeds."""
    return Counter(str(outcome.label) for outcome in made.outcomes if outcome.kind == "seed")


def _in_words(ends: Counter[str]) -> str:
    listed = ", ".join(f"{n} {label}" for label, n in ends.most_common())
    return f"{ends.total()} reruns with other seeds: {listed}"


def _findings(made: Reruns, failed: Collection[str]) -> Iterator[Finding]:
    """Find outcomes that the seed decides; to fail in another way is to fail again."""
    ends = _ends(made)
    if made.deviation.mean < _APART:
        yield Finding("REP001", f"Of {_in_words(ends)}.", evidence=dict(ends))
    if made.own is None or ends.total() < _FEWEST:
        return
    alike = failed if made.own.label in failed else (made.own.label,)
    if sum(ends[label] for label in alike) / ends.total() < _CHANCE:
        message = f"The run ended {made.own.label}; of {_in_words(ends)}."
        yield Finding("REP002", message, evidence=dict(ends))


def _details(made: Reruns, asked: int) -> dict[str, Any]:
    return {
        "note": _in_words(_ends(made)),
        "how": made.how,
        "asked": asked,
        "done": len(made.outcomes),
        "refused": made.refused,
        "best": dict(made.best),
    }
