"""Order in which a run is recorded: a step that goes back supersedes what came later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.errors import OptionError
from dlcc.runs.digests import Digests
from dlcc.runs.inputs import checked_step
from dlcc.runs.layout import RunLayout
from dlcc.runs.recorded_folder import any_later, move_aside
from dlcc.runs.series_writer import SeriesAppender, SeriesWriter

if TYPE_CHECKING:
    from dlcc.runs.updates import UpdateRows


class RecordingOrder:
    """Place of each row and snapshot among what is recorded already, with rewinds where needed."""

    def __init__(
        self,
        layout: RunLayout,
        digests: Digests,
        writer: SeriesWriter,
        updates: UpdateRows | None,
    ) -> None:
        self.new_session = True
        """Whether nothing was recorded since the run was opened."""
        self._layout = layout
        self._digests = digests
        self._writer = writer
        self._updates = updates
        self._resumed_at: int | None = None

    def resumed(self, step: int) -> None:
        """Note that the training was put back to the state before a step."""
        self._resumed_at = step if self._layout.snapshot(step).path.exists() else None
        if self._updates:
            self._updates.rebase()

    def place_row(self, appender: SeriesAppender, step: int) -> int:
        """Check a step that does not simply follow, and rewind to it if it goes back."""
        step = checked_step(step)
        last = max(appender.last_step for appender in self._writer)
        if self.new_session:
            if step <= last or any_later(self._layout, step + 1):
                self._rewind(step, step + 1)
        elif step < appender.last_step:
            self._rewind(step, step + 1)
        self.new_session = False
        return step

    def place_snapshot(self, step: int) -> bool:
        """Check a step for a snapshot: rewind if it goes back; refuse a state after the step.

        Returns:
            Whether the snapshot must be written; not so where the training went on from it.

        Raises:
            OptionError: The row of this step is logged already.
        """
        known = step == self._resumed_at and self.new_session
        first_state = step + 1 if known else step
        last = max((appender.last_step for appender in self._writer), default=-1)
        if step == last and not self.new_session:
            raise OptionError(
                f"snapshot({step}) is the state before step {step}, whose row is logged already; "
                f"call it before the step, or snapshot({step + 1}) after it"
            )
        if step <= last or any_later(self._layout, first_state):
            self._rewind(step, first_state)
        elif not self.new_session:
            if self._updates:
                self._updates.at_snapshot(step)
            return not known
        self.new_session = False
        if self._updates:
            self._updates.rebase()
        return not known

    def _rewind(self, step: int, first_state: int) -> None:
        """Supersede rows from `step` on, and snapshots and samples from `first_state` on."""
        for appender in self._writer:
            if appender.last_step >= step:
                appender.rewind(step)
        move_aside(self._layout, first_state, self._digests)
        if self._updates:
            self._updates.rewind(step, measured=self.new_session and step == self._resumed_at)
