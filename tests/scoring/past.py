"""Libraries made for tests: past runs whose terms and records are what the test says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import TERMS, Library, objects

LOGIC, NOVELTY, IMPACT, REPRODUCIBILITY = range(len(TERMS))
CLEAN, CLEAN_SD = 0.996, 0.005


def untested(n: int = 300) -> Library:
    """n honest runs without any term, each of a setting of its own."""
    shipped = shipped_library()
    few = shipped.select(np.flatnonzero(shipped.true_record)[:: max(1, len(shipped) // n)][:n])
    configs = objects({**config, "lr_g": 1e-4 + 1e-7 * k} for k, config in enumerate(few.configs))
    terms = np.full((len(few), len(TERMS), 2), np.nan)
    return replace(few, configs=configs, terms=terms)


def verified(n: int = 300, doctored: int = 40, found: int = 36, seed: int = 0) -> Library:
    """Runs with all terms; of the doctored ones, all but a few have a refuted obligation."""
    past = untested(n)
    n = len(past)
    rng = np.random.default_rng(seed)
    healthy = past.labels == 0
    terms = past.terms.copy()
    terms[:, LOGIC] = CLEAN, CLEAN_SD
    terms[:found, LOGIC, 0] = CLEAN * 2.0 ** -rng.integers(1, 9, found)
    terms[:, NOVELTY, 0] = rng.random(n)
    terms[:, IMPACT, 0] = np.clip(np.where(healthy, 0.85, 0.2) + rng.normal(0, 0.15, n), 0, 1)
    terms[:, REPRODUCIBILITY, 0] = np.clip(
        np.where(healthy, 0.8, 0.5) + rng.normal(0, 0.2, n), 0, 1
    )
    terms[:, NOVELTY:, 1] = 0.1
    true = np.arange(n) >= doctored
    return replace(past, terms=terms, true_record=true)


def with_terms(past: Library, **columns: np.ndarray | float) -> Library:
    """The library with other means of some terms; NaN takes a term away."""
    terms = past.terms.copy()
    for name, values in columns.items():
        terms[:, TERMS.index(name), 0] = values
        terms[:, TERMS.index(name), 1] = np.where(np.isfinite(values), 0.1, np.nan)
    return replace(past, terms=terms)
