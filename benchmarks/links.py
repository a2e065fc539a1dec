"""Links from formulas and sentences to code, on packages that were not used to fit them.

    python -m benchmarks.links FOLDER --fit              # on the development packages alone
    python -m benchmarks.links FOLDER --seed HASH        # on the others, after a commit

FOLDER holds unpacked packages as `benchmarks/documented_code/labels.json` names them; how to get
them stands in `documented_code/labels.py`. A link is right where it leads to the function or class
whose docstring the passage was taken from, or to a private helper of it; the code that is searched
has no docstrings. A fifth of the documented functions is taken out of it, so that their formulas
have no right link. Documents speak of code by its names, by these as plain words, or not at all,
and have a section for each function or for three.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.common import write_result
from benchmarks.documented_code.cases import Case, Way, cases_of
from benchmarks.documented_code.fitting import Judged, as_json, fit, judged
from benchmarks.documented_code.labels import check, folders, labels
from dlcc.records import Function
from dlcc.stages.decomposition.evidence import FEATURES
from dlcc.stages.decomposition.link_model import _WEIGHTS, shipped_model
from dlcc.stages.decomposition.links import SHIPPED, encoder
from dlcc.typing import Floats

WAYS = {
    "code by its names": Way("code"),
    "names as plain words": Way("words"),
    "no names": Way("none"),
    "names as plain words, three functions a section": Way("words", together=True),
    "no names, three functions a section": Way("none", together=True),
}
MOST_CASES = 10  # of a package
_BINS = 10
_RESAMPLED = 1_000


def main() -> None:
    """Fit the shipped weights, or judge them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--seed", default="", help="hash of the commit that is judged")
    chosen = parser.parse_args()
    check(chosen.folder)
    encode = cached(encoder(SHIPPED))
    if chosen.fit:
        cases = list(_cases(chosen.folder, "development", ""))
        found = {
            what: as_json(fit([judged(case, what, encode) for _, case in cases]))
            for what in ("formula", "sentence")
        }
        _WEIGHTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return
    drawn = list(_cases(chosen.folder, "held out", chosen.seed))
    figures: dict[str, Any] = {"packages": sorted({c.name.partition("/")[0] for _, c in drawn})}
    for what in ("formula", "sentence"):
        for way in WAYS:
            cases = [case for its, case in drawn if its == way]
            taken = [judged(case, what, encode) for case in cases]
            name = f"{what}, {way}"
            figures[name] = measured(taken, what)
            if what == "formula":
                figures[name]["baselines"] = baselines(cases, taken)
    write_result("links", figures, {"drawn by": chosen.seed, "resampling": 0})


def _cases(folder: Path, part: str, seed: str) -> Any:
    """Cases of packages of a part, in each way; of each package as many as are drawn."""
    for package, its in labels().items():
        if its["part"] != part:
            continue
        for name, way in WAYS.items():
            cases = cases_of(folders(folder)[package], package, way)
            if part == "held out":
                cases = sorted(cases, key=lambda c: _hash(f"{seed}/{c.name}"))[:MOST_CASES]
            yield from ((name, case) for case in cases)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def cached(encode: Callable[[Sequence[str]], Floats]) -> Callable[[Sequence[str]], Floats]:
    """Encoder that encodes each text once."""
    known: dict[str, Floats] = {}

    def remembered(texts: Sequence[str]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, encode(new), strict=True) if new else ())
        return np.array([known[text] for text in texts])

    return remembered


def measured(cases: Sequence[Judged], what: str) -> dict[str, Any]:
    """Measure precision, recall and calibration of the shipped model."""
    model = shipped_model(what)
    p, hit, strict, there, of = [], [], [], [], []
    for k, case in enumerate(c for c in cases if len(c.passages)):
        chosen, chance = model.best(case.evidence.astype(np.float64), case.owners)
        rows = np.arange(len(chosen))
        p.append(chance)
        hit.append(case.right[rows, chosen])
        strict.append(case.strict[rows, chosen])
        there.append(case.right.any(axis=1))
        of.append(np.full(len(chosen), k))
    table = _Table(*(np.concatenate(part) for part in (p, hit, strict, there, of)))
    linked = table.p >= model.threshold
    return {
        "passages": len(table.p),
        "with_code": int(table.there.sum()),
        "cases": len(p),
        "threshold": model.threshold,
        "links": int(linked.sum()),
        "precision": table.share(lambda t: t.hit[t.p >= model.threshold]),
        "recall": table.share(lambda t: t.hit[t.there] & (t.p[t.there] >= model.threshold)),
        "precision_without_helpers": round(float(table.strict[linked].mean()), 4),
        "best_is_right": table.share(lambda t: t.hit[t.there]),
        "precision_at_recall_.80": _at_recall(table.p, table.hit, table.there, 0.8),
        "ece": round(_ece(table.p, table.hit), 4),
        "brier": round(float(np.mean((table.p - table.hit) ** 2)), 4),
        "reliability": _reliability(table.p, table.hit),
    }


class _Table:
    """Best links of all passages: probability, whether right, right without helpers, whether there
    is a right one, and the case."""

    def __init__(
        self,
        p: Floats,
        hit: NDArray[np.bool_],
        strict: NDArray[np.bool_],
        there: NDArray[np.bool_],
        of: NDArray[np.int64],
    ) -> None:
        self.p, self.hit, self.strict, self.there, self.of = p, hit, strict, there, of

    def share(self, part: Callable[[_Table], NDArray[np.bool_]]) -> list[float]:
        """A share with its 90 % interval over cases that are drawn again."""
        rng = np.random.default_rng(0)
        rows = [np.flatnonzero(self.of == k) for k in np.unique(self.of)]
        found = []
        for _ in range(_RESAMPLED):
            drawn = np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])
            values = part(self._of(drawn))
            found.append(values.mean() if len(values) else np.nan)
        low, high = np.nanquantile(found, [0.05, 0.95])
        return [round(float(v), 4) for v in (part(self).mean(), low, high)]

    def _of(self, rows: NDArray[np.int64]) -> _Table:
        return _Table(
            self.p[rows], self.hit[rows], self.strict[rows], self.there[rows], self.of[rows]
        )


def _at_recall(
    score: Floats, hit: NDArray[np.bool_], there: NDArray[np.bool_], wanted: float
) -> float | None:
    """Precision at the highest threshold at which so much is found; None where it never is."""
    order = np.argsort(-score, kind="stable")
    right = np.cumsum(hit[order])
    enough = np.flatnonzero(right >= wanted * there.sum())
    return round(float(right[enough[0]] / (enough[0] + 1)), 4) if len(enough) else None


def _ece(p: Floats, hit: NDArray[np.bool_]) -> float:
    bins = np.minimum((p * _BINS).astype(int), _BINS - 1)
    return float(
        sum(abs(p[bins == b].sum() - hit[bins == b].sum()) for b in np.unique(bins)) / len(p)
    )


def _reliability(p: Floats, hit: NDArray[np.bool_]) -> list[list[float]]:
    """Mean probability, share that is right and number, by tenth of the probability."""
    bins = np.minimum((p * _BINS).astype(int), _BINS - 1)
    return [
        [round(float(p[bins == b].mean()), 3), round(float(hit[bins == b].mean()), 3),
         int((bins == b).sum())]
        for b in np.unique(bins)
    ]  # fmt: skip


def baselines(cases: Sequence[Case], taken: Sequence[Judged]) -> dict[str, Any]:
    """Judge best matches by one thing alone: sentence vectors, TF-IDF, the name in the heading."""
    found = {}
    ways: dict[str, Callable[[Case, Judged], Floats]] = {
        "sentence vectors": lambda _, j: j.evidence[:, :, FEATURES.index("meaning")],
        "tf-idf": _by_tfidf,
        "name in the heading": lambda _, j: j.evidence[
            :, :, FEATURES.index("named in the heading")
        ],
    }
    for name, way in ways.items():
        scores, hits, there = [], [], []
        for case, its in zip(cases, taken, strict=True):
            if not len(its.passages):
                continue
            match = np.asarray(way(case, its), dtype=np.float64)
            best = match.argmax(axis=1)
            scores.append(match.max(axis=1))
            hits.append(its.right[np.arange(len(best)), best] & (match.max(axis=1) > 0))
            there.append(its.right.any(axis=1))
        score, hit, exists = (np.concatenate(part) for part in (scores, hits, there))
        matched = score > 0
        found[name] = {
            "best_is_right": round(float(hit[exists].mean()), 4),
            "precision_of_all": round(float(hit[matched].mean()), 4) if matched.any() else None,
            "precision_at_recall_.80": _at_recall(score, hit, exists, 0.8),
        }
    return found


def _by_tfidf(case: Case, its: Judged) -> Floats:
    vectors = TfidfVectorizer(token_pattern=r"[A-Za-z]{2,}", sublinear_tf=True)
    code = vectors.fit_transform([_split(f) for f in case.dossier.functions])
    texts = [f"{p.heading} {p.said} {p.latex}" for p in its.passages]
    return np.asarray((vectors.transform(texts) @ code.T).todense())


def _split(function: Function) -> str:
    return f"{function.name} {function.text}".replace("_", " ").replace(".", " ")


if __name__ == "__main__":
    main()
