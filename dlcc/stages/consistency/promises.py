"""Check of what every right implementation of the declared objective promises."""

from __future__ import annotations

import sympy as sp

from dlcc.findings import Finding
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.objectives import Objective
from dlcc.stages.consistency.prove import per_sample, prove
from dlcc.stages.consistency.symbolic_loss import UnknownLoss, symbolic_loss
from dlcc.stages.consistency.traced_steps import TracedSteps

_MOST_TERMS = 4  # of an adversarial loss: a square has three


def check_promises(ledger: Ledger, objective: Objective, traced: TracedSteps) -> None:
    """Check the declared objective's properties on the losses that the code really minimises.

    Those that are no formula of the outputs alone, such as with a penalty on gradients, are left
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
        proof = prove(of(loss), relation)
        if proof.verdict == "proved":
            ledger.proved(id_, "symbolic", statement, f"{proof.method}, on the traced loss")
        elif proof.verdict == "unknown":
            ledger.unknown(id_, "symbolic", statement, proof.method)
        else:
            whose = f"the {player}'s loss at step {update.step:,}"
            message = f"Not so for {whose}: {proof.counterexample}."
            finding = Finding("LOG005", message, player=player, first_step=update.step)
            ledger.refuted(id_, "symbolic", statement, proof.method, finding)
