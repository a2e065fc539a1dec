"""Consistency stage: obligations of record, document and code."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import ClassVar

from dlcc.estimate import Estimate
from dlcc.records import (
    Config,
    Dossier,
    Obligations,
    Samples,
    Series,
    Snapshots,
    Sources,
)
from dlcc.stage import Case, Context, Stage, StageResult
from dlcc.stages.consistency.invariants import check_record, check_updates
from dlcc.stages.consistency.ledger import Ledger

_FOR_CODE = 0.5  # share of the time that the run's code may take


@dataclass(frozen=True)
class Consistency(Stage):
    """Whether record, document and code can all be true: each obligation proved or refuted."""

    name: ClassVar = "consistency"
    version: ClassVar = 5
    needs: ClassVar = (Config, Series)
    wants: ClassVar = (Dossier, Snapshots, Samples, Sources)
    gives: ClassVar = (Obligations,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        # sympy is slow to import, and whoever lists the stages does not need it
        from dlcc.stages.consistency.document_series import check_document_series
        from dlcc.stages.consistency.documents import check_formulas, check_gradients
        from dlcc.stages.consistency.losses import check_losses
        from dlcc.stages.consistency.objectives import OBJECTIVES
        from dlcc.stages.consistency.promises import check_promises
        from dlcc.stages.consistency.pulls import check_pulls
        from dlcc.stages.consistency.rules.breach import Evidence
        from dlcc.stages.consistency.rules.check import check_rules
        from dlcc.stages.consistency.steps.later_averages import LaterAverages
        from dlcc.stages.consistency.steps.own_code import OwnCode
        from dlcc.stages.consistency.steps.setting_trials import SettingTrials
        from dlcc.stages.consistency.steps.step_tracing import states_of, trace_steps
        from dlcc.stages.consistency.tables import check_tables

        config, series, snapshots = case[Config], case[Series], case.get(Snapshots)
        ledger = Ledger()
        check_record(ledger, config, series, snapshots)
        ctx.deadline.check()
        ctx.progress(0.3, "recomputes losses")
        objective = OBJECTIVES.get(str(config.objective.get("loss")))
        if objective is not None:
            check_losses(ledger, objective, series, snapshots)
        ctx.deadline.check()
        ctx.progress(0.4, "does steps again and records what they minimise")
        states = states_of(snapshots)
        traced = trace_steps(
            config,
            case.get(Sources),
            snapshots,
            case.get(Samples),
            trust=ctx.trust,
            seconds=ctx.deadline.remaining * _FOR_CODE,
            states=states,
        )
        check_updates(ledger, series, traced.players_by_hand)
        check_gradients(ledger, traced)
        with OwnCode(
            config,
            case.get(Sources),
            snapshots,
            trust=ctx.trust,
            seconds=lambda: ctx.deadline.remaining * _FOR_CODE,
        ) as code:
            trials = (SettingTrials(code), LaterAverages(code))
            check_rules(ledger, Evidence(config, series, states, traced, *trials))
        check_pulls(ledger, traced)
        if objective is not None:
            check_promises(ledger, objective, traced)
        dossier = case.get(Dossier)
        if dossier is not None:
            ctx.progress(0.7, "compares documents with what the code minimises")
            check_tables(ledger, series, dossier)
            check_document_series(ledger, series, dossier)
            check_formulas(ledger, config, dossier, traced, snapshots)
        return _result(ledger)


def _result(ledger: Ledger) -> StageResult:
    counts = Counter(obligation.verdict for obligation in ledger.obligations)
    note = f"{counts['proved'] + counts['held']} of {len(ledger.obligations)} obligations hold"
    if counts["unknown"]:
        note += f", {counts['unknown']} unknown"
    return StageResult(
        terms={
            "logic": Estimate.obligations(
                counts["proved"] + counts["held"], counts["refuted"], counts["unknown"]
            )
        }
        if ledger.obligations  # none at all is no measurement
        else {},
        records=[Obligations(tuple(ledger.obligations))],
        findings=ledger.findings,
        details={
            "note": note,
            "obligations": [
                {k: v for k, v in asdict(o).items() if v is not None} for o in ledger.obligations
            ],
        },
    )
