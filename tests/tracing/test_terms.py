"""Terms of tensors: how they were made, batch by batch, whatever layout they are in."""

from __future__ import annotations

import torch
from torch import nn

from tests.tracing.steps import DATA, ROWS, WIDE, players, recorded, step_loss


def test_a_batch_that_was_put_together_has_the_terms_of_its_parts() -> None:
    nets = players()
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        fake = n["generator"](torch.randn(ROWS, 3)).detach()
        out = n["discriminator"](torch.cat([DATA[:ROWS].clone(), fake]))
        (out[:ROWS] - out[ROWS:]).square().mean().backward()
        adam.step()

    loss = step_loss(*recorded(step, nets))
    found = {v.role: loss.terms.of(*v.places[0]).inputs for v in loss.variables}
    assert {role: [t.kind for t in terms] for role, terms in found.items()} == {
        "real": ["given"],
        "fake": ["made"],
    }
    assert [t.kind for t in found["fake"][0].inputs] == ["chance"]


def test_data_and_noise_that_are_mixed_are_told_with_what_they_are_mixed_of() -> None:
    nets = players()
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        noise = torch.randn(ROWS, WIDE)
        n["discriminator"](0.8 * DATA[:ROWS] + 0.6 * noise).square().mean().backward()
        adam.step()

    loss = step_loss(*recorded(step, nets))
    (mixed,) = loss.terms.of(loss.variables[0].places[0][0]).inputs
    assert mixed.kind == "mix"
    assert {t.kind for t in mixed.inputs} == {"given", "chance"}


def test_a_player_that_lays_out_what_it_is_given_takes_nothing_away() -> None:
    """A view in the same shape lies at the same place in memory, and is no other tensor."""

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(WIDE, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.body(x.reshape(len(x), -1))
            return made

    nets = {"generator": nn.Linear(3, WIDE), "discriminator": Flat()}
    adam = torch.optim.Adam(nets["generator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        out = n["generator"](torch.randn(ROWS, 3))
        (n["discriminator"](out).mean() + (out - DATA[:ROWS]).abs().mean()).backward()
        adam.step()

    loss = step_loss(*recorded(step, nets))
    assert {v.player or v.sort for v in loss.variables} == {"generator", "discriminator", "data"}
