"""Building of a library from nothing: settings trained, recorded runs taken in, terms computed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.engine.pools import process_pool
from dlcc.errors import LibraryError
from dlcc.past_runs.build.assembly import FOLDS, assemble
from dlcc.past_runs.build.forests import save_with_forests
from dlcc.past_runs.build.forgeries import logic_of, logic_of_doctored
from dlcc.past_runs.build.image_gans import (
    check_images,
    image_gan_file,
    make_image_gan,
    read_image_gan,
)
from dlcc.past_runs.build.part_files import read_part, write_part
from dlcc.past_runs.build.past_run import PastRun, recorded_run
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import reference_of, simulate
from dlcc.past_runs.build.terms import impacts, moments, novelties, reproducibilities, with_term
from dlcc.past_runs.similarity import FEWEST_RUNS
from dlcc.past_runs.store import Library, read_library
from dlcc.recipes import truth
from dlcc.runs import Run
from dlcc.runs.files import write_text
from dlcc.typing import Progress

DOCTORED_EVERY = 5
"""Period of doctored copies: every fifth run whose record is put to the test is replaced by one."""


@dataclass(frozen=True)
class BuildPlan:
    """Plan of a library: the runs that go into it."""

    groups: int = 27
    """Number of ensembles; data sets alternate."""
    members: int = 56
    """Number of settings in each ensemble."""
    seed: int = 11
    """Seed of the settings, and of the choice of records that are put to the test."""
    recorded: tuple[Path, ...] = ()
    """Folders of recorded runs with their truth, as benchmarks/corpus.py leaves them."""
    tested: int = 200
    """Number of recorded runs whose record is put to the test."""
    images: int = 0
    """Number of GANs on real images."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Name of a data set of images to the folder that its files are in."""
    joined: Path | None = None
    """Library that the runs join, whose P(good) and tests of records are kept; None for none."""


def build_library(out: Path, plan: BuildPlan, jobs: int, progress: Progress) -> Library:
    """Make the library of a plan and write it to `out`.

    What was done is kept in `<out>.parts/`, from which a killed build goes on; it may be removed
    when the library is there.

    Raises:
        LibraryError: there is too little to make a library from, or it cannot be written.
    """
    folders = [folder for recorded in plan.recorded for folder in complete_runs(recorded)]
    base = None if plan.joined is None else replace(read_library(plan.joined), forests={})
    known = 0 if base is None else len(base)
    check_size(known + plan.groups * plan.members + len(folders) + plan.images)
    check_images(range(plan.images), plan.seed, plan.folders)
    parts = make_parts_folder(out)
    groups = {parts / f"group-{g:03d}.npz": (plan, g) for g in range(plan.groups)}
    records = {_recorded_file(parts, folder): (folder,) for folder in folders}
    images = {
        image_gan_file(parts, plan.seed, k): (plan.seed, k, plan.folders)
        for k in range(plan.images)
    }
    chosen = np.random.default_rng(plan.seed).permutation(len(folders))[: plan.tested]
    tests = {
        _test_file(parts, folders[k]): (folders[k], i % DOCTORED_EVERY == 0)
        for i, k in enumerate(chosen)
    }
    with process_pool(jobs) as pool:
        make_missing(pool, _make_group, groups, progress, "training")
        make_missing(pool, make_image_gan, images, progress, "training on images")
        make_missing(pool, _make_recorded, records, progress, "reading")
        make_missing(pool, _make_test, tests, progress, "testing records")
    runs = [run for file, (_, g) in groups.items() for run in _group_of(plan, g, file)]
    drawn = len(runs)
    runs += [run for file in records for run in read_part(file)]
    runs += [read_image_gan(file, plan.seed, k) for k, file in enumerate(images)]
    tested = {folders[k]: drawn + int(k) for k in chosen}
    if base is None:
        library = assemble(runs)
    else:
        library = base.joined(assemble(runs, good=base.good)) if runs else base
        tested = {folder: known + run for folder, run in tested.items()}
    library = with_term(library, "novelty", novelties(library))
    library = with_term(library, "impact", impacts(library))
    library = _with_tests(library, tested, parts, progress)
    return save_with_forests(library, out)


def complete_runs(recorded: Path) -> list[Path]:
    """Find the runs in a folder that have their truth beside them.

    Raises:
        LibraryError: there are none.
    """
    found = sorted(path.parent for path in recorded.glob(f"*/{truth.TRUTH_FILE}"))
    if not found:
        raise LibraryError(
            f"{recorded}: no folder in it is a run with its {truth.TRUTH_FILE}; give a folder of "
            "runs that dlcc train recorded"
        )
    return found


def make_parts_folder(out: Path) -> Path:
    """Make the folder in which a build of the library `out` keeps what it has done."""
    parts = out.with_name(f"{out.name}.parts")
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(f"{parts}: cannot be made ({error.strerror})") from error
    return parts


def check_size(runs: int) -> None:
    """Refuse what is too small before anything is trained, not after."""
    fewest = FEWEST_RUNS * FOLDS // (FOLDS - 1)
    if runs < fewest:
        raise LibraryError(
            f"a library needs runs, {fewest} or more of them, and there would be {runs}: ask for "
            "more"
        )


def _with_tests(
    library: Library, tested: dict[Path, int], parts: Path, progress: Progress
) -> Library:
    """Add logic and reproducibility of the tested runs, and rows for the doctored copies."""
    if not tested:
        return library
    logic: dict[int, tuple[float, float]] = {}
    doctored: dict[int, tuple[float, float]] = {}
    for folder, run in tested.items():
        result = json.loads(_test_file(parts, folder).read_text(encoding="utf-8"))
        if result["logic"] is not None:
            mean, sd = result["logic"]
            (doctored if result["forged"] else logic)[run] = (mean, sd)
    again = reproducibilities(library, [*logic, *doctored], reference_of, progress)
    library = with_term(with_term(library, "logic", logic), "reproducibility", again)
    copies = library.select(np.array([*doctored], dtype=np.int64))
    copies = replace(copies, true_record=np.zeros(len(copies), dtype=np.bool_))
    copies = with_term(copies, "logic", dict(enumerate(doctored.values())))
    without = with_term(library, "reproducibility", dict.fromkeys(doctored, (np.nan, np.nan)))
    return without.joined(copies)


def make_missing(
    pool: ProcessPoolExecutor,
    make: Callable[..., None],
    files: Mapping[Path, tuple[Any, ...]],
    progress: Progress,
    what: str,
) -> None:
    """Make each file that is not there, from what is given for it."""
    futures = [
        pool.submit(_make_unless_struck, make, file, *given)
        for file, given in files.items()
        if not file.exists()
    ]
    try:
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            progress(done / len(futures), f"{what}: {done} of {len(futures)}")
    except BaseException:
        for future in futures:  # the pool forgets to, where it is left by an exception
            future.cancel()
        raise


_STRUCK = threading.Event()
"""Event that Ctrl-C sets in a worker."""


def _make_unless_struck(make: Callable[..., None], file: Path, *given: Any) -> None:
    """Make a file, in a worker; after Ctrl-C it makes none of those that it was given before."""
    if _STRUCK.is_set():
        raise KeyboardInterrupt
    try:
        make(file, *given)
    except KeyboardInterrupt:
        _STRUCK.set()
        raise


def _make_group(file: Path, plan: BuildPlan, group: int) -> None:
    """Train the settings of a group and write its runs."""
    write_part(file, simulate(draw_group(plan.seed, group, plan.members)))


def _group_of(plan: BuildPlan, group: int, file: Path) -> list[PastRun]:
    """Read the runs of a group, which may have been left by a build with another plan."""
    runs = read_part(file)
    drawn = draw_group(plan.seed, group, plan.members)
    if [run.config["seed"] for run in runs] != [config["seed"] for config in drawn]:
        raise LibraryError(
            f"{file}: was made with other --seed or --members; remove {file.parent} or choose "
            "another --out"
        )
    return runs


def _make_recorded(file: Path, folder: Path) -> None:
    """Read a recorded run and write what the library needs of it."""
    run = Run.open(folder)
    write_part(file, [recorded_run(run, reference_of(str(run.manifest.data["name"])))])


def _make_test(file: Path, folder: Path, doctored: bool) -> None:
    """Put a run's record to the test, or a doctored copy's."""
    forged = None
    if doctored:
        forged, logic = logic_of_doctored(folder, np.random.default_rng(_number(folder)))
    else:
        logic = logic_of(folder)
    result = {"forged": forged, "logic": None if logic is None else moments(logic, "logic")}
    write_text(file, json.dumps(result))


def _number(folder: Path) -> int:
    """Seed made of a folder's name."""
    return int.from_bytes(folder.name.encode()[-8:], "little")


def _recorded_file(parts: Path, folder: Path) -> Path:
    """File for what is read of a recorded run."""
    return parts / f"recorded-{folder.parent.name}-{folder.name}.npz"


def _test_file(parts: Path, folder: Path) -> Path:
    """File for the test of a run's record."""
    return parts / f"test-{folder.parent.name}-{folder.name}.json"
