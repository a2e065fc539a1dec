"""Configuration beside a foreign record: files of options, and the keys in them that we know."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from dlcc.errors import RunError
from dlcc.runs.files import read_regular
from dlcc.runs.formats.log_config import SAID, config_of_text
from dlcc.runs.formats.plain_yaml import mapping_of_yaml
from dlcc.runs.raw_table import Scalar, flat
from dlcc.runs.texts import problem_of

_MAX_BYTES = 1 << 21
_STEMS = re.compile(
    r"(?i)^(?:train(?:ing)?_?)?(?:opts?|options|args|arguments|config|configs|cfg|hparams|params|"
    r"hyperparams|hyperparameters|hparam|settings|run_summary|meta)$"
)
_LOSS_KEYS = (
    "gan_mode", "gan_type", "adv_loss", "gan_loss", "loss_type", "loss", "objective",
    "adversarial_loss",
    "gantype", "d_loss_type", "loss_fn", "criterion", "gan_loss_type",
)  # fmt: skip
_OBJECTIVES = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"relativ|\bra(?:hinge|gan|lsgan|sgan)\b|rahinge|rpgan", "relativistic"),
        (r"wgan[-_ ]?gp|gradient.?penalty", "wgangp"),
        (r"\bw(?:asserstein)?[-_ ]?gan\b|wasserstein", "wgan"),
        (r"hinge", "hinge"),
        (r"^ls$|ls-?gan|least.?squares|\bmse\b", "ls"),
        (r"began|boundary.?equilibrium", "began"),
        (r"non.?saturating|vanilla|\bns\b|logistic|\bbce|cross.?entropy|\bdcgan|softplus", "ns"),
        (r"\bsaturating|minimax|^mm$", "mm"),
    )
)
"""Words by which configurations and logs name an objective, the more particular ones first."""


OBJECTIVES = tuple(name for _, name in _OBJECTIVES)
"""Names of adversarial objectives that can be stated."""


def files_of_options(folder: Path) -> list[Path]:
    """Find the files of options in a folder and in the one above it.

    Args:
        folder: Folder of a record.

    Returns:
        Regular files with such a name, links left out.
    """
    found = []
    for place in (folder, folder / "files", folder / ".hydra", folder.parent):
        try:
            entries = sorted(place.iterdir())[:2_000] if place.is_dir() else []
        except OSError:
            continue
        found += [
            entry
            for entry in entries
            if entry.suffix.lower() in (".json", ".yaml", ".yml", ".txt", ".toml", ".ini", ".csv")
            and _STEMS.match(entry.stem)
            and entry.is_file()
            and not entry.is_symlink()
        ]
    return found


def read_options(paths: Iterable[Path]) -> dict[str, Scalar]:
    """Read files of options as far as they can be read; the first that has a key wins.

    Args:
        paths: JSON, YAML, TOML or text.

    Returns:
        Values by key, nested keys joined with points.
    """
    found: dict[str, Scalar] = {}
    for path in paths:
        try:
            text = read_regular(path, _MAX_BYTES, RunError).decode("utf-8-sig", errors="replace")
        except RunError:
            continue
        found = _parsed(path.suffix.lower(), text) | found
    return found


def _parsed(suffix: str, text: str) -> dict[str, Scalar]:
    try:
        if suffix == ".json":
            content = json.loads(text)
            return flat(content) if isinstance(content, dict) else {}
        if suffix == ".toml":
            return flat(tomllib.loads(text))
    except (ValueError, RecursionError):
        return {}
    if suffix in (".yaml", ".yml"):
        return flat(mapping_of_yaml(text))
    return config_of_text(text)


def plain_config(config: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Keep what a manifest may hold.

    Args:
        config: Values by key, from anywhere.

    Returns:
        Values without infinities and control characters, of a bounded size.
    """
    kept = {}
    for key, value in config.items():
        if problem_of(key) or (isinstance(value, str) and problem_of(value, value=True)):
            continue
        if isinstance(value, float) and not math.isfinite(value):
            continue
        if isinstance(value, int) and abs(value) >= 2**63:
            continue
        kept[key] = value
    return kept


_OURS = {"dataset": "data", "optim": "optimizer", "total_iterations": "steps"}
"""Keys of scripts whose values our recipes keep under another name."""


def in_our_names(config: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Rename the keys that our recipes have another name for.

    Args:
        config: Values by key.

    Returns:
        Values by key; a key that has our name already wins.

    >>> in_our_names({"optim": "Adam", "lr_g": 0.1})
    {'optimizer': 'adam', 'lr_g': 0.1}
    """
    renamed: dict[str, Scalar] = {}
    for key, value in config.items():
        name = _OURS.get(key, key)
        if name != key and name in config:
            continue
        if isinstance(value, str) and name in ("optimizer", "loss"):
            value = value.strip().lower()
        renamed[name] = value
    return renamed


def stated_objective(config: Mapping[str, Scalar]) -> tuple[str, str] | None:
    """Find the adversarial objective that a configuration states.

    Args:
        config: Values by key.

    Returns:
        Objective (`ns`, `hinge`, `ls`, `wgan`, `wgangp`, `relativistic`, `began`) and the place
        that states it; None where nothing does.

    >>> stated_objective({"gan_mode": "lsgan"})
    ('ls', "gan_mode 'lsgan'")
    """
    by_end = {key.rpartition(".")[2].lower(): (key, value) for key, value in config.items()}
    for wanted in _LOSS_KEYS:
        key, value = by_end.get(wanted, ("", None))
        if isinstance(value, str) and (name := _objective_in(value)):
            if name == "wgan" and _truthy(by_end, "gradient_penalty_for_dis"):
                name = "wgangp"
            return name, f"{key} {value[:40]!r}"
    if _truthy(by_end, "lsgan", "use_lsgan"):
        return "ls", "lsgan"
    said = config.get(SAID)
    if isinstance(said, str) and (name := _objective_in(said)):
        return name, "the log says so"
    return None


def _truthy(by_end: Mapping[str, tuple[str, Scalar]], *names: str) -> bool:
    return any(by_end.get(name, ("", None))[1] is True for name in names)


def _objective_in(text: str) -> str | None:
    return next((name for pattern, name in _OBJECTIVES if pattern.search(text)), None)
