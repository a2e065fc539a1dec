"""A run with a paper and a notebook beside it, evaluated from end to end."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import numpy as np

import dlcc
from dlcc.records import Dossier, Obligations
from tests.stages.ingestion.documents.figures.drawn import draw
from tests.stages.ingestion.documents.pdf.made_pdf import MadePage, write_pdf

LOSS = 1 + np.exp(-np.arange(400) / 80) + 0.01 * np.random.default_rng(0).standard_normal(400)


def paper(path: Path) -> Path:
    """PDF with a table of settings, of which one is not the run's."""
    page = MadePage()
    page.paragraph(720, ["Settings are in the table below, which has two columns and three rows."])
    rows = (("setting", "value"), ("learning rate", "2e-4"), ("batch size", "128"))
    for k, (name, value) in enumerate(rows):
        page.text(120, 690 - 14 * k, name)
        page.text(220, 690 - 14 * k, value)
    for y in (700, 686, 658):
        page.rule(115, y, 260, y)
    return write_pdf(path, [page])


def notebook(path: Path) -> Path:
    """Notebook that prints losses and shows their curve."""
    printed = "".join(f"step {k} loss_G {LOSS[k]:.3f}\n" for k in range(0, 400, 20))
    picture = base64.b64encode(draw({"generator": (np.arange(400.0), LOSS)})).decode()
    outputs = [
        {"output_type": "stream", "text": printed},
        {"output_type": "display_data", "data": {"image/png": picture}},
    ]
    cell = {"cell_type": "code", "source": "train()", "outputs": outputs}
    path.write_text(json.dumps({"cells": [cell]}))
    return path


def test_tables_outputs_and_figures_are_held_against_the_run(tmp_path: Path) -> None:
    documents = [paper(tmp_path / "paper.pdf"), notebook(tmp_path / "run.ipynb")]
    config = {"lr": 2e-4, "batch": 64}
    with dlcc.Recorder(
        tmp_path / "run", length=400, config=config, documents=documents
    ) as recorder:
        for k in range(400):
            recorder.log(k, {"generator/loss": float(LOSS[k])})
    found = dlcc.evaluate(tmp_path / "run", only=["ingestion", "consistency"])
    obligations = found.record(Obligations)
    dossier = found.record(Dossier)
    assert obligations is not None
    assert dossier is not None
    verdicts = {
        o.statement.partition(" is ")[0].strip("'"): o.verdict
        for o in obligations.items
        if o.id.startswith(("table/", "shown/"))
    }
    assert verdicts["learning rate"] == "proved"
    assert verdicts["batch size"] == "refuted"
    assert verdicts["the 'loss_G' that"] == "held"
    if shutil.which("tesseract"):
        assert verdicts["the 'generator' that"] == "held"
        assert dossier.skipped == ()
    assert [f.code for f in found.report.findings if f.code.startswith("LOG")] == ["LOG008"]
