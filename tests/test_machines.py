"""What other programs use: tools for agents, annotations, a pruner, an assertion for tests."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dlcc.testing import assert_healthy
from tests.command import dlcc
from tests.conftest import example

mcp = pytest.importorskip("mcp", reason="mcp is not installed")
optuna = pytest.importorskip("optuna", reason="optuna is not installed")


def asked(root: Path, tool: str, **arguments: Any) -> Any:
    """Answer of a tool, through the protocol's own client."""
    from dlcc.cli.mcp_server import server

    async def ask() -> Any:
        async with mcp.Client(server(root, root / "reports")) as client:
            return await client.call_tool(tool, arguments)

    answer = asyncio.run(ask())
    assert not answer.is_error, answer
    return json.loads(answer.content[0].text) if tool != "explain" else answer.content[0].text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder with two runs."""
    for name in ("digits-healthy", "digits-collapsed"):
        shutil.copytree(example(name), tmp_path / name)
    return tmp_path


def test_an_agent_finds_the_tools(root: Path) -> None:
    from dlcc.cli.mcp_server import server

    async def listed() -> Any:
        async with mcp.Client(server(root, root / "reports")) as client:
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(listed())}
    assert set(tools) == {"diagnose", "evaluate", "compare", "forecast", "explain"}
    writes = {name for name, tool in tools.items() if not tool.annotations.read_only_hint}
    assert writes == {"evaluate"}
    assert all(tool.description for tool in tools.values())


def test_tools_answer_as_the_commands_do(root: Path) -> None:
    told = asked(root, "diagnose", run="digits-collapsed")
    said = json.loads(dlcc("diagnose", root / "digits-collapsed", "--json").stdout)
    assert {**told, "path": ""} == {**said, "path": ""}
    both = asked(root, "compare", runs=["digits-healthy", "digits-collapsed"])
    assert "loss" in both["settings"]
    assert asked(root, "forecast", run="digits-collapsed")["p_healthy"] < 0.2
    assert "mode collapse" in asked(root, "explain", code="GAN003")
    assert "no finding" in asked(root, "explain", code="GAN999")


@pytest.mark.usefixtures("in_process")
def test_evaluating_writes_the_report_and_nothing_else(root: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    found = asked(root, "evaluate", run="digits-collapsed")
    assert found["verdict"]["label"] == "collapsed"
    assert Path(found["page"]).is_file()
    after = {p for p in root.rglob("*") if not p.is_relative_to(root / "reports")}
    assert after == set(before)


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "digits-healthy/../../x"])
def test_nothing_outside_of_the_root_is_read(root: Path, path: str) -> None:
    assert "lies outside of" in asked(root, "diagnose", run=path)["error"]


def test_a_link_that_leads_out_of_the_root_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    (root / "logs").mkdir()
    shutil.move(root / "digits-healthy" / "series", outside)
    (root / "digits-healthy" / "series").symlink_to(outside)
    (root / "logs" / "log.csv").symlink_to(outside / "log.csv")
    (outside / "log.csv").write_text("step,d_loss,g_loss\n" + "0,1,1\n" * 40)
    assert "a link" in asked(root, "diagnose", run="digits-healthy")["error"]
    assert "lies outside of" in asked(root, "diagnose", run="logs/log.csv")["error"]
    assert "no file that could be" in asked(root, "diagnose", run="logs")["error"]


def test_a_name_that_no_system_takes_is_an_error_in_words(root: Path) -> None:
    assert "no such file" in asked(root, "diagnose", run="a\0b")["error"]


def test_what_cannot_be_read_is_a_sentence(root: Path) -> None:
    assert asked(root, "diagnose", run="nothing-here")["error"]


def test_the_command_serves_over_standard_streams(root: Path) -> None:
    import sys

    from mcp import Client, StdioServerParameters

    command = StdioServerParameters(
        command=sys.executable, args=["-m", "dlcc.cli", "mcp", "--root", str(root)]
    )

    async def ask() -> Any:
        async with Client(command) as client:
            return await client.call_tool("explain", {"code": "GAN003"})

    assert "mode collapse" in asyncio.run(ask()).content[0].text


def test_trials_that_are_over_or_cannot_be_forecast_go_on() -> None:
    from dlcc.optuna import ForecastPruner

    runs = {0: "digits-healthy", 1: "digits-collapsed"}
    study = optuna.create_study(pruner=ForecastPruner(), direction="maximize")

    def objective(trial: Any) -> float:
        folder = Path(str(example(runs[trial.number])))
        trial.set_user_attr("dlcc_run", str(folder))
        if trial.should_prune():
            raise optuna.TrialPruned
        return 1.0

    study.optimize(objective, n_trials=2)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "COMPLETE"]
    lone = optuna.trial.create_trial(value=0.0, user_attrs={"dlcc_run": "nowhere"})
    assert not ForecastPruner().prune(study, lone)
    assert not ForecastPruner().prune(study, optuna.trial.create_trial(value=0.0))


def test_a_pruner_stops_where_the_forecast_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collapsed example is over; its record up to a half is forecast as if it still ran."""
    import dlcc.optuna as pruning
    from dlcc.forecast import forecast_folders

    monkeypatch.setattr(
        pruning, "forecast_folders", lambda runs, cost: forecast_folders(runs, ".5", cost=cost)
    )
    study = optuna.create_study()
    failing = optuna.trial.create_trial(
        value=0.0, user_attrs={"dlcc_run": str(example("digits-collapsed"))}
    )
    assert pruning.ForecastPruner(cost=0.001).prune(study, failing)
    assert not pruning.ForecastPruner(cost=0.001, least_seen=0.9).prune(study, failing)


@pytest.mark.usefixtures("in_process")
def test_a_test_can_ask_for_health() -> None:
    assert_healthy(example("digits-healthy"), least=0.9)
    with pytest.raises(AssertionError, match=r"is wanted"):
        assert_healthy(example("digits-healthy"), least=0.9999)
    with pytest.raises(AssertionError, match=r"Collapsed since step(.|\n)*GAN003"):
        assert_healthy(example("digits-collapsed"))


def test_annotations_of_a_workflow(tmp_path: Path) -> None:
    log = tmp_path / "a,b.csv"
    rows = [f"{i},{0.0},{9.0 + i % 3}" for i in range(400)]
    log.write_text("\n".join(["iteration,d_loss,g_loss", *rows]) + "\n")
    lines = dlcc("diagnose", log, "--github").stdout.splitlines()
    assert lines
    assert all(
        line.startswith(("::error file=", "::warning file=", "::notice file=")) for line in lines
    )
    assert "a%2Cb.csv" in lines[0]
    assert lines[0].count("::") == 2
