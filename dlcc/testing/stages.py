"""Conformance kit for authors of stages: `check_stage`.

```python
from dlcc.testing import check_stage
check_stage(MyStage(), "runs/digits-healthy")
```
The stage runs twice on a copy of the run, in fresh processes, the second time with everything about
the world changed that a stage must not depend on. Where that changed the result, it runs again with
one change at a time: the one that does is the fault.
"""

from __future__ import annotations

import datetime as datetime_module
import itertools
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from dlcc import codec, pipeline
from dlcc.engine.process import Ended, supervise
from dlcc.engine.scratch import scratch_folder
from dlcc.pipeline import Limits, discovery, worker
from dlcc.pipeline.runner import StageRunner, read_result, worker_env
from dlcc.runs import Run
from dlcc.stage import Stage, check_declaration
from dlcc.testing.conformance import NonConformance, difference, fingerprint

Change = Literal["nothing", "global RNG", "clock", "hash seed"]
_FAULTS: Mapping[Change, str] = {
    "nothing": "gives another result when it runs again on the same run: something in it is not a "
    "function of the case and of ctx.rng",
    "global RNG": "draws from a global random number generator; draw from ctx.rng",
    "clock": "depends on the clock; a result may only depend on the case and ctx.rng",
    "hash seed": "depends on the order of a set or on hash(); sort before you iterate",
}
GRACE_SECONDS = 10.0  # seconds to come to an end after the deadline
_LONG = 20.0  # seconds; a stage that takes longer must be able to stop early
_MUTATION = ("read-only", "FrozenInstanceError", "does not support item assignment")


@dataclass(frozen=True)
class _Trial:
    """Result that one run of the stage left behind."""

    ended: Ended
    reply: worker.Reply | None
    digest: str
    mutated: str | None


def check_stage(
    stage: Stage, run: str | Path, *, stages: Sequence[Stage] = (), seconds: float = 120
) -> None:
    """Check that a stage conforms to what the pipeline expects of it.

    The stage runs at least twice on a copy of the run, so this takes seconds to minutes.

    Args:
        stage: Stage to check; its type must be importable (not defined in a notebook).
        run: Folder of a run that the stage applies to; a copy is used.
        stages: Further stages whose records it needs, beside the installed ones.
        seconds: Deadline of the stage in seconds.

    Raises:
        NonConformance: The stage does not conform; the message names the fault.
        StageDeclarationError: The stage is not declared as it must be.
        PluginError: Another installed stage or format cannot be used.
        RunError: There is no such run, or it is damaged.
        OptionError: The folder is another tool's, and its columns have unknown names.

    >>> check_stage(MyStage(), "runs/digits-healthy")  # doctest: +SKIP

    The declaration is checked first, before anything runs:

    >>> class Calm(Stage):
    ...     name = "calm"
    >>> check_stage(Calm(), "runs/digits-healthy")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    dlcc.errors.StageDeclarationError: stage 'calm' must be decorated with ...
    """
    name = getattr(stage, "name", type(stage).__name__)
    check_declaration(stage)
    if not discovery.reachable(type(stage)):
        raise NonConformance(f"{name}: put the stage into a file; another process must import it")
    with scratch_folder("dlcc-check-") as temporary:
        copy = temporary / Path(run).resolve().name
        shutil.copytree(run, copy)
        before = fingerprint(copy)
        bench = _Bench(stage, copy, stages, seconds)
        first = bench.trial("nothing")
        _check_trial(name, first, seconds)
        if changed := difference(before, fingerprint(copy)):
            raise NonConformance(f"{name}: writes into the run ({changed}); use ctx.scratch")
        second = bench.trial(*_FAULTS)
        if second.digest != first.digest:
            raise _named(name, bench, first, second)
        _check_deadline(name, bench, first.ended.seconds)


def _named(name: str, bench: _Bench, first: _Trial, second: _Trial) -> NonConformance:
    """Find which of the changes of the world, made at once in the second trial, is the one."""
    for change, fault in _FAULTS.items():
        trial = bench.trial(change)
        if trial.digest != first.digest:
            return NonConformance(f"{name}: {fault}{_what_differs(first, trial)}")
    return NonConformance(
        f"{name}: gives another result now and then, whatever is changed; a result may only depend "
        f"on the case and ctx.rng{_what_differs(first, second)}"
    )


def _check_trial(name: str, trial: _Trial, seconds: float) -> None:
    if trial.ended.how == "time":
        raise NonConformance(
            f"{name}: ignores its deadline: still running {GRACE_SECONDS:g} s after the "
            f"{seconds:g} s that it was given; call ctx.deadline.check() in long loops"
        )
    if trial.mutated:
        raise NonConformance(f"{name}: mutates the record {trial.mutated}; records are read-only")
    if trial.reply is None:
        raise NonConformance(f"{name}: its process died ({trial.ended.output.strip()[-200:]})")
    reason = trial.reply.reason or ""
    if trial.reply.status == "failed":
        if any(word in reason for word in _MUTATION):
            raise NonConformance(f"{name}: mutates a record ({reason}); records are read-only")
        raise NonConformance(f"{name}: {reason}")


def _check_deadline(name: str, bench: _Bench, took: float) -> None:
    if took < _LONG:
        return
    given = took / 4
    trial = bench.trial("nothing", seconds=given)
    if trial.ended.how == "time":
        raise NonConformance(
            f"{name}: ignores its deadline: still running {GRACE_SECONDS:g} s after the "
            f"{given:.0f} s that it was given; call ctx.deadline.check() in long loops"
        )


class _Bench:
    """Bench that runs the stage again and again, with changes of the world."""

    def __init__(self, stage: Stage, run: Path, stages: Sequence[Stage], seconds: float) -> None:
        others = {**discovery.installed(), **{s.name: s for s in stages}}
        others.pop(stage.name, None)
        chosen, _ = pipeline.select([*others.values(), stage], only=[stage.name])
        before = [s for s in chosen if s is not stage]
        self._stage, self._seconds = stage, seconds
        self._pass = StageRunner(Run.open(run), Run.open(run).length, Limits())
        for other in pipeline.order(before):
            self._pass.one(other)

    def trial(self, *changes: Change, seconds: float | None = None) -> _Trial:
        given = self._seconds if seconds is None else seconds
        with scratch_folder() as folder:
            self._pass.write_request(self._stage, folder, seconds=given)
            env = worker_env(folder)
            env["PYTHONHASHSEED"] = "4711" if "hash seed" in changes else "0"
            ended = supervise(
                [sys.executable, "-m", "dlcc.testing.stages", str(folder), *changes],
                seconds=given + GRACE_SECONDS,
                memory=8 << 30,
                cwd=folder,
                env=env,
            )
            return _read_trial(folder, ended)


def _read_trial(folder: Path, ended: Ended) -> _Trial:
    result, mutated = folder / "result", folder / "mutated"
    if not result.is_dir():
        return _Trial(ended, None, "", None)
    reply, records = read_result(result)
    parts = [codec.digest(_reproducible(reply)), *(codec.digest(r) for r in records)]
    named = mutated.read_text() if mutated.exists() else None
    return _Trial(ended, reply, json.dumps(parts), named)


def _reproducible(reply: worker.Reply) -> worker.Reply:
    import dataclasses

    return dataclasses.replace(reply, environment={}, traceback=None)


def _what_differs(a: _Trial, b: _Trial) -> str:
    if a.reply is None or b.reply is None or a.reply.status != b.reply.status:
        return ""
    fields = ("terms", "findings", "details")
    names = [f for f in fields if getattr(a.reply, f) != getattr(b.reply, f)]
    return f" (seen in its {', '.join(names) or 'records'})"


# --- in the child ---------------------------------------------------------------------------------


def _set_clock(base: float) -> ModuleType:
    """Let the clocks that a stage asks begin at `base` and go on by a millisecond a call.

    The same in every trial but one, so that a stage that reads a clock differs in that one alone.
    The monotonic clock stays: the deadline is measured by it. Returns a stand-in for the module
    `datetime`, to be put into the stage's own modules: extension modules look into the real one for
    the layout of its classes.
    """
    calls = itertools.count(1)

    def now() -> float:
        return base + next(calls) * 1e-3

    class Clock(datetime_module.datetime):
        @classmethod
        def now(cls, tz: datetime_module.tzinfo | None = None) -> Clock:
            return cls.fromtimestamp(now(), tz)

        @classmethod
        def utcnow(cls) -> Clock:
            return cls.fromtimestamp(now(), datetime_module.UTC).replace(tzinfo=None)

    class ClockDate(datetime_module.date):
        @classmethod
        def today(cls) -> ClockDate:
            return cls.fromtimestamp(now())

    time.time = now
    time.perf_counter = now
    time.time_ns = lambda: int(now() * 1e9)
    stand_in = ModuleType("datetime")
    vars(stand_in).update(vars(datetime_module), datetime=Clock, date=ClockDate)
    return stand_in


def _put_into_stage(stage: Stage, clock: ModuleType) -> None:
    """Replace what the modules of a stage imported of `datetime`."""
    its = type(stage).__module__
    root = "dlcc.stages" if its.startswith("dlcc.") else its.partition(".")[0]
    replaced = {
        id(datetime_module): clock,
        id(datetime_module.datetime): clock.datetime,
        id(datetime_module.date): clock.date,
    }
    for name, module in list(sys.modules.items()):
        if name == root or name.startswith(f"{root}."):
            for key, value in list(vars(module).items()):
                if id(value) in replaced:
                    setattr(module, key, replaced[id(value)])


def _other_global_seeds() -> None:
    def set_others(seed: int) -> None:
        import numpy as np

        random.seed(99)
        np.random.seed(99)
        if "torch" in sys.modules:  # imported later, it takes a seed of its own in every trial
            sys.modules["torch"].manual_seed(99)

    worker.seed_everything = set_others


def _watch(folder: Path, clock: ModuleType) -> None:
    """Let the stage meet the clock, and compare each record's digest before and after its call."""
    plain = worker.call

    def digest(record: Any) -> str:
        return str(record.digest()) if hasattr(record, "digest") else codec.digest(record)

    def watched(stage: Stage, case: Any, ctx: Any) -> Any:
        _put_into_stage(stage, clock)
        before = {kind: digest(record) for kind, record in case._records.items()}
        outcome = plain(stage, case, ctx)
        for kind, record in case._records.items():
            if digest(record) != before[kind]:
                (folder / "mutated").write_text(kind.__name__)
        return outcome

    worker.call = watched


def _main(folder: Path, changes: Sequence[str]) -> None:
    clock = _set_clock(1.9e9 if "clock" in changes else 1.7e9)
    if "global RNG" in changes:
        _other_global_seeds()
    _watch(folder, clock)
    worker.main(folder)


if __name__ == "__main__":
    os.environ.pop("DLCC_PROGRESS", None)
    _main(Path(sys.argv[1]), sys.argv[2:])
