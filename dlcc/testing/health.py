"""Assertion that a run is healthy, for tests of a training."""

from __future__ import annotations

from pathlib import Path

from dlcc.evaluation import SLOW, evaluate
from dlcc.runs import Run

_SLOW = ("execution", "reproducibility", "decomposition", "consistency")  # as for --quick


def assert_healthy(
    run: str | Path | Run, *, least: float | None = None, unknown: bool = False, quick: bool = True
) -> None:
    """Raise AssertionError where a run is not healthy, with the verdict and its findings.

    Args:
        run: Run, or its folder.
        least: Least P(healthy); default the verdict in words alone decides.
        unknown: Whether a run that cannot be judged passes.
        quick: Whether reruns, replay and checks of code are left out.

    Raises:
        AssertionError: The run is not healthy.
        InputError: It cannot be read.

    >>> from dlcc.testing import assert_healthy
    >>> assert_healthy("runs/digits-healthy")
    >>> try:
    ...     assert_healthy("runs/digits-collapsed")
    ... except AssertionError as error:
    ...     print(str(error).splitlines()[0])
    digits-collapsed: Collapsed since step 1,120 (1,040 to 1,680). P(healthy) is 0.00.
    """
    report = evaluate(run, skip=SLOW if quick else ()).report
    verdict = report.verdict
    p = None if verdict.p_healthy is None else verdict.p_healthy.mean
    if verdict.state == "unknown" and unknown:
        return
    if verdict.state == "healthy" and (least is None or (p is not None and p >= least)):
        return
    shown = "" if p is None else f" P(healthy) is {p:.2f}"
    wanted = "." if least is None else f", {least:g} is wanted."
    said = [f"{f.code} {f.message}" for f in report.findings if f.severity != "note"]
    head = f"{report.run.name}: {verdict.sentence}{shown}{wanted}"
    raise AssertionError("\n".join([head, *said]))
