"""Whether curves of diffusion tell what becomes of coverage and quality, and help forecasts.

    python benchmarks/diffusion.py --work FOLDER

A Bass or logistic curve is fitted to coverage and to quality of the truth of past runs up to a
fifth and a half of the length, and carried a quarter of the length on and to the end; beside it
stands that they stay as they are. Then the value it leads to is a further figure of the forest for
GANs on images, beside a forest that has what the curve was fitted to: level and change of the
trace. No record of a user has these traces, so that this is the most that a curve could add. Curves
of small GANs are those of benchmarks/traces_anew.py in FOLDER that came out as they were, where it
was run. Intervals are bootstrapped over settings.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from members import FAMILIES, Bootstrap, Family
from numpy.typing import NDArray
from transfer import of_images

from dlcc.forecast.diffusion import fit_diffusion
from dlcc.forecast.forest import OutcomeForest
from dlcc.health.definitions import smooth
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import FRACTIONS, Library

Floats = NDArray[np.float64]
SEED, IN_LENGTH = 0, 40
CUTS, QUARTER = {1: 8, 2: 20}, 10
"""Look, an index into FRACTIONS, to the number of sample steps that are seen then."""


def curve_errors(trace: Floats, cut: int, horizon: int) -> Mapping[str, float] | None:
    """Errors at sample step `horizon` of what the first `cut` of a trace [c] lead one to expect."""
    t = np.arange(1, len(trace) + 1) / IN_LENGTH
    found = fit_diffusion(t[:cut], trace[:cut], t[horizon - 1])
    if found is None:
        return None
    came = float(smooth(trace)[horizon - 1])
    stays = float(trace[cut - 3 : cut].mean())
    low, high = found.interval
    return {
        "curve": abs(found.expected - came),
        "stays": abs(stays - came),
        "half way": abs((found.expected + stays) / 2 - came),
        "last value": abs(float(trace[cut - 1]) - came),
        "in the curve's 90 % interval": float(low <= came <= high),
    }


def of_curves(traces: Floats, settings: NDArray[np.str_], data: NDArray[np.str_]) -> dict[str, Any]:
    """Errors of curves of coverage and quality beside "stays as it is"."""
    table: dict[str, Any] = {}
    for k, name in enumerate(("coverage", "quality")):
        for cut in CUTS.values():
            for words, horizon in (("a quarter on", cut + QUARTER), ("at the end", IN_LENGTH)):
                rows, which = [], []
                for run, trace in enumerate(traces[:, :, k]):
                    errors = curve_errors(trace, cut, horizon)
                    if errors is not None:
                        rows.append(errors)
                        which.append(run)
                boot = Bootstrap.of(settings[which], SEED)
                columns = {of: np.array([row[of] for row in rows]) for of in rows[0]}
                where = f"{name}, from {cut / IN_LENGTH:g}, {words}"
                table[where] = {"runs": len(rows)} | {
                    of: boot.mean(values) for of, values in columns.items()
                }
                less = columns["curve"] - columns["stays"]
                table[where]["curve less stays"] = boot.mean(less)
                table[where]["curve less stays, by data set"] = {
                    str(of): round(float(less[data[which] == of].mean()), 4)
                    for of in np.unique(data[which])
                }
                held = columns["in the curve's 90 % interval"]
                table[where]["in the interval, by data set"] = {
                    str(of): round(float(held[data[which] == of].mean()), 4)
                    for of in np.unique(data[which])
                }
                halfway = columns["half way"] - columns["stays"]
                table[where]["half way less stays"] = boot.mean(halfway)
                print(where, table[where], flush=True)
    return table


def retrained(past: Library, kept: Path) -> tuple[Floats, NDArray[np.int64]]:
    """Traces of small GANs that came out as they were, and numbers of these past runs."""
    with np.load(kept) as table:
        place = {name: k for k, name in enumerate(past.first_rows)}
        same = [
            k for k, name in enumerate(table["first_rows"]) if name in place and table["same"][k]
        ]
        return table["traces"][same], np.array([place[table["first_rows"][k]] for k in same])


def trace_figures(traces: Floats, cut: int) -> tuple[Floats, Floats]:
    """Level and change of coverage and quality up to a cut [n, 4], and where curves lead [n, 2]."""
    t = np.arange(1, IN_LENGTH + 1) / IN_LENGTH
    plain, led = np.zeros((len(traces), 4)), np.full((len(traces), 2), np.nan)
    for run, trace in enumerate(traces[:, :cut]):
        for k in range(2):
            level = trace[-3:, k].mean()
            plain[run, 2 * k : 2 * k + 2] = level, level - trace[:3, k].mean()
            found = fit_diffusion(t[:cut], trace[:, k], 1.0)
            led[run, k] = level if found is None else found.expected
    return plain, led


def in_forest(family: Family) -> dict[str, Any]:
    """Brier scores of the forest with figures of traces, and with where curves lead besides."""
    runs, healthy = family.asked, family.healthy
    boot, found = Bootstrap.of(runs.settings, SEED), {}
    for look, cut in CUTS.items():
        plain, led = trace_figures(runs.traces, cut)
        sets = {"traces": plain, "traces and curves": np.hstack([plain, led])}
        for split, groups in family.splits(SEED).items():
            p = {name: np.zeros(len(runs)) for name in ("figures alone", *sets)}
            for own, question in family.questions(groups, look):
                past = question.space.library
                known = np.setdiff1d(np.arange(len(runs)), own)
                for name in p:
                    x, asked = question.space.points, question.points
                    if name in sets:
                        more = sets[name]
                        centre, spread = more[known].mean(axis=0), more[known].std(axis=0) + 1e-9
                        x = np.hstack([x, (more[known] - centre) / spread])
                        asked = np.hstack([asked, (more[own] - centre) / spread])
                    grown = OutcomeForest.fit(x, past.labels, past.stability, len(past.label_names))
                    p[name][own] = grown.weights(asked) @ (past.labels == 0)
            error = {name: (of - healthy) ** 2 for name, of in p.items()}
            found[f"at {FRACTIONS[look]:g}, {split} left out"] = {
                **{name: boot.mean(of) for name, of in error.items()},
                "curves less traces": boot.mean(error["traces and curves"] - error["traces"]),
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    past = shipped_library().untampered
    images = of_images(past)
    found: dict[str, Any] = {"in the forest": in_forest(Family(FAMILIES[1], past, images))}
    print(found, flush=True)
    found["GANs on images"] = of_curves(
        past.traces[images], past.settings[images], past.data[images]
    )
    kept = options.work / "traces.npz"
    if kept.exists():
        small, runs = retrained(past, kept)
        found["small GANs"] = of_curves(small, past.settings[runs], past.data[runs])
    write_result("diffusion", found, {"folds and bootstrap": SEED})


if __name__ == "__main__":
    main()
