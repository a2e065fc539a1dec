"""Building of a library from nothing: settings trained, recorded runs taken in, terms computed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dlcc.engine.engines import Engine
from dlcc.engine.jobs import Job
from dlcc.engine.results import complete
from dlcc.errors import LibraryError
from dlcc.health.good import GoodModel
from dlcc.past_runs.build.assembly import FOLDS, assemble
from dlcc.past_runs.build.forests import save_with_forests
from dlcc.past_runs.build.forgeries import logic_of, logic_of_doctored
from dlcc.past_runs.build.image_gans import draw_image_gan, image_gan_job
from dlcc.past_runs.build.image_runs import check_images
from dlcc.past_runs.build.part_files import VERSION, part_of, read_part
from dlcc.past_runs.build.past_run import PastRun, recorded_run
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import reference_of, simulate
from dlcc.past_runs.build.terms import impacts, moments, novelties, reproducibilities, with_term
from dlcc.past_runs.similarity import FEWEST_RUNS
from dlcc.past_runs.store import Library, read_library
from dlcc.recipes import truth
from dlcc.runs import Run
from dlcc.runs.hashes import digest_of_files
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


def build_library(
    out: Path, plan: BuildPlan, engine: Engine, progress: Progress = lambda share, what: None
) -> Library:
    """Make the library of a plan and write it to `out`.

    What was done is kept in `<out>.parts/`, from which a killed build goes on; it may be removed
    when the library is there. Parts of another plan stay there unused.

    Raises:
        LibraryError: there is too little to make a library from, or it cannot be written.
        RunError: files of the images are missing.
        OptionError: the engine's cluster cannot be reached.
    """
    folders = [folder for recorded in plan.recorded for folder in complete_runs(recorded)]
    base = None if plan.joined is None else replace(read_library(plan.joined), forests={})
    known = 0 if base is None else len(base)
    check_size(known + plan.groups * plan.members + len(folders) + plan.images)
    check_images((draw_image_gan(plan.seed, k)["data"] for k in range(plan.images)), plan.folders)
    chosen = np.random.default_rng(plan.seed).permutation(len(folders))[: plan.tested]
    digests = [content_of(folder) for folder in folders]
    parts = parts_folder(out)
    groups = complete(group_jobs(plan), parts, engine, progress, "ensembles")
    images = [image_gan_job(plan.seed, k, plan.folders) for k in range(plan.images)]
    trained = complete(images, parts, engine, progress, "GANs on images")
    records = [
        Job(_recorded, {}, {"folder": str(folder)}, digest, VERSION)
        for folder, digest in zip(folders, digests, strict=True)
    ]
    read = complete(records, parts, engine, progress, "recorded runs")
    tests = [
        Job(
            _tested,
            {"doctored": i % DOCTORED_EVERY == 0},
            {"folder": str(folders[k])},
            digests[k],
            VERSION,
        )
        for i, k in enumerate(chosen)
    ]
    results = complete(tests, parts, engine, progress, "tests of records")
    drawn = [run for file in groups for run in read_part(file)]
    taken_in = [run for file in read for run in read_part(file)]
    runs = [*drawn, *taken_in, *images_of(trained)]
    tested = {known + len(drawn) + int(k): file for k, file in zip(chosen, results, strict=True)}
    library = assembled(base, runs)
    library = with_term(library, "novelty", novelties(library))
    library = with_term(library, "impact", impacts(library))
    return save_with_forests(_with_tests(library, tested, progress), out)


def images_of(files: Iterable[Path]) -> list[PastRun]:
    """Read the runs on images of parts; those that diverged before the first look are left out."""
    return [run for file in files for run in read_part(file) if run.has_figures]


def assembled(
    base: Library | None, runs: Sequence[PastRun], good: GoodModel | None = None
) -> Library:
    """Make a library of runs, which join another one where there is one.

    P(good) is that of the library they join; else `good`, or fitted to them.
    """
    if base is None:
        return assemble(runs, good=good)
    if not runs:
        return base
    joining = assemble(runs, good=base.good)
    return base.joined(joining.with_figures(base.names))


def group_jobs(plan: BuildPlan) -> list[Job]:
    """Jobs that train the ensembles of a plan."""
    return [
        Job(_group, {"seed": plan.seed, "group": g, "members": plan.members}, version=VERSION)
        for g in range(plan.groups)
    ]


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


def parts_folder(out: Path) -> Path:
    """Name the folder in which a build of the library `out` keeps what it has done."""
    return out.with_name(f"{out.name}.parts")


def check_size(runs: int) -> None:
    """Refuse what is too small before anything is trained, not after."""
    fewest = FEWEST_RUNS * FOLDS // (FOLDS - 1)
    if runs < fewest:
        raise LibraryError(
            f"a library needs runs, {fewest} or more of them, and there would be {runs}: ask for "
            "more"
        )


def content_of(folder: Path) -> str:
    """Hash the files of a run's folder, by name and content."""
    files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return digest_of_files(files)


def _with_tests(library: Library, tested: Mapping[int, Path], progress: Progress) -> Library:
    """Add logic and reproducibility of the tested runs, and rows for the doctored copies.

    `tested` maps the number of a run to the file with the result of its test.
    """
    if not tested:
        return library
    logic: dict[int, tuple[float, float]] = {}
    doctored: dict[int, tuple[float, float]] = {}
    for run, file in tested.items():
        result = json.loads(file.read_bytes())
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


def _group(seed: int, group: int, members: int) -> bytes:
    """Train the settings of a group."""
    return part_of(simulate(draw_group(seed, group, members)))


def _recorded(folder: str) -> bytes:
    """Read what the library needs of a recorded run."""
    run = Run.open(Path(folder))
    return part_of([recorded_run(run, reference_of(str(run.manifest.data["name"])))])


def _tested(doctored: bool, folder: str) -> bytes:
    """Put a run's record to the test, or a doctored copy's."""
    forged, run = None, Path(folder)
    if doctored:
        forged, logic = logic_of_doctored(run, np.random.default_rng(_number(run)))
    else:
        logic = logic_of(run)
    result = {"forged": forged, "logic": None if logic is None else moments(logic, "logic")}
    return json.dumps(result).encode()


def _number(folder: Path) -> int:
    """Seed made of a folder's name."""
    return int.from_bytes(folder.name.encode()[-8:], "little")
