"""Diagnoses of records that people left in public, held against what is known of them.

    python benchmarks/foreign_records.py --records FOLDER [--logs FOLDER]

FOLDER has one folder a case and states.csv: the states that a right answer may have, and a word
that its findings must hold. Each case is given to `dlcc diagnose` as it was found. With --logs a
folder of PyTorch-StudioGAN's logs: collapse (the median of the last three FIDs above 1.5 times the
best) by 1 - P(healthy), the best step, and what comes out of the
losses alone, after a quarter, a half and the whole of the record.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dlcc.detect import detect
from dlcc.diagnosis import Diagnosis, diagnose
from dlcc.errors import InputError
from dlcc.runs.series import Series

_FID = re.compile(r"> FID score \(Step: (\d+), [^)]*\): ([\d.einf]+)")
COLLAPSED = 1.5
SHARES = (0.25, 0.5, 1.0)


def of_case(folder: Path, states: str, words: str) -> dict[str, Any]:
    """Outcome of one case."""
    begun = time.perf_counter()
    try:
        found = diagnose(folder)
    except InputError as error:
        return {"read": False, "right": False, "said": str(error).replace(str(folder), folder.name)}
    seconds = time.perf_counter() - begun
    told = " ".join(f"{f.message} {f.page.title}" for f in found.assessment.findings).lower()
    names_it = not words or any(word in told for word in words.split("|"))
    return {
        "read": True,
        "format": found.format,
        "state": found.state,
        "expected": states,
        "right": found.state in states.split("|") and names_it,
        "codes": [f.code for f in found.assessment.findings],
        "seconds": round(seconds, 2),
    }


def cases(records: Path) -> dict[str, Any]:
    """Outcome of every case, and how many are read and right."""
    with open(records / "states.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {
        row["case"]: of_case(records / row["case"], row["states"], row["finding"] or "")
        for row in rows
    }
    return {
        "cases": len(found),
        "read": sum(case["read"] for case in found.values()),
        "right": sum(case["right"] for case in found.values()),
        "slowest": max(case.get("seconds", 0.0) for case in found.values()),
        "case by case": found,
    }


def hidden(found: Diagnosis, share: float = 1.0) -> float:
    """P(healthy) after a share of the record, with the quality metrics hidden."""
    columns = found.record.series.columns
    kept = Series({name: c for name, c in columns.items() if not name.startswith("metrics/")})
    until = round(share * kept.recorded)
    return detect(replace(found.record, series=kept.before(until))).p_healthy


def by_losses_alone(truth: NDArray[np.bool_], p: NDArray[np.float64]) -> dict[str, Any]:
    """AUROC of collapse with its bootstrapped 90 % interval, and the Brier score."""
    rng = np.random.default_rng(0)
    drawn = [
        roc_auc_score(truth[k], 1 - p[k])
        for k in rng.integers(len(truth), size=(2_000, len(truth)))
        if 0 < truth[k].sum() < len(k)
    ]
    return {
        "AUROC": float(roc_auc_score(truth, 1 - p)),
        "AUROC, 90 %": [float(q) for q in np.quantile(drawn, [0.05, 0.95])],
        "Brier": float(np.mean((p - ~truth) ** 2)),
        "P(healthy)": sorted({round(float(value), 3) for value in p}),
    }


def studiogan(logs: Path) -> dict[str, Any]:
    """Collapse by P(healthy), with the FID in sight and hidden."""
    collapsed, seen, exact = [], [], 0
    unseen: list[list[float]] = []
    for path in sorted(logs.glob("*.log")):
        rows = [(int(m[1]), float(m[2])) for m in _FID.finditer(path.read_text())]
        fid = np.array([value for _, value in rows])
        found = diagnose(path)
        collapsed.append(bool(np.median(fid[-3:]) > COLLAPSED * fid.min()))
        seen.append(found.assessment.p_healthy)
        unseen.append([hidden(found, share) for share in SHARES])
        quality = found.assessment.quality
        exact += quality is not None and quality.best_step == rows[int(fid.argmin())][0]
    truth, by_fid = np.array(collapsed), np.array(seen)
    base = float(truth.mean())
    return {
        "logs": len(truth),
        "collapsed": int(truth.sum()),
        "AUROC": float(roc_auc_score(truth, 1 - by_fid)),
        "best step exact": exact,
        "Brier": float(np.mean((by_fid - ~truth) ** 2)),
        "by losses alone": {
            f"{share:.0%}": by_losses_alone(truth, np.array(unseen)[:, k])
            for k, share in enumerate(SHARES)
        },
        "base rate: Brier": base * (1 - base),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--logs", type=Path, default=None)
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"records": cases(arguments.records)}
    if arguments.logs is not None:
        figures["StudioGAN logs"] = studiogan(arguments.logs)
    write_result("foreign_records", figures, {})


if __name__ == "__main__":
    main()
