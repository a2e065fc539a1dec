"""Changes known for maps between distributions by MMD, the smallest first.

Width of the kernel (Gretton 2012; Li 2015, who mix several), penalties, rate and batch, whose
estimate of MMD² is the noisier the smaller it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from dlcc.advice.catalogue.settings import Fields, Settings, scales

_RATES = (1e-3, 3e-3, 3e-4)
_FACTORS = (0.5, 2.0, 0.25, 4.0)


def proposals(settings: Settings) -> Iterator[Fields]:
    """Propose changes to the training of a map.

    Args:
        settings: Settings of the training.

    Yields:
        New values by path; some may be those that it has.
    """
    for key in settings.all("kernel"):
        yield from scales(key, _FACTORS, ())
    if len(settings.all("kernel")) > 1:
        yield from (
            {key.path: factor * key.number for key in settings.all("kernel")} for factor in _FACTORS
        )
    for key in (*settings.all("penalty"), *settings.all("mmd"), *settings.all("weight_decay")):
        yield from scales(key, (0.1, 0.5, 2.0, 10.0), (0.01, 0.1))
        yield {key.path: 0.0}
    for key in settings.all("rate"):
        yield from scales(key, (*_FACTORS, 0.1, 10.0), ())
        yield from ({key.path: rate} for rate in _RATES)
    yield from scales(settings.one("batch"), (2.0, 4.0, 0.5), ())
    for kernel in settings.all("kernel")[:1]:
        for key in settings.all("rate"):
            for factor in (0.5, 2.0):
                yield {kernel.path: factor * kernel.number, key.path: _RATES[0]}
