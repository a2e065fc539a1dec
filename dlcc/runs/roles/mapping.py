"""Mapping of a table's columns to roles: names first, then what the series themselves show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dlcc.runs.raw_table import RawTable
from dlcc.runs.roles.names import role_of_name, words_of
from dlcc.runs.roles.role import METRICS, Role, RoleOfColumn
from dlcc.runs.roles.witness import Witness, side_is_a_loss

_BY_USER = 1.0
_BY_NAME = 0.95
_BY_SERIES = 0.85
_MOST_COLUMNS = 400  # that are looked at one by one


@dataclass(frozen=True)
class RoleMap:
    """Roles of all columns of a table.

    >>> from dlcc.runs.roles import Role
    >>> loss = RoleOfColumn("G_loss", Role("generator", "loss"), confidence=0.9, why="its name")
    >>> RoleMap((loss,)).series()
    {'generator/loss': 'G_loss'}
    """

    columns: tuple[RoleOfColumn, ...]
    questions: tuple[str, ...] = ()
    """Sentences that ask for what cannot be told and would change the verdict."""

    def series(self) -> dict[str, str]:
        """Series that are read.

        Returns:
            Name `player/quantity` to its column, in the table's order.
        """
        return {
            c.role.name: c.column
            for c in self.columns
            if c.used and c.role is not None and c.role.is_series
        }

    @property
    def players(self) -> tuple[str, ...]:
        """Players that have a series, in order."""
        names = (name.partition("/")[0] for name in self.series())
        return tuple(dict.fromkeys(n for n in names if n not in ("metrics", "validation")))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns that no series is read from, those aside that count, time or set something."""
        return tuple(
            c.column
            for c in self.columns
            if c.role is None or c.role.quantity == "part" or (not c.used and c.role.is_series)
        )


def map_roles(
    table: RawTable, axis: Collection[str] = (), mapping: Mapping[str, str] | None = None
) -> RoleMap:
    """Tell the role of each column of a table.

    Args:
        table: Raw table.
        axis: Columns that count the steps.
        mapping: Series to the column that the user named for it; these win.

    Returns:
        Roles, with a reason for each.

    >>> from pathlib import Path
    >>> from dlcc.runs.raw_table import RawColumn
    >>> cells = {name: RawColumn.of_cells([0.7, 0.6]) for name in ("errD", "errG", "zorp")}
    >>> map_roles(RawTable("CSV", (Path("a.csv"),), cells, rows=2)).series()
    {'discriminator/loss': 'errD', 'generator/loss': 'errG'}
    """
    given = {column: name for name, column in (mapping or {}).items()}
    found = []
    for name in [*table.columns][:_MOST_COLUMNS]:
        if name in given:
            player, _, quantity = given[name].partition("/")
            found.append(RoleOfColumn(name, Role(player, quantity), _BY_USER, "you said so"))
        elif name in axis:
            found.append(RoleOfColumn(name, Role("", "axis"), _BY_NAME, "counts the steps"))
        else:
            role, why = role_of_name(name)
            found.append(RoleOfColumn(name, role, _BY_NAME if role else 0.0, why))
    witness = Witness(table)
    found, questions = _sides_settled(found, witness)
    found = _players_settled(_measure_settled(_codes_settled(found)))
    found = _parts_settled(found)
    return RoleMap(tuple(_one_each(found, table)), tuple(questions))


def _has(columns: Sequence[RoleOfColumn], player: str, quantity: str = "") -> bool:
    return any(
        c.role is not None
        and not c.role.validation
        and c.role.player.startswith(player)
        and (not quantity or c.role.quantity == quantity)
        for c in columns
    )


def _sides_settled(
    columns: list[RoleOfColumn], witness: Witness
) -> tuple[list[RoleOfColumn], list[str]]:
    """Settle whether a bare `D_real` is the discriminator's output or a part of its loss."""
    open_ = [c for c in columns if c.role is not None and c.role.quantity.endswith("_or_loss")]
    if not open_:
        return columns, []
    named = {c.role.name: c.column for c in columns if c.role is not None}
    sides = [c.column for c in open_ if c.role is not None and not c.role.validation]
    is_loss, why = side_is_a_loss(witness, sides or [c.column for c in open_], named)
    settled = []
    for c in columns:
        if c not in open_ or c.role is None:
            settled.append(c)
            continue
        side = c.role.quantity.removesuffix("_or_loss")
        if is_loss is None:
            settled.append(replace(c, role=None, confidence=0.0, why=why))
        else:
            role = replace(c.role, quantity=f"loss_{side}" if is_loss else side)
            settled.append(replace(c, role=role, confidence=_BY_SERIES, why=why))
    questions = []
    if is_loss is None:
        column = open_[0].column
        questions.append(
            f"is {column} the discriminator's mean output or a part of its loss? say "
            f"--map discriminator/real={column} or --map discriminator/loss_real={column}"
        )
    return settled, questions


def _codes_settled(columns: list[RoleOfColumn]) -> list[RoleOfColumn]:
    """Give a bare perplexity to the codebook, where there is a loss of one."""
    if not any(c.role is not None and c.role.quantity.startswith("codebook") for c in columns):
        return columns
    return [
        replace(c, role=Role("model", "perplexity"), why="the perplexity of the codebook's use")
        if c.role == Role(METRICS, "perplexity")
        else c
        for c in columns
    ]


def _measure_settled(columns: list[RoleOfColumn]) -> list[RoleOfColumn]:
    """Take a bare `M` beside a bare `k` for a boundary-equilibrium GAN's convergence measure."""
    names = {c.column.strip().lower() for c in columns if c.confidence < _BY_USER}
    if not {"m", "k"} <= names or not _has(columns, "discriminator", "loss"):
        return columns
    role, why = Role("discriminator", "convergence"), "M beside k, as boundary equilibrium has them"
    return [
        replace(c, role=role, confidence=_BY_SERIES, why=why)
        if c.role is None and c.column.strip().lower() == "m"
        else c
        for c in columns
    ]


def _players_settled(columns: list[RoleOfColumn]) -> list[RoleOfColumn]:
    """Give the losses of no player to the generator in a game, and those of "gen" to the model
    where there is no discriminator."""
    game = _has(columns, "discriminator")
    has_model = _has(columns, "model", "loss")
    vae = _has(columns, "model", "kl")
    settled = []
    for c in columns:
        role = c.role
        if role is not None and game and role.player == "model" and role.quantity != "accuracy":
            role = replace(role, player="generator")
            if role.quantity == "loss" and _has(columns, "generator", "loss"):
                settled.append(_beside_the_generators(c, role))
                continue
        elif role is not None and not game and role.player == "generator" and vae:
            part = "reconstruction" if role.quantity == "loss" and has_model else role.quantity
            role = replace(role, player="model", quantity=part)
        settled.append(c if role == c.role else replace(c, role=role))
    return settled


def _beside_the_generators(column: RoleOfColumn, role: Role) -> RoleOfColumn:
    """Role of a loss of no player beside the generator's: their sum, where its name says so."""
    words = words_of(column.column)
    if {"total", "ae", "vae", "model", "net"} & set(words):
        return replace(column, role=role, why=f"{column.why}; the sum of the generator's")
    return replace(column, role=Role("", "part"), why="the generator has a loss of its own")


def _parts_settled(columns: list[RoleOfColumn]) -> list[RoleOfColumn]:
    """Tell a generator's adversarial part from its sum, where both or further parts are there."""
    settled = []
    for c in columns:
        role = c.role
        if role is None or not role.player.startswith("generator") or role.quantity != "loss":
            settled.append(c)
            continue
        total = "total" in c.column.lower() or c.why.endswith("the sum of the generator's")
        sums = any(
            o is not c
            and o.role is not None
            and (o.role.player, o.role.quantity) == (role.player, "loss")
            and o.why.endswith("the sum of the generator's")
            for o in columns
        )
        pair = role.player.removeprefix("generator")
        cycles = bool(pair) and _has(columns, role.player, "cycle")
        if not total and (sums or cycles):
            settled.append(
                replace(
                    c, role=replace(role, quantity="adversarial"), why=f"{c.why}, beside others"
                )
            )
        else:
            settled.append(c)
    return settled


def _one_each(columns: list[RoleOfColumn], table: RawTable) -> list[RoleOfColumn]:
    """Choose one column for each role: that of the user, one without a count, the fullest."""
    best: dict[str, RoleOfColumn] = {}
    for c in columns:
        if c.role is None or not c.role.is_series:
            continue
        other = best.get(c.role.name)
        if other is None or _rank(c, table) > _rank(other, table):
            best[c.role.name] = c
    chosen = []
    for c in columns:
        if c.role is not None and c.role.is_series and best[c.role.name] is not c:
            of = best[c.role.name].column
            chosen.append(replace(c, used=False, why=f"{c.why}; {of} is read instead"))
        else:
            chosen.append(c)
    return chosen


def _rank(column: RoleOfColumn, table: RawTable) -> tuple[float, bool, float, int]:
    raw = table.columns[column.column]
    finite = float(np.isfinite(raw.values).mean()) if len(raw.values) else 0.0
    plain = not column.column.endswith(")") or column.column[-2].isalpha() is False
    counted = column.column.endswith(("(mean)", "(2)", "(3)", "(4)", "(spread)"))
    return (column.confidence, plain and not counted, len(raw.values) * (0.5 + 0.5 * finite), 0)
