"""Exceptions that DLCC raises on purpose, as a tree.

```
DlccError
├── InputError                 what the user gave cannot be used           exit code 2
│   ├── OptionError            an option or an argument
│   ├── RunError               a run folder, or a file in it
│   │   ├── SeriesError        a file under series/
│   │   ├── SnapshotError      a folder under snapshots/, or a tensor file
│   │   ├── RunLockedError     a second writer of the same run
│   │   └── MissingDataError   files that a training learns from
│   ├── LibraryError           the library's file cannot be used
│   ├── PluginError            what an installed package, or a file, brings cannot be used
│   │   └── StageDeclarationError  a stage breaks its own declarations, or stages are out of order
│   └── OutputError            the report cannot be written where it was asked for
├── StageError                 a stage failed while it ran                 exit code 3
│   └── LimitExceeded          ... because it ran out of time or memory
├── ForeignCodeError           code that came with a run failed, or broke the protocol
│   ├── ForeignCodeStopped     ... because it used up its time or memory
│   └── ForeignDataError       ... because files that it reads are not shown to it
└── IsolationError             this system offers no isolation for foreign code
```

A message is one sentence: the file, the line or key, what was expected, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask whether a near name was meant, as a part of a sentence; empty where none is near.

    >>> did_you_mean("helth", ["health", "novelty"])
    ' (did you mean health?)'
    >>> did_you_mean("x", ["health"])
    ''
    """
    near = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


class DlccError(Exception):
    """Base of all of DLCC's exceptions; `exit_code` is what the command line returns."""

    exit_code = 3


class InputError(DlccError):
    """Input of the user that cannot be used."""

    exit_code = 2


class OptionError(InputError):
    """Value of an option or an argument that makes no sense."""


class RunError(InputError):
    """Run folder, or a file in it, that is missing, damaged or of a later version."""


class SeriesError(RunError):
    """Series file, under `series/`, that is not what its header says."""


class SnapshotError(RunError):
    """Snapshot, or a tensor file of one, that is cut, lies about its size or is not safetensors."""


class RunLockedError(RunError):
    """Recording refused because another process is recording into the same run."""


class MissingDataError(RunError, FileNotFoundError):
    """Training data that are not where the training's configuration says."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path
        """Path that was looked for."""


class LibraryError(InputError):
    """Library file that is missing, damaged or of another version, or has too few runs."""


class PluginError(InputError):
    """Stage, format, kind, recipe or page of a package or a file that cannot be used."""


class StageDeclarationError(PluginError):
    """Declaration of a stage that it breaks, or stages that cannot be put in order."""


class OutputError(InputError):
    """Report that cannot be written where it was asked for."""


class StageError(DlccError):
    """Failure of a stage while it ran."""


class LimitExceeded(StageError):  # noqa: N818  # a limit is not the user's error
    """Stop of a stage that ran out of the time or the memory it was given."""


class ForeignCodeError(DlccError):
    """Failure of code that came with a run: it raised an error, ended its process or answered
    nonsense."""

    def __init__(self, message: str, place: str | None = None) -> None:
        super().__init__(message)
        self.place = place
        """Place of the failure in the run, such as `source/train.py:41`; None where it is not
        known."""


class ForeignCodeStopped(ForeignCodeError):  # noqa: N818  # a limit, like LimitExceeded
    """Stop of code that came with a run and used up its time or its memory."""


class ForeignDataError(ForeignCodeError):
    """Failure of code that came with a run for lack of a file that it is not shown, seen from
    outside."""


class TraceError(DlccError):
    """Failure to tell what a recorded training step computes; an outcome, which is named."""


class IsolationError(DlccError):
    """Refusal to run foreign code: this system offers no isolation that is safe for it."""
