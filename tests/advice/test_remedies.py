"""Changes that one can make."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.advice.remedies import GOOD_RECIPE, SOUND_RATE, Change, candidates
from dlcc.past_runs.build.settings import draw_setting
from dlcc.recipes.small_gan.training import Config

CONFIG = {"loss": "mm", "optimizer": "sgd", "beta1": 0.9, "beta2": 0.99, "lr_g": 0.5, "lr_d": 1.0,
          "g_every": 1, "d_every": 5, "r1": 0.0, "init": 2.0, "width": 32, "seed": 3}  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_every_candidate_changes_what_it_says_and_is_a_valid_configuration(number):
    config = draw_setting(5, number, "ring")
    found = candidates(config)
    assert len(found) >= 20
    sizes = [change.size for change in found]
    assert sizes == sorted(sizes)
    for change in found:
        assert change.size >= 1
        assert all(config[key] != value for key, value in change.fields.items())
        Config.parse({**change.applied(config), "data": "ring"})
    assert len({tuple(sorted(c.fields.items())) for c in found}) == len(found)


def test_the_good_recipe_is_the_last_resort():
    last = candidates(CONFIG)[-1]
    assert {**CONFIG, **last.fields}.items() >= GOOD_RECIPE.items()


def test_fields_that_the_configuration_lacks_are_left_alone():
    found = candidates({"lr_g": 1e-2, "seed": 1})
    assert found
    assert {key for change in found for key in change.fields} == {"lr_g"}
    assert candidates({"width": 3}) == []


def test_one_rate_for_both_players():
    found = [change.fields for change in candidates({"lr": 1e-2, "optimizer": "adam", "seed": 1})]
    assert {"lr": 5e-3} in found
    assert {"lr": SOUND_RATE["adam"]} in found
    assert {key for fields in found for key in fields} == {"lr", "optimizer"}


def test_rmsprop_is_tried_where_momentum_cannot_be_set():
    tried = {"optimizer": "rmsprop"}
    assert tried in [change.fields for change in candidates({"optimizer": "adam"})]
    assert tried not in [change.fields for change in candidates(CONFIG)]


@pytest.mark.parametrize(
    ("code", "losses"),
    [
        ((), {"ns", "ls", "hinge", "wgangp"}),
        (('if loss == "mm":',), set()),
        (('LOSSES = ("mm",)', "or 'hinge'", "wgangp"), {"hinge"}),
        (("loss = LOSSES[config['loss']]",), {"ns", "ls", "hinge", "wgangp"}),
    ],
)
def test_code_that_names_its_losses_is_offered_no_others(code, losses):
    fields = [change.fields for change in candidates(CONFIG, code)]
    assert {f["loss"] for f in fields if "loss" in f} == losses
    assert {"lr_g": 0.25} in fields


def test_words():
    assert Change({"lr_d": 2e-3, "loss": "ns"}).words(CONFIG) == "lr_d 1 -> 0.002, loss mm -> ns"
    assert Change({}).words(CONFIG) == "another seed"


@pytest.mark.parametrize("value", ["fast", None, True, -1.0, 10**400, [1e-3]])
def test_rates_that_are_none(value):
    for change in candidates({**CONFIG, "lr_g": value}):
        assert all(not isinstance(v, float) or v >= 0 for v in change.fields.values())
