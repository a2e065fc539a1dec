"""Runner of stages, each in a bounded worker process, with a cache of their results.

Stages that need nothing of each other run side by side, as many as there are cores.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import xxhash

from dlcc import cache, codec
from dlcc.engine.process import Ended, supervise
from dlcc.engine.scratch import remove_leftovers, scratch_folder
from dlcc.errors import PluginError
from dlcc.findings.catalogue import add_pages_of
from dlcc.kinds import kinds
from dlcc.past_runs.in_use import library_digest
from dlcc.pipeline import discovery, worker
from dlcc.pipeline.ordering import order
from dlcc.pipeline.outcome import Limits, StageOutcome, Status
from dlcc.pipeline.result_key import result_key
from dlcc.records import RUN_PARTS, Config
from dlcc.runs import Run
from dlcc.stage import Case, Context, Deadline, Stage
from dlcc.typing import StageProgress

_OWN_SHARE = 0.9  # of its time, after which a stage that heeds its deadline ends by itself
_MOST_AT_ONCE = 4  # stages that run side by side; each may take memory up to its limit

_Answer = tuple[worker.Reply, tuple[Any, ...], dict[str, Any]]
"""Reply of a stage, the records that it made, and figures of how it ran."""


def run_stages(
    run: Run,
    stages: Sequence[Stage],
    *,
    until: int,
    limits: Limits | None = None,
    trust: bool = False,
    use_cache: bool = True,
    progress: StageProgress = lambda stage, share, what: None,
    left_out: Mapping[str, str] | None = None,
) -> list[StageOutcome]:
    """Run stages on a run; a stage that fails does not take the others down.

    A stage begins when those are done whose records it needs or wants; on a machine of several
    cores others run beside it.

    Args:
        run: Run to judge.
        stages: Stages, in any order.
        until: Step from which on the stages see nothing of the run.
        limits: Time and memory of each stage; 300 s and 4 GiB by default.
        trust: Whether the run's own code may run where this system offers no real isolation.
        use_cache: Whether results of earlier calls may stand in.
        progress: Callback, called with the stage, the share of its work and what it does; by
            several threads, one at a time.
        left_out: Stages that are not run, name to reason, for the reasons of those that need them.

    Returns:
        Outcome of each stage, givers before takers.

    Raises:
        StageDeclarationError: The stages cannot be put in order.

    >>> from dlcc.pipeline.discovery import installed
    >>> from dlcc.runs import Run
    >>> run = Run.open("runs/digits-collapsed")
    >>> outcomes = run_stages(run, [installed()["ingestion"]], until=run.length)
    >>> outcomes[0].stage, outcomes[0].status
    ('ingestion', 'scored')
    """
    for stage in stages:
        add_pages_of(type(stage))
    runner = StageRunner(run, until, limits or Limits(), trust, use_cache, progress)
    runner.giver = {kind: stage.name for stage in stages for kind in stage.gives}
    runner.ends.update(left_out or {})
    return runner.all(order(stages))


@dataclass
class _Made:
    """Record made by an earlier stage, with its digest."""

    record: Any
    digest: str


@dataclass(frozen=True)
class _Begun:
    """Stage that was begun: what is known of its outcome, and what it reads."""

    stage: Stage
    blank: StageOutcome
    digest: str
    started: float


@dataclass
class StageRunner:
    """Runner of stages on one run, which keeps the records that they made."""

    run: Run
    until: int
    limits: Limits
    trust: bool = False
    use_cache: bool = True
    progress: StageProgress = lambda stage, share, what: None
    made: dict[type[Any], _Made] = field(default_factory=dict)
    giver: dict[type[Any], str] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    """Reason why a stage gave nothing, by the stage's name."""
    _parts: dict[type[Any], str | None] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _told: threading.Lock = field(default_factory=threading.Lock)

    def all(self, ordered: Sequence[Stage]) -> list[StageOutcome]:
        """Run stages, each as soon as those are done that come before it and give what it reads."""
        remove_leftovers()  # by one thread alone
        waiting, done = list(ordered), dict[str, StageOutcome]()
        running: dict[Future[_Answer], _Begun] = {}
        with ThreadPoolExecutor(_at_once(), thread_name_prefix="dlcc-stage") as threads:
            try:
                while waiting or running:
                    busy = {kind for begun in running.values() for kind in begun.stage.gives}
                    while len(running) < _at_once() and (stage := _next(waiting, busy)):
                        waiting.remove(stage)
                        begun = self._begin(stage)
                        if isinstance(begun, StageOutcome):
                            done[stage.name] = begun
                            continue
                        answer = self._asked(stage, begun.digest)
                        if callable(answer):
                            running[threads.submit(answer)] = begun
                            busy.update(stage.gives)
                        else:
                            done[stage.name] = self._end(begun, answer)
                    for ended in wait(running, return_when=FIRST_COMPLETED).done:
                        begun = running.pop(ended)
                        done[begun.stage.name] = self._end(begun, ended.result())
            except BaseException:
                self._stopped.set()  # ends the workers, on which the threads wait
                raise
        return [done[stage.name] for stage in ordered]

    def one(self, stage: Stage) -> StageOutcome:
        """Run one stage, after those that give what it needs."""
        return self.all([stage])[0]

    def _begin(self, stage: Stage) -> _Begun | StageOutcome:
        """Begin with a stage; an outcome where there is nothing to run it on."""
        blank = StageOutcome(
            stage.name, stage.describe(), stage.version, _plain(stage), "not applicable"
        )
        if reason := self._missing(stage):
            self.ends[stage.name] = reason
            return replace(blank, reason=reason)
        read = {k.__name__: d for k in (*stage.needs, *stage.wants) if (d := self._digest(k))}
        digest = xxhash.xxh3_128_hexdigest(json.dumps(read, sort_keys=True).encode())
        self._tell(stage.name, 0.0, "starts")
        return _Begun(stage, blank, digest, time.monotonic())

    def _end(self, begun: _Begun, answer: _Answer) -> StageOutcome:
        """Make the outcome of a stage, and keep its records for those after it."""
        stage = begun.stage
        reply, records, environment = answer
        reply, records = _paged(stage, reply, records)
        environment.setdefault("seconds", round(time.monotonic() - begun.started, 3))
        self._tell(stage.name, 1.0, reply.status)
        for record in records:
            self.made[type(record)] = _Made(record, codec.digest(record))
        if reply.status != "scored":
            self.ends[stage.name] = reply.reason or reply.status
        if reply.traceback:
            environment["traceback"] = reply.traceback
        return replace(
            begun.blank,
            status=cast(Status, reply.status),
            reason=reply.reason,
            terms=reply.terms,
            findings=reply.findings,
            details=reply.details,
            records=records,
            digest=begun.digest,
            environment={**environment, **reply.environment},
        )

    def _missing(self, stage: Stage) -> str | None:
        """Reason why a stage is not applicable for want of a record; None where it has all."""
        for kind in stage.needs:
            if kind in RUN_PARTS:
                if self._digest(kind) is None:
                    return kind.absent
            elif kind not in self.made:
                giver = self.giver.get(kind, "?")
                why = self.ends.get(giver, "it was not run")
                return f"the stage {giver}, which it builds on, gave no result: {why}"
        return None

    def _digest(self, kind: type[Any]) -> str | None:
        """Digest of a record or part of the run; None where there is none."""
        if kind in self.made:
            return self.made[kind].digest
        if kind not in RUN_PARTS:
            return None
        if kind not in self._parts:
            part = kind.of(self.run, self.until)
            self._parts[kind] = None if part is None else part.digest()
        return self._parts[kind]

    def _asked(self, stage: Stage, digest: str) -> _Answer | Callable[[], _Answer]:
        """Take the result from the cache, where it is there and may be used.

        Otherwise the function that runs the stage, in any thread; what no other process can import
        has run here.
        """
        if not _travels(stage):
            return self._in_process(stage)
        past = (library_digest(), kinds())
        given = (self.until, self.run.length, self.trust, self._seed(stage), *past)
        key = result_key(stage, digest, *map(str, given))
        if self.use_cache and (entry := cache.find("stages", key)):
            with contextlib.suppress(OSError, ValueError, ImportError):
                reply, records = read_result(entry)
                stored = json.loads((entry / "environment.json").read_text())
                return reply, records, {**stored, "cached": True}
        return lambda: self._in_worker(stage, key)

    def _in_worker(self, stage: Stage, key: str) -> _Answer:
        """Run the stage in a process of its own, and keep what came of it where that will last."""
        with scratch_folder() as folder:
            self.write_request(stage, folder)
            ended = supervise(
                [sys.executable, "-m", "dlcc.pipeline.worker", str(folder)],
                seconds=self.limits.seconds,
                memory=self.limits.memory,
                cwd=folder,
                env=worker_env(folder),
                on_line=lambda line: self._on_line(stage.name, line),
                stop=self._stopped,
            )
            environment: dict[str, Any] = {
                "seconds": round(ended.seconds, 3),
                "peak_memory": ended.peak_memory,
            }
            result = folder / "result"
            if ended.how != "exited" or not result.is_dir():
                reply = worker.Reply("failed", reason=_why_no_result(stage, ended, self.limits))
                return reply, (), {**environment, "output": ended.output}
            reply, records = read_result(result)
            if _may_be_kept(reply):
                (result / "environment.json").write_text(json.dumps(environment))
                cache.keep("stages", key, result)
            return reply, records, environment

    def write_request(self, stage: Stage, folder: Path, seconds: float | None = None) -> None:
        """Write into `folder` all that `python -m dlcc.pipeline.worker` needs to run the stage."""
        made = [k for k in (*stage.needs, *stage.wants) if k in self.made]
        (folder / "records").mkdir()
        for i, kind in enumerate(made):
            codec.save(folder / "records" / str(i), self.made[kind].record)
        files = {discovery.file_of(type(stage)), *(discovery.file_of(k) for k in made)} - {None}
        reference = self.run.reference_from
        request = worker.Request(
            run=str(self.run.path.resolve()),
            mapping=dict(self.run.mapping),
            part=self.run.part,
            reference=None if reference is None else str(reference.resolve()),
            until=self.until,
            length=self.run.length,
            stage=discovery.type_name(type(stage)),
            settings=codec.encode(stage)[0],
            files=tuple(sorted(str(f) for f in files)),
            records=tuple(discovery.type_name(k) for k in made),
            seed=self._seed(stage),
            seconds=_OWN_SHARE * self.limits.seconds if seconds is None else seconds,
            trust=self.trust,
        )
        codec.save(folder / "request", request)

    def _in_process(self, stage: Stage) -> _Answer:
        """Run a stage that no other process can import, in this one and without limits."""
        import numpy as np

        read = (*stage.needs, *stage.wants)
        records = worker.gather(
            str(self.run.path),
            self.until,
            read,
            self.run.mapping,
            self.run.part,
            self.run.reference_from,
        )
        records.update({k: m.record for k, m in self.made.items() if k in read})
        with scratch_folder() as scratch:
            ctx = Context(
                rng=np.random.default_rng(self._seed(stage)),
                deadline=Deadline(self.limits.seconds),
                scratch=scratch,
                progress=lambda share, what: self._tell(stage.name, share, what),
                trust=self.trust,
            )
            case = Case(stage, records, self.until, self.run.length)
            reply, given = worker.call(stage, case, ctx)
        note = "defined where no other process can import it: ran in this process, without limits"
        return reply, given, {"in_process": note}

    def _seed(self, stage: Stage) -> int:
        """Seed of a stage's randomness, from the run's configuration and the stage's name."""
        return xxhash.xxh3_64_intdigest(f"{self._digest(Config)}/{stage.name}".encode())

    def _on_line(self, stage: str, line: str) -> None:
        share, _, what = line.partition(" ")
        with contextlib.suppress(ValueError):
            self._tell(stage, min(max(float(share), 0.0), 1.0), what)

    def _tell(self, stage: str, share: float, what: str) -> None:
        """Call back, by one thread at a time."""
        with self._told:
            self.progress(stage, share, what)


def _at_once() -> int:
    """Number of stages that run side by side."""
    if hasattr(os, "sched_getaffinity"):
        return min(_MOST_AT_ONCE, len(os.sched_getaffinity(0)))
    return min(_MOST_AT_ONCE, os.cpu_count() or 1)


def _next(waiting: Sequence[Stage], busy: Collection[type[Any]]) -> Stage | None:
    """Find the stage to begin with next; None where each waits for a record that is being made.

    First those that others wait for, then those that take long.
    """
    reads = {s.name: {*s.needs, *s.wants} for s in waiting}
    ready = [
        s
        for s in waiting
        if not reads[s.name].intersection(busy)
        and not any(reads[s.name].intersection(other.gives) for other in waiting if other is not s)
    ]
    waits = {s.name: sum(not kinds.isdisjoint(s.gives) for kinds in reads.values()) for s in ready}
    return max(ready, key=lambda s: (waits[s.name], s.long), default=None)


def _paged(
    stage: Stage, reply: worker.Reply, records: tuple[Any, ...]
) -> tuple[worker.Reply, tuple[Any, ...]]:
    """Check that each finding of a reply has its page here too, beside those of other stages.

    The reply comes back as it is, or as a failure that names the finding.
    """
    try:
        for finding in reply.findings:
            worker.check_page(stage, finding.code)
    except PluginError as error:
        return worker.Reply("failed", reason=str(error)), ()
    return reply, records


def _may_be_kept(reply: worker.Reply) -> bool:
    """Whether a result would come out the same another time.

    What was not applicable may be so later, once isolation is installed; what a limit cut off was
    cut by chance; and the run's digest does not tell what rests on files outside of the run.
    """
    told = reply.environment
    return reply.status == "scored" and not told.get("cut") and not told.get("outside")


def _travels(stage: Stage) -> bool:
    return all(discovery.reachable(k) for k in (type(stage), *stage.needs, *stage.gives))


def _plain(stage: Stage) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(codec.encode(stage)[0])
    return settings


def worker_env(folder: Path) -> dict[str, str]:
    """Environment variables of a worker whose files lie in `folder`."""
    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    temporary = folder / "tmp"
    temporary.mkdir()
    return {
        **os.environ,
        "PYTHONPATH": path,
        "PYTHONHASHSEED": "0",
        "TMPDIR": str(temporary),
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def read_result(folder: Path) -> tuple[worker.Reply, tuple[Any, ...]]:
    """Read the reply and the records that a worker wrote."""
    reply = codec.load(folder / "reply", worker.Reply)
    records = tuple(
        codec.load(folder / f"record{i}", discovery.find_type(name))
        for i, name in enumerate(reply.records)
    )
    return reply, records


def _why_no_result(stage: Stage, ended: Ended, limits: Limits) -> str:
    if ended.how == "time":
        return f"still running after {limits.seconds:g} s (--timeout) and was stopped"
    if ended.how == "memory":
        return f"used more than {limits.memory / 2**30:g} GiB (--memory) and was stopped"
    last = ended.output.strip().splitlines()[-1:] or ["no output"]
    return f"its process ended with code {ended.returncode} and no result ({last[0][:200]})"
