"""A library from nothing: settings drawn and trained, recorded runs taken in, terms worked out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.corpus.assemble import assemble
from dlcc.corpus.parts import read_part, write_part
from dlcc.corpus.past import recorded_run
from dlcc.corpus.settings import draw_group
from dlcc.corpus.simulate import reference_of, simulate
from dlcc.corpus.terms import impacts, moments, novelties, reproducibilities, with_term
from dlcc.corpus.verified import logic_of, logic_of_doctored
from dlcc.errors import LibraryError
from dlcc.library.store import Library
from dlcc.recipes import truth
from dlcc.runs import Run

Progress = Callable[[float, str], None]
DOCTORED_EVERY = 5
"""Of the runs whose record is put to the test, every fifth is a doctored copy."""


@dataclass(frozen=True)
class BuildPlan:
    """What goes into a library."""

    groups: int = 27
    """Ensembles; data sets alternate."""
    members: int = 56
    """Settings in each."""
    seed: int = 11
    """Of the settings, and of which records are put to the test."""
    recorded: tuple[Path, ...] = ()
    """Folders of recorded runs with their truth, as benchmarks/corpus.py leaves them."""
    tested: int = 200
    """How many of the recorded runs have their record put to the test."""


def build_library(out: Path, plan: BuildPlan, jobs: int, progress: Progress) -> Library:
    """Make the library of a plan and write it to `out`.

    What was done is kept in `<out>.parts/`, from which a killed build goes on; it may be removed
    when the library is there.

    Raises:
        LibraryError: there is too little to make a library from, or it cannot be written.
    """
    if plan.groups * plan.members < 1 and not plan.recorded:
        raise LibraryError("a library needs runs: give groups of settings, or recorded runs")
    parts = out.with_name(f"{out.name}.parts")
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(f"{parts}: cannot be made ({error.strerror})") from error
    with ProcessPoolExecutor(jobs, mp_context=get_context("forkserver")) as pool:
        _all(
            pool, _make_group, [(parts, plan, g) for g in range(plan.groups)], progress, "training"
        )
        folders = [folder for corpus in plan.recorded for folder in complete_runs(corpus)]
        _all(pool, _make_recorded, [(parts, folder) for folder in folders], progress, "reading")
        chosen = np.random.default_rng(plan.seed).permutation(len(folders))[: plan.tested]
        tests = [(parts, folders[k], i % DOCTORED_EVERY == 0) for i, k in enumerate(chosen)]
        _all(pool, _make_test, tests, progress, "testing records")
    runs = [run for g in range(plan.groups) for run in read_part(_group_file(parts, g))]
    drawn = len(runs)
    runs += [run for folder in folders for run in read_part(_recorded_file(parts, folder))]
    library = assemble(runs)
    library = with_term(library, "novelty", novelties(library))
    library = with_term(library, "impact", impacts(library))
    library = _with_tests(library, {folders[k]: drawn + int(k) for k in chosen}, parts, progress)
    library.save(out)
    return library


def complete_runs(corpus: Path) -> list[Path]:
    """The runs of a corpus that have their truth beside them."""
    return sorted(path.parent for path in corpus.glob(f"*/{truth.TRUTH_FILE}"))


def _with_tests(
    library: Library, tested: dict[Path, int], parts: Path, progress: Progress
) -> Library:
    """With logic and reproducibility of the tested runs, and rows for the doctored copies."""
    logic: dict[int, tuple[float, float]] = {}
    doctored: dict[int, tuple[float, float]] = {}
    for folder, run in tested.items():
        result = json.loads(_test_file(parts, folder).read_text(encoding="utf-8"))
        if result["logic"] is not None:
            mean, sd = result["logic"]
            (doctored if result["forged"] else logic)[run] = (mean, sd)
    again = reproducibilities(library, [*logic, *doctored], reference_of, progress)
    library = with_term(with_term(library, "logic", logic), "reproducibility", again)
    copies = library.some(np.array([*doctored], dtype=np.int64))
    copies = replace(copies, true_record=np.zeros(len(copies), dtype=np.bool_))
    copies = with_term(copies, "logic", dict(enumerate(doctored.values())))
    without = with_term(library, "reproducibility", dict.fromkeys(doctored, (np.nan, np.nan)))
    return without.joined(copies)


def _all(
    pool: ProcessPoolExecutor,
    work: Callable[..., None],
    arguments: Sequence[tuple[Any, ...]],
    progress: Progress,
    what: str,
) -> None:
    futures = [pool.submit(work, *given) for given in arguments]
    try:
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            progress(done / len(futures), f"{what}: {done} of {len(futures)}")
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _make_group(parts: Path, plan: BuildPlan, group: int) -> None:
    file = _group_file(parts, group)
    if not file.exists():
        write_part(file, simulate(draw_group(plan.seed, group, plan.members)))


def _make_recorded(parts: Path, folder: Path) -> None:
    file = _recorded_file(parts, folder)
    if not file.exists():
        run = Run.open(folder)
        write_part(file, [recorded_run(run, reference_of(str(run.manifest.data["name"])))])


def _make_test(parts: Path, folder: Path, doctored: bool) -> None:
    """Put a run's record to the test, or a doctored copy's."""
    file = _test_file(parts, folder)
    if file.exists():
        return
    forged = None
    if doctored:
        forged, logic = logic_of_doctored(folder, np.random.default_rng(_number(folder)))
    else:
        logic = logic_of(folder)
    result = {"forged": forged, "logic": None if logic is None else moments(logic, "logic")}
    beside = file.with_suffix(".tmp")
    beside.write_text(json.dumps(result), encoding="utf-8")
    beside.replace(file)


def _number(folder: Path) -> int:
    return int.from_bytes(folder.name.encode()[-8:], "little")


def _group_file(parts: Path, group: int) -> Path:
    return parts / f"group-{group:03d}.npz"


def _recorded_file(parts: Path, folder: Path) -> Path:
    return parts / f"recorded-{folder.parent.name}-{folder.name}.npz"


def _test_file(parts: Path, folder: Path) -> Path:
    return parts / f"test-{folder.parent.name}-{folder.name}.json"
