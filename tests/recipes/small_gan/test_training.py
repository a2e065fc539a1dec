"""The training code: its draws, its losses against a second implementation, its continuation."""

import ast
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, log_expit

from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.training import CHUNK, LOSSES, Config, build, draw_data, load_digits

OPTIMIZERS = ("adam", "rmsprop", "sgd")


def flat_weights(training):
    return torch.cat(
        [p.detach().flatten() for net in training.players.values() for p in net.parameters()]
    )


def equal_states(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal_states(a[key], b[key]) for key in a)
    return torch.equal(a, b)


# --- losses ---------------------------------------------------------------------------------------

# The formulas once more, in numpy: loss -> (discriminator's, generator's) of raw real and fake.
CLOSED_FORMS = {
    "ns": (
        lambda r, f: -np.mean(log_expit(r)) - np.mean(np.log1p(-expit(f))),
        lambda f: -np.mean(log_expit(f)),
    ),
    "mm": (
        lambda r, f: -np.mean(log_expit(r)) - np.mean(np.log1p(-expit(f))),
        lambda f: np.mean(np.log1p(-expit(f))),
    ),
    "ls": (
        lambda r, f: np.mean((r - 1) ** 2 + f**2) / 2,
        lambda f: np.mean((f - 1) ** 2) / 2,
    ),
    "hinge": (
        lambda r, f: np.mean(np.clip(1 - r, 0, None)) + np.mean(np.clip(1 + f, 0, None)),
        lambda f: -f.mean(),
    ),
    "wgangp": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_losses_have_their_closed_forms(loss, scale):
    rng = np.random.default_rng(0)
    real, fake = scale * rng.standard_normal((2, 50))
    discriminator, generator = LOSSES[loss]
    wanted_d, wanted_g = CLOSED_FORMS[loss]
    r, f = torch.from_numpy(real), torch.from_numpy(fake)
    assert discriminator(r, f).item() == pytest.approx(wanted_d(real, fake), rel=1e-9)
    assert generator(f).item() == pytest.approx(wanted_g(fake), rel=1e-9)


@pytest.mark.parametrize("loss", ["ns", "mm"])
def test_cross_entropy_stays_finite_at_large_outputs(loss):
    large = torch.tensor([1e4, -1e4])
    for value in (LOSSES[loss][0](large, large), LOSSES[loss][1](large)):
        assert torch.isfinite(value)


def test_penalties_of_a_linear_discriminator():
    linear = torch.nn.Linear(3, 1).double()
    slope = linear.weight.detach().norm().item()
    x, y = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(0)).double()
    mixing = torch.full((8, 1), 0.25).double()
    assert small_gan.r1_penalty(linear, x).item() == pytest.approx(slope**2 / 2)
    penalty = small_gan.gradient_penalty(linear, x, y, mixing)
    assert penalty.item() == pytest.approx((slope - 1) ** 2)


def test_gradient_penalty_is_taken_between_the_samples():
    def square(x):  # its slope at x̂ is 2 x̂
        return (x**2).sum(dim=1, keepdim=True)

    real, fake = torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    penalty = small_gan.gradient_penalty(square, real, fake, torch.tensor([[0.75]]))
    assert penalty.item() == pytest.approx((2 * 3.0 - 1) ** 2)
    assert small_gan.r1_penalty(square, real).item() == pytest.approx(0.5 * 8.0**2)


# --- data and draws -------------------------------------------------------------------------------


def test_batches_are_functions_of_seed_and_step():
    steps = [3, CHUNK - 1, CHUNK, 5 * CHUNK + 7]
    forward = {step: build({"seed": 1}).batch(step) for step in steps}
    training = build({"seed": 1})
    for step in reversed(steps):
        assert all(map(torch.equal, training.batch(step), forward[step]))
    assert not torch.equal(forward[3].noise, forward[CHUNK].noise)
    assert not torch.equal(build({"seed": 2}).batch(3).real, forward[3].real)


def test_samples_are_functions_of_the_seeds():
    training = build({"seed": 1})
    assert torch.equal(training.sample(5, seed=9), training.sample(5, seed=9))
    assert not torch.equal(training.sample(5, seed=9), training.sample(5, seed=10))
    assert training.sample(5, seed=9).shape == (5, 2)


@pytest.mark.parametrize(("data", "modes"), [("ring", 8), ("grid9", 9), ("grid25", 25)])
def test_mixtures_are_what_they_say(data, modes):
    mixture = small_gan.MIXTURES[data]
    drawn = draw_data(data, (40_000,), np.random.default_rng(0))
    offsets = drawn[:, None] - np.asarray(mixture.centres)
    nearest = (offsets**2).sum(axis=2).argmin(axis=1)
    assert len(mixture.centres) == modes
    counts = np.bincount(nearest, minlength=modes)
    assert counts == pytest.approx(np.full(modes, 40_000 / modes), rel=0.1)
    assert offsets[np.arange(40_000), nearest].std() == pytest.approx(mixture.sd, rel=0.02)


def test_ring_has_radius_two_and_grids_their_spacing():
    assert np.hypot(*np.asarray(small_gan.MIXTURES["ring"].centres).T) == pytest.approx(2.0)
    assert {x for x, _ in small_gan.MIXTURES["grid9"].centres} == {-2.0, 0.0, 2.0}
    assert {x for x, _ in small_gan.MIXTURES["grid25"].centres} == {-2.0, -1.0, 0.0, 1.0, 2.0}


def test_digits_are_exact_at_half_precision():
    images, classes = load_digits()
    assert images.shape == (1797, 64)
    assert (images.min(), images.max()) == (-1.0, 1.0)
    assert np.array_equal(images.astype(np.float16).astype(np.float32), images)
    assert set(classes) == set(range(10))


# --- networks -------------------------------------------------------------------------------------


def test_networks_have_the_configured_layers():
    players = build({"data": "digits", "depth": 3, "width": 16, "zdim": 5}).players
    kinds = {name: [type(layer).__name__ for layer in net] for name, net in players.items()}
    assert kinds["generator"] == ["Linear", "ReLU"] * 3 + ["Linear", "Tanh"]
    assert kinds["discriminator"] == ["Linear", "LeakyReLU"] * 3 + ["Linear"]
    assert players["generator"](torch.zeros(2, 5)).shape == (2, 64)
    assert players["discriminator"](torch.zeros(2, 64)).shape == (2, 1)


def test_initial_weights_fill_their_range():
    training = build({"init": 2.0, "width": 64, "seed": 3})
    for network in training.players.values():
        for layer in network:
            if isinstance(layer, torch.nn.Linear) and layer.weight.numel() > 100:
                bound = 2.0 / layer.in_features**0.5
                largest = layer.weight.abs().max().item()
                assert 0.9 * bound < largest <= bound
    assert torch.equal(
        flat_weights(training), flat_weights(build({"init": 2.0, "width": 64, "seed": 3}))
    )


# --- steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_continues_bit_for_bit_from_a_state(optimizer, loss):
    config = {"loss": loss, "optimizer": optimizer, "r1": 0.1, "g_every": 2, "lr_d": 0.01}
    whole, middle = build(config), CHUNK + 3
    for step in range(middle):
        whole.step(step)
    state = whole.state_dict()
    rows = [whole.step(step) for step in range(middle, 2 * CHUNK + 3)]

    resumed = build(config)
    resumed.load_state_dict(state)
    assert [resumed.step(step) for step in range(middle, 2 * CHUNK + 3)] == rows
    assert equal_states(resumed.state_dict(), whole.state_dict())


def test_states_are_copies():
    training = build({})
    training.step(0)
    state = training.state_dict()
    before = state["generator"]["0.weight"].clone()
    other = build({})
    other.load_state_dict(state)
    training.step(1)
    other.step(1)
    assert torch.equal(state["generator"]["0.weight"], before)
    assert torch.equal(flat_weights(training), flat_weights(other))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_is_what_plain_torch_does(optimizer):
    """The step against autograd and torch.optim used in the most ordinary way."""
    config = Config.parse({"optimizer": optimizer, "lr_g": 0.01, "lr_d": 0.02, "loss": "ns"})
    training = small_gan.SmallGAN(config)
    plain = small_gan.make_players(config)
    generator, discriminator = plain["generator"], plain["discriminator"]
    make = {
        "adam": lambda p, lr: torch.optim.Adam(p, lr=lr, betas=(0.5, 0.999)),
        "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr=lr, alpha=0.999),
        "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.5),
    }[optimizer]
    optimizer_g, optimizer_d = (
        make(generator.parameters(), 0.01),
        make(discriminator.parameters(), 0.02),
    )
    cross_entropy = torch.nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)

    for step in range(5):
        row = training.step(step)
        x, z, _ = training.batch(step)
        fake = generator(z)
        optimizer_d.zero_grad()
        real_out, fake_out = discriminator(x), discriminator(fake.detach())
        d_loss = cross_entropy(real_out, ones) + cross_entropy(fake_out, zeros)
        d_loss.backward()
        d_norm = torch.cat([p.grad.flatten() for p in discriminator.parameters()]).norm()
        optimizer_d.step()
        optimizer_g.zero_grad()
        g_loss = cross_entropy(discriminator(fake), ones)
        g_loss.backward()
        g_norm = torch.cat([p.grad.flatten() for p in generator.parameters()]).norm()
        optimizer_g.step()
        wanted = {
            "discriminator/loss": d_loss,
            "generator/loss": g_loss,
            "discriminator/grad_norm": d_norm,
            "generator/grad_norm": g_norm,
            "discriminator/real": real_out.sigmoid().mean(),
            "discriminator/fake": fake_out.sigmoid().mean(),
        }
        assert row == pytest.approx({k: v.item() for k, v in wanted.items()}, rel=1e-4)
    for name, network in plain.items():
        for mine, other in zip(
            training.players[name].parameters(), network.parameters(), strict=True
        ):
            torch.testing.assert_close(mine, other, rtol=1e-3, atol=3e-4)


def test_a_resting_player_is_measured_and_stays():
    training = build({"g_every": 2, "d_every": 3})
    training.step(0)
    weights = flat_weights(training)
    row = training.step(1)  # neither 2 nor 3 divides it
    assert torch.equal(flat_weights(training), weights)
    assert row["generator/grad_norm"] > 0
    assert row["discriminator/grad_norm"] > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_probe_agrees_with_the_step_and_changes_nothing(loss):
    training = build({"loss": loss, "r1": 0.5})
    for step in range(3):
        training.step(step)
    state = training.state_dict()
    probe = training.probe(3)
    training.sample(10, seed=0)
    assert equal_states(training.state_dict(), state)

    row = training.step(3)
    real, fake = probe["discriminator/real"], probe["discriminator/fake"]
    assert real.shape == fake.shape == (32,)
    if loss in small_gan.PROBABILITY_LOSSES:
        real, fake = real.sigmoid(), fake.sigmoid()
    assert real.mean().item() == row["discriminator/real"]
    assert fake.mean().item() == row["discriminator/fake"]
    assert probe["discriminator/loss"].item() == pytest.approx(row["discriminator/loss"], rel=1e-6)
    assert probe["discriminator/penalty"].item() == row["discriminator/penalty"]
    assert probe["generator/loss"].item() != row["generator/loss"]  # there, D is updated first


def test_rows_name_the_penalty_only_where_there_is_one():
    assert "discriminator/penalty" not in build({}).step(0)
    assert "discriminator/penalty" in build({"loss": "wgangp"}).step(0)


# --- configuration and file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lr": 1e-3}, "unknown key 'lr': the keys are data, loss"),
        ({"loss": "bce"}, "loss is 'bce': choose one of ns, mm, ls, hinge, wgangp"),
        ({"lr_g": -1}, "lr_g is -1: give a value from 0 to 10"),
        ({"lr_g": float("nan")}, "lr_g is nan"),
        ({"lr_g": "fast"}, "give a number"),
        ({"batch": 32.0}, "batch is 32.0: give a whole number"),
        ({"batch": True}, "give a whole number"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_configurations_are_refused(values, said):
    with pytest.raises(ValueError, match=said):
        build(values)


def test_whole_numbers_do_for_real_ones():
    assert Config.parse({"lr_g": 1}).lr_g == 1.0


def test_the_file_is_complete_in_itself(tmp_path: Path):
    """It imports nothing of this package, and a copy elsewhere trains the same."""
    source = Path(small_gan.__file__).read_text(encoding="utf-8")
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy", "torch", "sklearn"}

    copy = tmp_path / "train.py"
    copy.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("copied_training", copy)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.build({"seed": 4}).step(0) == build({"seed": 4}).step(0)
