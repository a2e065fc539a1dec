"""Whether a GAN of StudioGAN will collapse, after a quarter of its configured steps, FID in sight.

    python benchmarks/collapse_ahead.py --logs FOLDER

Collapse is the median of the last three FIDs above 1.5 times the best. Only what a log held by a
quarter of `total_step` is seen. Beside the diagnosis, which these logs did not teach, a logistic
regression by leaving one log out, of figures that were fixed before it was looked at: the last FID
over the best so far, the slope and the scatter of its logarithm over the second half of what is
seen, its level, and whether the discriminator has spectral norm. Intervals by bootstrap over logs.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import write_result
from foreign_records import _FID, COLLAPSED
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dlcc.detect import detect
from dlcc.diagnosis import diagnose

QUARTER = 0.25
DRAWS = 2_000
_TOTAL = re.compile(r"""["']?total_steps?["']?[:=] ?(\d+)""")
_SPECTRAL = re.compile(r"""["']?(?:d_spectral_norm|apply_d_sn)["']?[:=] ?([Tt]rue|[Ff]alse)""")
FIGURES = ("last over best", "slope", "scatter", "level", "spectral norm")


class Log(NamedTuple):
    """What a log says of collapse."""

    collapsed: bool
    """Whether it collapsed in the end."""
    already: bool
    """Whether it had at a quarter, by the same rule."""
    ended: bool
    """Whether its record ends there."""
    figures: list[float]
    """Figures `FIGURES` at a quarter."""
    p_healthy: float
    """P(healthy) by the diagnosis at a quarter."""


def of_log(path: Path) -> Log:
    """Read a log as it was at a quarter, and how it ended."""
    text = path.read_text()
    total = re.search(_TOTAL, text)
    spectral = re.search(_SPECTRAL, text)
    assert total is not None
    rows = [(int(m[1]), float(m[2])) for m in _FID.finditer(text)]
    fid = np.array([value for _, value in rows])
    until = round(QUARTER * int(total[1]))
    seen = np.log([value for step, value in rows if step <= until])
    found = diagnose(path)
    before = found.record.series.before(until)
    p_healthy = detect(replace(found.record, series=before)).p_healthy
    late = seen[len(seen) // 2 :]
    steps = np.arange(len(late))
    slope = float(np.polyfit(steps, late, 1)[0]) if len(late) > 1 else 0.0
    scatter = float(np.diff(late).std()) if len(late) > 2 else 0.0
    figures = [
        float(seen[-1] - seen.min()),
        slope,
        scatter,
        float(seen[-1]),
        float(spectral is not None and spectral[1].lower() == "true"),
    ]
    return Log(
        collapsed=bool(np.median(fid[-3:]) > COLLAPSED * fid.min()),
        already=bool(np.median(seen[-3:]) > np.log(COLLAPSED) + seen.min()),
        ended=rows[-1][0] <= until,
        figures=figures,
        p_healthy=p_healthy,
    )


def leave_one_out(x: NDArray[np.float64], y: NDArray[np.bool_]) -> NDArray[np.float64]:
    """P(collapse) [n] of each log, by the others."""
    p = np.zeros(len(y))
    for k in range(len(y)):
        others = np.arange(len(y)) != k
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3))
        p[k] = model.fit(x[others], y[others]).predict_proba(x[k : k + 1])[0, 1]
    return p


def figures(y: NDArray[np.bool_], p: NDArray[np.float64]) -> dict[str, Any]:
    """AUROC of collapse with its 90 % interval, and the Brier score."""
    rng = np.random.default_rng(0)
    drawn = [k for k in rng.integers(len(y), size=(DRAWS, len(y))) if 0 < y[k].sum() < len(y)]
    low, high = np.quantile([roc_auc_score(y[k], p[k]) for k in drawn], [0.05, 0.95])
    return {
        "auroc": [round(float(v), 3) for v in (roc_auc_score(y, p), low, high)],
        "brier": round(float(np.mean((p - y) ** 2)), 3),
    }


def main() -> None:
    """Judge every log at a quarter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, required=True)
    logs = sorted(parser.parse_args().logs.glob("*.log"))
    each = [of_log(path) for path in logs]
    y = np.array([log.collapsed for log in each])
    x = np.array([log.figures for log in each])
    ahead = ~np.array([log.already or log.ended for log in each])
    by_diagnosis = 1 - np.array([log.p_healthy for log in each])
    by_others = leave_one_out(x, y)
    base = float(y.mean())
    write_result(
        "collapse_ahead",
        {
            "logs": len(y),
            "collapsed": int(y.sum()),
            "collapsed by then": sum(log.already for log in each),
            "ended by then": sum(log.ended for log in each),
            "the diagnosis": figures(y, by_diagnosis),
            "leave one out": figures(y, by_others),
            "of those neither collapsed nor ended by then": {
                "logs": int(ahead.sum()),
                "collapsed": int(y[ahead].sum()),
                "the diagnosis": figures(y[ahead], by_diagnosis[ahead]),
                "leave one out": figures(y[ahead], by_others[ahead]),
            },
            **{
                f"leave one out, without {name}": figures(
                    y, leave_one_out(np.delete(x, k, axis=1), y)
                )
                for k, name in enumerate(FIGURES)
            },
            "brier of the base rate": round(base * (1 - base), 3),
        },
        {"bootstrap": 0},
    )


if __name__ == "__main__":
    main()
