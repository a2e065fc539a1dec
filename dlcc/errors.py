"""Every exception that DLCC raises on purpose.

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


class DlccError(Exception):
    """Base of all of them; `exit_code` is what the command line returns."""

    exit_code = 3


class InputError(DlccError):
    """What the user gave cannot be used."""

    exit_code = 2


class OptionError(InputError):
    """An option or an argument has a value that makes no sense."""


class RunError(InputError):
    """A run folder, or a file in it, is missing, damaged or of a later version."""


class SeriesError(RunError):
    """A file under `series/` is not what its header says."""


class SnapshotError(RunError):
    """A snapshot or one of its tensor files is cut, lies about its size or is not safetensors."""


class RunLockedError(RunError):
    """Another process is recording into the same run."""


class MissingDataError(RunError, FileNotFoundError):
    """Files that a training learns from are not where its configuration says."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path
        """What was looked for."""


class LibraryError(InputError):
    """A library's file is missing, damaged or of another version, or has too few runs."""


class PluginError(InputError):
    """A stage, format, kind, recipe or page that a package or a file brings cannot be used."""


class StageDeclarationError(PluginError):
    """A stage reads or gives what it does not declare, or stages cannot be put in order."""


class OutputError(InputError):
    """The report cannot be written where it was asked for."""


class StageError(DlccError):
    """A stage failed while it ran."""


class LimitExceeded(StageError):  # noqa: N818  # a limit is not the user's error
    """A stage ran out of the time or the memory it was given."""


class ForeignCodeError(DlccError):
    """Code that came with a run raised an error, ended its process or answered nonsense."""

    def __init__(self, message: str, place: str | None = None) -> None:
        super().__init__(message)
        self.place = place
        """Where in the run: `source/train.py:41`; None where it is not known."""


class ForeignCodeStopped(ForeignCodeError):  # noqa: N818  # a limit, like LimitExceeded
    """Code that came with a run used up its time or its memory and was stopped."""


class ForeignDataError(ForeignCodeError):
    """Code that came with a run names a file that it is not shown, which was seen from outside."""


class IsolationError(DlccError):
    """This system offers no isolation that is safe for foreign code."""
