"""Check of all rules, noted as obligations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dlcc.errors import DlccError
from dlcc.findings import Finding
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.rules.averages import stale_averages
from dlcc.stages.consistency.rules.batches import (
    evaluation_mode,
    in_order,
    mixed_normalisation,
    same_batch,
    same_noise,
)
from dlcc.stages.consistency.rules.breach import Breach, Doubt, Evidence
from dlcc.stages.consistency.rules.optimisers import (
    holds_the_judge,
    left_out,
    never_stepped,
    scale_is_undone,
    stepped_twice,
)
from dlcc.stages.consistency.rules.reconstructions import no_noise, wrong_pairs
from dlcc.stages.consistency.rules.samples import one_noise
from dlcc.stages.consistency.rules.settings import (
    clipping_is_kept,
    schedule_is_kept,
    stated_settings,
)

Rule = Callable[[Evidence], Iterator[Breach | Doubt]]

OF_STEPS: tuple[tuple[str, str, Rule], ...] = (
    ("left-out", "optimisers hold all weights that losses train", left_out),
    ("never-stepped", "players that losses reach are stepped", never_stepped),
    ("twice", "an optimiser steps once on a gradient", stepped_twice),
    ("scale", "gradients of scaled losses are scaled back", scale_is_undone),
    ("judge", "no optimiser that fools a judge holds it", holds_the_judge),
    ("noise", "random numbers are drawn anew at each step", same_noise),
    ("one-noise", "each sample of a batch has noise of its own", one_noise),
    ("batch", "steps in a row take other data", same_batch),
    ("order", "data that have an order are shuffled", in_order),
    ("moments", "data and samples are normalised apart", mixed_normalisation),
    ("mode", "players are trained in training mode", evaluation_mode),
    ("pairs", "a reconstruction is compared with what it encodes", wrong_pairs),
    ("drawn", "a variational autoencoder draws its latents", no_noise),
    ("clipping", "gradients are clipped as the configuration states", clipping_is_kept),
)
"""Rules of steps that were done again: name, statement, rule."""
OF_STATES: tuple[tuple[str, str, Rule], ...] = (
    ("settings", "optimisers have the settings that the configuration states", stated_settings),
    ("schedule", "rates follow the schedule that the configuration states", schedule_is_kept),
    ("average", "averages of weights follow the weights", stale_averages),
)
"""Rules of the states in snapshots: name, statement, rule."""


def check_rules(ledger: Ledger, evidence: Evidence) -> None:
    """Check what a training must obey whatever it trains."""
    rules = (*(OF_STEPS if evidence.traced.steps else ()), *(OF_STATES if evidence.states else ()))
    for name, statement, rule in rules:
        id_ = f"rule/{name}"
        try:
            found = list(rule(evidence))
        except (DlccError, RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
            ledger.unknown(id_, "record", statement, f"cannot be told: {str(error)[:120]}")
            continue
        breaches = [each for each in found if isinstance(each, Breach)]
        doubts = [each.reason for each in found if isinstance(each, Doubt)]
        if not breaches and doubts:
            ledger.unknown(id_, "record", statement, "; ".join(doubts))
        elif not breaches:
            ledger.held(id_, "record", statement, "looked at in the steps and states at hand")
        for number, breach in enumerate(breaches):
            place, message = f"{id_}/{number}" if number else id_, breach.message
            if breach.ignores:
                why = evidence.why_used(breach.ignores, breach.of_step)
                if why:
                    reason = f"{message.removesuffix('.')}; {why}"
                    ledger.unknown(place, "record", statement, reason)
                    continue
                message += " Changing it changes nothing."
            finding = Finding(breach.code, message, player=breach.player, first_step=breach.step)
            ledger.refuted(place, "record", statement, "looked at", finding)
