"""Texts of a run: what the reader refuses, the recorder refuses to write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlcc.errors import OptionError, RunError, SeriesError
from dlcc.runs import Recorder, Run
from dlcc.runs.series_format import MAX_COLUMNS, encode_file_header
from dlcc.runs.texts import LONGEST_NAME, LONGEST_TEXT, bad_text, problem_of
from tests.conftest import unlisted
from tests.landscape_summaries import put_summaries

CONTROL = ["\x1b[2J", "\x07", "\x9b31m", "\u202e", "\x00", "a\nb", "\ud800", "\u2028"]
LONG = "x" * (LONGEST_NAME + 1)
WRONG = [*CONTROL, LONG]


def a_run(path: Path) -> Path:
    with Recorder(path, name="fine", players={"p": nn.Linear(1, 1)}, config={"a": 1}) as rec:
        rec.snapshot(0)
        rec.log(0, {"p/loss": 1.0})
    return unlisted(path)


@pytest.mark.parametrize("text", WRONG, ids=lambda t: ascii(t)[:12])
@pytest.mark.parametrize(
    "place", ["name", "player", "class", "key", "nested key", "version", "training", "value"]
)
def test_a_text_of_run_json_that_breaks_the_rule_is_refused_with_its_key(
    place: str, text: str, tmp_path: Path
) -> None:
    if place == "value":
        text = {"a\nb": "a\x0bb", LONG: "x" * (LONGEST_TEXT + 1)}.get(text, text)
    changes: dict[str, Any] = {
        "name": {"name": text},
        "player": {"players": {text: {"class": "A", "parameters": 1}}},
        "class": {"players": {"p": {"class": text, "parameters": 1}}},
        "key": {text: 1},
        "nested key": {"config": {"a": [{text: 1}]}},
        "version": {"versions": {"torch": text}},
        "training": {"training": text},
        "value": {"config": {"a": [{"b": text}]}},
    }[place]
    path = a_run(tmp_path / "run") / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(RunError, match="expected") as refused:
        Run.open(path.parent)
    assert str(refused.value).removeprefix(str(tmp_path)).isprintable()
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("text", WRONG, ids=lambda t: ascii(t)[:12])
def test_the_recorder_refuses_what_the_reader_refuses(text: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        Recorder(tmp_path / "a", name=text)
    with pytest.raises(OptionError):
        Recorder(tmp_path / "a", config={text: 1})
    with pytest.raises(OptionError):
        Recorder(tmp_path / "a", players={text: nn.Linear(1, 1)})
    with pytest.raises(OptionError):
        Recorder(tmp_path / "a", training_entry=f"source/{text}.py:build")
    wrong = type(text.replace("\0", "") if text == LONG else "Net\x1b", (nn.Linear,), {})
    with pytest.raises(OptionError):
        Recorder(tmp_path / "a", players={"p": wrong(1, 1)})
    assert not (tmp_path / "a").exists()


def test_a_parameter_with_an_escape_in_its_name_is_refused_by_the_snapshot(tmp_path: Path) -> None:
    module = nn.Linear(1, 1)
    module.register_parameter("w\x1b[2J", nn.Parameter(torch.ones(1)))
    with Recorder(tmp_path / "run", players={"p": module}) as rec, pytest.raises(OptionError):
        rec.snapshot(0)
    assert Run.open(tmp_path / "run").snapshots() == []


def test_what_is_text_stays_readable(tmp_path: Path) -> None:
    config = {
        "note": "zwei\tZeilen\r\nmit Umlauten ü, 漢字, 👩‍🔬",
        "x" * LONGEST_NAME: "y" * LONGEST_TEXT,
    }
    with Recorder(tmp_path / "run", name="GAN № 7 – ünï ✓", config=config) as rec:
        rec.log(0, {"p/loss": 1.0})
    opened = Run.open(tmp_path / "run")
    assert opened.name == "GAN № 7 – ünï ✓"
    assert opened.manifest.config == config


def test_deep_nesting_is_walked_without_recursion() -> None:
    deep: Any = "\x1b"
    for _ in range(100_000):
        deep = [deep]
    problem = bad_text({"config": deep})
    assert problem is not None
    assert len(problem) < 200
    assert problem_of("a\nb", value=True) is None


# --- series ---------------------------------------------------------------------------------------


def forged_header(columns: object) -> bytes:
    """A header that is whole by its checksum, whatever it names."""
    import struct

    import xxhash

    text = json.dumps({"columns": columns}).encode()
    head = struct.pack("<8sII", b"DLCCSER\n", 1, len(text)) + text
    return head + struct.pack("<Q", xxhash.xxh3_64_intdigest(head))


@pytest.mark.parametrize(
    "columns",
    [[r"p$\nosuch{$/loss"], ["p/\x1b[2J"], ["loss"], [f"p/{LONG}"], [7], 7, None, [], [["p/a"]],
     {"p/a": 1}, ["p/a", "p/a"]],
    ids=lambda c: ascii(c)[:20],
)  # fmt: skip
def test_a_series_with_such_a_name_is_refused(columns: object, tmp_path: Path) -> None:
    path = a_run(tmp_path / "run") / "series" / "009.series"
    path.write_bytes(forged_header(columns))
    with pytest.raises(SeriesError, match=r"009\.series: .*its header") as refused:
        Run.open(tmp_path / "run").series()
    assert str(refused.value).removeprefix(str(tmp_path)).isprintable()
    assert len(str(refused.value)) < 500


def test_the_recorder_logs_no_more_or_longer_names_than_are_read(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run") as rec:
        for wrong in (
            {f"p/{'x' * LONGEST_NAME}": 1.0},
            {f"p/{i}": 1.0 for i in range(MAX_COLUMNS + 1)},
            {f"p/{i:0{LONGEST_NAME - 2}}": 1.0 for i in range(2_000)},  # 2 MB of header
        ):
            with pytest.raises(OptionError):
                rec.log(0, wrong)
        rec.log(0, {f"p/{i}": 1.0 for i in range(MAX_COLUMNS)})
    assert len(Run.open(tmp_path / "run").series().columns) == MAX_COLUMNS
    assert encode_file_header(["p/" + "x" * (LONGEST_NAME - 2)])


# --- snapshots and landscapes ---------------------------------------------------------------------


def test_a_snapshot_whose_names_break_the_rule_is_refused(tmp_path: Path) -> None:
    path = a_run(tmp_path / "run") / "snapshots" / "00000000" / "snapshot.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"players": {"p\x1b": ["weight"]}}))
    with pytest.raises(RunError, match="control characters"):
        _ = Run.open(tmp_path / "run").snapshots()[0].manifest


def test_a_landscape_whose_players_break_the_rule_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    put_summaries(run)
    path = run / "snapshots" / "00000000" / "landscape.json"
    path.write_text(path.read_text().replace('"generator"', '"generator\\u202e"'))
    with pytest.raises(RunError, match="control characters"):
        Run.open(run).snapshots()[0].landscape()


def test_a_foreign_configuration_with_an_escape_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,g_loss\n0,1\n1,1\n")
    (tmp_path / "config.json").write_text(json.dumps({"note": "a\x1b[2J", "lr": 0.1}))
    assert Run.open(tmp_path).manifest.config == {"lr": 0.1}
