"""Changes known for adversarial training, the smallest first.

Values are usual ones of the literature: rates (Kingma 2015; Heusel 2017), R1 and R2 with γ by
resolution and batch (Mescheder 2018; Karras 2020), optimistic updates (Daskalakis 2018; Gidel
2019), the relativistic pairing loss (Huang 2024), averaged weights (Yazıcı 2019), one-sided label
smoothing (Salimans 2016). benchmarks/mend.py and benchmarks/own_advice.py measure what they mend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dlcc.advice.catalogue.settings import Fields, Settings, rounded, scales
from dlcc.settings.keys import Key

SOUND_RATE: Mapping[str, float] = {"adam": 2e-3, "rmsprop": 1e-3, "sgd": 5e-2}
"""Optimiser -> learning rate that usually works for small networks."""
_SOUND_FOR_IMAGES: Mapping[str, float] = {"adam": 2e-4, "rmsprop": 1e-4, "sgd": 1e-2}
_PENALTIES = (0.1, 1.0, 10.0)
LOSSES: Mapping[str, Sequence[str]] = {
    "ns": ("ns", "nonsaturating", "non-saturating", "non_saturating", "bce", "vanilla", "logistic"),
    "ls": ("ls", "lsgan", "least_squares", "mse"),
    "hinge": ("hinge",),
    "wgangp": ("wgangp", "wgan-gp", "wgan_gp"),
    "relativistic": ("relativistic", "rpgan", "rsgan", "ragan"),
}
"""Objective -> names that people give it."""
OPTIMIZERS: Mapping[str, Sequence[str]] = {
    "adam": ("adam",),
    "rmsprop": ("rmsprop",),
    "optimistic": ("optimistic", "oadam", "optimistic_adam", "extraadam"),
}
"""Optimiser -> names that people give it."""
_STYLEGAN2_GAMMA = 0.0002  # of R1, a pixel, at batch 1: Karras 2020, appendix


def proposals(settings: Settings) -> Iterator[Fields]:
    """Propose changes to an adversarial training.

    Args:
        settings: Settings of the training.

    Yields:
        New values by path; some may be those that it has.
    """
    yield from _rates(settings)
    yield from _penalties(settings)
    yield from _updates(settings)
    yield from _names(settings)
    yield from _others(settings)
    yield from _pairs(settings)
    yield from _recipes(settings)


def sound_rates(settings: Settings) -> list[float]:
    """Rates that usually work with the optimiser, the likeliest first."""
    small = SOUND_RATE.get(settings.optimizer, SOUND_RATE["adam"])
    image = _SOUND_FOR_IMAGES.get(settings.optimizer, _SOUND_FOR_IMAGES["adam"])
    return [small, small / 2, image] if settings.pixels else [small]


def _rates(settings: Settings) -> Iterator[Fields]:
    for key in settings.all("rate"):
        yield from scales(key, (0.25, 0.5, 2.0, 4.0, 0.1, 10.0), ())
        yield from ({key.path: rate} for rate in sound_rates(settings))
    for key in settings.all("multiplier"):
        yield from scales(key, (0.25, 0.5, 2.0, 4.0), ())
        yield from ({key.path: value} for value in (1.0, 4.0))
    for g, d in _both(settings):
        yield {d.path: rounded(4 * g.number)}
        yield {d.path: g.value}
        yield {g.path: rounded(d.number / 4)}
        yield {g.path: d.value}
    for role in ("beta1", "beta2"):
        for value in {"beta1": (0.0, 0.5), "beta2": (0.999, 0.99)}[role]:
            yield settings.set_all("beta1" if role == "beta1" else "beta2", value)


def _both(settings: Settings) -> Iterator[tuple[Key, Key]]:
    """Rates of both players, where each has its own."""
    g, d = settings.one("rate", "generator"), settings.one("rate", "discriminator")
    if g is not None and d is not None and g.number > 0 and d.number > 0:
        yield g, d


def _penalties(settings: Settings) -> Iterator[Fields]:
    values = [*_PENALTIES, *_gamma_by_resolution(settings)]
    for key in (*settings.all("penalty"), *settings.all("r2")):
        yield from scales(key, (0.25, 0.5, 2.0, 4.0), values)
        yield from ({key.path: value} for value in values)
    for r1 in settings.all("penalty")[:1]:
        for r2 in settings.all("r2")[:1]:
            yield from ({r1.path: value, r2.path: value} for value in (0.1, 1.0))


def _gamma_by_resolution(settings: Settings) -> Iterator[float]:
    """R1's γ as it is scaled with the number of pixels, and with the batch."""
    batch = settings.one("batch")
    if settings.pixels:
        yield float(f"{_STYLEGAN2_GAMMA * settings.pixels / max(1, _size(batch)):.2g}")


def _size(batch: Key | None) -> float:
    return 64.0 if batch is None or batch.number <= 0 else batch.number


def _updates(settings: Settings) -> Iterator[Fields]:
    """Frequency of each player's updates, and the rows of a batch."""
    for key in (*settings.all("repeats"), *settings.all("every")):
        yield from ({key.path: number} for number in (1, 2))
    yield from scales(settings.one("batch"), (2.0, 4.0, 0.5), ())


def _names(settings: Settings) -> Iterator[Fields]:
    for key in settings.all("loss")[:1]:
        yield from ({key.path: name} for name in settings.named("loss", LOSSES).values())
    for key in settings.all("optimizer"):
        known = settings.named("optimizer", OPTIMIZERS)
        if settings.all("beta1"):
            known.pop("rmsprop", None)  # it has no momentum, which of Adam can be set here
        yield from ({key.path: name} for name in known.values())


def _others(settings: Settings) -> Iterator[Fields]:
    for key in settings.all("ema"):
        yield from ({key.path: value} for value in (0.99, 0.999))
    for key in settings.all("smoothing"):
        yield from ({key.path: value} for value in (0.1, 0.0))
    yield from ({key.path: 0.9} for key in settings.all("real_label"))
    for key in settings.all("warmup"):
        yield {key.path: round(0.05 * settings.length) if key.number == 0 else 0}
    for role, values in (
        ("decay", (True, False)),
        ("spectral", (True, False)),
        ("relativistic", (True,)),
        ("optimistic", (True,)),
    ):
        for key in settings.keys:
            if key.role == role and isinstance(key.value, bool):
                yield from ({key.path: value} for value in values)
    yield from settings.set_each("init", (1.0,))
    yield from settings.set_each("dropout", (0.0, 0.3))
    yield from settings.set_each("noise", (0.0, 0.1))
    yield from settings.set_each("weight_decay", (0.0,))
    for key in settings.all("d_weight"):
        yield from scales(key, (0.5, 2.0), (1.0,))
        yield {key.path: 1.0}


def _pairs(settings: Settings) -> Iterator[Fields]:
    """Changes of two fields."""
    rates = sound_rates(settings)
    for rate in (*rates, rates[0] / 2, rates[0] * 2):
        yield settings.rates(generator=rate, discriminator=rate)
    yield settings.rates(generator=rates[0] / 2, discriminator=rates[0] * 2)
    for _ in _both(settings):
        yield from (settings.scaled_rates(f) for f in (0.25, 0.5, 3.0, 0.1))
    calm = settings.set_all("beta1", 0.0)
    penalties = settings.all("penalty")[:1]
    for key in settings.all("rate"):
        for penalty in penalties:
            yield from ({key.path: rates[0], penalty.path: p} for p in (0.1, 1.0))
        yield {key.path: rates[0], **calm}
    for penalty in penalties:
        for name in settings.named("loss", {"ns": LOSSES["ns"]}).values():
            yield {**settings.set_all("loss", name), penalty.path: 0.1}
        yield {**calm, penalty.path: 0.1}
        yield from ({key.path: 1, penalty.path: 0.1} for key in settings.all("repeats"))
        yield from ({key.path: 1.0, penalty.path: 0.1} for key in settings.all("init"))


def _recipes(settings: Settings) -> Iterator[Fields]:
    """Changes of several fields: calm updates, and the known good recipe."""
    adam = {} if settings.optimizer == "adam" else _adam(settings)
    calm = settings.set_all("beta1", 0.0)
    even = {**settings.set_all("repeats", 1), **settings.set_all("every", 1)}
    penalties = [{}, *({**settings.first("penalty", value)} for value in (0.1, 1.0))]
    sound = SOUND_RATE["adam"]
    for rate in (sound, sound / 4) if settings.pixels else (sound,):
        for more in penalties:
            rates = settings.rates(generator=rate, discriminator=rate)
            yield {**adam, **rates, **calm, **more}
            yield {**adam, **rates, **calm, **even, **more}
    ns = next(iter(settings.named("loss", {"ns": LOSSES["ns"]}).values()), None)
    yield {
        **({} if ns is None else settings.first("loss", ns)),
        **adam,
        **settings.set_all("beta1", 0.5),
        **settings.set_all("beta2", 0.999),
        **settings.rates(generator=1e-3, discriminator=4e-3),
        **even,
        **settings.first("penalty", 0.1),
        **settings.first("init", 1.0),
    }


def _adam(settings: Settings) -> Fields:
    name = settings.named("optimizer", {"adam": OPTIMIZERS["adam"]}).get("adam")
    return {} if name is None else settings.set_all("optimizer", name)
