"""Promises of the declared objective, proved on the losses that the code really minimises.

A training that keeps them all is what it says. One that does not is not accused: smoothed labels, a
drift term or other targets break them on purpose. What no training may do is another matter
(`dlcc.stages.consistency.pulls`).
"""

from __future__ import annotations

import sympy as sp

from dlcc.stages.consistency.checks.quantities import gives_probabilities
from dlcc.stages.consistency.checks.symbolic_loss import (
    FAKE,
    REAL,
    UnknownLoss,
    sigmoid,
    symbolic_loss,
)
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.objectives import Objective
from dlcc.stages.consistency.prove import per_sample, prove
from dlcc.stages.consistency.steps.traced_steps import TracedSteps

_MOST_TERMS = 4  # of an adversarial loss: a square has three


def check_promises(ledger: Ledger, objective: Objective, traced: TracedSteps) -> None:
    """Prove the declared objective's properties on the losses that the code really minimises.

    Losses that are no formula of the outputs alone, such as with a penalty on gradients, are left
    out: the properties are not theirs.
    """
    for player, claim, of, relation in objective.properties:
        update = next(iter(traced.of_player(player)), None)
        if update is None or update.loss is None or update.fault:
            continue
        try:
            loss = per_sample(symbolic_loss(update.loss))
        except UnknownLoss:
            continue
        if loss is None or len(sp.Add.make_args(sp.expand(loss))) > _MOST_TERMS:
            continue  # a term was added, of which nothing is promised
        id_ = f"property/{player}/{claim}"
        statement = f"{player}: {claim}"
        promised = of(loss)
        if gives_probabilities(update.loss):
            promised = promised.subs({s: sigmoid(s) for s in (REAL, FAKE)}, simultaneous=True)
        proof = prove(promised, relation)
        if proof.verdict == "proved":
            ledger.proved(id_, "symbolic", statement, f"{proof.method}, on the traced loss")
        else:
            why = f"not {proof.counterexample}" if proof.counterexample else proof.method
            ledger.unknown(id_, "symbolic", statement, why)
