"""Roles of columns by their names, on names of code bases that the rules were not written from.

    python benchmarks/roles.py --names FILE.csv [FILE.csv ...]

Each file has the columns source, column, role; the role in words such as "discriminator/loss" or
"kl, NEGATIVE". The columns of a source are one table, without values, so that what only the series
could tell is asked for. Right: the role that the words say. Silent and wrong: another role, without
a question. Left: no role, or a question.

The rules hold no name of a code base: words of the field alone. A name is so judged as one of a
base that was never seen.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result

from dlcc.runs.axis.step_axis import what_counts
from dlcc.runs.raw_table import RawColumn, RawTable
from dlcc.runs.roles import map_roles

_AXIS = ("step", "epoch", "batch", "images within", "tick", "pandas index", "iteration", "kimg")
_ASIDE = ("time", "augment", "auxiliary", "0 until", "learning rate", "setting", "lr")


def wanted(words: str) -> tuple[str, str]:
    """Player and quantity that a role in words means."""
    text = words.lower().strip()
    if any(text.startswith(word) for word in _AXIS):
        return "", "axis"
    if any(word in text for word in _ASIDE):
        return "", "aside"
    text = re.sub(r"\(.*?\)|\"|,.*", "", text).strip()
    validation = text.startswith("validation")
    text = text.removeprefix("validation").strip()
    player, _, quantity = text.partition("/")
    if not quantity:
        player, quantity = "", text
    pair = re.search(r"\s([ab])$", player)
    player = player.split()[0] + (f"_{pair[1]}" if pair else "") if player else ""
    for word, name in (
        ("codebook", "codebook"), ("adversarial", "adversarial"),
        ("real loss", "loss_real"), ("fake loss", "loss_fake"),
        ("after", "fake_after"), ("before", "fake"), ("cycle", "cycle"), ("identity", "identity"),
        ("feature", "feature_matching"), ("path length", "penalty"), ("penalty", "penalty"),
        ("r1", "penalty"), ("gradient norm", "grad_norm"), ("grad_norm", "grad_norm"),
        ("reconstruction", "reconstruction"), ("kl", "kl"), ("accuracy", "accuracy"),
        ("mean sign of d", "sign_real"), ("perceptual", "perceptual"), ("real", "real"),
        ("fake", "fake"), ("loss", "loss"), ("fid", "fid"), ("psnr", "psnr"), ("ssim", "ssim"),
        ("lpips", "lpips"), ("kid", "kid"), ("inception", "is"), ("wasserstein", "wasserstein"),
    ):  # fmt: skip
        if word in quantity:
            quantity = name
            break
    return ("validation" if validation else player), quantity


def agree(words: str, player: str, quantity: str) -> bool:
    """Whether a role is what the words mean; a missing player in the words is any."""
    want_player, want = wanted(words)
    if want == "axis":
        return quantity == "axis"
    if want == "aside":
        return quantity in ("time", "setting", "augmentation", "auxiliary", "lr", "part")
    if want == "sign_real":
        return quantity.startswith("sign")
    if want != quantity:
        return False
    return not want_player or want_player == "validation" or player in (want_player, "model")


def judged(rows: list[dict[str, str]]) -> dict[str, Any]:
    """Counts over all names, and those that are wrong."""
    by_source: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
    counts: Counter[str] = Counter()
    wrong = []
    for source, its in by_source.items():
        cells = {row["column"]: RawColumn(np.arange(2), np.full(2, np.nan)) for row in its}
        table = RawTable("names", (Path(source[:40].replace("/", "_")),), cells, rows=2)
        axis = {name for name in cells if what_counts(name)}
        found = {c.column: c for c in map_roles(table, axis).columns}
        for row in its:
            role = found[row["column"]].role
            nothing = role is None or role.quantity == "part"
            if (role is not None and agree(row["role"], role.player, role.quantity)) or (
                nothing and row["role"] == "none"
            ):
                counts["right"] += 1
            elif nothing or role is None:
                counts["left"] += 1
            else:
                counts["silent and wrong"] += 1
                wrong.append(f"{source[:40]}: {row['column']}: {row['role']}, read as {role.name}")
    number = len(rows)
    return {
        "code bases": len(by_source),
        "names": number,
        **{key: round(counts[key] / number, 3) for key in ("right", "left", "silent and wrong")},
        "which are wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=Path, nargs="+", required=True)
    figures = {}
    for path in parser.parse_args().names:
        with open(path, encoding="utf-8", newline="") as stream:
            figures[path.stem] = judged(list(csv.DictReader(stream)))
    write_result("roles", figures, {})


if __name__ == "__main__":
    main()
