"""The conformance kit passes what conforms and names the fault of what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcc.pipeline import discovery
from dlcc.testing import NonConformance, check_stage

FILES = Path(__file__).parent / "stage_files"
FAULTS = {
    "GlobalRandom": "global random number generator",
    "GlobalNumpy": "global random number generator",
    "GlobalTorch": "global random number generator",
    "Clock": "depends on the clock",
    "Today": "depends on the clock",
    "SetOrder": "order of a set",
    "Undeclared": "reads Samples, which it does not declare",
    "Mutates": "mutates a record",
    "MutatesMapping": "mutates the record Series",
    "Above": r"lies in \[0, 1\]",
    "NotANumber": r"estimate.*\[0, 1\]",
    "BareFloat": "expected an Estimate",
    "WritesIntoRun": "writes into the run",
    "GivesUndeclared": "gives a Note, which it does not declare",
    "NoPage": r"finding 'MYS404', which has no page: put one into findings/codes/MYS404\.md",
    "KeepsForItself": "declares Note in `gives` and gave 0",
}


def test_a_stage_that_conforms_passes(small_run: Path) -> None:
    check_stage(discovery.from_argument(f"{FILES}/good.py:Calm"), small_run)


def test_a_stage_with_a_finding_of_its_own_passes(small_run: Path) -> None:
    check_stage(discovery.from_argument(f"{FILES}/noticing.py:Noticing"), small_run)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name: str, small_run: Path) -> None:
    file = "faulty_torch.py" if name == "GlobalTorch" else "faulty.py"
    with pytest.raises(NonConformance, match=FAULTS[name]):
        check_stage(discovery.from_argument(f"{FILES}/{file}:{name}"), small_run)


def test_a_stage_that_ignores_its_deadline_is_named(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlcc.testing.stages.GRACE_SECONDS", 2.0)
    with pytest.raises(NonConformance, match="ignores its deadline"):
        check_stage(discovery.from_argument(f"{FILES}/faulty.py:Sleeps"), small_run, seconds=3)
