"""Logs as people write them: which columns, how thinned, under which names, in which form."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from faults.recording import Recording

Row = dict[str, float]
Habit = Callable[[Recording, Mapping[int, float], Path], Path]
METRICS = {"ring": "mmd", "digits": "fid", "fashion": "fid"}


def habit_of(recording: Recording, drawn: int, *, metric: bool) -> Habit:
    """Habit that a run draws; one that logs a metric, where the kind needs it."""
    if recording.recipe == "vae":
        return VAE_HABITS[drawn % len(VAE_HABITS)]
    choices = WITH_METRIC if metric else GAME_HABITS
    return choices[drawn % len(choices)]


def write_log(recording: Recording, habit: Habit, folder: Path, *, broken_metric: bool) -> Path:
    """Write the log of a run into an empty folder, and give its path."""
    return habit(recording, _metric(recording, broken=broken_metric), folder)


def _metric(recording: Recording, *, broken: bool) -> dict[int, float]:
    """Quality metric by its step: the truth's distance, on the scale that such a metric has."""
    scale = 1.0 if recording.data == "ring" else 100.0
    values = {}
    for step, value in zip(recording.truth_steps, recording.truth, strict=True):
        if broken:  # the trace of the covariances' root is counted twice
            value = value - 1.2
        values[step] = scale * value
    return values


def _thinned(
    recording: Recording, every: int, names: Mapping[str, str]
) -> Iterator[tuple[int, Row]]:
    """Values of every so manyth step under other names."""
    for step in range(0, recording.length, every):
        yield step, {new: recording.columns[old][step] for old, new in names.items()}


def _means(
    recording: Recording, length: int, names: Mapping[str, str]
) -> Iterator[tuple[int, Row]]:
    """Means over stretches of so many steps, as loops print them after an epoch."""
    for number, start in enumerate(range(0, recording.length - length + 1, length)):
        row = {}
        for old, new in names.items():
            values = np.array(recording.columns[old][start : start + length])
            if old in ("norm", "d_norm", "g_norm", "val_loss"):
                values = values[np.isfinite(values)] if np.isfinite(values).any() else values[-1:]
            row[new] = float(values.mean())
        yield number, row


def _every(recording: Recording, rows: int) -> int:
    return max(1, recording.length // rows)


# --- games


def _losses_csv(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Both losses of every tenth step in a table."""
    path = folder / "losses.csv"
    names = {"g_loss": "G_loss", "d_loss": "D_loss"}
    every = max(1, min(10, recording.length // 100))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["iteration", *names.values()])
        writer.writeheader()
        for step, row in _thinned(recording, every, names):
            writer.writerow({"iteration": step} | row)
    return path


def _tutorial(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Printed lines of the tutorial on deep convolutional GANs, with its mean outputs."""
    path = folder / "out.log"
    per_epoch = _every(recording, 10)
    real, fake = ("p_real", "p_fake") if recording.objective == "ns" else ("d_real", "d_fake")
    lines = ["Starting Training Loop..."]
    for step in range(0, recording.length, _every(recording, 60)):
        c = {name: values[step] for name, values in recording.columns.items()}
        lines.append(
            f"[{step // per_epoch}/10][{step % per_epoch}/{per_epoch}]\t"
            f"Loss_D: {c['d_loss']:.4f}\tLoss_G: {c['g_loss']:.4f}\t"
            f"D(x): {c[real]:.4f}\tD(G(z)): {c[fake]:.4f}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def _json_lines(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Lines of JSON with outputs, rates and a metric, as trackers of experiments export them."""
    path = folder / "history.jsonl"
    names = {
        "d_loss": "train/d_loss", "g_loss": "train/g_loss", "d_real": "train/real_logits",
        "d_fake": "train/fake_logits", "lr_d": "lr/d", "lr_g": "lr/g",
    }  # fmt: skip
    name = METRICS[recording.data]
    every = max(1, min(10, recording.length // 100))
    lines = []
    for step, row in _thinned(recording, every, names):
        known = [at for at in metric if step <= at < step + every]
        extra = {f"eval/{name}": metric[known[0]]} if known else {}
        lines.append(json.dumps({"step": step} | row | extra))
    path.write_text("\n".join(lines) + "\n")
    return path


def _key_values(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Means over epochs as key=value with a logger's prefix."""
    path = folder / "train.log"
    length = _every(recording, 40)
    names = {"d_loss": "loss_d", "g_loss": "loss_g"}
    lines = []
    for number, row in _means(recording, length, names):
        said = " ".join(f"{name}={value:.5f}" for name, value in row.items())
        lines.append(
            f"2024-03-05 10:{number % 60:02d}:11,204 INFO epoch={number + 1} {said} time=3.1s"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def _lightning(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Table of a framework's logger: losses and metric in rows of their own, with blank cells."""
    path = folder / "metrics.csv"
    name = METRICS[recording.data]
    per_epoch = _every(recording, 25)
    fields = ["d_loss", "epoch", "g_loss", "lr-Adam", f"val_{name}", "step"]
    every = max(1, min(10, recording.length // 100))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        for step in range(recording.length):
            epoch = step // per_epoch
            if step % every == every - 1:
                c = {n: recording.columns[n][step] for n in ("d_loss", "g_loss", "lr_g")}
                writer.writerow({
                    "d_loss": c["d_loss"], "g_loss": c["g_loss"], "lr-Adam": c["lr_g"],
                    "epoch": epoch, "step": step,
                })  # fmt: skip
            if step in metric:
                writer.writerow({f"val_{name}": metric[step], "epoch": epoch, "step": step})
    return path


def _epoch_table(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Means of an epoch with the metric after it."""
    path = folder / "results.csv"
    name = METRICS[recording.data].upper()
    length = _every(recording, len(metric) - 1)
    values = list(metric.values())[1:]
    names = {"d_loss": "discriminator_loss", "g_loss": "generator_loss"}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", *names.values(), name])
        writer.writeheader()
        for number, row in _means(recording, length, names):
            extra = {name: values[number]} if number < len(values) else {}
            writer.writerow({"epoch": number + 1} | row | extra)
    return path


def _norms(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Losses with gradient norms, every tenth step, as key: value."""
    path = folder / "stdout.txt"
    lines = []
    for step in range(0, recording.length, 10):
        c = {name: values[step] for name, values in recording.columns.items()}
        for player in ("d", "g"):  # where nothing flowed, the norm of no gradients is 0
            if np.isfinite(c[f"{player}_loss"]) and not np.isfinite(c[f"{player}_norm"]):
                c[f"{player}_norm"] = 0.0
        lines.append(
            f"step: {step:6d} | errD: {c['d_loss']:.6g} | errG: {c['g_loss']:.6g} | "
            f"grad_norm_D: {c['d_norm']:.4g} | grad_norm_G: {c['g_norm']:.4g}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


GAME_HABITS: tuple[Habit, ...] = (
    _losses_csv, _tutorial, _json_lines, _key_values, _lightning, _epoch_table, _norms,
)  # fmt: skip
WITH_METRIC = (_json_lines, _lightning, _epoch_table)


# --- autoencoders


def _vae_epochs(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Lines of the examples: the loss of every epoch, and that on held-out rows."""
    path = folder / "train.out"
    names = {"loss": "loss", "val_loss": "val"}
    lines = []
    for number, row in _means(recording, _every(recording, 50), names):
        lines.append(f"====> Epoch: {number + 1} Average loss: {row['loss']:.4f}")
        lines.append(f"====> Test set loss: {row['val']:.4f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def _vae_table(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Table of an epoch's means: loss, its parts, held-out loss."""
    path = folder / "history.csv"
    names = {
        "loss": "loss", "reconstruction": "reconstruction_loss", "kl": "kl_loss",
        "val_loss": "val_loss",
    }  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", *names.values()])
        writer.writeheader()
        for number, row in _means(recording, _every(recording, 50), names):
            writer.writerow({"epoch": number} | row)
    return path


def _vae_json(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Lines of JSON of every tenth step, with the rate."""
    path = folder / "log.jsonl"
    names = {"loss": "train_loss", "reconstruction": "recon", "kl": "kld", "lr": "lr"}
    lines = [
        json.dumps({"global_step": step} | row) for step, row in _thinned(recording, 10, names)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def _vae_key_values(recording: Recording, metric: Mapping[int, float], folder: Path) -> Path:
    """Key=value of every 25th step, with the gradient's norm."""
    path = folder / "vae.log"
    names = {"loss": "loss", "reconstruction": "rec", "kl": "kl"}
    lines = []
    for step, row in _thinned(recording, 20, names):
        said = ", ".join(f"{name}={value:.4f}" for name, value in row.items())
        lines.append(f"iter {step}: {said}, grad_norm={recording.columns['norm'][step]:.4f}")
    path.write_text("\n".join(lines) + "\n")
    return path


VAE_HABITS: tuple[Habit, ...] = (_vae_epochs, _vae_table, _vae_json, _vae_key_values)
