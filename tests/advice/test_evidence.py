"""What stands behind changes."""

from __future__ import annotations

from dlcc.advice.change import Change
from dlcc.advice.evidence import PastEvidence, Trial, gain_of, ranked, with_usual_names
from dlcc.past_runs.in_use import shipped_library
from dlcc.records import Outcome
from dlcc.settings.keys import keys_of

GOOD, BAD = Outcome("healthy", 0.97, 0.9), Outcome("collapsed", 0.02, 0.0)
CONFIG = {"loss": "ns", "lr_g": 0.02, "lr_d": 0.02, "seed": 1}


def trial(fields: dict[str, float], past: float, *outcomes: Outcome) -> Trial:
    return Trial(Change(dict(fields)), past, 1.0, list(outcomes))


def test_own_reruns_lead_and_past_runs_fill_in() -> None:
    found = ranked([
        trial({}, 0.1, BAD, BAD, BAD, BAD),
        trial({"a": 1}, 0.95),
        trial({"b": 1}, 0.1, GOOD, GOOD, GOOD),
        trial({"c": 1}, 0.9, BAD, BAD),
        trial({"d": 1}, 0.5, GOOD, BAD),
    ])  # fmt: skip
    assert [next(iter(a.change.fields)) for a in found.ranked] == ["b", "d", "c", "a"]
    standings = [found.standing(a) for a in found.ranked]
    assert standings == ["advised", "undecided", "undecided", "past runs alone"]


def test_what_promises_less_than_another_seed_showed_is_not_shown() -> None:
    found = ranked([
        trial({}, 0.1, GOOD, GOOD, GOOD), trial({"a": 1}, 0.3), trial({"b": 1}, 0.3, BAD)
    ])  # fmt: skip
    assert [next(iter(a.change.fields)) for a in found.shown()] == ["b"]
    assert found.standing(found.shown()[0]) == "undecided"
    assert gain_of(found.shown()[0], found.control).mean < 0


def test_past_runs_on_other_data_count_for_less() -> None:
    known = shipped_library()
    here, elsewhere = (PastEvidence.of([CONFIG], known, name) for name in ("ring", "mine"))
    assert here.reruns > elsewhere.reruns > 0
    none = PastEvidence.of([CONFIG], known, "ring", "vae", keys_of({"lr": 1e-3}, "vae"))
    assert none.reruns < elsewhere.reruns


def test_usual_values_promise_more_where_nothing_else_is_known() -> None:
    configs = [{"lr": lr, "beta": beta} for lr, beta in ((1e-3, 1.0), (1e-3, 30.0), (1.0, 1.0))]
    keys = keys_of(configs[0], "vae")
    usual, heavy, fast = PastEvidence.of(configs, shipped_library(), None, "vae", keys).p_healthy
    assert usual > heavy > fast


def test_settings_get_the_names_that_past_runs_have() -> None:
    config = {"optim": {"d": {"lr": 0.1}}, "gan_mode": "lsgan", "n_critic": 5, "gamma": 1.0}
    named = with_usual_names(config, keys_of(config))
    assert {k: named[k] for k in ("lr_d", "loss", "g_every", "r1")} == {
        "lr_d": 0.1, "loss": "ls", "g_every": 5, "r1": 1.0,
    }  # fmt: skip
