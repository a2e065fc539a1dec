"""Changes known for variational autoencoders and other autoencoders, the smallest first.

Weight of the divergence (Higgins 2017), its annealing (Bowman 2016), free bits (Kingma 2016), size
of the latent space, learning rate. benchmarks/own_advice.py measures what they mend.
"""

from __future__ import annotations

from collections.abc import Iterator

from dlcc.advice.catalogue.settings import Fields, Settings, scales

_RATES = (1e-3, 2e-3, 3e-4)  # of Adam
_UP_AND_DOWN = (0.5, 2.0, 0.25, 4.0, 0.1, 10.0)


def proposals(settings: Settings) -> Iterator[Fields]:
    """Propose changes to the training of an autoencoder.

    Args:
        settings: Settings of the training.

    Yields:
        New values by path; some may be those that it has.
    """
    rates = settings.all("rate")
    for key in rates:
        yield from scales(key, _UP_AND_DOWN, ())
        yield from ({key.path: rate} for rate in _RATES)
    weights = (*settings.all("kl"), *settings.all("mmd"))
    for key in weights:
        yield from scales(key, (*_UP_AND_DOWN, 0.01), (1.0, 0.1))
        yield {key.path: 1.0}
    for key in settings.all("anneal"):
        shares = (0.2, 0.5) if key.number == 0 else (0.0, 0.5)
        for share in shares:
            is_share = isinstance(key.value, float) and key.number <= 1
            yield {key.path: share if is_share else round(share * settings.length)}
        if isinstance(key.value, bool):
            yield {key.path: not key.value}
    yield from settings.set_each("free_bits", (0.0, 0.1, 0.5))
    for key in settings.all("latent"):
        yield from scales(key, (2.0, 4.0, 0.5), ())
    yield from scales(settings.one("batch"), (0.5, 2.0), ())
    yield from settings.set_each("clip", (1.0,))
    yield from settings.set_each("dropout", (0.0,))
    yield from settings.set_each("weight_decay", (0.0,))
    yield from settings.set_each("beta1", (0.9,))
    for rate in rates:
        for key in weights:
            for value in {1.0, key.number / 4, key.number / 10} - {0.0}:
                yield from ({rate.path: r, key.path: value} for r in _RATES[:2])
        for key in settings.all("latent"):
            yield {rate.path: _RATES[0], key.path: 2 * int(key.number)}
            for factor in (2, 4):  # a usual rate and weight, and more room
                usual = {weight.path: 1.0 for weight in weights}
                yield {rate.path: _RATES[0], **usual, key.path: factor * int(key.number)}
