"""Conformance kit for authors of recipes: `check_recipe`.

A recipe's training is built, stepped, taken back and built again from a copy of its file, as a
replay does. What it must not do is to draw from anything but its configuration and the step.
"""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch

from dlcc.engine.jobs import one_thread
from dlcc.engine.scratch import scratch_folder
from dlcc.errors import DlccError, OptionError
from dlcc.health.judgeable import NotJudgeableError, judgeable_kind
from dlcc.recipes.recipe import Recipe
from dlcc.runs.series_format import QUANTITY
from dlcc.runs.state import pack_state, unpack_state
from dlcc.runs.training import Training
from dlcc.testing.conformance import NonConformance

_STEPS = 6


def check_recipe(recipe: Recipe, settings: Mapping[str, Any] | None = None) -> None:
    """Check that a recipe conforms: its training repeats, resumes and needs its file alone.

    Args:
        recipe: Recipe to check.
        settings: Settings that make its training small and quick; default none.

    Raises:
        NonConformance: The recipe does not conform; the message names the fault.
        SnapshotError: The training's state does not come back as it was stored.

    >>> from dlcc.recipes import get_recipe
    >>> check_recipe(get_recipe("ring"), {"steps": 50})
    """
    if not isinstance(recipe, Recipe):
        raise NonConformance(f"{recipe!r} is no Recipe")
    name = f"recipe {recipe.name!r}"
    if not re.fullmatch(r"[a-z][a-z0-9-]*", recipe.name):
        raise NonConformance(f"{name}: its name must be of lower-case letters, digits and -")
    config = _configured(name, recipe, settings or {})
    _check_family(name, recipe, config)
    with one_thread():
        first = _steps(name, _built(name, recipe.module, config), 0, _STEPS)
        _check_rows(name, first)
        _check_samples(name, recipe, config)
        if _steps(name, _built(name, recipe.module, config), 0, _STEPS) != first:
            raise NonConformance(
                f"{name}: gives other rows when it is built again; batches and noise must be "
                "functions of the configuration and the step"
            )
        _check_resumed(name, recipe, config, first)
        _check_copy(name, recipe, config, first)
        other = {**config, "seed": int(config["seed"]) + 1}
        if _steps(name, _built(name, recipe.module, other), 0, _STEPS) == first:
            raise NonConformance(f"{name}: another seed gives the same rows")


def _configured(name: str, recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        config = recipe.configure(settings)
    except OptionError as error:
        raise NonConformance(f"{name}: refuses its own settings: {error}") from error
    try:
        recipe.configure({"no such key": 1})
    except OptionError:
        pass
    else:
        raise NonConformance(f"{name}: takes a key that it does not have; refuse it")
    if not isinstance(config.get("seed"), int):
        raise NonConformance(f"{name}: its configuration has no whole number 'seed'")
    return config


def _check_family(name: str, recipe: Recipe, config: Mapping[str, Any]) -> None:
    family = recipe.family
    if family.length(config) < 1:
        raise NonConformance(f"{name}: its length is {family.length(config)}; expected 1 or more")
    try:
        judgeable_kind(family.objective(config), family.players(config))
    except NotJudgeableError as error:
        raise NonConformance(f"{name}: cannot be judged: {error}") from None
    if not family.page(recipe, config).startswith("# "):
        raise NonConformance(f"{name}: its page must be Markdown that begins with a title")
    try:
        pack_state(dict(family.objective(config)))
    except DlccError as error:
        raise NonConformance(f"{name}: objective holds more than plain values: {error}") from error


def _built(name: str, module: ModuleType, config: Mapping[str, Any]) -> Training:
    training = module.build(dict(config))
    if not isinstance(training, Training):
        raise NonConformance(
            f"{name}: build returned {type(training).__name__}, which lacks players, step, sample, "
            "state_dict or load_state_dict"
        )
    return training


def _steps(name: str, training: Training, first: int, last: int) -> list[dict[str, float]]:
    return [
        {key: float(value) for key, value in training.step(step).items()}
        for step in range(first, last)
    ]


def _check_rows(name: str, rows: list[dict[str, float]]) -> None:
    for key in {key for row in rows for key in row}:
        if not QUANTITY.fullmatch(key):
            raise NonConformance(f"{name}: logs {key!r}, which is not named player/quantity")
    if not any(key.endswith("/loss") for key in rows[0]):
        raise NonConformance(f"{name}: logs no player's loss")
    if any(math.isnan(value) for row in rows for value in row.values()):
        raise NonConformance(f"{name}: logs NaN within {_STEPS} steps")


def _check_samples(name: str, recipe: Recipe, config: Mapping[str, Any]) -> None:
    training = _built(name, recipe.module, config)
    drawn, again = training.sample(8, 3), training.sample(8, 3)
    if not torch.equal(drawn, again):
        raise NonConformance(f"{name}: sample gives other rows for the same seed")
    reference = recipe.family.reference(config)
    if tuple(drawn.shape[1:]) != tuple(reference.shape[1:]):
        raise NonConformance(
            f"{name}: samples are rows {list(drawn.shape[1:])}, the reference has "
            f"{list(reference.shape[1:])}"
        )
    networks = {
        player: sum(p.numel() for p in network.parameters())
        for player, network in training.players.items()
    }
    if networks != {
        player: sum(p.numel() for p in network.parameters())
        for player, network in recipe.family.players(config).items()
    }:
        raise NonConformance(f"{name}: family.players differs from the players that are trained")


def _check_resumed(
    name: str, recipe: Recipe, config: Mapping[str, Any], rows: list[dict[str, float]]
) -> None:
    """Check that a training that is put back goes on as it did."""
    training, middle = _built(name, recipe.module, config), _STEPS // 2
    _steps(name, training, 0, middle)
    try:
        state = unpack_state(*pack_state(training.state_dict()))
    except OptionError as error:
        raise NonConformance(f"{name}: its state cannot be kept: {error}") from error
    fresh = _built(name, recipe.module, config)
    fresh.load_state_dict(state)
    if _steps(name, fresh, middle, _STEPS) != rows[middle:]:
        raise NonConformance(
            f"{name}: goes on otherwise from its state; state_dict must hold all that changes"
        )


def _check_copy(
    name: str, recipe: Recipe, config: Mapping[str, Any], rows: list[dict[str, float]]
) -> None:
    """Check that the file alone builds the training: it becomes the run's source/train.py."""
    with scratch_folder("dlcc-check-") as folder:
        file = folder / "train.py"
        file.write_text(recipe.source.read_text(encoding="utf-8"), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("dlcc_checked_recipe", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        try:
            spec.loader.exec_module(module)
            built = _steps(name, _built(name, module, config), 0, _STEPS)
        except ImportError as error:
            raise NonConformance(
                f"{name}: a copy of {recipe.source.name} does not work on its own ({error}); it "
                "becomes source/train.py of a run"
            ) from error
        finally:
            del sys.modules[spec.name]
    if built != rows:
        raise NonConformance(f"{name}: a copy of {recipe.source.name} gives other rows")
