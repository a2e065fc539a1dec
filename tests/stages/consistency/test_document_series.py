"""Series that documents print or draw, against the record."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dlcc.records import DocumentSeries
from dlcc.stages.consistency.document_series import check_document_series
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.ingestion.documents.printed_series import printed_series
from tests.stages.consistency.documented import dossier, record

STEPS = np.arange(1000)
LOSS = 1 + np.exp(-STEPS / 200) + 0.05 * np.random.default_rng(0).standard_normal(1000)


def printed(lines: list[str]) -> tuple[DocumentSeries, ...]:
    return tuple(printed_series("a.ipynb", 3, "\n".join(lines)))


def verdict(shown: tuple[DocumentSeries, ...]) -> str:
    ledger = Ledger()
    check_document_series(ledger, record(generator_loss=LOSS), dossier(series=shown))
    (obligation,) = ledger.obligations
    assert (obligation.verdict == "refuted") == bool(ledger.findings)
    return obligation.verdict


@pytest.mark.parametrize("offset", [0, 1])
def test_what_was_printed_at_steps_holds_within_its_digits(offset: int) -> None:
    lines = [f"step {k + offset} g_loss {LOSS[k]:.3f}" for k in range(0, 1000, 50)]
    assert verdict(printed(lines)) == "held"


def test_means_since_the_last_line_hold() -> None:
    lines = [f"iter {k} loss_G: {LOSS[k - 99 : k + 1].mean():.4f}" for k in range(99, 1000, 100)]
    assert verdict(printed(lines)) == "held"


def test_a_row_a_step_needs_no_steps() -> None:
    assert verdict(printed([f"g_loss={v:.5f}" for v in LOSS])) == "held"


def test_another_training_is_refuted() -> None:
    lines = [f"step {k} g_loss {LOSS[k] - 0.8:.3f}" for k in range(0, 1000, 50)]
    assert verdict(printed(lines)) == "refuted"


def test_what_was_smoothed_is_unknown() -> None:
    smooth = np.convolve(LOSS, np.ones(9) / 9, "same")
    lines = [f"step {k} g_loss {smooth[k]:.4f}" for k in range(50, 950, 50)]
    assert verdict(printed(lines)) == "unknown"


def test_steps_beyond_the_record_are_unknown() -> None:
    lines = [f"step {k} g_loss 1.0" for k in range(0, 100_000, 5_000)]
    assert verdict(printed(lines)) == "unknown"


def test_a_series_that_the_record_lacks_is_unknown() -> None:
    lines = [f"step {k} d_loss 1.0" for k in range(10)]
    assert verdict(printed(lines)) == "unknown"


def test_a_curve_holds_within_the_error_of_reading_it() -> None:
    steps = tuple(float(s) for s in STEPS[::10])
    values = tuple(float(v) for v in LOSS[::10] + 0.004)
    shown = DocumentSeries("a.pdf", 1, "G", "generator/loss", "step", steps, values, 0.005, True)
    assert verdict((shown,)) == "held"
    moved = tuple(value + 0.5 for value in values)
    assert verdict((dataclasses.replace(shown, values=moved),)) == "refuted"


@pytest.mark.parametrize(
    "text", ["", "no numbers", "x = 1", "1\n2\n3", "\n".join(["0 " * 3000] * 5), "a 1\n" * 2]
)
def test_what_is_no_log_gives_no_series(text: str) -> None:
    assert printed_series("a.ipynb", 1, text) == []
