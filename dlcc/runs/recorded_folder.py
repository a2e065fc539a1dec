"""Folder of a run that is being recorded: made, cleaned, and rewound."""

from __future__ import annotations

import os
import shutil

from dlcc.errors import OptionError, RunError
from dlcc.runs.description import Description
from dlcc.runs.digests import Digests
from dlcc.runs.files import cannot_write
from dlcc.runs.layout import RunLayout, is_beside
from dlcc.runs.manifest import Manifest, read_manifest, write_manifest


def make_folder(layout: RunLayout) -> None:
    """Make the run folder, or accept one that holds nothing foreign."""
    own = {layout.lock, layout.source, layout.documents, layout.samples, layout.series}
    try:
        layout.path.mkdir(parents=True, exist_ok=True)
        if layout.manifest.exists():
            return
        foreign = [p for p in layout.path.iterdir() if p not in own and not is_beside(p)]
    except OSError as error:
        raise cannot_write(layout.path, error) from error
    if foreign:
        raise RunError(
            f"{layout.path}: holds {foreign[0].name} and no run; record into a folder of its own"
        )


def begin_or_continue(
    layout: RunLayout,
    digests: Digests,
    description: Description,
    fresh: Manifest,
    *,
    resume: bool,
) -> Manifest:
    """Write `fresh` as the manifest of a new run, or return the manifest of the run to continue.

    Raises:
        RunError: There is a run and it may not be continued, or not under this description.
    """
    if not layout.manifest.exists():
        write_manifest(layout.manifest, fresh)
        digests.add(layout.manifest)
        return fresh
    if not resume:
        raise RunError(
            f"{layout.path}: holds a run already; pass resume=True to continue it, "
            "or record into another folder"
        )
    digests.mend()
    digests.check(layout.manifest)
    recorded = read_manifest(layout.manifest)
    description.check_agrees(layout.path, recorded)
    remove_leftovers(layout)
    return recorded


def remove_leftovers(layout: RunLayout) -> None:
    """Remove files that a killed recorder was writing; nobody else is, for the lock is held."""
    for folder in (layout.path, layout.series, layout.snapshots, layout.samples, layout.source):
        for path in folder.iterdir() if folder.is_dir() else ():
            if is_beside(path) and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif is_beside(path):
                path.unlink(missing_ok=True)


def check_entry(layout: RunLayout, manifest: Manifest) -> None:
    """Refuse a training entry in `source/` that names a file that is not there."""
    file, _, _ = (manifest.training or "").rpartition(":")
    if file.startswith("source/") and not (layout.path / file).is_file():
        raise OptionError(
            f"training_entry: {manifest.training!r}: there is no {file} in the run; "
            "pass the file in sources=[...]"
        )


def any_later(layout: RunLayout, step: int) -> bool:
    """Whether snapshots or samples of this step or a later one exist."""
    steps = (*layout.snapshot_steps()[-1:], *layout.sample_steps()[-1:])
    return any(other >= step for other in steps)


def move_aside(layout: RunLayout, first: int, digests: Digests) -> None:
    """Move snapshots and samples of step `first` and later to a folder of their branch."""
    snapshots = [step for step in layout.snapshot_steps() if step >= first]
    samples = [step for step in layout.sample_steps() if step >= first]
    if not snapshots and not samples:
        return
    number = 0
    while layout.superseded_branch(number).path.exists():
        number += 1
    branch = layout.superseded_branch(number)
    digests.drop(
        *(layout.snapshot(step).path for step in snapshots),
        *(layout.samples_file(step) for step in samples),
    )
    try:
        branch.snapshots.mkdir(parents=True)
        branch.samples.mkdir()
        for step in reversed(snapshots):  # killed here, what is left is a prefix
            os.rename(layout.snapshot(step).path, branch.snapshot(step).path)
        for step in reversed(samples):
            os.rename(layout.samples_file(step), branch.samples_file(step))
    except OSError as error:
        raise cannot_write(branch.path, error) from error
