"""Session with a run's training in a process of its own, asked one thing after the other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from dlcc.engine.process import Ended
from dlcc.engine.scratch import scratch_folder
from dlcc.errors import ForeignCodeError, ForeignDataError, IsolationError, SnapshotError
from dlcc.runs.tensors import parse_tensors
from dlcc.sandbox import seccomp, wire
from dlcc.sandbox.environment import package_folders, readable_paths
from dlcc.sandbox.inside import Bounds, Inside
from dlcc.sandbox.levels import Level
from dlcc.sandbox.recorded_call import RecordedCall, recorded_call
from dlcc.sandbox.staging import Staged

if TYPE_CHECKING:
    from dlcc.tracing.graph import StepGraph

Tensors = dict[str, NDArray[Any]]

_HEADER_ROOM = 1 << 20  # bytes that safetensors may spend on names beyond the data asked for
_OUTPUTS = 256 << 20  # bytes of a player's outputs
_NAMED_FILES = 4  # of an error that are looked for


@dataclass(frozen=True)
class Stepped:
    """Results of `n` steps, with `k` quantities that were asked for."""

    values: NDArray[np.float64]
    """Values [n, k]; NaN where a step gave nothing, see `present` and `tracked`."""
    present: NDArray[np.bool_]
    """Mask [n, k] of values that the training returned."""
    tracked: NDArray[np.bool_]
    """Mask [n, k] of values that the training did not return, and that were tracked as a recorder
    does: see `ends` of `Session.step`."""
    watched: NDArray[Any] | None
    """Watched weight after each step, [n, ...]; None where none is watched."""


class Session:
    """Session with a run's training in a process inside the sandbox; a context manager.

    >>> from dlcc.runs import Run
    >>> from dlcc.sandbox import best_level
    >>> run = Run.open("runs/ring-oscillating")
    >>> snapshot = run.snapshots()[1]
    >>> tree = {"state": snapshot.manifest.state, "random": snapshot.manifest.random}
    >>> with Session(run.source_files(), best_level(trust=True)) as session:
    ...     players = session.build(run.manifest.training, run.manifest.config)
    ...     session.load(tree, (snapshot.path / "state.safetensors").read_bytes())
    ...     stepped = session.step(snapshot.step, 2, ["generator/loss"])
    ...     made = session.sample(5, seed=0)
    ...     outputs = session.forward("discriminator", np.zeros((3, 2), np.float32))
    ...     measured = session.probe(snapshot.step)["discriminator/real"]
    ...     keys, weights = sorted(session.state()[0]), session.weights()
    ...     session.set(threads=1, products="tf32")
    ...     with session.within(30.0):
    ...         call = session.calls(snapshot.step)[0]
    ...         again, _ = session.call(call.number, [t.values for t in call.tensors])
    ...     answer, _ = session.exchange(wire.encode({"op": "weights"}), largest=1 << 20)
    >>> players, stepped.values.shape, made.shape, outputs.shape
    (['discriminator', 'generator'], (2, 1), (5, 2), (3, 1))
    >>> call.name, len(again[0]) == len(call.tensors[0].values)
    ('generator', True)
    >>> keys[0], measured.shape, len(weights), "error" in answer
    ('discriminator', (32,), 12, False)

    The inside sees copies of `files` and nothing else of the run. A state is shown to it when it is
    loaded and not before, so that it cannot copy from a later snapshot what it should compute.

    After an error that the code raised the session goes on; after the other errors it is over, and
    `alive` is false.

    Args:
        files: Path inside, such as `source/train.py`, to the file to copy.
        level: Level of isolation, see `best_level`.
        limits: Bounds on time, memory and processes; default `Bounds()`.
        max_answer: Largest answer in bytes, for answers whose size is not known beforehand.
        data: File or folder that the code may read too, where it lies, and by its name in the
            folder in which the code runs. Whatever is in it can come out in an answer.

    Raises:
        ForeignCodeError: By every method, where the code fails, dies or answers anything but what
            was asked.
        ForeignCodeStopped: By every method, where the code used up its limits.
        ForeignDataError: By every method, where the code names a file that is not shown to it;
            the session checks that from outside.
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        level: Level,
        limits: Bounds | None = None,
        max_answer: int = 1 << 30,
        data: Path | None = None,
    ) -> None:
        self.level = level
        self.limits = limits or Bounds()
        self.alive = False
        self._files = files
        self._data = data
        self._max_answer = max_answer
        self._inside = Inside(level, self.limits, data)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(scratch_folder("dlcc-subject-"))
            self._staged = Staged(folder / "subject", self.level, self._data)
            self._staged.fill(self._files)
            self._inside.start(self._staged.folder, stack)
            self.alive = True
            self._stack = stack.pop_all()
        try:
            self._begin(self._staged)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    @property
    def ended(self) -> Ended | None:
        """Result of the process, once it has ended."""
        return self._inside.ended

    def build(self, entry: str, config: Mapping[str, Any], threads: int = 1) -> list[str]:
        """Build the training; another call builds it anew.

        Args:
            entry: Entry point, such as `source/train.py:build`.
            config: Configuration that the entry point is called with.
            threads: Number of threads of torch.

        Returns:
            Names of the players, sorted.

        Raises:
            ForeignCodeError: The code fails, dies or names no players.
        """
        message = {"op": "build", "entry": entry, "config": dict(config), "threads": threads}
        players = self._ask(message)[0].get("players")
        if not isinstance(players, list) or not all(isinstance(name, str) for name in players):
            raise self._nonsense("names no players")
        return [wire.shown(name, 80) for name in players]

    def load(self, tree: Any, tensors: bytes) -> None:
        """Go to the state of a snapshot.

        Args:
            tree: Trees `{"state": ..., "random": ...}` of snapshot.json.
            tensors: Content of the snapshot's state.safetensors.

        Raises:
            ForeignCodeError: The code does not take the state, or dies.
        """
        self._ask({"op": "load", "tree": tree}, tensors)

    def step(
        self,
        first: int,
        count: int,
        names: Sequence[str],
        watch: tuple[str, int] | None = None,
        ends: Sequence[int] = (),
        norm_ends: Sequence[int] = (),
    ) -> Stepped:
        """Do the steps `first` to `first + count - 1`.

        Args:
            first: Number of the first step.
            count: Number of steps.
            names: Names `player/quantity` of the quantities that are wanted.
            watch: Weight `player/name` and its size in bytes, to be given after each step; None for
                none.
            ends: Steps after which `<player>/updates` are taken, each since the one before or since
                `load`.
            norm_ends: Steps after which `<player>/update_norm` is taken, likewise.

        Returns:
            Values [count, len(names)] with masks of where they come from, and the watched weight.

        Raises:
            ForeignCodeError: The code fails, dies or answers nonsense.
        """
        name, size = watch or (None, 0)
        message = {
            "op": "step",
            "first": first,
            "count": count,
            "names": list(names),
            "watch": name,
            "ends": list(ends),
            "norm_ends": list(norm_ends),
        }
        _, made = self._ask(message, expected=count * (10 * len(names) + size))
        shape = (count, len(names))
        values = self._one(made, "values", np.float64, shape)
        present = self._one(made, "present", np.bool_, shape)
        tracked = self._one(made, "tracked", np.bool_, shape)
        watched = made.get("watched")
        if watch and (watched is None or len(watched) != count):
            raise self._nonsense("does not give the weight that was watched")
        return Stepped(values, present, tracked, watched)

    def probe(self, step: int, expected: int | None = None) -> Tensors:
        """Measure with the training's own probe on the batch of a step.

        Args:
            step: Number of the step whose batch is used.
            expected: Size of the answer in bytes, about; None where it is not known.

        Returns:
            Losses, 0-d, and outputs `[batch]`, by `player/quantity`.

        Raises:
            ForeignCodeError: The code fails, dies or answers nonsense.
        """
        return self._ask({"op": "probe", "step": step}, expected=expected)[1]

    def sample(self, n: int, seed: int) -> NDArray[Any]:
        """Draw samples of the model as it is.

        Args:
            n: Number of samples.
            seed: Seed of the draw.

        Returns:
            Samples `[n, ...]`.

        Raises:
            ForeignCodeError: The code fails, dies or does not give `n` samples.
        """
        made = self._ask({"op": "sample", "n": n, "seed": seed})[1].get("samples")
        if made is None or made.ndim < 2 or len(made) != n:
            raise self._nonsense(f"gives no {n} samples")
        return made

    def state(self, expected: int | None = None) -> tuple[Any, Tensors]:
        """Fetch the training's state, taken apart as in a snapshot.

        Args:
            expected: Size of the answer in bytes, about; None where it is not known.

        Returns:
            Tree of the state, and its tensors by `state/...`.

        Raises:
            ForeignCodeError: The code fails, dies or answers nonsense.
        """
        message, made = self._ask({"op": "state"}, expected=expected)
        return message.get("tree"), made

    def weights(self, expected: int | None = None) -> Tensors:
        """Fetch parameters and buffers.

        Args:
            expected: Size of the answer in bytes, about; None where it is not known.

        Returns:
            Arrays by `player/name`.

        Raises:
            ForeignCodeError: The code fails, dies or answers nonsense.
        """
        return self._ask({"op": "weights"}, expected=expected)[1]

    def forward(self, player: str, inputs: NDArray[np.float32]) -> NDArray[Any]:
        """Run a player on inputs, in evaluation mode.

        Args:
            player: Name of the player.
            inputs: Inputs `[n, features]`.

        Returns:
            Outputs `[n, ...]`.

        Raises:
            ForeignCodeError: The code fails, dies or does not give one output for each input.
        """
        from safetensors.numpy import save

        message = {"op": "forward", "player": player}
        _, made = self._ask(message, save({"inputs": inputs}), expected=_OUTPUTS)
        outputs = made.get("outputs")
        if outputs is None or outputs.ndim == 0 or len(outputs) != len(inputs):
            raise self._nonsense("does not give one output for each input")
        return outputs

    def calls(self, step: int) -> list[RecordedCall]:
        """Do one step, and note the first call of each player in it.

        Where a player is not called as a whole, its parts that are called stand for it.

        Args:
            step: Number of the step.

        Returns:
            Calls with the tensors that went in; what they say is not to be believed.

        Raises:
            ForeignCodeError: The code fails, dies or answers nonsense.
        """
        message, made = self._ask({"op": "calls", "step": step})
        told = message.get("calls")
        if not isinstance(told, list):
            raise self._nonsense("tells no calls")
        try:
            return [recorded_call(number, one, made) for number, one in enumerate(told)]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._nonsense("tells of calls what cannot be") from None

    def call(
        self,
        number: int,
        given: Sequence[NDArray[Any]],
        training: bool = False,
        weights: Sequence[NDArray[Any]] = (),
    ) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Make a call of `calls` again with other tensors; the player's buffers are put back.

        Args:
            number: Number of the call.
            given: Tensors `[batch, ...]` in place of the call's, in their order; each is put into
                its type.
            training: Whether in training mode.
            weights: Weights `[batch, ...]` of the outputs; with them gradients of the weighted sum
                are given.

        Returns:
            Outputs `[batch, ...]` of floating point, and gradients with respect to the inputs of
            floating point.

        Raises:
            ForeignCodeError: The code fails, dies or answers nonsense.
        """
        from safetensors.numpy import save

        sent = {f"in/{i}": np.ascontiguousarray(a) for i, a in enumerate(given)}
        sent |= {f"out/{i}": np.ascontiguousarray(a) for i, a in enumerate(weights)}
        message = {"op": "call", "call": number, "training": training}
        _, made = self._ask(message, save(sent), expected=_OUTPUTS)
        sides = []
        for side in ("out", "in"):
            count = sum(name.startswith(f"{side}/") for name in made)
            if any(f"{side}/{i}" not in made for i in range(count)):
                raise self._nonsense("gives outputs without order")
            sides.append([made[f"{side}/{i}"] for i in range(count)])
        return sides[0], sides[1]

    def set(
        self, threads: int = 1, products: str | None = None, deterministic: bool = False
    ) -> None:
        """Set how the code computes from now on.

        Args:
            threads: Number of threads of torch.
            products: Precision of matrix products and convolutions: `float64`, `tf32` or
                `bfloat16`, see `dlcc.sandbox.rounding`; None for the machine's own.
            deterministic: Whether torch takes its deterministic algorithms alone.

        Raises:
            ForeignCodeError: The code has ended.
        """
        self._ask(
            {"op": "set", "threads": threads, "products": products, "deterministic": deterministic}
        )

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Bound the block: code that is not done by its end is stopped, and the session is over.

        Args:
            seconds: Seconds that the block may take.
        """
        self._inside.hurry(seconds)
        try:
            yield
        finally:
            self._inside.hurry(None)

    def trace(self, step: int) -> tuple[StepGraph, Tensors]:
        """Do one step while every operation of it is recorded.

        Args:
            step: Number of the step.

        Returns:
            Operations that its losses are made of, and the numbers of leaves and gradients by name;
            see `dlcc.tracing`. Nothing in them is to be believed.

        Raises:
            ForeignCodeError: The code fails, dies or answers nonsense.
            TraceError: What it recorded is no graph.

        >>> from dlcc.runs import Run
        >>> from dlcc.sandbox import best_level
        >>> run = Run.open("runs/digits-collapsed")
        >>> with Session(run.source_files(), best_level(trust=True)) as session:
        ...     _ = session.build(run.manifest.training, run.manifest.config)
        ...     graph, _ = session.trace(0)
        >>> [update.players for update in graph.updates], len(graph.roots)
        ([('discriminator',), ('generator',)], 2)
        """
        from dlcc.tracing.graph import StepGraph

        message, made = self._ask({"op": "trace", "step": step})
        return StepGraph.from_json(message.get("graph")), made

    def disturb(self, step: int, noise: Mapping[tuple[int, int], NDArray[Any]]) -> Tensors:
        """Do a step that was traced once more, with noise on what players return.

        Args:
            step: Number of the step; the state before it is to be loaded.
            noise: Number of a call of a player, and the place of a tensor among those that it
                returns -> what is added to it, `[batch, ...]`.

        Returns:
            Losses `value/ROOT`, and their gradients in the noise `gradient/ROOT/CALL/PLACE`; see
            `dlcc.tracing.second_opinion`. Nothing in them is to be believed.

        Raises:
            ForeignCodeError: The code fails, dies or answers nonsense.

        >>> from dlcc.runs import Run
        >>> from dlcc.sandbox import best_level
        >>> run = Run.open("runs/ring-oscillating")
        >>> with Session(run.source_files(), best_level(trust=True)) as session:
        ...     _ = session.build(run.manifest.training, run.manifest.config)
        ...     _ = session.trace(0)
        ...     _ = session.build(run.manifest.training, run.manifest.config)
        ...     told = session.disturb(0, {})
        >>> sorted(told)
        ['value/0', 'value/1']
        """
        from safetensors.numpy import save

        sent = {f"{call}/{place}": np.array(n, order="C") for (call, place), n in noise.items()}
        return self._ask({"op": "disturb", "step": step}, save(sent), expected=_OUTPUTS)[1]

    def features(self, entry: str, rows: NDArray[np.float64]) -> NDArray[Any]:
        """Call a function of the run that makes features of samples or of training data.

        Args:
            entry: Entry point, such as `source/embedding.py:embed`.
            rows: Rows `[n, ...]`.

        Returns:
            What the function gives: features `[n, d]` where it does as it should.

        Raises:
            ForeignCodeError: The code fails, dies or gives no array.

        >>> import tempfile
        >>> from dlcc.sandbox import best_level
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "mine.py"
        ...     _ = file.write_text("def means(rows): return rows.mean(axis=2)")
        ...     with Session({"source/mine.py": file}, best_level(trust=True)) as session:
        ...         session.features("source/mine.py:means", np.ones((2, 3, 4))).shape
        (2, 3)
        """
        from safetensors.numpy import save

        message = {"op": "features", "entry": entry}
        _, made = self._ask(message, save({"rows": np.ascontiguousarray(rows)}), expected=_OUTPUTS)
        found = made.get("features")
        if found is None:
            raise self._nonsense("gives no features")
        return found

    def interrupt(self) -> None:
        """End the process at once, whatever it is at; another thread may call it.

        >>> from dlcc.sandbox import best_level
        >>> with Session({}, best_level(trust=True)) as session:
        ...     session.interrupt()
        """
        self._inside.stop()

    def _begin(self, staged: Staged) -> None:
        """Lock and bound the process before it loads anything foreign."""
        alone = self.level is Level.LANDLOCK
        data = [] if self._data is None else [str(self._data.resolve())]
        settings = {
            "lock": [*readable_paths(), str(staged.folder), *data] if alone else None,
            "memory": max(self.limits.memory, 1 << 30) + (1 << 30),
            "seconds": self.limits.seconds,
            "processes": self.limits.processes
            + (0 if self._inside.wrapped else _tasks_of_this_user()),
            "packages": package_folders(),
            "root": staged.root,
        }
        self._ask(settings, seccomp.program("locked") if alone else b"")

    def _close(self) -> None:
        self.alive = False
        self._stack.close()

    def _ask(
        self, message: dict[str, Any], tensors: bytes = b"", expected: int | None = None
    ) -> tuple[dict[str, Any], Tensors]:
        """Send a request and receive its answer, of about `expected` bytes of data."""
        if not self.alive:
            raise ForeignCodeError("the run's code has ended before it was asked everything")
        largest = self._max_answer if expected is None else expected + _HEADER_ROOM
        try:
            answer, data = self.exchange(wire.encode(message, tensors), largest)
            arrays = parse_tensors(data, "answer") if data else {}
        except wire.WireError as error:
            raise self._nonsense(str(error)) from None
        except (ForeignCodeError, IsolationError):
            self.alive = False
            raise
        except SnapshotError as error:
            raise self._nonsense(f"sends tensors that are none ({error})") from None
        if "error" in answer:
            place = answer.get("place")
            missed = answer.get("missed")
            names = missed[:_NAMED_FILES] if isinstance(missed, list) else []
            unseen = any(isinstance(name, str) and self._staged.lacks(name) for name in names)
            raise (ForeignDataError if unseen else ForeignCodeError)(
                f"the run's code raised {wire.shown(answer['error'])}",
                None if place is None else wire.shown(place, 200),
            )
        return answer, arrays

    def exchange(self, frame: bytes, largest: int) -> tuple[dict[str, Any], bytes]:
        """Send the frame of a request and receive the answer's.

        Args:
            frame: Request, as of `dlcc.sandbox.wire.encode`.
            largest: Largest tensor file that is taken, in bytes.

        Returns:
            Message and tensor file of the answer, parsed but not believed.

        Raises:
            WireError: The answer is malformed, or larger.
            ForeignCodeError: The process has ended.
        """
        return self._inside.exchange(frame, largest)

    def _nonsense(self, what: str) -> ForeignCodeError:
        """End the session because of an answer that no sound child gives, and make the error."""
        self.alive = False
        self._inside.stop()
        return ForeignCodeError(f"the run's code answers for the process that runs it: it {what}")

    def _one(
        self, made: Tensors, name: str, dtype: type[np.generic], shape: tuple[int, ...]
    ) -> NDArray[Any]:
        """Take an array of the answer, which must be of this type and shape."""
        array = made.get(name)
        if array is None or array.dtype != dtype or array.shape != shape:
            raise self._nonsense(f"gives no {name} of shape {shape}")
        return array


def _tasks_of_this_user() -> int:
    """Count the processes and threads of this user; the kernel's limit counts them."""
    uid, tasks = os.getuid(), 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == uid:
                tasks += len(os.listdir(folder / "task"))
    return tasks
