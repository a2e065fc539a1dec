"""Recorded things as nodes: players with their layers, series, snapshots."""

from __future__ import annotations

from dlcc.records import Config, Dossier, Snapshots
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.programs import function_id


def add_recorded(
    parts: GraphParts, config: Config, dossier: Dossier, snapshots: Snapshots | None
) -> None:
    """Add players with their series and layers, snapshots in time, and code that names a series."""
    for player in config.players:
        parts.node("player", player, player)
    for name in dossier.names:
        series = parts.node("series", name, name)
        player = parts.node("player", name.partition("/")[0], name.partition("/")[0])
        parts.edge(series, player, "measures")
        for function in dossier.functions:
            if f'"{name}"' in function.text or f"'{name}'" in function.text:
                parts.edge(function_id(function), series, "data")
    if snapshots is not None:
        _add_snapshots(parts, snapshots)
        _add_layers(parts, snapshots)


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
