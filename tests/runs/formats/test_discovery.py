"""Which runs a folder holds, and what is said where it holds none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcc.errors import OptionError, RunError
from dlcc.runs import Run
from dlcc.runs.formats.discovery import find_runs
from dlcc.runs.formats.foreign_config import stated_objective
from dlcc.runs.formats.settings_file import settings_for
from dlcc.runs.raw_table import Scalar

ROWS = "step,d_loss,g_loss\n" + "".join(f"{i},1.{i},0.{i}\n" for i in range(20))


def version(folder: Path, rows: str = ROWS) -> None:
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(rows)


def test_several_runs_have_the_names_of_their_folders(tmp_path: Path) -> None:
    version(tmp_path / "version_0")
    version(tmp_path / "version_1", ROWS + "20,1,1\n")
    assert find_runs(tmp_path).names == ("version_0", "version_1")
    run = Run.open(tmp_path)
    assert run.name == "version_1"
    assert any("holds 2 runs" in note and "version_0" in note for note in run.notes)
    assert Run.open(tmp_path, part="version_0").series().rows == 20
    with pytest.raises(
        RunError, match=r"--run nope: not found; there is runs version_0, version_1"
    ):
        Run.open(tmp_path, part="nope")


def test_a_file_can_be_named_itself(tmp_path: Path) -> None:
    version(tmp_path / "a")
    (tmp_path / "a" / "out.txt").write_text("epoch 1 g 0.5\nepoch 2 g 0.25\nepoch 3 g 0.125\n")
    assert Run.open(tmp_path / "a").series().rows == 20
    assert Run.open(tmp_path / "a" / "out.txt").name == "out.txt"


def test_weights_pictures_and_links_are_not_opened(tmp_path: Path) -> None:
    version(tmp_path / "a")
    (tmp_path / "a" / "weights.pt").write_bytes(b"\0" * 10)
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "other.csv").symlink_to("/etc/hostname")
    found = find_runs(tmp_path / "a")
    assert len(found.records) == 1
    assert any("other.csv: a link" in note for note in found.notes)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "is empty"),
        ({"weights.pt": "x", "a.png": "x"}, "no file that could be a record"),
        ({"notes.txt": "nothing here\n"}, "none has rows with named numbers"),
    ],
)
def test_nothing_to_read_is_answered_usefully(
    files: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(RunError, match=sentence) as caught:
        Run.open(tmp_path)
    assert "Recorder" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_beside_a_record_are_its_configuration(tmp_path: Path) -> None:
    version(tmp_path / "logs" / "version_0")
    (tmp_path / "logs" / "version_0" / "hparams.yaml").write_text("lr: 0.0002\nadv_loss: hinge\n")
    (tmp_path / "logs" / "version_0" / "config.json").write_text('{"optim": "Adam", "seed": 3}')
    run = Run.open(tmp_path)
    assert run.manifest.config["lr"] == 0.0002
    assert run.manifest.config["optimizer"] == "adam"
    assert run.manifest.objective == {"kind": "gan", "loss": "hinge"}
    assert run.manifest.seed == 3


def test_damaged_options_cost_nothing(tmp_path: Path) -> None:
    version(tmp_path / "a")
    (tmp_path / "a" / "config.json").write_text("{" * 100_000)
    (tmp_path / "a" / "args.txt").write_bytes(b"\xff\xfe\x00")
    assert Run.open(tmp_path / "a").series().rows == 20


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"gan_mode": "lsgan"}, "ls"),
        ({"gan_mode": "vanilla"}, "ns"),
        ({"loss_function.adv_loss": "hinge"}, "hinge"),
        ({"loss": "wgan-gp"}, "wgangp"),
        ({"loss": "mm"}, "mm"),
        ({"loss": "non-saturating"}, "ns"),
        ({"gan_type": "RaGAN"}, "relativistic"),
        ({"said in the log": "Using Hinge Loss"}, "hinge"),
        ({"loss": 3}, None),
        ({}, None),
    ],
)
def test_objectives_that_configurations_state(config: dict[str, Scalar], name: str | None) -> None:
    found = stated_objective(config)
    assert (found and found[0]) == name


def test_settings_of_a_folder(tmp_path: Path) -> None:
    version(tmp_path / "runs" / "a")
    (tmp_path / "dlcc.toml").write_text('kind = "gan"\n[map]\n"discriminator/loss" = "g_loss"\n')
    found = settings_for(tmp_path / "runs" / "a")
    assert (found.kind, dict(found.mapping)) == ("gan", {"discriminator/loss": "g_loss"})
    (tmp_path / "dlcc.toml").write_text("colour = 3\n")
    with pytest.raises(OptionError, match=r"key colour: expected one of kind, objective, map"):
        settings_for(tmp_path / "runs" / "a")
    (tmp_path / "dlcc.toml").write_text("not toml")
    with pytest.raises(OptionError, match="not valid TOML"):
        settings_for(tmp_path / "runs" / "a")
