"""Check of documents' tables: settings against the configuration, results against the series."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dlcc.findings import Finding
from dlcc.records import Block, Dossier, Series
from dlcc.runs.roles import role_of_name
from dlcc.stages.consistency.cells import Cell, read_cell
from dlcc.stages.consistency.ledger import Ledger

_SETTINGS = {  # how papers call a setting -> names of keys, the last part of each
    "learning rate": ("lr", "learning_rate", "learningrate"),
    "batch size": ("batch", "batch_size", "batchsize"),
    "batch": ("batch", "batch_size"),
    "beta1": ("beta1", "beta_1", "b1", "adam_beta1"),
    "beta2": ("beta2", "beta_2", "b2", "adam_beta2"),
    "latent size": ("zdim", "z_dim", "latent_dim", "latent_size", "nz", "latent"),
    "latent dimension": ("zdim", "z_dim", "latent_dim", "latent_size", "nz", "latent"),
    "noise dimension": ("zdim", "z_dim", "latent_dim", "nz"),
    "steps": ("steps", "max_steps", "num_steps", "iterations", "total_steps"),
    "iterations": ("steps", "iterations", "niter", "n_iters", "max_iter"),
    "epochs": ("epochs", "n_epochs", "num_epochs", "max_epochs"),
    "seed": ("seed", "random_seed"),
    "optimiser": ("optimizer", "optimiser", "optim", "opt"),
    "weight decay": ("weight_decay", "wd"),
    "width": ("width", "hidden", "hidden_size"),
    "depth": ("depth", "layers", "n_layers"),
}
_SAME = {
    "optimizer": "optimiser", "minibatch size": "batch size", "latent dim": "latent dimension",
    "training steps": "steps", "number of steps": "steps", "training iterations": "iterations",
    "random seed": "seed", "step size": "learning rate", "lr": "learning rate",
    "β1": "beta1", "β2": "beta2", "adam beta1": "beta1", "adam beta2": "beta2",
    "z dimension": "latent dimension", "hidden units": "width",
}  # fmt: skip
_PLAYERS = {
    "generator": ("g", "gen", "generator"),
    "discriminator": ("d", "dis", "disc", "discriminator", "critic"),
}
_VALUE_HEADS = frozenset(("value", "values", "setting", "our run", "ours", "this run", ""))
_OURS = frozenset(("ours", "our", "our run", "this run", "this work", "proposed"))
_END, _BEST = frozenset(("final", "last", "end")), frozenset(("best", "lowest", "min", "minimum"))
_BETTER_HIGH = ("is", "precision", "recall", "psnr", "ssim", "density", "coverage", "accuracy")


def check_tables(ledger: Ledger, series: Series, dossier: Dossier) -> None:
    """Check tables of settings against the configuration, and results against the series."""
    for block in dossier.blocks:
        for row, (name, cell) in enumerate(_entries(block)):
            id_ = f"table/{block.file}:{block.line}/{name}"
            keys = _keys(name, dossier.config)
            if keys:
                _check_setting(ledger, block, id_, name, cell, {k: dossier.config[k] for k in keys})
            elif cell.number is not None:
                _check_result(ledger, block, f"{id_}/{row}", name, cell, series)


def _entries(block: Block) -> Iterator[tuple[str, Cell]]:
    """Pairs of a name and a cell that a table gives of this run: down its first column, or along
    its head where one row is called ours."""
    if len(block.rows) < 2:
        return
    head = [_plain(cell) for cell in block.rows[0]]
    for row in block.rows[1:]:
        if row and _plain(row[0]) in _OURS:
            yield from (
                (title.strip(), read_cell(cell))
                for title, cell in zip(block.rows[0][1:], row[1:], strict=False)
            )
        elif len(row) >= 2 and (len(head) == 2 or (head[1:2] and head[1] in _VALUE_HEADS)):
            yield row[0].strip(), read_cell(row[1])
    wide = len(block.rows) == 2 and len(head) > 2 and _plain(block.rows[1][0]) not in _OURS
    if wide:
        for title, cell in zip(block.rows[0], block.rows[1], strict=False):
            yield title.strip(), read_cell(cell)


def _plain(text: str) -> str:
    text = re.sub(r"\\(?:mathrm|text|beta)|[${}_*:↓↑]|\([^()]*\)", _spoken, text)
    return " ".join(text.lower().split())


def _spoken(match: re.Match[str]) -> str:
    return "β" if match[0] == "\\beta" else ""


def _keys(name: str, config: Mapping[str, object]) -> list[str]:
    """Keys of the configuration that a name in a table means."""
    if name in config:
        return [name]
    words = _plain(name).replace("-", " ").split()
    player = next((p for p, its in _PLAYERS.items() if set(words) & set(its)), "")
    rest = " ".join(w for w in words if w not in {*_PLAYERS.get(player, ()), "of", "the", "'s"})
    known = _SETTINGS.get(_SAME.get(rest, rest), ())
    if not known:
        return []
    found = []
    for key in config:
        last = key.rpartition(".")[2].lower()
        of = next((p for p, its in _PLAYERS.items() if _ends_with(last, its) or _ends_with(
            key.lower().rpartition(".")[0], its)), "")  # fmt: skip
        stem = re.sub(r"^(?:g|d|gen|dis|disc)_|_(?:g|d|gen|dis|disc)$", "", last)
        if stem in known and (not player or not of or of == player):
            found.append(key)
    return found


def _ends_with(key: str, parts: Sequence[str]) -> bool:
    return any(key in (p,) or key.startswith(f"{p}_") or key.endswith(f"_{p}") for p in parts)


def _check_setting(
    ledger: Ledger, block: Block, id_: str, name: str, cell: Cell, found: Mapping[str, object]
) -> None:
    """Check one setting against the keys that it may mean."""
    statement = f"{name} is {cell.text}, as {block.file} states"
    same = [key for key, actual in found.items() if _same(cell, actual)]
    if len(same) == len(found):
        ledger.proved(id_, "record", statement, "compared with run.json")
        return
    if same or not _comparable(cell, next(iter(found.values()))):
        what = ", ".join(f"{key} = {value}" for key, value in found.items())
        ledger.unknown(id_, "record", statement, f"run.json has {what}")
        return
    actual = ", ".join(str(value) for value in dict.fromkeys(found.values()))
    finding = Finding(
        "LOG008",
        f"{block.file} states {name} = {cell.text}; run.json has {actual}.",
        place=f"{block.file}:{block.line}",
    )
    ledger.refuted(id_, "record", statement, "compared with run.json", finding)


def _same(cell: Cell, actual: object) -> bool:
    if isinstance(actual, bool):
        return cell.truth == actual or cell.number == float(actual) or cell.text == str(actual)
    if isinstance(actual, int | float) and cell.number is not None:
        close = abs(cell.number - actual) <= 1e-9 * abs(actual)
        return close or cell.number == float(f"{float(actual):.{_digits(cell.text)}g}")
    return cell.text.strip().casefold() == str(actual).strip().casefold()


def _digits(text: str) -> int:
    """Number of digits that a number is given with: 2e-4 is one, 0.00105 three."""
    mantissa = re.split(r"[eE×·x\\]", text)[0]
    return max(1, len(re.sub(r"\D", "", mantissa).lstrip("0")))


def _comparable(cell: Cell, actual: object) -> bool:
    number = isinstance(actual, int | float) and not isinstance(actual, bool)
    return number == (cell.number is not None)


def _check_result(
    ledger: Ledger, block: Block, id_: str, name: str, cell: Cell, series: Series
) -> None:
    """Check one result against the end, the best and the range of the series that it names."""
    words = _plain(name).split()
    ends, bests = bool(_END & set(words)), bool(_BEST & set(words))
    bare = " ".join(w for w in words if w not in _END | _BEST)
    role = role_of_name(bare)[0] if bare else None
    column = series.columns.get(role.name) if role is not None and role.is_series else None
    assert cell.number is not None
    if column is None or role is None:
        return
    values = column.values[np.isfinite(column.values)]
    if not len(values):
        return
    statement = f"{name} is {cell.text}, as {block.file} states"
    slack = cell.tolerance * 1.001 + 1e-9 * abs(cell.number)
    best = values.max() if role.quantity in _BETTER_HIGH else values.min()
    tail = values[-max(1, len(values) // 100) :]
    end = (values[-1], float(tail.mean()))
    wanted = end if ends else (best,) if bests else (*end, best)
    if any(abs(cell.number - value) <= slack for value in wanted):
        ledger.held(id_, "record", statement, f"compared with {role.name}")
    elif values.min() - slack <= cell.number <= values.max() + slack and not bests:
        ledger.unknown(id_, "record", statement, f"{role.name} ends at {values[-1]:.6g}")
    else:
        message = (
            f"{block.file} states {name} = {cell.text}; the record's {role.name} lies between "
            f"{values.min():.6g} and {values.max():.6g}, and ends at {values[-1]:.6g}."
        )
        finding = Finding("LOG017", message, player=role.player, place=f"{block.file}:{block.line}")
        ledger.refuted(id_, "record", statement, "compared with the series", finding)
