"""Files of real tools against what the readers give: every value that was logged is compared.

    python benchmarks/real_formats.py [--python NAME=PATH ...]

writes benchmarks/results/real_formats.json. Tools that this environment lacks are installed into
environments of their own in a temporary folder; one that cannot be installed is named in the
result with the reason. `--python wandb=/path/bin/python` takes an environment that is there
already. Each tool logs the same numbers, NaN and infinities among them; pandas writes a NaN as an
absent value, which counts as missing.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result

from dlcc.runs.formats.discovery import find_runs
from dlcc.runs.raw_table import RawTable

SEED = 0
STEPS = 200
STRIDE = 5

TORCH = """
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter(folder) as writer:
    for step, row in rows:
        for name, value in row.items():
            writer.add_scalar(name, value, step)
"""
TORCH_NEW = TORCH.replace("value, step)", "value, step, new_style=True)")
TORCH_MANY = """
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter(folder) as writer:
    writer.add_scalar("started", 1.0, 0)
    for step, row in rows:
        writer.add_scalars("all", row, step)
"""
TENSORFLOW = """
import tensorflow as tf
with tf.summary.create_file_writer(folder).as_default():
    for step, row in rows:
        for name, value in row.items():
            tf.summary.scalar(name, value, step=step)
"""
KERAS = """
import keras, numpy as np
class Said(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        logs.update(rows[epoch][1])
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.zeros((4, 2)), np.zeros((4, 1)), epochs=len(rows), verbose=0,
          callbacks=[Said(), keras.callbacks.CSVLogger(folder + "/training.log")])
"""
WANDB = """
import os
os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
import wandb
run = wandb.init(project="p", dir=folder, config={"lr": 0.5})
for step, row in rows:
    wandb.log(row, step=step)
run.finish()
"""
MLFLOW = """
import os
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
import mlflow
mlflow.set_tracking_uri(ADDRESS + folder + END)
with mlflow.start_run(run_name="judged"):
    for step, row in rows:
        for name, value in row.items():
            mlflow.log_metric(name, value, step=step)
with mlflow.start_run(run_name="empty"):
    mlflow.log_param("lr", 0.5)
"""
LIGHTNING = """
from lightning.pytorch.loggers import CSVLogger
logger = CSVLogger(folder)
for step, row in rows:
    logger.log_metrics(row, step)
logger.save()
"""
TRANSFORMERS = """
from transformers import TrainerState
history = [{**row, "step": step} for step, row in rows]
TrainerState(log_history=history).save_to_json(folder + "/trainer_state.json")
"""
PARQUET = """
import pandas
frame = pandas.DataFrame([{"step": step, **row} for step, row in rows])
frame.to_parquet(folder + "/history.parquet", index=False)
"""
READ_IN = "import json, sys; folder = sys.argv[1]; rows = json.load(open(sys.argv[2]))\n"
SINGLE = {"TensorBoard add_scalar", "TensorBoard add_scalar, new style", "TensorFlow tf.summary"}
SINGLE |= {"TensorBoard add_scalars"}
"""Tools that store single precision."""
TOOLS: Mapping[str, tuple[str, str]] = {
    "TensorBoard add_scalar": ("", TORCH),
    "TensorBoard add_scalar, new style": ("", TORCH_NEW),
    "TensorBoard add_scalars": ("", TORCH_MANY),
    "Lightning CSVLogger": ("", LIGHTNING),
    "transformers TrainerState": ("", TRANSFORMERS),
    "pandas to_parquet": ("", PARQUET),
    "wandb offline": ("wandb", WANDB),
    "MLflow file store": (
        "mlflow",
        MLFLOW.replace("ADDRESS", "'file://'").replace("END", "'/mlruns'"),
    ),
    "MLflow sqlite": (
        "mlflow",
        MLFLOW.replace("ADDRESS", "'sqlite:///'").replace("END", "'/mlflow.db'"),
    ),
    "TensorFlow tf.summary": ("tensorflow-cpu tensorboard", TENSORFLOW),
    "Keras CSVLogger": ("tensorflow-cpu tensorboard", KERAS),
}


def logged() -> list[tuple[int, dict[str, float]]]:
    """Numbers that each tool logs: a GAN's losses, one with faults, and a rare metric."""
    rng = np.random.default_rng(SEED)
    rows = []
    for number in range(STEPS):
        row = {"d_loss": float(rng.lognormal()), "g_loss": float(10 * rng.standard_normal())}
        if number % 20 == 0:
            row["fid"] = float(300 * rng.random())
        if number >= STEPS - 3:
            row["d_loss"] = (math.nan, math.inf, -math.inf)[number - STEPS + 3]
        rows.append((STRIDE * number, row))
    return rows


def interpreter(package: str, given: Mapping[str, str], folder: Path) -> str:
    """Python that has a package, installed into a new environment where none was given.

    Raises:
        subprocess.CalledProcessError: The package cannot be installed.
    """
    if not package:
        return sys.executable
    first = package.split()[0]
    if first in given:
        return given[first]
    place = folder / first
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *package.split()], check=True)
    return str(python)


def expected(tool: str, rows: list[tuple[int, dict[str, float]]]) -> dict[str, dict[int, float]]:
    """Values by column and step as the tool can store them."""
    found: dict[str, dict[int, float]] = {}
    for number, (step, row) in enumerate(rows):
        for name, value in row.items():
            column = f"all/{name}" if tool == "TensorBoard add_scalars" else name
            stored = float(np.float32(value)) if tool in SINGLE else value
            at = number if tool == "Keras CSVLogger" else step
            found.setdefault(column, {})[at] = stored
    return found


def compared(table: RawTable, truth: Mapping[str, Mapping[int, float]]) -> dict[str, int]:
    """Counts of values that are equal, that differ, and that are missing."""
    counts = {"equal": 0, "different": 0, "missing": 0}
    for name, values in truth.items():
        column = table.columns.get(name)
        found: dict[int, float] = {}
        if column is not None:
            steps = table.steps
            if steps is None:
                axis = next(n for n in ("step", "epoch") if n in table.columns)
                steps = table.dense(axis).astype(np.int64)
            found = dict(zip(steps[column.rows].tolist(), column.values.tolist(), strict=True))
        for step, value in values.items():
            if step not in found:
                counts["missing"] += 1
            elif found[step] == value or (math.isnan(value) and math.isnan(found[step])):
                counts["equal"] += 1
            else:
                counts["different"] += 1
    return counts


def one(tool: str, python: str, folder: Path) -> dict[str, Any]:
    """Log with a tool and read what it wrote."""
    folder.mkdir()
    rows = logged()
    (folder.parent / "rows.json").write_text(json.dumps(rows))
    code = READ_IN + TOOLS[tool][1]
    command = [python, "-c", code, str(folder), str(folder.parent / "rows.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:200]}
    records = find_runs(folder)
    tables = [record.read() for record in records.records]
    table = max(tables, key=lambda t: t.rows)
    return {
        "title": table.title,
        "runs": len(tables),
        "notes": [note.replace(str(folder.parent), "...") for note in records.notes][:3],
        **compared(table, expected(tool, rows)),
    }


def version_of(python: str, package: str) -> str:
    """Version of a package in an environment."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH")
    given = dict(pair.split("=", 1) for pair in parser.parse_args().python)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for number, (tool, (package, _)) in enumerate(TOOLS.items()):
            try:
                python = interpreter(package, given, Path(name))
            except subprocess.CalledProcessError as error:
                figures[tool] = {"failed": f"{package} cannot be installed ({error.returncode})"}
                continue
            figures[tool] = one(tool, python, Path(name) / f"logged{number}")
            if package:
                figures[tool]["version"] = version_of(python, package.split()[0])
    write_result("real_formats", figures, seeds={"values": SEED})


if __name__ == "__main__":
    main()
