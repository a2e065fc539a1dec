"""Recorded things as nodes: players with their layers, series, snapshots."""

from __future__ import annotations

import re

import numpy as np

from dlcc.records import Config, Dossier, Snapshots
from dlcc.records.shown_series import column_of, compare_shown
from dlcc.runs.series import Column
from dlcc.stages.decomposition.documents import sentence_ids
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.programs import function_id


def add_recorded(
    parts: GraphParts, config: Config, dossier: Dossier, snapshots: Snapshots | None
) -> None:
    """Add players with their series and layers, snapshots in time, and what names or shows a
    series: code, sentences, figures and printouts."""
    for player in config.players:
        parts.node("player", player, player)
    for name in dossier.names:
        series = parts.node("series", name, name)
        player = parts.node("player", name.partition("/")[0], name.partition("/")[0])
        parts.edge(series, player, "measures")
        for function in dossier.functions:
            if f'"{name}"' in function.text or f"'{name}'" in function.text:
                parts.edge(function_id(function), series, "data")
    add_names(parts, dossier)
    add_shown(parts, dossier)
    if snapshots is not None:
        _add_snapshots(parts, snapshots)
        _add_layers(parts, snapshots)


def add_names(parts: GraphParts, dossier: Dossier) -> None:
    """Add which sentences name a series, as it is written or as "the loss of the generator"."""
    wanted = {name: _said_as(name) for name in dossier.names}
    for sentence, text in sentence_ids(dossier).items():
        for name, pattern in wanted.items():
            if match := pattern.search(text):
                parts.edge(sentence, f"series:{name}", "names", evidence=(f"named: {match[0]}",))


def _said_as(name: str) -> re.Pattern[str]:
    player, _, quantity = name.rpartition("/")
    own, what = (
        r"[ _-]?".join(map(re.escape, re.split(r"[_ /]", part))) for part in (player, quantity)
    )
    ways = [re.escape(name)]
    if player and quantity:
        ways += [rf"{own}(?:['’]s)?[ _]{what}", rf"{what} of (?:the |a )?{own}"]
    return re.compile(rf"(?<!\w)(?:{'|'.join(ways)})(?!\w)", re.IGNORECASE)


def add_shown(parts: GraphParts, dossier: Dossier) -> None:
    """Add figures and printouts, and the series that each shows: by its name and by its values."""
    columns = {name: _column(dossier, k) for k, name in enumerate(dossier.names)}
    numbers: dict[str, int] = {}
    for shown in dossier.series:
        place = f"{shown.file}:{shown.line}"
        numbers[place] = numbers.get(place, 0) + 1
        label = f"{shown.name} ({'drawn' if shown.drawn else 'printed'})"
        figure = parts.node("figure", f"{place}#{numbers[place]}", label, place)
        document = parts.node("document", shown.file, shown.file, shown.file)
        parts.edge(document, figure, "contains")
        column = column_of(columns, shown.series)
        compared = None if column is None else compare_shown(shown, column)
        if compared is not None and compared.share > 0:
            name = next(n for n, c in columns.items() if c is column)
            share = f"values: {compared.share:.0%} of {len(shown.steps)} points agree"
            parts.edge(
                figure,
                f"series:{name}",
                "shows",
                round(compared.share, 4),
                (f"named: {shown.name}", share),
            )


def _column(dossier: Dossier, k: int) -> Column:
    there = np.asarray(dossier.present)[:, k].astype(bool)
    steps, values = np.asarray(dossier.steps)[there], np.asarray(dossier.values)[there, k]
    return Column(steps, values, np.zeros(len(steps)))


def _add_snapshots(parts: GraphParts, snapshots: Snapshots) -> None:
    previous = None
    for snapshot in snapshots:
        place = f"snapshots/{snapshot.path.name}"
        node = parts.node("snapshot", str(snapshot.step), f"step {snapshot.step:,}", place)
        if previous:
            parts.edge(previous, node, "time")
        previous = node


def _add_layers(parts: GraphParts, snapshots: Snapshots) -> None:
    """Add layers by the names of their tensors in the last snapshot, in the network's order."""
    last = snapshots.handles[-1]
    layers: dict[str, dict[str, list[str]]] = {}
    for name, array in last.weights().items():
        player, _, tensor = name.partition("/")
        layer, _, leaf = tensor.rpartition(".")
        shapes = layers.setdefault(player, {}).setdefault(layer, [])
        shapes.append(f"{leaf} {'×'.join(map(str, array.shape))}")
    for player, its in layers.items():
        owner = parts.node("player", player, player)
        measured = f"snapshot:{last.step}"
        parts.edge(measured, owner, "measures")
        previous = None
        for layer, shapes in sorted(its.items(), key=lambda item: _natural(item[0])):
            node = parts.node("layer", f"{player}/{layer}", f"{layer}: {', '.join(shapes)}")
            parts.edge(owner, node, "contains")
            if previous:
                parts.edge(previous, node, "data")
            previous = node


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts layer 10 after layer 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]
