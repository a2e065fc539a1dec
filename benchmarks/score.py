"""V against what it should mean: the stability of the run, 0 where its record is doctored.

    python benchmarks/score.py

The library's runs whose terms were all measured, a fifth of them doctored copies. Their impact and
novelty come from fits without their setting; here the weights do too (five folds by setting). For
"other data sets", impact comes from a forecast that never saw the run's data set. Rank correlation
of V with the target, beside every single term's; the difference to impact alone is paired, with a
bootstrap interval over settings. Most targets are 0, and a score that orders what is tied loses
rank correlation for it: what a score that knew every target would reach is given too, and Somers' D
(1 where every pair of different targets is in order), which ties leave alone. Stripped: the same
runs without logic and reproducibility, whose V should lie inside the interval of the stripped one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from common import write_result
from numpy.typing import NDArray
from scipy.stats import somersd, spearmanr

from dlcc.estimate import Estimate
from dlcc.forecast.forecaster import Forecaster
from dlcc.past_runs.build.assembly import folds_by_setting
from dlcc.past_runs.build.terms import moments
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import TERMS, Library
from dlcc.scoring.ahp import ahp_weights
from dlcc.scoring.fusion import score
from dlcc.typing import Floats

FOLDS, RESAMPLES = 5, 1000


def estimate(mean: float, sd: float) -> Estimate:
    """A term as its mean and deviation."""
    return Estimate.normal(float(np.clip(mean, 0, 1)), float(sd))


def values(past: Library, rows: NDArray[np.int64], terms: Floats) -> tuple[Floats, Floats]:
    """V [rows] and, with logic and reproducibility left out, its 90 % intervals [rows, 2]."""
    fold = folds_by_setting(list(past.settings), FOLDS, 0)
    prior = ahp_weights()
    v, stripped = np.zeros(len(rows)), np.zeros((len(rows), 2))
    for k in range(FOLDS):
        rest = past.select(fold != k)
        for i in np.flatnonzero(fold[rows] == k):
            whole = {
                name: estimate(*terms[i, j])
                for j, name in enumerate(TERMS)
                if np.isfinite(terms[i, j, 0])
            }
            v[i] = score(whole, prior, rest).value.draws.mean()
            few = {n: whole[n] for n in ("impact", "novelty")}
            stripped[i] = np.quantile(score(few, prior, rest).value.draws, [0.05, 0.95])
    return v, stripped


def other_data_sets(past: Library, rows: NDArray[np.int64]) -> Floats:
    """The rows' terms with impact forecast from other data sets alone, [rows, terms, 2]."""
    terms = past.terms[rows].copy()
    raw = Space(past, len(past.vectors[0]) - 1, series_only=False).raw
    for data in np.unique(past.data[rows]):
        forecaster = Forecaster.fit(past.select(past.data != data), 1.0, series_only=False)
        inside = np.flatnonzero(past.data[rows] == data)
        for i, prospect in zip(inside, forecaster.many(raw[rows[inside]]), strict=True):
            terms[i, TERMS.index("impact")] = moments(prospect.next_quarter, "impact")
    return terms


def figures(past: Library, rows: NDArray[np.int64], terms: Floats) -> Mapping[str, Any]:
    """Rank correlations with the target, and what stripping does."""
    target = past.stability[rows] * past.true_record[rows]
    v, stripped = values(past, rows, terms)
    alone = {name: terms[:, j, 0] for j, name in enumerate(TERMS)}
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(RESAMPLES):
        k = rng.integers(len(rows), size=len(rows))
        gains.append(_rank(v[k], target[k]) - _rank(alone["impact"][k], target[k]))
    low, high = np.quantile(gains, [0.05, 0.95])
    return {
        "rank_correlation": _rank(v, target),
        "of_single_terms": {name: _rank(x, target) for name, x in alone.items()},
        "of_the_target_with_ties_broken": float(
            np.mean([_rank(target + 1e-6 * rng.normal(size=len(rows)), target) for _ in range(100)])
        ),
        "targets_of_0": float(np.mean(target == 0)),
        "somers_d": _somers_d(v, target),
        "somers_d_of_single_terms": {name: _somers_d(x, target) for name, x in alone.items()},
        "gain_over_impact_alone": {"mean": float(np.mean(gains)), "low": low, "high": high},
        "stripped_interval_holds_v": float(
            np.mean((stripped[:, 0] <= v + 1e-9) & (v <= stripped[:, 1] + 1e-9))
        ),
    }


def _rank(a: Floats, b: Floats) -> float:
    return float(spearmanr(a, b).statistic)


def _somers_d(score: Floats, target: Floats) -> float:
    return float(somersd(target, score).statistic)


def main() -> None:
    past = shipped_library()
    rows = np.flatnonzero(np.isfinite(past.terms[:, :, 0]).all(axis=1))
    write_result(
        "score",
        {
            "runs": len(rows),
            "doctored": int((~past.true_record[rows]).sum()),
            "other_settings": figures(past, rows, past.terms[rows]),
            "other_data_sets": figures(past, rows, other_data_sets(past, rows)),
        },
        seeds={"folds": 0, "bootstrap": 0},
    )


if __name__ == "__main__":
    main()
