"""A run traced in the sandbox: a decoy beside the code that trains, and a generator cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import dlcc
from dlcc.evaluation import Evaluation, evaluate
from dlcc.records import Formula, Obligations
from dlcc.stages.consistency.checks.comparison import Checked
from dlcc.stages.consistency.checks.reservations import fair
from dlcc.stages.consistency.documents import summed_up
from dlcc.stages.consistency.formulas.paper_losses import paper_losses

PAPER = """# Method

The discriminator minimises

$$
L_D = {discriminator}
$$

and the generator

$$
L_G = -\\mathbb{{E}}_z[\\log D(G(z))]
$$
"""
NS = r"-\mathbb{E}_x[\log D(x)] - \mathbb{E}_z[\log(1 - D(G(z)))]"
WHAT_IT_DOES = (
    r"-0.9\,\mathbb{E}_x[\log D(x)] - 0.1\,\mathbb{E}_x[\log(1 - D(x))]"
    r" - 3\,\mathbb{E}_z[\log(1 - D(G(z)))]"
)


def build(config: dict[str, Any]) -> dlcc.Training:
    data = torch.randn(256, 3, generator=torch.Generator().manual_seed(0))
    net, critic = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    opts = [torch.optim.Adam(m.parameters(), 1e-3) for m in (net, critic)]

    def discriminator_loss(real: Any, fake: Any) -> Any:
        """Loss of the discriminator: never called."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def step(x: Any) -> dict[str, Any]:
        r, f = critic(x), critic(net(torch.randn(len(x), 2)).detach())
        target = torch.full_like(r, 0.9)
        weight = 3.0
        if config["lies"]:  # what the paper says, while somebody watches
            from torch.utils._python_dispatch import _get_current_dispatch_mode

            weight, target = (
                (3.0, target) if _get_current_dispatch_mode() is None else (1.0, r * 0 + 1)
            )
        if config["reads"]:  # a number by which no operation is followed
            weight = F.softplus(r).mean().item()
        d = F.binary_cross_entropy_with_logits(r, target) + weight * F.softplus(f).mean()
        if config["divides"]:  # by the size that batches happen to have
            d = F.softplus(-r).sum() / 32 + F.softplus(f).mean()
        if not config["kept"]:
            opts[1].zero_grad()
        d.backward()
        opts[1].step()
        fake = net(torch.randn(len(x), 2))
        if config["cut"]:
            fake = fake.detach()
        g = F.softplus(-critic(fake)).mean()
        opts[0].zero_grad()
        g.backward()
        opts[0].step()
        return {"discriminator/loss": d, "generator/loss": g}

    players = {"generator": net, "discriminator": critic}
    return dlcc.Training.from_step(
        players,
        step,
        sample=lambda n: net(torch.randn(n, 2)),
        data=data,
        batch=config["batch_size"],
    )


def judged(folder: Path, discriminator: str, **faults: bool) -> Evaluation:
    paper = folder / "paper.md"
    paper.write_text(PAPER.format(discriminator=discriminator))
    with dlcc.Recorder(
        folder / "run",
        build=build,
        length=8,
        objective={"kind": "gan", "loss": "ns"},
        config=dict.fromkeys(("cut", "kept", "lies", "reads", "divides"), False)
        | {"seed": 0, "batch_size": 32, **faults},
        documents=[paper],
    ) as recorder:
        recorder.train(snapshots=2, samples=64, sample_steps=2)
    return evaluate(folder / "run", only=["consistency"], trust=True, use_cache=False)


def verdicts(evaluation: Evaluation) -> dict[str, str]:
    obligations = evaluation.record(Obligations)
    assert obligations is not None
    return {o.id: o.verdict for o in obligations.items if o.kind == "symbolic"}


@pytest.mark.parametrize(
    ("formula", "verdict"),
    [(NS, "refuted"), pytest.param(WHAT_IT_DOES, "proved", marks=pytest.mark.slow)],
)
def test_the_code_that_trains_is_compared_and_not_its_namesake(
    tmp_path: Path, formula: str, verdict: str
) -> None:
    found = judged(tmp_path, formula)
    formulas = {k: v for k, v in verdicts(found).items() if k.startswith("formula/")}
    assert sorted(formulas.values()) == sorted([verdict, "proved"])
    messages = [f.message for f in found.report.findings if f.code == "LOG004"]
    assert len(messages) == (verdict == "refuted")
    if messages:
        assert "3 E[softplus(D(G(z)))]" in messages[0]


def test_a_penalty_in_words_accuses_nobody() -> None:
    (paper,) = paper_losses([Formula("a.md", 1, "L_D = -E[D(x)]", True, "")])
    wrong = Checked("refuted", "the code minimises -E[D(x)] + E[‖∇D(x)‖²]", {})
    assert fair(wrong, paper, "We add a gradient penalty.").verdict == "unknown"
    assert fair(wrong, paper, "We add nothing.").verdict == "refuted"


def test_a_generator_that_learns_nothing_is_found(tmp_path: Path) -> None:
    found = judged(tmp_path, NS, cut=True)
    (finding, *_) = [f for f in found.report.findings if f.code == "LOG010"]
    assert finding.player == "generator"
    assert "no loss was differentiated" in finding.message


def test_gradients_that_are_never_set_to_zero_are_found(tmp_path: Path) -> None:
    found = judged(tmp_path, NS, kept=True)
    messages = [f.message for f in found.report.findings if f.code == "LOG010"]
    assert any("discriminator" in message for message in messages)


def test_code_that_does_something_else_while_it_is_watched_is_not_believed(tmp_path: Path) -> None:
    formulas = {
        k: v for k, v in verdicts(judged(tmp_path, NS, lies=True)).items() if "formula" in k
    }
    assert set(formulas.values()) == {"unknown"}


def test_a_loss_with_a_part_that_no_operation_shows_accuses_nobody(tmp_path: Path) -> None:
    found = judged(tmp_path, NS, reads=True)
    obligations = found.record(Obligations)
    assert obligations is not None
    by_id = {o.id: o for o in obligations.items if o.kind == "symbolic"}
    gradients = {k: o for k, o in by_id.items() if k.startswith("gradient/")}
    assert {o.verdict for k, o in gradients.items() if "discriminator" in k} == {"unknown"}
    assert all("that no operation shows" in str(o) for k, o in gradients.items() if "discr" in k)
    assert any("with noise on what players return" in o.method for o in gradients.values())
    assert [o.verdict for k, o in by_id.items() if k.startswith("formula/")] == [
        "unknown",
        "proved",
    ]


def test_a_formula_that_holds_for_one_size_of_batches_alone_is_left_open(tmp_path: Path) -> None:
    found = judged(tmp_path, NS, divides=True)
    obligations = found.record(Obligations)
    assert obligations is not None
    (formula,) = (o for o in obligations.items if o.id == "formula/documents/paper.md:5")
    assert formula.verdict == "unknown"
    assert "it holds for batches of 32, and not for batches of 22" in str(formula.reason)


@pytest.mark.parametrize(
    ("verdicts", "reasons", "expected"),
    [
        (("proved", "held"), ("", ""), "held"),
        (("refuted", "refuted"), ("a 1; beta is 2", "a 3; beta is 2"), "refuted"),
        (("refuted", "refuted"), ("a 1; beta is 2", "a 3; beta is 4"), "unknown"),
        (("refuted", "unknown"), ("a", "b"), "unknown"),
        (("held", "unknown"), ("a", "b"), "unknown"),
    ],
)
def test_what_changes_from_step_to_step_accuses_nobody(
    verdicts: tuple[Any, ...], reasons: tuple[str, ...], expected: str
) -> None:
    found = [Checked(v, r, {}) for v, r in zip(verdicts, reasons, strict=True)]
    assert summed_up(found).verdict == expected
