"""Labels of the numbers of a log line, in the habits of many tools."""

from __future__ import annotations

import math

import pytest

from dlcc.runs.formats.log_tokens import (
    ABSENT,
    cleaned,
    clock_of,
    layout_of,
    named_by,
    split_line,
    value_of,
)


def labelled(line: str) -> dict[str, str]:
    texts, tokens = split_line(cleaned(line))
    return dict(zip(layout_of(tuple(texts)).labels, tokens, strict=True))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "[0/20][50/142]\tLoss_D: 0.44\tD(G(z)): 0.01 / 0.02",
            {"#1": "0", "#1 of": "20", "#2": "50", "#2 of": "142", "Loss_D": "0.44",
             "D(G(z))": "0.01", "D(G(z)) (2)": "0.02"},
        ),
        (
            "[Epoch 0/100] [Batch 5/938] [D loss: 0.69] [G loss: 0.7]",
            {"Epoch": "0", "Epoch of": "100", "Batch": "5", "Batch of": "938", "D loss": "0.69",
             "G loss": "0.7"},
        ),
        (
            "(epoch: 1, iters: 100, time: 0.340) D_A: 0.446 G_A: -0.4",
            {"epoch": "1", "iters": "100", "time": "0.340", "D_A": "0.446", "G_A": "-0.4"},
        ),
        (
            "<epoch: 86, iter: 107,200, lr:2.5e-05> l_g_pix: 1.48e-03",
            {"epoch": "86", "iter": "107,200", "lr": "2.5e-05", "l_g_pix": "1.48e-03"},
        ),
        ("FID score (Step: 20, Using test moments): 56.4", {"Step": "20", "FID score": "56.4"}),
        ("loss 0.53 (0.60)", {"loss": "0.53", "loss (mean)": "0.60"}),
        ("Train: loss 0.3 | Val: loss 0.5", {"Train: loss": "0.3", "val/Val: loss": "0.5"}),
        ("epoch=3-step=400 loss=0.5", {"epoch": "3", "step": "400", "loss": "0.5"}),
        ("第1轮，判别器损失：0.5", {"第": "1", "判别器损失": "0.5"}),
        ("| grad_norm | 46.2     |", {"grad_norm": "46.2"}),
        ("Iter 500 | lossD 0.5 | lossG = 1e-3", {"Iter": "500", "lossD": "0.5", "lossG": "1e-3"}),
        ("step 100: {'g': 0.5, 'd': nan}", {"step": "100", "g": "0.5", "d": "nan"}),
        ("ada_p: No Discriminator_loss: 0.85", {"Discriminator_loss": "0.85"}),
        ("network-snapshot-000204  fid50k_full 327.5", {"network-snapshot": "000204",
                                                         "fid50k_full": "327.5"}),
        ("losses: [0.1, 0.2]", {"losses": "0.1", "losses (2)": "0.2"}),
        ("loss: tensor(0.69, grad_fn=<MeanBackward0>)", {"loss": "0.69"}),
        ("\x1b[32mloss\x1b[0m: 0.5", {"loss": "0.5"}),
    ],
)  # fmt: skip
def test_labels(line: str, wanted: dict[str, str]) -> None:
    assert labelled(line) == wanted


def test_dates_times_and_versions_are_no_quantities() -> None:
    found = labelled(
        "[INFO] 2021-11-28 10:56:36 > Step: 100 Elapsed: 0:00:57 took 3.5s torch 1.7.1"
    )
    numbers = {label: value_of(token) for label, token in found.items()}
    assert {label: v for label, v in numbers.items() if v != ABSENT} == {"Step": 100.0}


def test_values() -> None:
    assert value_of("107,200") == 107_200
    assert math.isnan(value_of("nan"))
    assert value_of("-inf") == -math.inf
    assert value_of("N/A") == value_of("0:05:20") == ABSENT


@pytest.mark.parametrize(
    ("token", "seconds"),
    [
        ("2021-11-28 10:56:36", 1638096996.0),
        ("2025-11-11 21:29:53,817", 1762896593.817),
        ("19-08-09 08:25:25.996", 1565339125.996),
        ("Tue Nov 17 03:34:35 2020", 1605584075.0),
    ],
)
def test_clocks(token: str, seconds: float) -> None:
    assert clock_of(token) == pytest.approx(seconds)
    assert math.isnan(clock_of("0:05:20"))


def test_columns_are_named_by_the_line_above() -> None:
    assert named_by("epoch   d_loss  g_loss", 3) == ["epoch", "d_loss", "g_loss"]
    assert named_by("| epoch | d | g |", 3) == ["epoch", "d", "g"]
    assert named_by("-----+-----", 2) is None
