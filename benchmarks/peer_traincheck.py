"""Silent errors by TrainCheck, the peer: what its invariants say of the trainings that we judge.

    python benchmarks/peer_traincheck.py --python TC/bin/python --seed COMMIT [--kinds 12]

TC is an environment with TrainCheck 0.2 (`pip install traincheck torch scikit-learn`). Trainings
are those of `silent_errors.py`, as plain scripts without this package; kinds of errors are drawn by
the seed. As its guide has it, invariants are inferred from a good run of each family, and a run
with an error is held against them; its steps are all traced. An error counts as found where an
invariant is broken that no clean run of other seeds breaks: whatever it warns of there anyway says
nothing. What is broken on a clean run is counted too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import write_result
from silent_errors import FROM_THE_START, WITHIN
from silent_styles import SILENT, config_of

STEPS = 12  # of reference runs, and at most of the others
PLAYERS = {"gan": ("made", "judge"), "r1": ("made", "judge"), "vae": ("encoder", "decoder")}
LOOP = """

class Plain:
    @staticmethod
    def from_step(players, step, sample, data, batch):
        return step, data


config = {config!r}
step, data = {build}(config)
for _ in range({steps}):
    step(data[torch.randint(len(data), (BATCH,))])
"""


def script(family: str, fault: str, onset: int, seed: int, steps: int) -> str:
    """Program of a training without this package, with the players in variables of their own."""
    text = (Path(__file__).parent / "silent_styles.py").read_text()
    for old, new in (
        ("from __future__ import annotations\n", ""),
        ("import dlcc\n", ""),
        ("-> dlcc.Training", "-> object"),
        ("dlcc.Training.from_step", "Plain.from_step"),
        (
            "    made, judge = networks()\n",
            "    both = networks()\n    made = both[0]\n    judge = both[1]\n",
        ),
    ):
        assert old in text, old
        text = text.replace(old, new)
    config = config_of(fault, onset, seed)
    config["penalised"] = family == "r1"
    config["sorted"] = fault == "sorted data not shuffled"
    build = "build_vae" if family == "vae" else "build_gan"
    return text + LOOP.format(config=config, build=build, steps=steps)


class Peer:
    """TrainCheck in an environment of its own."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder
        self.seconds = 0.0

    def __call__(self, module: str, *arguments: object) -> None:
        """Run one of its programs."""
        environment = {
            **os.environ,
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
        }
        environment.pop("PYTHONPATH", None)
        before = time.perf_counter()
        done = subprocess.run(
            [self.python, "-m", f"traincheck.{module}", *map(str, arguments)],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.seconds += time.perf_counter() - before
        if done.returncode:
            raise RuntimeError(f"{module}: {done.stderr[-2000:]}")

    def traced(self, name: str, family: str, text: str, *options: object) -> Path:
        """Trace of a program."""
        (self.folder / f"{name}.py").write_text(text)
        out = self.folder / f"trace-{name}"
        self("collect_trace", "--pyscript", f"{name}.py", "--models-to-track", *PLAYERS[family],
             "--output-dir", out, *options)  # fmt: skip
        return out

    def invariants(self, family: str, seed: int) -> Path:
        """Invariants of a good run."""
        trace = self.traced(f"good-{family}", family, script(family, "", 0, seed, STEPS))
        file = self.folder / f"invariants-{family}.json"
        self("infer_engine", "-f", trace, "-o", file)
        return file

    def broken(self, name: str, family: str, text: str, invariants: Path) -> set[str]:
        """Invariants that a run breaks."""
        trace = self.traced(
            name, family, text, "--invariants", invariants, "--sampling-interval", 1
        )
        out = self.folder / f"checked-{name}"
        self("checker", "-f", trace, "-i", invariants, "-o", out, "--no-html-report")
        (summary,) = out.rglob("violations_summary.json")
        return {found["display_name"] for found in json.loads(summary.read_text())["violations"]}


def main() -> None:
    """Trace, infer, check and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--seed", default="0", help="hash of the frozen commit")
    parser.add_argument("--clean", type=int, default=3, help="clean runs of each family")
    parser.add_argument("--kinds", type=int, default=len(SILENT), help="kinds of errors")
    given = parser.parse_args()
    seed = int(given.seed[:8], 16) % 1_000_000
    faults = random.Random(given.seed).sample(sorted(SILENT), given.kinds)
    figures: dict[str, Any] = {"by_kind": {}, "broken_on_clean_runs": {}}
    with tempfile.TemporaryDirectory() as name:
        peer = Peer(given.python, Path(name))
        known, invariants = {}, {}
        for family in sorted({SILENT[fault].family for fault in faults}):
            invariants[family] = peer.invariants(family, seed)
            clean = [
                peer.broken(f"clean-{family}-{k}", family,
                            script(family, "", 0, seed + 1 + k, STEPS), invariants[family])
                for k in range(given.clean)
            ]  # fmt: skip
            figures["broken_on_clean_runs"][family] = [len(broken) for broken in clean]
            known[family] = set[str]().union(*clean)
            print(family, figures["broken_on_clean_runs"][family], file=sys.stderr, flush=True)
        for number, fault in enumerate(faults):
            family = SILENT[fault].family
            onset = 0 if fault in FROM_THE_START else random.Random(f"{fault}/{seed}").randint(2, 6)
            text = script(family, fault, onset, seed, onset + WITHIN)
            new = peer.broken(f"fault-{number}", family, text, invariants[family]) - known[family]
            figures["by_kind"][fault] = sorted(new)
            print(f"{fault:44} {len(new)} {sorted(new)[:1]}", file=sys.stderr, flush=True)
        figures["seconds"] = peer.seconds
    found = [fault for fault, new in figures["by_kind"].items() if new]
    figures |= {"kinds": len(faults), "found": len(found)}
    print({k: v for k, v in figures.items() if k != "by_kind"})
    write_result("peer_traincheck", figures, seeds={"errors": seed, "commit": given.seed})


if __name__ == "__main__":
    main()
