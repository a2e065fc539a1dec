"""Evaluations by a set of options: of one run, or of many runs by the workers of an engine."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from dlcc.cache import cache_folder
from dlcc.engine.engines import Engine
from dlcc.engine.jobs import Job
from dlcc.engine.results import complete
from dlcc.errors import DlccError, OptionError, OutputError
from dlcc.evaluation import Evaluation, evaluate
from dlcc.past_runs.in_use import library_digest
from dlcc.pipeline import Limits, discovery
from dlcc.pipeline.result_key import result_key
from dlcc.pipeline.settings import with_settings
from dlcc.records import Series
from dlcc.report.files import folder_of_run, report_folder, write_files
from dlcc.report.record import Report
from dlcc.review.reviews import reviews_path
from dlcc.runs import Run
from dlcc.runs.hashes import digest_of_files, digest_of_parts
from dlcc.sandbox.levels import available_levels
from dlcc.scoring.ahp import DEFAULT_JUDGEMENTS
from dlcc.typing import Progress, StageProgress

if TYPE_CHECKING:
    from dlcc.stage import Stage

_FEW = 32  # rows that a feature function is tried on


@dataclass(frozen=True)
class EvaluationOptions:
    """Options of `dlcc evaluate`, as JSON can hold them."""

    mapping: tuple[tuple[str, str], ...] = ()
    """Pairs of a series and the column that holds it, for folders of other tools."""
    part: str | None = None
    """Name of one of several runs in a folder."""
    reference: str | None = None
    """Path of training data for another tool's samples."""
    features: str | None = None
    """Function that samples are compared in, FILE.py:FUNCTION, or `pretrained`."""
    stages: tuple[str, ...] = ()
    """Stages of the user's own, FILE.py:CLASS."""
    only: tuple[str, ...] = ()
    """Stages to run, with those that they need; all by default."""
    skip: tuple[str, ...] = ()
    """Stages to leave out."""
    settings: tuple[str, ...] = ()
    """Settings of stages, STAGE.SETTING=VALUE."""
    until: str | None = None
    """Share of the length, or step, from which on nothing is looked at."""
    seconds: float = 300.0
    """Time of each stage."""
    memory: int = 4 << 30
    """Bytes of each stage and its children."""
    trust: bool = False
    """Whether the run's own code is run without real isolation."""
    judgements: str | None = None
    """Path of the pairwise judgements behind the weights."""
    use_cache: bool = True
    """Whether results of earlier evaluations may stand in."""

    def open(self, run: Path) -> Run:
        """Open a run folder as the options say.

        Raises:
            RunError: It cannot be read.
        """
        reference = None if self.reference is None else Path(self.reference)
        return Run.open(run, dict(self.mapping), self.part, reference)

    def evaluate(
        self,
        run: Run,
        out: Path | None = None,
        progress: StageProgress = lambda stage, share, what: None,
    ) -> Evaluation:
        """Evaluate a run that `open` opened.

        Args:
            run: The run.
            out: Folder of the report; none is written by default.
            progress: As `dlcc.evaluate` has it.

        Raises:
            InputError: An option, the run or `out` cannot be used.
        """
        limits = Limits(self.seconds, self.memory)
        settings = [*self.settings, *self._of_samples(run)]
        own = [discovery.from_argument(t, limits.seconds, limits.memory) for t in self.stages]
        changed = with_settings([*discovery.installed().values(), *own], settings)
        return evaluate(
            run,
            stages=_merged(own, changed),
            only=self.only,
            skip=self.skip,
            until=self.until,
            out=out,
            limits=limits,
            trust=self.trust,
            use_cache=self.use_cache,
            judgements=DEFAULT_JUDGEMENTS if self.judgements is None else Path(self.judgements),
            progress=progress,
        )

    def _of_samples(self, run: Run) -> list[str]:
        """Settings for how samples are compared; refuses what is asked for and cannot be done."""
        import numpy as np

        from dlcc.health.feature_reference import checked_features
        from dlcc.health.run_features import why_not_comparable
        from dlcc.health.user_features import load_features
        from dlcc.metrics.features import name_of
        from dlcc.records import Samples
        from dlcc.runs.feature_entry import PRETRAINED

        if self.reference is None and self.features is None:
            return []
        asked = "--features" if self.reference is None else "--reference"
        samples = Samples.of(run, None)
        why = "the run has no samples" if samples is None else why_not_comparable(samples)
        if samples is None or samples.reference is None or why is not None:
            raise OptionError(f"{asked}: {run.path}: {why}")
        if self.features is None:
            return []
        function = load_features(self.features, samples.reference)
        first = samples.at(samples.steps[0])
        width = checked_features(function, samples.reference[:_FEW]).shape[1]
        finite = first[np.isfinite(first.reshape(len(first), -1)).all(axis=1)]
        if len(finite):  # who has lost all of them is told so by the verdict
            checked_features(function, finite[:_FEW], width)
        file, _, name = self.features.rpartition(":")  # stages run in a folder of their own
        whole = self.features if self.features == PRETRAINED else f"{Path(file).resolve()}:{name}"
        return [f"health.features={whole}", f"health.features_code={name_of(function)}"]

    @property
    def _files(self) -> list[Path]:
        """Files and folders that the options name, beside the run."""
        code = [text.rpartition(":")[0] for text in (*self.stages, self.features or "")]
        return [Path(text) for text in (*code, self.reference, self.judgements) if text]


def _merged(own: Sequence[Stage], changed: Sequence[Stage]) -> list[Stage]:
    """Merge the user's own stages and those with changed settings; the changed ones win."""
    return list({stage.name: stage for stage in [*own, *changed]}.values())


@dataclass(frozen=True)
class EvaluatedRun:
    """Outcome of one of many runs."""

    run: Path
    """Folder of the run."""
    out: Path
    """Folder of its report."""
    report: Report | None
    """Report; None where the run could not be evaluated."""
    error: str = ""
    """Reason why not, in a sentence."""
    exit_code: int = 0
    """Exit code that goes with the error."""
    notes: tuple[str, ...] = ()
    """Notes on how the folder was read."""


def evaluate_runs(
    runs: Sequence[Path],
    options: EvaluationOptions,
    out: Path,
    engine: Engine,
    progress: Progress = lambda share, what: None,
) -> list[EvaluatedRun]:
    """Evaluate many runs by the workers of an engine, and write a report of each.

    Evaluations are kept in the user's cache under the hash of the run, the options and this
    package, so that calling again does only what is missing. One that cannot be made is told of in
    its place and keeps none of the others from being made.

    Args:
        runs: Folders of runs, which lie at the same place wherever the engine's workers are.
        options: Options for all of them.
        out: Folder in which each report gets a folder, named after its run.
        engine: Engine that does the work.
        progress: Function that is called with the share done, and what is done in words.

    Returns:
        What became of each run, in order.

    Raises:
        OptionError: A run is given twice, or the engine's cluster cannot be reached.
        OutputError: `out` or the cache cannot be written.

    >>> import tempfile
    >>> from dlcc.engine.engines import engine_of
    >>> runs = [Path("runs/digits-healthy"), Path("runs/digits-collapsed")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     options = EvaluationOptions(only=("health",))
    ...     found = evaluate_runs(runs, options, Path(folder), engine_of("local"))
    ...     [(made.report.verdict.label, made.out.name) for made in found]
    [('healthy', 'digits-healthy'), ('collapsed', 'digits-collapsed')]
    """
    outs = _folders(runs, options.part, out)
    for run in runs:
        with report_folder(run, out):  # refused before any work is done
            pass
    shared = _shared_content(options)
    jobs = [_job(run, options, shared) for run in runs]
    folder = cache_folder() / "evaluations"
    for job in jobs:
        if not options.use_cache or _read(folder / job.address) is None:
            (folder / job.address).unlink(missing_ok=True)
    files = complete(jobs, folder, engine, progress, "runs")
    return [_written(*each, options) for each in zip(runs, outs, files, strict=True)]


def _folders(runs: Sequence[Path], part: str | None, out: Path) -> list[Path]:
    """Name the folder of each run's report: after the run, or by its path below the folder that
    all are in."""
    whole = [run.resolve() for run in runs]
    twice = next((run for run in runs if whole.count(run.resolve()) > 1), None)
    if twice is not None:
        raise OptionError(f"{twice}: given twice; name each run once")
    names = [path.name for path in whole]
    if len(set(names)) == len(names):
        return [folder_of_run(out, run, part) for run in runs]
    common = os.path.commonpath([path.parent for path in whole])
    return [out / os.path.relpath(path, common) for path in whole]


def _shared_content(options: EvaluationOptions) -> str:
    """Hash all that the reports of all runs depend on, beside the runs."""
    stages = [result_key(stage, "") for stage in discovery.installed().values()]
    read = map(_digest, [*options._files, reviews_path()])
    return digest_of_parts(*stages, str(available_levels()), library_digest(), *read)


def _job(run: Path, options: EvaluationOptions, shared: str) -> Job:
    """Make the job that evaluates a run, under the hash of all that the report depends on."""
    arguments = {"options": asdict(options), "run": str(run.resolve())}
    return Job(_evaluated, arguments, content=digest_of_parts(shared, _digest(run)))


def _digest(path: Path) -> str:
    """Hash a file, or the files in a folder; of what cannot be read the job will say why."""
    if path.is_dir():
        found = (Path(place, name) for place, _, names in os.walk(path) for name in names)
        files = {str(file.relative_to(path)): file for file in found if file.is_file()}
    else:
        files = {path.name: path} if path.is_file() else {}
    return digest_of_files(files)


def _evaluated(options: dict[str, Any], run: str) -> bytes:
    """Evaluate a run; the report's files, or what is wrong, as gzipped JSON."""
    chosen = TypeAdapter(EvaluationOptions).validate_python(options)
    said: dict[str, Any]
    try:
        opened = chosen.open(Path(run))
        evaluation = chosen.evaluate(opened)
        said = {
            "files": {"report.json": evaluation.to_json(), "report.html": evaluation.to_html()},
            "notes": [*opened.notes, *opened.sample_notes],
            "lasting": all(outcome.lasting for outcome in evaluation.outcomes),
        }
    except DlccError as error:
        said = {"error": str(error), "exit_code": error.exit_code}
    except Exception as error:  # of one run, which is to keep none of the others from being made
        said = {"error": f"{run}: {type(error).__name__}: {error}", "exit_code": 3}
    return gzip.compress(json.dumps(said).encode(), mtime=0)


def _read(file: Path) -> dict[str, Any] | None:
    """Read what a job said; None of a file that is damaged or gone."""
    try:
        said: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return said


def _written(run: Path, out: Path, file: Path, options: EvaluationOptions) -> EvaluatedRun:
    """Write the report that a job made; what may come out otherwise is not kept."""
    said = _read(file)
    if said is None:
        raise OutputError(f"{file}: cannot be read back; remove it and call again")
    if "error" in said:
        file.unlink(missing_ok=True)
        return EvaluatedRun(run, out, None, said["error"], said["exit_code"])
    if not said["lasting"]:
        file.unlink(missing_ok=True)
    report = Report.model_validate_json(said["files"]["report.json"])
    opened = options.open(run)
    series = Series.of(opened, report.run.until)  # not kept: they lie in the run
    with report_folder(run, out) as beside:
        write_files(beside, out, opened.place, said["files"], series)
    return EvaluatedRun(run, out, report, notes=tuple(said["notes"]))
