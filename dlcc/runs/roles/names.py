"""Names of columns, word by word: what each word says, and what they say together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from dlcc.runs.roles.role import METRICS, Role

_VOCABULARY: Mapping[str, str] = {
    "D": "d dis disc discs discr discrim discriminator discriminators distriminator "
    "critic netd dnet",
    "G": "g gen gens generator generators netg gnet",
    "MODEL": "vae ae vqvae model net autoencoder encoder decoder enc dec unet ddpm diffusion",
    "LOSS": "loss losses err error errors cost costs objective obj criterion lss ls verlust "
    "verluste fehler perte pertes perdida",
    "REAL": "real reals true",
    "FAKE": "fake fakes generated synth synthetic",
    "VAL": "val valid validation eval evaluation test dev heldout",
    "NOISE": "train training tr avg average mean epoch step batch iter running smooth smoothed "
    "current cur last raw final all full metrics metric scalars scalar log logs value values per "
    "weighted scaled main the of at in on to is stats summary history results result data set "
    "minibatch pass progress adam adamw sgd rmsprop adagrad pg",
    "TOTAL": "total overall sum tot combined",
    "KL": "kl kld kldiv kullback dkl kldivergence",
    "ELBO": "elbo nelbo",
    "RECON": "recon reconstruction reconstructions rec recons reconst reconstruct mse l1 l2 mae "
    "pixel pix mel mels spec spectrogram stft nll rmse huber charbonnier distortion image img",
    "CYCLE": "cycle cyc cycleconsistency",
    "IDENTITY": "idt identity ident id",
    "PERCEPTUAL": "perceptual percep percept vgg fea content style tv fft perc gram",
    "FEATURE": "fm feat feature features matching featmatch",
    "GRAD": "grad gradient gradients gradnorm gnorm",
    "NORM": "norm norms",
    "PENALTY": "gp penalty penalties r1 r2 reg regularization regularizer regulariser pl path "
    "length lipschitz drift ortho orthogonal",
    "CODEBOOK": "commitment commit codebook vq quant quantization quantizer",
    "ACC": "acc accuracy accuracies accs",
    "LR": "lr learning rate lrate",
    "TIME": "time times sec secs second seconds eta elapsed speed fps timestamp date hour hours "
    "min minutes duration timing gpu cpu mem memory gpumem cpumem throughput maintenance peak "
    "reserved allocated created ms its it wall runtime finished took gb mb samples_per_second",
    "AUGMENT": "augment augmentation ada aug p",
    "ADV": "adv adversarial gan advers",
    "OUT": "score scores logit logits output outputs out pred preds prediction predictions prob "
    "probs probability probabilities confidence critic_value",
    "SIGN": "sign signs",
    "CLS": "cls class classes classification classifier aux auxiliary ce label labels cond "
    "conditional info q cat contrastive dur duration attribute domain",
    "SETTING": "beta gamma lambda weight weights alpha temperature temp factor eps epsilon scale "
    "coef coeff momentum decay topk k threshold res resolution seed bs size",
    "WASSERSTEIN": "wasserstein emd distance wdist dist estimate wd was",
    "BALANCE": "balance convergence began kt measure",
}
_TAG = {word: tag for tag, words in _VOCABULARY.items() for word in words.split()}
_METRICS = {
    "fid": "fid", "sfid": "fid", "fids": "fid", "frechet": "fid", "kid": "kid", "is": "is",
    "inception": "is", "psnr": "psnr", "ssim": "ssim", "msssim": "ssim", "lpips": "lpips",
    "precision": "precision", "recall": "recall", "density": "density", "coverage": "coverage",
    "fvd": "fvd", "fad": "fad", "pesq": "pesq", "stoi": "stoi", "mmd": "mmd", "jsd": "jsd",
    "ppl": "perplexity", "perplexity": "perplexity", "bleu": "bleu", "f1": "f1", "swd": "swd",
    "kmmd": "mmd", "mcd": "mcd", "ndb": "ndb", "auc": "auc", "auroc": "auc",
}  # fmt: skip
_FIDS = re.compile(r"(?i)(?<![a-z])(fid|kid|is|pr|ppl)(\d+k?)(?:_?(full|train|test|all))?(?![a-z])")
_OUTPUTS = (
    (
        re.compile(r"(?i)\bd\s*\(\s*g\s*\(\s*z\d?\s*\)\s*\)\s*(?:\(2\)|of)|\bd_?g_?z_?2\b"),
        "fake_after",
    ),
    (re.compile(r"(?i)\bd\s*\(\s*g\s*\(\s*z\d?\s*\)\s*\)|\bd_?g_?z_?1?\b|\bd\s*\(fake\)"), "fake"),
    (re.compile(r"(?i)\bd\s*\(\s*x\s*\)|\bd_x\b|\bd\s*\(real\)"), "real"),
)
_OF_CODES = frozenset([
    "code", "codes", "codebook", "codebooks", "codevectors", "vq", "quantizer", "quantization",
    "embed", "embedding", "embeddings", "encodings", "cluster", "clusters",
])  # fmt: skip
_OF_USE = frozenset(["usage", "utilization", "utilisation", "used", "active", "unique", "alive"])
_OF_COUNTS = frozenset(
    ["n", "num", "number", "count", "fraction", "percent", "percentage", "ratio", "rate"]
)
_OF_AUGMENTATION = frozenset(["augment", "augmentation", "ada", "aug"])
_MEASURE_OF_BEGAN = frozenset(["convergence", "measure"])
_WORD = re.compile(
    r"(?<![A-Za-z])[lLrR][12](?![a-z0-9])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+"
)
_OWN = re.compile(r"(generator|discriminator|model|measuring)/([a-z][a-z0-9_.\-/]*)")
_REPEAT = re.compile(r"\s*\((?:mean|avg|2|3|4|spread)\)$")
_PLAYERS = {"D": "discriminator", "G": "generator"}
_COUNTS = frozenset(["step", "steps", "iter", "iters", "iteration", "iterations"])
_IGNORED = {"TIME": "time", "LR": "lr", "AUGMENT": "setting", "SETTING": "setting"}
_SYNONYMS = {
    "判别器损失": "d loss", "生成器损失": "g loss", "判别器": "d", "生成器": "g", "损失": "loss",
    "训练损失": "train loss", "验证损失": "val loss", "重构损失": "recon loss", "学习率": "lr",
    "pérdida": "loss", "AdamW": "adam",
}  # fmt: skip


def words_of(name: str) -> list[str]:
    """Split a name into words, run-together ones included.

    Args:
        name: Name as a record has it.

    Returns:
        Words in lower case.

    >>> words_of("lossD_real"), words_of("errG"), words_of("train/dloss")
    (['loss', 'd', 'real'], ['err', 'g'], ['train', 'd', 'loss'])
    """
    for foreign, plain in _SYNONYMS.items():
        if foreign in name:
            name = name.replace(foreign, f" {plain} ")
    words: list[str] = []
    for raw in _WORD.findall(name):
        word = raw.lower()
        known = word in _TAG or word in _METRICS or len(word) < 4
        words += [word] if known else _broken(word) or [word]
    return words


@lru_cache(maxsize=4_000)
def _broken(word: str) -> tuple[str, ...] | None:
    """Words that a run-together one consists of, the fewest; None where it cannot be broken."""
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            part, before = word[start:end], best[start]
            if before is None or (part not in _TAG and part not in _METRICS):
                continue
            if _TAG.get(part) in ("NOISE", "CLS", "SETTING", "TIME") and len(part) < 4:
                continue
            if len(part) == 1 and start and end < len(word):
                continue
            found = (*before, part)
            current = best[end]
            if current is None or len(found) < len(current):
                best[end] = found
    return best[len(word)] if best[len(word)] else None


def role_of_name(name: str) -> tuple[Role | None, str]:
    """Tell a column's role from its name alone.

    Args:
        name: Name as a record has it.

    Returns:
        Role, None where a word stays unexplained or the words fit no role; and the reason. A
        discriminator's bare `D_real` has the role `real_or_loss`, which the series must settle; a
        loss of no player has the player `model`.

    >>> role_of_name("Loss_D")[0].name, role_of_name("val_PSNR")[0].name
    ('discriminator/loss', 'metrics/psnr')
    >>> role_of_name("zorp")[0] is None
    True
    """
    for pattern, quantity in _OUTPUTS:
        if pattern.search(name):
            return Role("discriminator", quantity), "written as the discriminator's output"
    if name.endswith(("__MIN", "__MAX")):
        return Role("", "setting"), "the range of a column beside it"
    if own := _OWN.fullmatch(name):
        return Role(own[1], own[2]), "named as a series of ours"
    stem = _REPEAT.sub("", name)
    counted = _FIDS.search(stem)
    if counted and counted[1].lower() not in ("pr",):
        return Role(METRICS, _METRICS.get(counted[1].lower(), "fid")), "a quality metric's name"
    words = words_of(stem)
    if len(words) > 1 and words[0] == "l" and words[1:] != ["l"]:
        words[0] = "loss"
    if "r" in words and {"vae", "ae"} & set(words):
        words[words.index("r")] = "recon"
    if (found := _of_few_words(words)) is not None:
        return found, "the words " + ", ".join(words)
    pair, words = _pair(words)
    metric = [
        w for w in words if w in _METRICS and (w != "is" or words in (["is"], ["is", "mean"]))
    ]
    if set(words) & _COUNTS and not {_TAG.get(w) for w in words} & {"LOSS", "OUT", "GRAD", "ACC"}:
        return (Role("", "count"), "counts steps") if len(words) < 3 else (None, "counts something")
    tags = {_TAG[w] for w in words if w in _TAG and w not in metric}
    unknown = [w for w in words if w not in _TAG and w not in metric and not w.isdigit()]
    if unknown and "LOSS" in tags and not tags & {"REAL", "FAKE", "OUT"}:
        return Role("", "part"), f"a loss named {unknown[0]!r}, of a meaning that is not known"
    if unknown:
        return None, f"the word {unknown[0]!r} is not known"
    return _role(tags, metric, pair, words)


def _of_few_words(words: Sequence[str]) -> Role | None:
    """Role of a quantity that few words name, and none of which means the same elsewhere."""
    noise = {word for word in words if _TAG.get(word) == "NOISE"}
    said = set(words) - noise
    if said & _OF_CODES and "perplexity" in said and said <= _OF_CODES | {"perplexity"}:
        return Role("model", "perplexity")
    if said & _OF_CODES and said & _OF_USE and said <= _OF_CODES | _OF_USE | _OF_COUNTS:
        return Role("model", "codebook_usage")
    if said & _OF_AUGMENTATION and said <= _OF_AUGMENTATION | {"p", "prob", "probability"}:
        return Role("", "augmentation")
    if said & _OF_AUGMENTATION and said - _OF_AUGMENTATION in ({"rt"}, {"r", "t"}):
        return Role("discriminator", "sign_real")
    if said & _MEASURE_OF_BEGAN and said <= _MEASURE_OF_BEGAN | {"began", "m", "misc"}:
        return Role("discriminator", "convergence")
    return None


def _pair(words: list[str]) -> tuple[str, list[str]]:
    """Letter of the pair that a name ends with, and its other words."""
    if len(words) > 1 and words[-1] in ("a", "b") and any(len(w) for w in words[:-1]):
        return f"_{words[-1]}", words[:-1]
    if len(words) > 2 and words[-1] in ("ab", "ba"):
        return f"_{words[-1][0]}", words[:-1]
    return "", words


def _role(
    tags: set[str], metric: list[str], pair: str, words: Iterable[str]
) -> tuple[Role | None, str]:
    validation = "VAL" in tags
    said = tags - {"VAL", "NOISE", "TOTAL"}
    for tag, quantity in _IGNORED.items():
        if tag in said and not metric:
            player = next((_PLAYERS[t] for t in ("D", "G") if t in said), "")
            return Role(player, quantity), "a time, a rate or a setting"
    if metric and "LOSS" not in said and not said & {"D", "G"}:
        return Role(METRICS, _METRICS[metric[0]]), "a quality metric's name"
    role = _of_players(said, pair)
    if role is not None and validation:
        role = Role(role.player, role.quantity, validation=True)
    reason = "the words " + ", ".join(words)
    return role, reason if role is not None else f"{reason} fit no role"


def _of_players(said: set[str], pair: str) -> Role | None:
    """Role by the words that are no noise."""
    d, g = "D" in said, "G" in said
    player = f"discriminator{pair}" if d else f"generator{pair}"
    side = "real" if "REAL" in said else "fake" if "FAKE" in said else ""
    rest = said - {"D", "G", "REAL", "FAKE", "LOSS", "MODEL"}
    if d and g:
        return Role(f"generator{pair}", "adversarial") if rest <= {"ADV"} and not side else None
    if "GRAD" in rest:
        if "PENALTY" in rest:
            return Role("discriminator" + pair, "penalty")
        return (
            Role(player if d or g else "model", "grad_norm") if rest <= {"GRAD", "NORM"} else None
        )
    for tag, quantity in (
        ("ACC", "accuracy"), ("SIGN", f"sign_{side}" if side else "sign"), ("BALANCE", "balance"),
        ("PENALTY", "penalty"), ("CODEBOOK", "codebook"), ("KL", "kl"),
        ("CYCLE", "cycle"), ("IDENTITY", "identity"),
        ("WASSERSTEIN", "wasserstein"), ("CLS", "auxiliary"), ("FEATURE", "feature_matching"),
        ("PERCEPTUAL", "perceptual"), ("RECON", "reconstruction"), ("ELBO", "loss"),
    ):  # fmt: skip
        if tag == "WASSERSTEIN" and tag in rest and "LOSS" in said and not d:
            return Role("", "part")  # an earth mover's distance is the loss of many a model
        if tag in rest and rest <= {tag, "KL", "RECON", "OUT", "ADV", "FEATURE"}:
            return _role_of_part(tag, quantity, player, d or g, pair, side)
    if "OUT" in rest:
        return Role(f"discriminator{pair}", side) if side and rest == {"OUT"} else None
    if side and not rest and not g:
        if "LOSS" in said:
            return Role(f"discriminator{pair}", f"loss_{side}")
        return Role(f"discriminator{pair}", f"{side}_or_loss") if d else None
    if "ADV" in rest and rest == {"ADV"} and not side:
        return Role(player, "loss" if d else "adversarial")
    if rest or side:
        return None
    if d or g:
        return Role(player, "loss")
    return Role("model", "loss") if "LOSS" in said else None


def _role_of_part(
    tag: str, quantity: str, player: str, of_player: bool, pair: str, side: str
) -> Role | None:
    """Role of a part of a loss, or of an accuracy."""
    if tag == "CODEBOOK":
        return Role(player if of_player else "model", quantity)
    if tag in ("ACC", "SIGN", "WASSERSTEIN", "BALANCE"):
        return Role(
            f"discriminator{pair}" if tag != "ACC" or of_player or side else "model", quantity
        )
    if tag == "CLS":
        return Role(player if of_player else "", quantity)
    if tag == "PENALTY":
        return Role(player if of_player else f"discriminator{pair}", quantity)
    if side:
        return None
    owner = f"generator{pair}" if tag in ("CYCLE", "IDENTITY", "FEATURE", "PERCEPTUAL") else "model"
    return Role(player if of_player else owner, quantity)
