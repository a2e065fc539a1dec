"""Every recipe, killed after its first snapshots and taken up, ends in the run nobody killed."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dlcc.recipes import get_recipe, recipes, truth
from dlcc.recipes.train import train
from dlcc.runs import Run
from tests.conftest import ROOT
from tests.recipes.same import assert_same_run

SNAPSHOTS = 3
SEED = int(os.environ.get("DLCC_KILL_SEED") or secrets.randbits(32))
VARIANTS = (
    *((f"map-{name}", {"variant": "paper"}) for name in ("f1", "f2", "f3")),
    ("lgc-vanilla", {"loss": "wgangp"}),
)  # code that the defaults do not run

Kill = Callable[..., int]


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """Trains in a child that kills itself; gives its exit code."""
    command = [sys.executable, "-m", "tests.recipes.killing"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def ask(**request: Any) -> int:
            print(json.dumps(request), file=requests, flush=True)
            return int(answers.readline())

        yield ask


def short(recipe: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a training of a few steps, from the options that the recipe has."""
    options = {option.key: option for option in get_recipe(recipe).options}
    wanted = {"steps": 4, "batch": 4} if "steps" in options else {"epochs": 2, "batch": 200}
    low = {key: max(n, int(options[key].low)) for key, n in wanted.items() if key in options}
    return {"seed": SEED, **low, **settings}


QUICK = ("ring", "image-gan", "map-f1", "ae-f3", "table-gan")  # one of each family


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        *((name, {}) for name in QUICK),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (*((name, {}) for name in recipes() if name not in QUICK), *VARIANTS)
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value.values()) or "defaults",
)
def test_a_killed_training_goes_on_to_the_same_end(
    recipe: str, settings: dict[str, Any], tmp_path: Path, kill: Kill
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    settings = short(recipe, settings)
    judged = train(recipe, whole, settings, snapshots=SNAPSHOTS)
    length = Run.open(whole).length
    after = random.Random(f"{recipe} {settings}").randrange(length // SNAPSHOTS + 1, length)
    print(f"killed after {after} steps with DLCC_KILL_SEED={SEED}")

    code = kill(recipe=recipe, out=str(broken), settings=settings, snapshots=SNAPSHOTS, after=after)
    assert code == -signal.SIGKILL
    newest = max(snapshot.step for snapshot in Run.open(broken).snapshots())
    assert newest > 0
    begun = []
    again = train(
        recipe,
        broken,
        settings,
        snapshots=SNAPSHOTS,
        progress=lambda done, total: begun.append(done - 1),
    )
    assert begun[0] == newest <= after - 1
    assert_same_run(Run.open(whole), Run.open(broken))
    assert again == judged
    assert (truth.read(broken) if judged else None) == judged
