"""Titles of run features: what a reader sees in place of `generator_loss_swing`."""

from __future__ import annotations

from collections.abc import Mapping

_TITLES: Mapping[str, str] = {
    "good_half": "good sample steps, second half",
    "good_quarter": "good sample steps, last quarter",
    "good_last": "P(good), last three sample steps",
    "good_best": "P(good), best sample step",
    "good_swing": "swing of P(good)",
    "good_trend": "trend of P(good)",
    "coverage_last": "coverage, last four sample steps",
    "quality_last": "quality, last four sample steps",
    "swing": "swing of coverage or quality",
    "imbalance_last": "imbalance of regions at the end",
    "frechet_last": "log Fréchet distance at the end",
    "recall_last": "recall at the end",
    "density_last": "density at the end",
    "reach_last": "reach of samples at the end (log10)",
    "samples_lost": "samples that are not finite",
    "loss_scale": "size of the losses at the end (log scale)",
    "gradient_scale": "size of the gradients at the end (log10)",
    "not_finite": "values that are not finite",
    "diverged": "diverged",
}
_SPACE = "space_"
_SAMPLES: Mapping[str, str] = {
    "coverage": "coverage",
    "quality": "precision",
    "imbalance": "imbalance of regions",
    "frechet": "the log Fréchet distance",
    "recall": "recall",
    "density": "density",
    "spread": "the spread of samples",
    "reach": "the reach of samples",
    "good": "log P(good)",
}
_SUFFIXES: Mapping[str, str] = {
    "_last": "{} at the end",
    "_change": "change of {}",
    "_swing": "swing of {}",
}


def feature_title(name: str, words: Mapping[str, str]) -> str:
    """Title of a run feature; the name itself, with spaces, for one that is not known.

    Args:
        name: Feature of `dlcc.health.curves.run_vector`, or a field of the configuration.
        words: Kind's words for what is logged, `TrainingKind.feature_words`.

    Returns:
        Plain words, in lower case.

    >>> feature_title("generator_loss_swing", {"generator_loss": "the generator's loss"})
    "swing of the generator's loss"
    >>> feature_title("rule_collapsed", {})
    'P(collapsed) by definition'
    """
    if name in _TITLES:
        return _TITLES[name]
    if name.startswith(_SPACE):
        return f"{feature_title(name.removeprefix(_SPACE), _SAMPLES)}, in the space of features"
    if name.startswith("rule_"):
        return f"P({name.removeprefix('rule_')}) by definition"
    for suffix, title in _SUFFIXES.items():
        logged = name.removesuffix(suffix)
        plain, spread = logged.removesuffix("_sd"), logged.endswith("_sd")
        if logged != name and plain in words:
            return title.format(f"the spread of {words[plain]}" if spread else words[plain])
    return name.replace("_", " ")
