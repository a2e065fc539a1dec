"""What past runs say of a configuration."""

import numpy as np
import pytest

from dlcc.advice.prior import ConfigPrior
from dlcc.past_runs.in_use import shipped_library

WHOLE = {
    "loss": "ns", "optimizer": "adam", "lr_g": 2e-3, "lr_d": 2e-3, "beta1": 0.5, "beta2": 0.999,
    "g_every": 1, "d_every": 1, "r1": 0.1, "batch": 32, "width": 32, "depth": 2, "zdim": 8,
    "init": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def prior():
    """What the shipped library says of settings of the ring."""
    return ConfigPrior.fit(shipped_library(), "ring")


def test_sound_rates_promise_more_than_absurd_ones(prior):
    sound, absurd = prior([WHOLE, {**WHOLE, "lr_g": 5.0, "lr_d": 5.0}])
    assert sound > 0.5 > 0.1 > absurd


def test_what_is_not_said_is_taken_to_be_usual(prior):
    """Not to be the number 0, which of a logarithm is an absurd 1."""
    known = shipped_library()
    known = known.select(known.true_record & (known.data == "ring"))
    rates = known.config_vectors[:, :2]
    usual = dict(zip(("lr_g", "lr_d"), 10 ** np.median(rates, axis=0), strict=True))
    rest = {key: value for key, value in WHOLE.items() if key not in usual}
    silent, said = prior([rest, {**rest, **usual}])
    assert abs(silent - said) < 0.1


def test_what_the_cache_kept_is_what_the_trees_say(prior, own_cache):
    configs = [WHOLE, {**WHOLE, "lr_g": 0.01}]
    grown, kept = prior(configs), ConfigPrior(prior.configs, prior.healthy)(configs)
    assert len(list((own_cache / "priors").iterdir())) == 1
    assert (grown == kept).all()
    others = ConfigPrior(prior.configs, ~prior.healthy)(configs)  # of other past runs, not theirs
    assert others == pytest.approx(1 - kept)
