"""How wrong verdicts in words are as more of them are withheld.

    python benchmarks/selective_risk.py

P(healthy) of past runs at the end of their record, fitted without their setting (five folds) and
without their data set: by samples, by all series, and by losses alone. Beside them the GANs on
images of benchmarks/image_verdicts.py, which no fit has seen. For each margin around one half: the
share of runs that are judged in words, and the share of these that are judged wrongly.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from common import RESULTS, write_result
from numpy.typing import NDArray

from dlcc.forecast.forecaster import Forecaster
from dlcc.past_runs.build.assembly import folds_by_setting
from dlcc.past_runs.configuration import CONFIG_FEATURES
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, Library
from dlcc.scoring.calibration import calibrate, features
from dlcc.scoring.decision import BY_FORECAST, BY_SAMPLES, ON_OTHER_DATA

Floats = NDArray[np.float64]
MARGINS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
FOLDS = 5
_END = len(FRACTIONS) - 1
_MORE = ("grad", "margin", "good_", "gradient_scale")


def by_samples(past: Library, groups: NDArray[Any]) -> Floats:
    """P(healthy) [n] of each run by a regression on the other groups' runs with samples."""
    names = features(series_only=False)
    table, p = past.columns(names, series_only=False), np.zeros(len(past))
    for group in np.unique(groups):
        inside = groups == group
        p[inside] = calibrate(past.select(~inside), series_only=False).probabilities(table[inside])[
            :, 1
        ]
    return p


def by_series(past: Library, groups: NDArray[Any], *, losses_alone: bool) -> Floats:
    """P(healthy) [n] of each run by a forecaster on the other groups' series."""
    every = Space(past, _END, series_only=True).names
    only = tuple(
        name
        for name in every
        if name in CONFIG_FEATURES or not (losses_alone and any(part in name for part in _MORE))
    )
    raw, p = Space(past, _END, True, only).raw, np.zeros(len(past))
    for group in np.unique(groups):
        inside = np.flatnonzero(groups == group)
        fitted = Forecaster.of(Space(past.select(groups != group), _END, True, only))
        p[inside] = [found.p_healthy.mean for found in fitted.many(raw[inside])]
    return p


def risk(p: Floats, healthy: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Share judged, and share of these judged wrongly, at each margin."""
    judged, wrong = [], []
    for margin in MARGINS:
        told = np.abs(p - 0.5) >= margin
        judged.append(round(float(told.mean()), 4))
        wrong.append(round(float(((p > 0.5) != healthy)[told].mean()), 4) if told.any() else 0.0)
    return {"judged": judged, "wrong": wrong}


def of_images() -> dict[str, list[float]]:
    """The same of GANs on images, clearly good or bad ones, by their samples."""
    each = json.loads((RESULTS / "image_verdicts.json").read_text())["figures"]["each"]
    clear = [run for run in each if run["truth"] != "between"]
    p = np.array([run["p_healthy"] for run in clear])
    return risk(p, np.array([run["truth"] == "good" for run in clear]))


def draw(found: dict[str, dict[str, list[float]]]) -> None:
    """Draw the share that is wrong over the share that is judged."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4.5))
    for name, curve in found.items():
        style = "--" if "data set" in name else ":" if "images" in name else "-"
        axis.plot(curve["judged"], curve["wrong"], style, marker=".", label=name)
    axis.axhline(0.05, color="grey", linewidth=0.8)
    axis.set(xlabel="share judged in words", ylabel="share of these that is wrong", xlim=(0, 1.02))
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(RESULTS / "selective_risk.png", dpi=110)


def main() -> None:
    past = shipped_library().untampered
    healthy = past.labels == past.label_names.index("healthy")
    found = {}
    folds = folds_by_setting(list(past.settings), FOLDS, 0)
    for title, groups in (("setting left out", folds), ("data set left out", past.data)):
        found[f"samples, {title}"] = risk(by_samples(past, groups), healthy)
        for name, alone in (("series", False), ("losses", True)):
            p = by_series(past, groups, losses_alone=alone)
            found[f"{name}, {title}"] = risk(p, healthy)
    found["images of another code base, samples"] = of_images()
    draw(found)
    margins = {
        "samples": BY_SAMPLES, "series": BY_FORECAST, "series, other data": ON_OTHER_DATA,
    }  # fmt: skip
    write_result("selective_risk", {"margins": MARGINS, "in use": margins, **found}, {"folds": 0})


if __name__ == "__main__":
    main()
