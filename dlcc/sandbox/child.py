"""Process inside the sandbox: `python -I child.py REQUESTS ANSWERS` (two descriptors).

It locks itself where nobody else locked it, and only then loads what came with the run. It answers
one frame for each that it reads (`dlcc.sandbox.wire`). From the first foreign line on nothing that
it says can be believed, this file included: the outside checks, compares and computes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from dlcc.runs.updates import UpdateTracker
    from dlcc.sandbox.calls import PlayerCall

Answer = tuple[dict[str, Any], dict[str, "Tensor"]]
_LONGEST_PATH = 4096


def _make_dlcc_importable() -> None:
    """Make this package importable without its parent folder on the path.

    That folder may hold anything, and must not be listed.
    """
    folder = Path(__file__).resolve().parent.parent
    spec = importlib.util.spec_from_file_location(
        "dlcc", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dlcc"] = module
    spec.loader.exec_module(module)


class Subject:
    """Code of the run, and its training as far as it was built."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.training: Any = None
        self.functions: dict[str, Callable[..., Any]] = {}
        self.tracker: UpdateTracker | None = None
        self.calls_made: list[PlayerCall] = []
        self.updated: dict[int, list[dict[str, Tensor]]] = {}
        self.rounding = contextlib.ExitStack()

    def answer(self, message: Mapping[str, Any], tensors: bytes) -> bytes:
        """Encode the frame that answers a request: what was asked for, or how the code failed."""
        from dlcc.sandbox import wire

        operations: dict[str, Callable[[Mapping[str, Any], bytes], Answer]] = {
            name: getattr(self, name)
            for name in (
                *("build", "load", "step", "probe", "sample", "state", "weights", "forward"),
                "features",
                *("trace", "disturb"),
                *("calls", "call", "set"),
            )
        }
        try:
            reply, made = operations[message["op"]](message, tensors)
            return wire.encode(reply, _dense(made))
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {error}"
            told = {"error": text[:2000], "place": _place_of(error, self.root)}
            return wire.encode({**told, "missed": _files_missed(error)})

    def build(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Import the entry point and call it with the configuration."""
        build = self._function(message["entry"])
        import torch  # late: code that fails before needs none of its second

        from dlcc.runs.seeding import built

        torch.set_num_threads(message["threads"])
        self.training = built(build, message["config"])
        return {"players": sorted(self.training.players)}, {}

    def load(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Load a state; the global random states go with it."""
        from safetensors.torch import load

        from dlcc.runs.random_state import restore_random_state
        from dlcc.runs.state import unpack_state

        trees = unpack_state(message["tree"], load(tensors))
        self.training.load_state_dict(trees["state"])
        restore_random_state(trees["random"] or {})
        self._track_from_here()
        return {}, {}

    def step(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Step, and answer with the quantities that were asked for, and a watched weight after each
        step.

        What the training does not return and a recorder would have tracked is taken at `ends` and
        `norm_ends`.
        """
        import torch

        names, count, watch = message["names"], message["count"], message["watch"]
        values = torch.full((count, len(names)), float("nan"), dtype=torch.float64)
        present, tracked = torch.zeros((2, count, len(names)), dtype=torch.bool)
        watched = []
        for i in range(count):
            row = self.training.step(message["first"] + i)
            moved = self._counts() if message["first"] + i in message["ends"] else {}
            moved |= self._norms() if message["first"] + i in message["norm_ends"] else {}
            for j, name in enumerate(names):
                if name in row:
                    values[i, j], present[i, j] = float(row[name]), True
                elif name in moved:
                    values[i, j], tracked[i, j] = moved[name], True
            if watch:
                watched.append(self._weights()[watch].clone())
        answer = {"values": values, "present": present, "tracked": tracked}
        return {}, answer | ({"watched": torch.stack(watched)} if watch else {})

    def probe(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Measure with the training's own probe, random states kept as they are when one is
        recorded."""
        from dlcc.runs.random_state import random_state, restore_random_state

        before = random_state()
        measured = dict(self.training.probe(message["step"]))
        restore_random_state(before)
        return {}, measured

    def sample(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Draw samples of the model as it is."""
        return {}, {"samples": self.training.sample(message["n"], message["seed"])}

    def state(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Answer with the training's state, taken apart as in a snapshot."""
        from dlcc.runs.state import pack_state

        tree, packed = pack_state({"state": dict(self.training.state_dict())})
        return {"tree": tree["state"]}, packed

    def weights(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Answer with parameters and buffers by `player/name`."""
        return {}, self._weights()

    def forward(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Run a player on `inputs`, `[n, features]`, in evaluation mode: without dropout and the
        like."""
        import torch
        from safetensors.torch import load

        player = self.training.players[message["player"]]
        trained = player.training
        player.eval()
        try:
            with torch.no_grad():
                outputs = player(load(tensors)["inputs"])
        finally:
            player.train(trained)
        return {}, {"outputs": outputs}

    def features(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Answer with what a function of the run makes of `rows`, `[n, ...]`."""
        from safetensors.numpy import load

        return {}, {"features": self._function(message["entry"])(load(tensors)["rows"])}

    def trace(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Step, and answer with the operations between weights, batches and losses."""
        import torch

        from dlcc.tracing.recorder import StepRecorder

        with StepRecorder(self.training.players) as recorder:
            self.training.step(message["step"])
        self.updated[message["step"]] = recorder.updated
        graph, made = recorder.graph()
        halves = (torch.float16, torch.bfloat16)
        whole = {n: t.float() if t.dtype in halves else t for n, t in made.items()}
        return {"graph": graph.to_json()}, whole

    def disturb(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Step with noise, `CALL/PLACE`, on what players return, and answer with the losses and
        their gradients in it; weights after each optimiser's step are those of the step's trace."""
        from safetensors.torch import load

        from dlcc.tracing.disturbed_step import DisturbedStep

        noise = {}
        for name, added in load(tensors).items():
            call, place = map(int, name.split("/"))
            noise[call, place] = added
        updated = self.updated[message["step"]]
        with DisturbedStep(self.training.players, noise, updated) as disturbed:
            self.training.step(message["step"])
        values = {f"value/{k}": value for k, value in enumerate(disturbed.values)}
        gradients = {
            f"gradient/{k}/{call}/{place}": slope.float()
            for k, found in enumerate(disturbed.gradients)
            for (call, place), slope in found.items()
        }
        return {}, values | gradients

    def calls(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Step, and answer with what went into the players."""
        from dlcc.sandbox.calls import record_calls, shown_tensors

        made = record_calls(self.training.players, lambda: self.training.step(message["step"]))
        self.calls_made = made
        shown: dict[str, Tensor] = {}
        for number, call in enumerate(made):
            shown |= shown_tensors(number, call)
        return {"calls": [call.told() for call in made]}, shown

    def call(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Call a player again with the tensors `in/0`, ..., weighted by `out/0`, ... if any."""
        from safetensors.torch import load

        from dlcc.sandbox.calls import call_again

        given = load(tensors)
        inputs, weights = (
            [given[f"{side}/{i}"] for i in range(sum(n.startswith(side) for n in given))]
            for side in ("in", "out")
        )
        call = self.calls_made[message["call"]]
        outputs, slopes = call_again(
            call, inputs, training=message["training"], cotangents=weights or None
        )
        made = {f"out/{i}": tensor for i, tensor in enumerate(outputs)}
        return {}, made | {f"in/{i}": tensor for i, tensor in enumerate(slopes)}

    def set(self, message: Mapping[str, Any], tensors: bytes) -> Answer:
        """Set the number of threads, how products are rounded, and deterministic algorithms."""
        import torch

        from dlcc.sandbox.rounding import rounded_products

        torch.set_num_threads(message["threads"])
        # Not by use_deterministic_algorithms, which imports the compiler to tell it.
        torch.set_deterministic_debug_mode("warn" if message["deterministic"] else "default")
        self.rounding.close()
        if message["products"]:
            self.rounding.enter_context(rounded_products(message["products"]))
        return {}, {}

    def _function(self, entry: str) -> Callable[..., Any]:
        """Import the file of an entry point `FILE:FUNCTION`, once, and take the function."""
        if entry not in self.functions:
            file, _, name = entry.partition(":")
            module = _import_file(self.root / file, self.root / "source")
            self.functions[entry] = getattr(module, name)
        function: Callable[..., Any] = self.functions[entry]
        return function

    def _track_from_here(self) -> None:
        """Count optimiser steps and measure the change of weights, as a recorder does."""
        from dlcc.runs.updates import UpdateTracker

        if self.tracker is not None:
            self.tracker.close()
        self.tracker = UpdateTracker(self.training.players)

    def _counts(self) -> dict[str, float]:
        """Optimiser steps of each player since the last call or `load`."""
        taken = {} if self.tracker is None else self.tracker.take_counts()
        return {f"{player}/updates": float(n) for player, n in taken.items()}

    def _norms(self) -> dict[str, float]:
        """Change of weights of each player since the last call or `load`."""
        taken = {} if self.tracker is None else self.tracker.take_norms()
        return {f"{player}/update_norm": norm.item() for player, norm in taken.items()}

    def _weights(self) -> dict[str, Tensor]:
        return {
            f"{player}/{name}": tensor.detach()
            for player, module in self.training.players.items()
            for name, tensor in module.state_dict().items()
            if hasattr(tensor, "detach")
        }


def _import_file(path: Path, source: Path) -> Any:
    """Import a file of the run.

    Its neighbours come after everything that is installed, so that a `torch.py` among them does not
    pass for torch.
    """
    sys.path += [
        folder
        for folder in dict.fromkeys([str(source), str(path.parent)])
        if folder not in sys.path
    ]
    found = importlib.util.find_spec(path.stem)
    if found is not None and found.origin == str(path):
        return importlib.import_module(path.stem)
    spec = importlib.util.spec_from_file_location(f"source_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _dense(tensors: Mapping[str, Any]) -> bytes:
    """Encode detached, unshared copies of tensors as safetensors."""
    import torch
    from safetensors.torch import save

    copies = {}
    for name, tensor in tensors.items():
        detached = torch.as_tensor(tensor).detach().cpu().resolve_conj().resolve_neg()
        copies[name] = detached.clone(memory_format=torch.contiguous_format)
    return save(copies) if copies else b""


def _place_of(error: BaseException, root: Path) -> str | None:
    """Innermost line of the run's own code in a traceback, such as `source/train.py:41`."""
    if isinstance(error, SyntaxError) and error.filename:
        frames = [(error.filename, error.lineno)]
    else:
        frames = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    for filename, line in reversed(frames):
        if Path(filename).is_relative_to(root):
            return f"{Path(filename).relative_to(root).as_posix()}:{line}"
    return None


def _files_missed(error: BaseException | None) -> list[str]:
    """Files that an error, or its cause, says are not there or may not be read."""
    missed = []
    for e in (error, None if error is None else error.__cause__):
        if isinstance(e, FileNotFoundError | PermissionError):
            name = getattr(e, "path", None) or e.filename  # dlcc's own say it by `path`
            missed += [os.fsdecode(name)[:_LONGEST_PATH]] if isinstance(name, str | bytes) else []
    return missed


def _serve(requests: io.BufferedIOBase, answers: io.BufferedIOBase, root: Path) -> None:
    subject = Subject(root)
    while (request := _read(requests)) is not None:
        answers.write(subject.answer(*request))
        answers.flush()


def _read(requests: io.BufferedIOBase) -> tuple[dict[str, Any], bytes] | None:
    import json

    from dlcc.sandbox import wire

    header = requests.read(wire.HEADER.size)
    if len(header) < wire.HEADER.size:
        return None
    text, tensors = wire.HEADER.unpack(header)
    return json.loads(requests.read(text)), requests.read(tensors)


def _trial(secret: Path, readable: list[str]) -> int:
    """Try the lock: 0 if a locked process is refused `secret`, which also holds the filter."""
    from dlcc.sandbox.lock import lock

    lock(readable, secret.read_bytes(), os.getppid())
    try:
        secret.read_bytes()
    except PermissionError:
        return 0
    return 1


def main(arguments: list[str]) -> int:
    """Begin as the first frame says, and serve until the requests end."""
    _make_dlcc_importable()
    if arguments[0] == "--trial":
        return _trial(Path(arguments[1]), arguments[2:])
    from dlcc.engine.compiler import postpone_compiler
    from dlcc.sandbox import lock, wire
    from dlcc.sandbox.environment import ENVIRONMENT

    parent = os.getppid()
    requests = os.fdopen(int(arguments[0]), "rb")
    answers = os.fdopen(int(arguments[1]), "wb")
    begin = _read(requests)
    if begin is None:
        return 1
    settings, filter_ = begin
    if settings["lock"] is not None:
        lock.lock(settings["lock"], filter_, parent)
    lock.bound(settings["memory"], settings["seconds"], settings["processes"])
    sys.path += [folder for folder in settings["packages"] if folder not in sys.path]
    sys.dont_write_bytecode = True
    tempfile.tempdir = ENVIRONMENT["TMPDIR"]  # what only asks for its name need not be refused
    root = Path(settings["root"])
    os.chdir(root)
    postpone_compiler()
    answers.write(wire.encode({}))
    answers.flush()
    _serve(requests, answers, root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
