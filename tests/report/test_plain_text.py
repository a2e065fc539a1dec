"""Names of a run in pictures: they stand there as they are, and no formula is read into them."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest

from dlcc.records import Series
from dlcc.report import landscape, pictures
from tests.landscape_summaries import player, record

FORMULA = r"p$\nosuch{$"
STEPS = range(0, 1_001, 100)
SUMMARIES = tuple(record(s, players={FORMULA: player()}) for s in STEPS)
VALUES = np.exp(np.linspace(-9, 9, 100))
SERIES = Series.from_start(
    {f"{FORMULA}/{quantity}": VALUES for quantity in ("loss", "grad_norm", "grad_noise_scale")}
)
DRAWINGS: list[Callable[[], str | None]] = [
    lambda: pictures.losses(SERIES, 10, (5, 20)),
    lambda: pictures.cloud(SERIES, SUMMARIES),
    lambda: landscape.spectrum(SUMMARIES),
    lambda: landscape.slices(SUMMARIES, 1_000),
    lambda: landscape.gradient_noise(SERIES, 32),
]


def texts(svg: str | None) -> list[str]:
    assert svg is not None
    elements = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(element.itertext()) for element in elements]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_a_formula_in_a_name_stands_as_it_is(draw: Callable[[], str | None]) -> None:
    assert FORMULA in texts(draw())


def test_control_characters_do_not_get_into_a_picture() -> None:
    series = Series.from_start({"p\x1b[2J\u202e\x07\x9b/loss": VALUES})
    svg = pictures.losses(series, None, None)
    assert "p\ufffd[2J\ufffd\ufffd\ufffd" in texts(svg)
    assert svg is not None
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", svg)


def test_powers_on_logarithmic_axes_are_written_out() -> None:
    shown = texts(pictures.cloud(SERIES))
    assert "10⁻²" in shown
    assert not any("$" in text for text in shown if text != FORMULA)


@pytest.mark.parametrize("far", [1e308, 1.7976931348623157e308, 1e300])
def test_values_that_alternate_between_both_ends_of_the_numbers_are_drawn(far: float) -> None:
    signs = np.where(np.arange(400) % 2, far, -far)
    series = Series.from_start(
        {"generator/loss": signs, "generator/grad_norm": np.where(signs > 0, far, 1e-308)}
    )
    for svg in (pictures.losses(series, None, None), pictures.cloud(series)):
        assert "generator" in texts(svg)
