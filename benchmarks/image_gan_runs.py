"""GANs on real images, trained and recorded to be judged.

    python benchmarks/image_gan_runs.py --out FOLDER --seed 1 --number 40 --style plain

What is there already is left as it is, so that a killed call goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from image_gans.training import STYLES, draw, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--style", choices=list(STYLES), required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    for number in range(options.number):
        folder = options.out / f"{options.style}-{number:03d}"
        done = folder.with_suffix(".truth.json")
        if not done.exists():
            train(draw(options.style, options.seed, number), folder)
        about = json.loads(done.read_text(encoding="utf-8"))
        print(
            number,
            about["verdict"],
            about["classes"][-1],
            round(about["distances"][-1], 3),
            flush=True,
        )


if __name__ == "__main__":
    main()
