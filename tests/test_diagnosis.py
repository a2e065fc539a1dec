"""`dlcc diagnose`, `inspect` and `compare` on folders as people have them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlcc.diagnosis import diagnose, diagnose_all
from dlcc.errors import OptionError
from dlcc.runs import Run
from tests.command import assert_one_sentence, dlcc
from tests.conftest import example

WON = "".join(
    f"[{e}/20][{b}/32]\tLoss_D: {d:.4f}\tLoss_G: {g:.4f}\t"
    f"D(x): {x:.4f}\tD(G(z)): {z:.4f} / 0.0000\n"
    for e, b, d, g, x, z in (
        (0, 0, 1.8010, 8.0963, 0.4317, 0.3617),
        (0, 10, 7.5290, 38.1183, 0.9269, 0.9958),
        (0, 20, 0.0425, 58.4481, 0.9731, 0.0),
        (0, 30, 0.0492, 57.3842, 0.9787, 0.0),
        (1, 0, 0.0, 56.7433, 1.0, 0.0),
        (1, 10, 0.0, 56.9849, 1.0, 0.0),
        (1, 20, 0.0001, 56.8024, 0.9999, 0.0),
    )
)
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
sys.argv = ["dlcc", "diagnose", {path!r}, "--json"]
from dlcc.cli import main
main()
"""
NOT_NEEDED = {
    "torch", "faiss", "transformers", "sentence_transformers", "sklearn", "scipy", "shap",
    "networkx", "sympy", "matplotlib", "pandas", "PIL", "jinja2", "safetensors",
}  # fmt: skip


def pasted(tmp_path: Path, text: str = WON) -> Path:
    (tmp_path / "train.out").write_text(text)
    return tmp_path


def test_a_pasted_log_in_which_the_discriminator_has_won(tmp_path: Path) -> None:
    done = dlcc("diagnose", pasted(tmp_path), "--json")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert (found["state"], found["kind"], found["rows"]) == ("failed", "gan", 7)
    assert found["axis"] == {"unit": "iteration", "first": 0, "last": 52, "length": 640}
    assert found["findings"][0]["code"] == "ADV001"
    assert found["findings"][0]["player"] == "discriminator"
    assert found["roles"]["D(x)"] == "discriminator/real"
    assert found["p_healthy"] < 0.2
    assert set(found) >= {
        "run", "name", "format", "objective", "sessions", "label", "since", "interval",
        "quality", "notes",
    }  # fmt: skip


def test_the_lines_say_what_to_do(tmp_path: Path) -> None:
    done = dlcc("diagnose", pasted(tmp_path))
    assert done.stdout.startswith(
        f"{tmp_path.name}   text log, 7 rows to iteration 52, GAN\nfailed"
    )
    assert "ADV001 error" in done.stdout
    assert "lower the discriminator's learning" in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_exit_codes(tmp_path: Path) -> None:
    folder = pasted(tmp_path)
    assert dlcc("diagnose", folder, "--fail-on", "error").returncode == 1
    assert (
        dlcc("diagnose", folder, "--objective", "relativistic", "--fail-on", "error").returncode
        == 0
    )
    assert_one_sentence(
        dlcc("diagnose", folder, "--objective", "x"), 2, "expected one of", "ns, mm"
    )
    assert_one_sentence(dlcc("diagnose", folder, "--fail-on", "x"), 2, "--fail-on x")
    assert_one_sentence(dlcc("diagnose", tmp_path / "nope"), 2, "no such file or folder")


def test_a_bad_folder_among_good_ones_costs_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    good = tmp_path / "good"
    good.mkdir()
    done = dlcc("diagnose", tmp_path / "bad", pasted(good), "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["state"] == "failed"
    assert "is empty" in done.stderr


def test_all_runs_of_a_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pasted(tmp_path / name)
    assert [found.run for found in diagnose_all(tmp_path)] == ["a", "b"]
    done = dlcc("diagnose", tmp_path, "--all", "--json")
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["a", "b"]
    assert json.loads(dlcc("diagnose", tmp_path, "--run", "b", "--json").stdout)["name"] == "b"


def test_sarif_and_markdown(tmp_path: Path) -> None:
    folder = pasted(tmp_path)
    sarif = json.loads(dlcc("diagnose", folder, "--sarif").stdout)
    (result,) = sarif["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("ADV001", "error")
    assert [rule["id"] for rule in sarif["runs"][0]["tool"]["driver"]["rules"]] == ["ADV001"]
    table = dlcc("diagnose", folder, "--markdown").stdout
    assert f"| {tmp_path.name} | **failed** |" in table
    assert_one_sentence(dlcc("diagnose", folder, "--json", "--sarif"), 2, "give one of them")


def test_it_runs_where_heavy_packages_cannot_be_imported(tmp_path: Path) -> None:
    code = BLOCK.format(names=NOT_NEEDED, path=str(pasted(tmp_path)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "failed"


def test_nothing_is_written_into_the_folder(tmp_path: Path) -> None:
    folder = pasted(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))}
    dlcc("diagnose", folder)
    dlcc("inspect", folder)
    assert {p: p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))} == before


def test_settings_beside_the_run(tmp_path: Path) -> None:
    folder = pasted(tmp_path)
    (folder / "dlcc.toml").write_text('objective = "relativistic"\n')
    assert json.loads(dlcc("diagnose", folder, "--json").stdout)["objective"] == "relativistic"


def test_a_recorded_run_is_diagnosed_too() -> None:
    found = diagnose(example("digits-collapsed"))
    assert (found.format, found.record.kind, found.record.objective) == (
        "DLCC run folder",
        "gan",
        "mm",
    )
    with pytest.raises(OptionError, match="--objective nope"):
        diagnose(example("digits-collapsed"), objective="nope")


def test_an_evaluation_has_one_verdict(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    done = dlcc("evaluate", pasted(folder), "--only", "health", cwd=tmp_path)
    assert done.stdout.startswith("Failed: the discriminator has won: from iteration")
    report = json.loads((tmp_path / "dlcc-reports" / "theirs" / "report.json").read_text())
    assert report["verdict"]["state"] == report["diagnosis"]["state"] == "failed"
    assert [f["code"] for f in report["findings"]] == ["ADV001"]
    assert report["verdict"]["onset"] == report["diagnosis"]["since"]


# --- inspect and compare --------------------------------------------------------------------------


def test_inspect_shows_the_mapping_and_why(tmp_path: Path) -> None:
    folder = pasted(tmp_path)
    text = dlcc("inspect", folder).stdout
    assert "Loss_D" in text
    assert "discriminator/loss: the words loss, d" in text
    found = json.loads(dlcc("inspect", folder, "--json").stdout)
    assert found["axis"]["columns"] == ["#1", "#1 of", "#2", "#2 of"]
    mapped = dlcc("inspect", folder, "--map", "generator/loss=Loss_D", "--json").stdout
    (column,) = (c for c in json.loads(mapped)["columns"] if c["column"] == "Loss_D")
    assert (column["role"], column["why"]) == ("generator/loss", "you said so")


def test_compare_names_what_differs(tmp_path: Path) -> None:
    for name, at in (("a", 200), ("b", 60)):
        folder = tmp_path / name
        folder.mkdir()
        rows = [
            f"{i},{1.4 + 0.01 * (i % 7)},{0.7 + 0.01 * (i % 5) + (3 if i >= at else 0)}"
            for i in range(120)
        ]
        (folder / "log.csv").write_text("step,d_loss,g_loss\n" + "\n".join(rows) + "\n")
        (folder / "config.json").write_text(json.dumps({"lr": at, "batch": 8}))
    found = json.loads(dlcc("compare", tmp_path / "a", tmp_path / "b", "--json").stdout)
    assert found["settings"] == {"lr": [200, 60]}
    steps = {p["series"]: p["step"] for p in found["partings"]}
    assert steps["discriminator/loss"] is None
    assert 44 <= steps["generator/loss"] <= 62
    text = dlcc("compare", tmp_path / "a", tmp_path / "b").stdout
    assert "generator/loss: b parts at iteration" in text
    assert_one_sentence(dlcc("compare", tmp_path / "a"), 2, "expected two runs or more")


def test_a_run_of_another_tool_can_be_opened_in_python(tmp_path: Path) -> None:
    run = Run.open(pasted(tmp_path))
    assert repr(run) == f"<Run {tmp_path.name[:40]!r}: gan, 640 steps>"
    assert run.series()["discriminator/loss"].values[1] == 7.529
