"""What members are compared with: the recipe's own training, also in double precision."""

import torch

from dlcc.recipes.small_gan import training as small_gan

MIXED = (
    {"loss": "ns"},
    {"loss": "mm", "optimizer": "sgd", "beta1": 0.0, "lr_g": 0.02, "lr_d": 0.05, "g_every": 2},
    {"loss": "ls", "optimizer": "sgd", "beta1": 0.8, "lr_g": 0.01, "lr_d": 0.01, "init": 1.3},
    {"loss": "hinge", "r1": 0.3, "d_every": 3, "beta1": 0.0, "beta2": 0.9},
    {"loss": "wgangp", "optimizer": "rmsprop", "beta2": 0.9, "lr_g": 1e-3, "lr_d": 1e-3},
    {"loss": "wgangp", "r1": 0.2, "g_every": 5, "beta1": 0.9, "lr_g": 1e-4},
    {"loss": "ls", "optimizer": "rmsprop", "r1": 1.0, "g_every": 2, "d_every": 3, "lr_d": 1e-3},
    {"loss": "ns", "seed": 0, "lr_d": 1e-4},  # the seed of the first
)
"""Members that differ in all in which members may differ."""


def mixed(data, **common):
    return [{"data": data, "seed": i, **own, **common} for i, own in enumerate(MIXED)]


class DoubleGAN(small_gan.SmallGAN):
    """The recipe's training in double precision, from the same weights and batches."""

    def __init__(self, config):
        super().__init__(config)
        for network in self.players.values():
            network.double()

    def batch(self, step):
        return small_gan.Batch(*(tensor.double() for tensor in super().batch(step)))


def double(config):
    return DoubleGAN(small_gan.Config.parse(config))


def deviation(ensemble, solos, steps):
    """The largest deviation of any recorded number, relative where it is above 1.

    Trains both; what a solo training does not record must be 0. `solos` are those of all members,
    or by the numbers of some.
    """
    pairs = list(solos.items() if isinstance(solos, dict) else enumerate(solos))
    worst = 0.0
    for step in steps:
        row = {name: values.tolist() for name, values in ensemble.step(step).items()}
        for i, solo in pairs:
            own = solo.step(step)
            assert own.keys() <= row.keys()
            for name, values in row.items():
                wanted = own.get(name, 0.0)
                worst = max(worst, abs(values[i] - wanted) / max(1.0, abs(wanted)))
    return worst


def weight_deviation(ensemble, solos):
    """The largest deviation of any weight."""
    worst = 0.0
    for i, solo in enumerate(solos):
        state = ensemble.member_state(i)
        for player, network in solo.players.items():
            for name, tensor in network.state_dict().items():
                worst = max(worst, (state[player][name] - tensor).abs().max().item())
    return worst


def double_sample(solo, n, seed):
    """The samples of a double training from the noise of its float twin."""
    twin = small_gan.SmallGAN(solo.config)
    twin.generator = solo.generator
    kept = torch.from_numpy
    try:
        torch.from_numpy = lambda array: kept(array).double()
        return twin.sample(n, seed)
    finally:
        torch.from_numpy = kept
