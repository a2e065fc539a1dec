"""Changes that one can make."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.advice.catalogue.adversarial import SOUND_RATE
from dlcc.advice.change import Change
from dlcc.advice.remedies import GOOD_RECIPE, candidates
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


READS = "rates = [config[f'lr_{p}'] for p in 'gd']; loss = config['loss']"


@pytest.mark.parametrize(
    ("code", "losses"),
    [
        ((), {"ns", "ls", "hinge", "wgangp"}),
        ((READS, 'if loss == "mm": ...'), set()),
        ((READS, 'LOSSES = ("mm",)', "x = 'hinge'", "wgangp"), {"hinge"}),
        ((READS, "LOSSES[config['loss']]"), {"ns", "ls", "hinge", "wgangp"}),
        (("rates = [config[f'lr_{p}'] for p in 'gd']",), set()),
    ],
)
def test_code_that_names_its_losses_is_offered_no_others(code, losses):
    fields = [change.fields for change in candidates(CONFIG, code)]
    assert {f["loss"] for f in fields if "loss" in f} == losses
    assert {"lr_g": 0.25} in fields


def test_keys_that_the_code_does_not_read_are_left_alone():
    fields = [change.fields for change in candidates(CONFIG, ["lr = config.get('lr_g')"])]
    assert {key for f in fields for key in f} == {"lr_g"}


@pytest.mark.parametrize(
    ("config", "kind", "wanted"),
    [
        ({"optim": {"d": {"lr": 0.02}, "g": {"lr": 0.02}}}, "adversarial", {"optim.d.lr": 0.002}),
        ({"betas": [0.9, 0.999]}, "adversarial", {"betas.0": 0.0}),
        ({"r1_gamma": 0.0, "r2_gamma": 0.0}, "adversarial", {"r1_gamma": 0.1, "r2_gamma": 0.1}),
        ({"relativistic": False}, "adversarial", {"relativistic": True}),
        ({"n_critic": 5}, "adversarial", {"n_critic": 1}),
        ({"ema_decay": 0.5}, "adversarial", {"ema_decay": 0.999}),
        ({"gamma": 8.0}, "adversarial", {"gamma": 2.0}),
        ({"beta": 20.0}, "vae", {"beta": 1.0}),
        ({"latent_dim": 2}, "vae", {"latent_dim": 4}),
        ({"free_bits": 0.0}, "vae", {"free_bits": 0.1}),
        ({"bandwidth": 1.0}, "maps", {"bandwidth": 0.5}),
    ],
)
def test_keys_are_known_by_meaning(config, kind, wanted):
    assert wanted in [change.fields for change in candidates(config, remedies=kind)]


def test_rates_that_are_equal_are_not_brought_together():
    for change in candidates({"d_lr": 1e-2, "g_lr": 1e-2}):
        assert change.fields != {"d_lr": 1e-2}
        assert 1e-2 not in change.fields.values()


def test_words():
    assert Change({"lr_d": 2e-3, "loss": "ns"}).words(CONFIG) == "lr_d 1 -> 0.002, loss mm -> ns"
    assert Change({}).words(CONFIG) == "another seed"


@pytest.mark.parametrize("value", ["fast", None, True, -1.0, 10**400, [1e-3]])
def test_rates_that_are_none(value):
    for change in candidates({**CONFIG, "lr_g": value}):
        assert all(not isinstance(v, float) or v >= 0 for v in change.fields.values())
