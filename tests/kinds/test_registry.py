"""Which kind a run is, and what is said of one that nothing is known of."""

from __future__ import annotations

import pytest

from dlcc import kinds as room
from dlcc.errors import PluginError
from dlcc.kinds import kind_of, kinds, registry, why_unknown
from dlcc.kinds.gan import GAN
from dlcc.records import LABELS


def test_this_packages_kinds_come_by_entry_point() -> None:
    assert {"gan", "map", "autoencoder", "vae"} <= set(kinds())
    assert all(name == kind.name for name, kind in kinds().items())


def test_a_run_is_of_the_kind_that_it_declares_in_whatever_case() -> None:
    assert kind_of({"kind": " VAE "}) is kinds()["vae"]
    assert kind_of({}) is GAN


@pytest.mark.parametrize(
    ("objective", "players", "known"),
    [
        ({}, ("generator", "discriminator"), True),
        ({}, (), True),
        ({}, ("generator",), False),
        ({"kind": "map"}, ("whatever",), True),
        ({"kind": "diffusion"}, ("model",), False),
    ],
)
def test_a_run_is_known_by_its_kind_and_players(
    objective: dict[str, str], players: tuple[str, ...], known: bool
) -> None:
    why = why_unknown(objective, players)
    assert (why is None) == known
    if why is not None:
        assert "gan (players generator and discriminator)" in why
        assert "record it with that objective" in why


def test_every_kind_has_the_usual_labels_healthy_first() -> None:
    for kind in kinds().values():
        assert kind.label_names[0] == "healthy"
        assert set(LABELS) <= set(kind.label_names)
        assert kind.failed == ("oscillating", "collapsed", "diverged")
        assert all(label.finding for label in kind.labels if label.state != "healthy")
    with pytest.raises(KeyError, match="stalled"):
        GAN.label("stalled")


def test_what_is_no_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "loaded", lambda group: {"odd": object})
    registry.kinds.cache_clear()
    try:
        with pytest.raises(PluginError, match=r"entry point 'odd' of group dlcc\.kinds"):
            room.kinds()
    finally:
        registry.kinds.cache_clear()
