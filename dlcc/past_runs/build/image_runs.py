"""Past runs on real images: trained by a recipe, past their end, and judged by their samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from dlcc.engine.scratch import scratch_folder
from dlcc.errors import RunError
from dlcc.health.run_features import reference_of
from dlcc.past_runs.build.part_files import part_of
from dlcc.past_runs.build.past_run import recorded_run
from dlcc.past_runs.build.simulation import OVERTRAIN
from dlcc.recipes.data.images import count_images
from dlcc.recipes.train import train
from dlcc.records import Samples
from dlcc.runs import Run

DATA = ("mnist5k", "fashion", "letters")
"""Names of the data, drawn alike; their files are looked for in folders that the caller names."""
_SAMPLES = 128  # of a step that are looked at


def trained_on_images(recipe: str, settings: Mapping[str, Any], folder: str) -> bytes:
    """Train one run, past its end, and keep what the library needs of it, as a part's bytes.

    The folder of the data is left out of its configuration.
    """
    with scratch_folder() as out:
        train(recipe, out, {**settings, "folder": folder}, overtrain=OVERTRAIN, snapshots=1)
        run = Run.open(out)
        samples = Samples.of(run, None)
        assert samples is not None
        reference = reference_of(samples)
        assert reference is not None
        made = recorded_run(run, reference, _SAMPLES)
        return part_of([replace(made, config={**made.config, "folder": ""})])


def check_images(data: Iterable[str], folders: Mapping[str, str]) -> None:
    """Refuse a build whose data are not there before anything is trained, not after.

    Raises:
        RunError: Files of the data are missing; it says which and where they are looked for.
    """
    for name in sorted(set(data)):
        try:
            count_images(name, folders.get(name, ""))
        except RunError as error:
            raise RunError(
                f"--folder {name}=FOLDER is needed for trainings on images: {error}"
            ) from None
