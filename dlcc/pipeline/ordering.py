"""Order of stages: which run, and that givers come before takers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlcc.errors import StageDeclarationError, did_you_mean
from dlcc.records import RUN_PARTS
from dlcc.stage import Stage, check_declaration


def order(stages: Sequence[Stage]) -> list[Stage]:
    """Sort stages so that givers come before takers; ties stay as given.

    Args:
        stages: Stages that will run together.

    Returns:
        The same stages, in the order in which they can run.

    Raises:
        StageDeclarationError: Two stages share a name or give the same record, a needed record has
            no giver, or stages wait for each other; raised before anything runs.

    >>> from dlcc.pipeline.discovery import installed
    >>> [stage.name for stage in order([installed()["impact"], installed()["health"]])]
    ['health', 'impact']
    """
    for stage in stages:
        check_declaration(stage)
    names = [stage.name for stage in stages]
    for name in names:
        if names.count(name) > 1:
            raise StageDeclarationError(f"two stages are named {name!r}; rename one of them")
    givers: dict[type[Any], Stage] = {}
    for stage in stages:
        for kind in stage.gives:
            if kind in givers:
                raise StageDeclarationError(
                    f"stages {givers[kind].name!r} and {stage.name!r} both give {kind.__name__}"
                )
            givers[kind] = stage
    for stage in stages:
        for kind in stage.needs:
            if kind not in givers and kind not in RUN_PARTS:
                raise StageDeclarationError(
                    f"stage {stage.name!r} needs {kind.__name__}, which no stage here gives: add "
                    "the stage that gives it"
                )
    return _sorted(stages, givers)


def _sorted(stages: Sequence[Stage], givers: Mapping[type[Any], Stage]) -> list[Stage]:
    waiting, done = list(stages), list[Stage]()
    while waiting:
        for stage in waiting:
            sources = [givers[k] for k in (*stage.needs, *stage.wants) if k in givers]
            if all(source in done or source is stage for source in sources):
                done.append(stage)
                waiting.remove(stage)
                break
        else:
            circle = ", ".join(repr(stage.name) for stage in waiting)
            raise StageDeclarationError(f"the stages {circle} wait for each other's records")
    return done


def select(
    stages: Sequence[Stage], only: Sequence[str] = (), skip: Sequence[str] = ()
) -> tuple[list[Stage], dict[str, str]]:
    """Choose the stages to run.

    Args:
        stages: Stages to choose from.
        only: Names of stages to keep, with those that give what these need or want; empty for all.
        skip: Names of stages to leave out.

    Returns:
        Stages to run, in the given order; and the reason why each other stage is left out, by name.

    Raises:
        StageDeclarationError: `only` or `skip` names a stage that is not there.

    >>> from dlcc.pipeline.discovery import installed
    >>> kept, left_out = select(list(installed().values()), only=["impact"])
    >>> [stage.name for stage in kept]  # health gives what impact needs
    ['health', 'impact']
    >>> left_out["novelty"]
    'left out on request'
    """
    known = {stage.name: stage for stage in stages}
    for name in (*only, *skip):
        if name not in known:
            raise StageDeclarationError(
                f"there is no stage {name!r}{did_you_mean(name, known)}; there are "
                f"{', '.join(known)}"
            )
    wanted = set(only) or set(known)
    while only:
        kinds = {k for name in wanted for k in (*known[name].needs, *known[name].wants)}
        more = {s.name for s in stages if kinds & set(s.gives)} - wanted
        if not more:
            break
        wanted |= more
    kept = [s for s in stages if s.name in wanted and s.name not in skip]
    return kept, {s.name: "left out on request" for s in stages if s not in kept}
