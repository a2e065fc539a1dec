"""The public names, and how light it is to import them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import dlcc

NAMES = [
    "Case",
    "Context",
    "Diagnosis",
    "DlccError",
    "Estimate",
    "Evaluation",
    "Finding",
    "Limits",
    "NotApplicable",
    "Recorder",
    "Report",
    "Run",
    "Stage",
    "StageResult",
    "Training",
    "diagnose",
    "evaluate",
    "landscape",
    "metrics",
]
HEAVY = {"torch", "faiss", "z3", "matplotlib", "sklearn", "sympy", "sentence_transformers", "scipy"}


def loaded_by(code: str) -> set[str]:
    program = f"{code}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_the_public_names_are_these_and_all_there() -> None:
    assert sorted(dlcc.__all__) == sorted(NAMES)
    for name in NAMES:
        assert getattr(dlcc, name) is not None


def test_dir_lists_them_and_the_version() -> None:
    assert {*NAMES, "__version__"} <= set(dir(dlcc))
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", dlcc.__version__)


def test_rooms_of_pure_functions_are_reachable_at_once() -> None:
    code = "import dlcc; dlcc.metrics.squared_mmd; dlcc.landscape.per_sample_gradients"
    assert "numpy" in loaded_by(code)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = dlcc.nonsense


def test_importing_dlcc_loads_nothing_heavy() -> None:
    assert not loaded_by("import dlcc") & (HEAVY | {"numpy", "pydantic"})


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['dlcc', '--help']\n"
        "from dlcc.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    assert not loaded_by(code) & (HEAVY | {"numpy", "pydantic"})


def test_reading_a_run_loads_no_torch(small_run: Path) -> None:
    code = f"import dlcc; r = dlcc.Run.open({str(small_run)!r}); r.series(); r.snapshots()"
    assert "torch" not in loaded_by(code)


def test_the_root_module_is_short() -> None:
    assert dlcc.__file__ is not None
    assert len(Path(dlcc.__file__).read_text().splitlines()) < 50


def test_evaluate_is_a_function_and_stays_one() -> None:
    import importlib

    for _ in range(2):
        assert callable(dlcc.evaluate)
        importlib.import_module("dlcc.evaluation")
