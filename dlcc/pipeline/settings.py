"""Settings of stages as the command line gives them: `--set STAGE.SETTING=VALUE`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dlcc.errors import OptionError
from dlcc.stage import Stage


def with_settings(stages: Sequence[Stage], settings: Sequence[str]) -> list[Stage]:
    """Change the settings of stages by texts `stage.key=value`; returns the changed stages."""
    from pydantic import TypeAdapter, ValidationError

    changed = {stage.name: stage for stage in stages}
    touched = []
    for text in settings:
        key, equals, value = text.partition("=")
        name, dot, setting = key.partition(".")
        if not (equals and dot and name in changed):
            raise OptionError(
                f"--set {text!r}: expected STAGE.SETTING=VALUE with one of {', '.join(changed)}"
            )
        stage = changed[name]
        if setting not in stage.settings():
            known = ", ".join(stage.settings())
            has = f"has the settings {known}" if known else "has no settings"
            raise OptionError(f"--set {text!r}: stage {name!r} {has}")
        kind = type(stage.settings()[setting])
        try:
            parsed = TypeAdapter(kind).validate_strings(value)
        except ValidationError as error:
            raise OptionError(f"--set {text!r}: expected a {kind.__name__}") from error
        changed[name] = dataclasses.replace(stage, **{setting: parsed})
        touched.append(name)
    return [changed[name] for name in dict.fromkeys(touched)]
