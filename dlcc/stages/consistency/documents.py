"""Comparison of documents with the losses that the code really minimises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sympy as sp

from dlcc.errors import TraceError
from dlcc.findings import Finding
from dlcc.records import Config, Dossier, Snapshots
from dlcc.stages.consistency.checks.bound_check import check_bound, speaks_of_others
from dlcc.stages.consistency.checks.comparison import Checked
from dlcc.stages.consistency.checks.formula_check import check_formula
from dlcc.stages.consistency.checks.reservations import as_configured, as_told, fair, of_several
from dlcc.stages.consistency.checks.symbolic_loss import (
    FAKE,
    REAL,
    UnknownLoss,
    sigmoid,
    symbolic_loss,
)
from dlcc.stages.consistency.formulas.document_constants import (
    constants_for,
    document_constants,
    section_of,
)
from dlcc.stages.consistency.formulas.latex_tokens import UnknownFormula
from dlcc.stages.consistency.formulas.loss_names import DISCRIMINATOR, GENERATOR
from dlcc.stages.consistency.formulas.paper_losses import PaperLoss, paper_losses
from dlcc.stages.consistency.formulas.symbols import D, StopGradient, judged
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.prove import per_sample, prove
from dlcc.stages.consistency.recorded_outputs import check_on_outputs
from dlcc.stages.consistency.steps.traced_steps import TracedSteps, TracedUpdate
from dlcc.tracing.losses import StepLoss

# One formula that the algebra chokes on must not take the other obligations with it.
_NOT_UNDERSTOOD = (
    UnknownFormula,
    UnknownLoss,
    TraceError,
    RecursionError,
    ArithmeticError,
    TypeError,
    ValueError,
    RuntimeError,
)
_CONSTANTS = {
    "lambda": ("lambda_gp", "gp_weight", "gp_lambda"),
    "gamma": ("r1", "r1_gamma", "r1_weight"),
    "beta": ("kl_weight", "beta_kl", "kl_beta"),
}


def check_formulas(
    ledger: Ledger,
    config: Config,
    dossier: Dossier,
    traced: TracedSteps,
    snapshots: Snapshots | None,
) -> None:
    """Check each displayed formula of a loss against what the code really minimises.

    The code is not searched for a function of a like name: it is run, and what its optimisers
    minimise is seen. Where it cannot be run, outputs and losses that were recorded decide.
    """
    stated = stated_constants(config.config)
    told = " ".join(block.text for block in dossier.blocks if block.kind in ("paragraph", "list"))
    constants = document_constants(dossier.formulas, dossier.blocks)
    papers = paper_losses(dossier.formulas)
    found = []
    for paper in papers:
        file, _, line = paper.place.rpartition(":")
        section = section_of(file, int(line), dossier.blocks)
        known = constants_for(paper.place, section, constants, stated)
        checked = None if traced.updates else check_on_outputs(paper, snapshots, known)
        checked = checked or check_paper(paper, traced, known)
        checked = fair(checked, paper, told, section)
        checked = as_configured(checked, config.config)
        found.append(as_told(checked, paper.place, constants))
    for paper, checked in zip(papers, of_several(papers, found), strict=True):
        _note(ledger, paper, checked)


def check_paper(paper: PaperLoss, traced: TracedSteps, stated: Mapping[str, float]) -> Checked:
    """Check one formula of a document at every step that was traced: it must hold at all of them.

    Args:
        paper: Formula, and the penalties that the document gives beside it.
        traced: Losses that the code really minimises.
        stated: Name of a constant -> the value that the configuration states.

    Returns:
        Verdict and reason.
    """
    whole = paper.player == "training"
    updates = traced.of_all() if whole else traced.of_player(paper.player)
    if paper.expression is None:
        return Checked("unknown", f"not understood: {paper.reason}", {})
    if not updates:
        found = _of_any(paper, traced, stated) if whole else _of_whose(paper, traced, stated)
        return found[0] if found else Checked("unknown", traced.why_none_of(paper.player), {})
    checked = summed_up([_at_step(paper, update, stated) for update in updates])
    if checked.verdict in ("proved", "held") and traced.resized:
        other = check_paper(paper, traced.with_other_batches, stated)
        if other.verdict == "refuted":
            rows, others = traced.sizes
            why = f"it holds for batches of {rows}, and not for batches of {others}"
            return Checked("unknown", f"{why}: {other.reason}", {})
    return checked


def _of_any(paper: PaperLoss, traced: TracedSteps, stated: Mapping[str, float]) -> list[Checked]:
    """Hold a formula of one loss of all against each player's, where several optimisers step: it
    may be one of these, and accuses nobody."""
    if paper.expression is None:
        return []
    found = [
        check_paper(replace(paper, player=player), traced, stated)
        for player in (DISCRIMINATOR, GENERATOR)
    ]
    return [checked for checked in found if checked.verdict in ("proved", "held")]


def _of_whose(paper: PaperLoss, traced: TracedSteps, stated: Mapping[str, float]) -> list[Checked]:
    """Check a formula where nobody judges by a number: whose it is follows from its letters.

    Returns:
        Outcomes, one for each set of players whose loss it may be, the best of them first.
    """
    found = []
    for players in dict.fromkeys(update.players for update in traced.updates):
        each = [
            _bound_at_step(paper, update, stated)
            for update in traced.updates
            if update.players == players
        ]
        known = [checked for checked in each if checked is not None]
        if known and len(known) == len(each):
            found.append(summed_up(known))
    order = ("proved", "held", "unknown", "refuted")
    return sorted(found, key=lambda checked: order.index(checked.verdict))


def _bound_at_step(
    paper: PaperLoss, update: TracedUpdate, stated: Mapping[str, float]
) -> Checked | None:
    """Check a formula at one step by the bindings of its letters; None where it is not its loss."""
    if update.loss is None or update.fault:
        return Checked("unknown", update.fault or update.why_no_loss, {})
    best: Checked | None = None
    for expression in paper.readings():
        try:
            found = check_bound(expression, update.loss, stated, paper.player)
        except _NOT_UNDERSTOOD as reason:
            return Checked("unknown", f"not understood: {reason}", {})
        if found is not None and found.verdict == "held":
            return _where_gradients_pass(found, expression, update.loss)
        best = found or best
    return best


def summed_up(found: Sequence[Checked]) -> Checked:
    """Sum up the outcomes at several steps: what changes between them accuses nobody."""
    wrong = [checked for checked in found if checked.verdict == "refuted"]
    if len(wrong) == len(found):
        if len({_in_the_code(checked) for checked in wrong}) > 1:
            return Checked("unknown", f"what the code minimises changes: {wrong[0].reason}", {})
        return wrong[0]
    if wrong:
        why = "it holds at one step and not at another, or cannot be told there"
        return Checked("unknown", f"{why}: {wrong[0].reason}", {})
    order = ("unknown", "held", "proved")
    return min(found, key=lambda checked: order.index(checked.verdict))


def _in_the_code(checked: Checked) -> str:
    """Part of a counterexample that is of the code: terms, weights and constants."""
    return checked.reason.partition("; ")[2]


def check_gradients(ledger: Ledger, traced: TracedSteps) -> None:
    """Check that the gradients which optimisers used are those of the losses that were seen."""
    for update in traced.updates:
        if update.following and not update.fault:
            continue
        players = " and ".join(update.players) or "an optimiser"
        id_ = f"gradient/{'+'.join(update.players)}/{update.step}"
        statement = f"{players}: the gradient used at step {update.step:,} is that of its loss"
        if update.loss is None and not update.fault:
            ledger.unknown(id_, "symbolic", statement, update.why_no_loss)
            continue
        if not update.fault:
            how = "its operations run again outside of the code"
            how += ", as they are and with noise on what players return" * update.agreed
            ledger.held(id_, "symbolic", statement, how)
            continue
        finding = Finding(
            "LOG010",
            f"{players}, step {update.step:,}: {update.fault}.",
            player=update.players[0] if len(update.players) == 1 else None,
            first_step=update.step,
        )
        ledger.refuted(id_, "symbolic", statement, "run again outside of the code", finding)


def stated_constants(config: Mapping[str, object]) -> dict[str, float]:
    """Find the constants of formulas that a configuration states, by the names that people use.

    >>> stated_constants({"lambda_gp": 10, "lr": 1e-3})
    {'lambda': 10.0}
    """
    found = {}
    for symbol, keys in _CONSTANTS.items():
        values = [config[k] for k in keys if k in config]
        single = len(values) == 1 and not isinstance(values[0], bool)
        if single and isinstance(values[0], int | float):
            found[symbol] = float(values[0])
    return found


def _at_step(paper: PaperLoss, update: TracedUpdate, stated: Mapping[str, float]) -> Checked:
    """Check a formula at one step, then with the penalties that the document gives beside it."""
    if update.loss is None or update.fault:
        return Checked("unknown", update.fault or update.why_no_loss, {})
    assert paper.expression is not None
    if speaks_of_others(paper.expression):
        bound = _bound_at_step(paper, update, stated)
        if bound is not None:
            return bound
    plain = _plainly_at_step(paper, update.loss, stated)
    if not plain.unbound:
        return plain
    bound = _bound_at_step(paper, update, stated)
    return plain if bound is None or bound.unbound else bound


def _plainly_at_step(paper: PaperLoss, loss: StepLoss, stated: Mapping[str, float]) -> Checked:
    """Check a formula in data, samples and their reconstruction, by what the field calls them."""
    found: list[Checked] = []
    for expression in paper.readings():
        try:
            if _is_proved(expression, loss):
                found.append(Checked("proved", "the same function of what the players return", {}))
            else:
                found.append(check_formula(expression, loss, stated))
        except _NOT_UNDERSTOOD as reason:
            return Checked("unknown", f"not understood: {reason}", {})
        if found[-1].verdict in ("proved", "held"):
            beside = ", with the penalty given beside it" if len(found) > 1 else ""
            whole = replace(found[-1], reason=found[-1].reason + beside)
            return _where_gradients_pass(whole, expression, loss)
    return found[-1]


def _where_gradients_pass(checked: Checked, expression: sp.Expr, loss: StepLoss) -> Checked:
    """Take back that a formula holds, where a part of what it is of trains nothing."""
    value = "it has the value of the code's loss"
    if loss.cut_off:
        return Checked("refuted", f"{value}, but {loss.cut_off}", {})
    if loss.cut_within and not expression.has(StopGradient):
        return Checked("unknown", f"{value}, but {loss.cut_within}", {})
    return checked


def _is_proved(expression: sp.Expr, loss: StepLoss) -> bool:
    """Whether algebra shows a formula to be the recorded loss."""
    try:
        code = per_sample(symbolic_loss(loss) / sp.Integer(int(loss.scale)))
        for document in (in_outputs(expression), in_outputs(expression, raw=True)):
            mine = per_sample(document)
            if code is None or mine is None:
                continue
            if sp.expand(mine - code) == 0 or prove(mine - code, "= 0").verdict == "proved":
                return True
    except _NOT_UNDERSTOOD:
        return False
    return False


def _note(
    ledger: Ledger,
    paper: PaperLoss,
    checked: Checked,
) -> None:
    who = "the training" if paper.player == "training" else f"the {paper.player}"
    statement = f"the formula at {paper.place} is the loss that {who} minimises"
    id_ = f"formula/{paper.place}/{paper.player}" if paper.game else f"formula/{paper.place}"
    if checked.verdict == "proved":
        ledger.proved(id_, "symbolic", statement, f"sympy: {checked.reason}")
    elif checked.verdict == "held":
        ledger.held(id_, "symbolic", statement, checked.reason)
    elif checked.verdict == "unknown":
        ledger.unknown(id_, "symbolic", statement, checked.reason)
    else:
        message = f"The formula is not the {paper.player}'s loss: {checked.reason}."
        named = None if paper.player == "training" else paper.player
        finding = Finding("LOG004", message, player=named, place=paper.place)
        ledger.refuted(id_, "symbolic", statement, "a counterexample by the code itself", finding)


def in_outputs(expression: sp.Expr, *, raw: bool = False) -> sp.Expr:
    """Write a formula in D(x) and D(G(z)); a D whose logarithm is taken is a probability.

    With `raw`, what the player returns is that probability.
    """

    symbols = {"D(x)": REAL, "D(G(z))": FAKE}
    value: sp.Expr = expression.replace(lambda e: e.func == D, lambda e: symbols.get(judged(e), e))
    logarithms: Mapping[sp.Expr, sp.Expr] = {REAL: sigmoid(REAL), FAKE: sigmoid(FAKE)}
    if not raw and any(not a.args[0].has(sp.exp) for a in value.atoms(sp.log)):
        value = value.subs(logarithms, simultaneous=True)
    return value
