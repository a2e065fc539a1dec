"""Advice for a folder: what is refused before anything is tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcc.corpus import doctoring
from dlcc.errors import OptionError, RunError
from dlcc.feedback.folder import advise_folder
from dlcc.reruns.folder import rerun_folder
from dlcc.runs import Run


def advised(run: Path) -> None:
    advise_folder(Run.open(run), 60, reruns=False, trust=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("objective", {"kind": "diffusion"}),
        ("players", {"generator": {"class": "Net", "parameters": 3}}),
    ],
)
def test_trainings_of_unknown_kinds_are_neither_advised_nor_rerun(
    small_run: Path, key: str, value: object
) -> None:
    doctoring.edit_manifest(small_run, lambda content: content.update({key: value}))
    with pytest.raises(
        OptionError, match=r"no advice can be given: this run declares kind .* in run\.json"
    ):
        advised(small_run)
    with pytest.raises(OptionError, match="kinds that can be judged"):
        rerun_folder(small_run, 2, 60, trust=False, progress=lambda share, what: None)


def test_a_link_that_leads_out_of_the_run_is_refused(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("x = 1")
    (small_run / "source" / "more.py").symlink_to(tmp_path / "secret.py")
    with pytest.raises(RunError, match=r"more.py: a link that leads out"):
        advised(small_run)
