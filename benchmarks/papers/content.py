"""Content of a made paper: headings, paragraphs with formulas in line, formulas, tables, lists."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

WORDS = [
    "generator",
    "discriminator",
    "training",
    "gradient",
    "batch",
    "image",
    "sample",
    "latent",
    "distribution",
    "network",
    "layer",
    "objective",
    "convergence",
    "stability",
    "penalty",
    "regularisation",
    "optimiser",
    "schedule",
    "momentum",
    "variance",
    "estimate",
    "baseline",
    "experiment",
    "evaluation",
    "architecture",
    "convolution",
    "normalisation",
    "spectral",
    "adversarial",
    "equilibrium",
    "divergence",
    "likelihood",
    "reconstruction",
    "encoder",
    "decoder",
    "representation",
    "dimension",
    "kernel",
    "feature",
    "checkpoint",
    "iteration",
    "hyperparameter",
    "initialisation",
    "oscillation",
    "collapse",
    "diversity",
    "fidelity",
    "metric",
    "resolution",
    "dataset",
]
VERBS = [
    "improves",
    "reduces",
    "changes",
    "controls",
    "measures",
    "bounds",
    "follows",
    "dominates",
    "explains",
    "limits",
]
ADJECTIVES = [
    "small",
    "large",
    "stable",
    "empirical",
    "common",
    "robust",
    "noisy",
    "smooth",
    "typical",
    "final",
    "early",
]
HEADINGS = (
    "Introduction", "Related Work", "Method", "Training Objective", "Experimental Setup",
    "Results", "Ablation Study", "Discussion", "Limitations", "Conclusion",
)  # fmt: skip
INLINE = (
    r"D(x)", r"G(z)", r"\lambda", r"\beta_1", r"x_i", r"z \sim p_z", r"\theta", r"\sigma^2",
    r"\mu_j", r"\hat{x}", r"L_D", r"n = 64", r"\|x\|", r"\epsilon", r"p_g", r"D_\theta(x)",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Part of a paper."""

    kind: str
    """Kind of block: heading, paragraph, formula, table, list, code."""
    text: str = ""
    """Text, with formulas in line between dollars; a formula's LaTeX."""
    rows: tuple[tuple[str, ...], ...] = ()
    items: tuple[str, ...] = ()
    level: int = 1


@dataclass
class Paper:
    """Made paper with its parts in order."""

    title: str
    parts: list[Part] = field(default_factory=list)


def make_paper(seed: str, sections: int = 6, extra: tuple[str, ...] = ()) -> Paper:
    """Draw a paper; `extra` are further formulas that it may hold."""
    random_ = random.Random(seed)
    paper = Paper(_title(random_))
    for heading in HEADINGS[:sections]:
        paper.parts.append(Part("heading", heading))
        for k in range(random_.randint(2, 3)):
            if k and random_.random() < 0.35:
                name = f"{random_.choice(ADJECTIVES)} {random_.choice(WORDS)}".capitalize()
                paper.parts.append(Part("heading", name, level=2))
            paper.parts.append(Part("paragraph", paragraph(random_)))
            for _ in range(random_.randint(0, 2)):
                paper.parts.append(Part("formula", formula(random_, extra)))
                if random_.random() < 0.7:
                    paper.parts.append(Part("paragraph", paragraph(random_, 2)))
        if random_.random() < 0.5:
            paper.parts.append(Part("table", rows=table(random_)))
        if random_.random() < 0.4:
            items = tuple(sentence(random_) for _ in range(random_.randint(2, 4)))
            paper.parts.append(Part("list", items=items))
        if random_.random() < 0.25:
            paper.parts.append(Part("code", code(random_)))
        if paper.parts[-1].kind != "paragraph":
            paper.parts.append(Part("paragraph", paragraph(random_, 2)))
    return paper


def _title(random_: random.Random) -> str:
    one, two = random_.sample(WORDS, 2)
    return f"On the {random_.choice(ADJECTIVES)} {one} of {two} models".title()


def sentence(random_: random.Random) -> str:
    """Draw a sentence, some with a formula or a number in line."""
    noun, other, third = random_.sample(WORDS, 3)
    words = f"The {random_.choice(ADJECTIVES)} {noun} {random_.choice(VERBS)} the {other}"
    ending = random_.random()
    if ending < 0.3:
        words += f" of ${random_.choice(INLINE)}$ in every {third}"
    elif ending < 0.45:
        words += f" after {random_.randint(2, 90)} thousand steps"
    elif ending < 0.6:
        words += f", while a {random_.choice(ADJECTIVES)}-{noun} {third} stays as it was"
    else:
        words += f" and the {random_.choice(ADJECTIVES)} {third}"
    return words + "."


def paragraph(random_: random.Random, least: int = 3) -> str:
    """Draw a paragraph."""
    return " ".join(sentence(random_) for _ in range(random_.randint(least, least + 3)))


def formula(random_: random.Random, extra: tuple[str, ...] = ()) -> str:
    """Draw a formula of a loss, of its parts or of what papers have beside them."""
    m, lam = random_.choice("mnN"), random_.choice([r"\lambda", r"\gamma", r"\beta", r"\alpha"])
    a, b = random_.sample("abcuvw", 2)
    x_mean = random_.choice([
        r"\mathbb{E}_{x \sim p_{\mathrm{data}}}", r"\mathbb{E}_{x \sim p_r}", r"\mathbb{E}_x",
        rf"\frac{{1}}{{{m}}} \sum_{{i=1}}^{{{m}}}",
    ])  # fmt: skip
    z_mean = r"\mathbb{E}_{z \sim p_z}" if "E" in x_mean else x_mean
    x, z = ("x_i", "z_i") if "sum" in x_mean else ("x", "z")
    name = random_.choice([r"\mathcal{L}_", "L_", "J_"])
    pool = (
        rf"{name}D = -{x_mean}[\log D({x})] - {z_mean}[\log(1 - D(G({z})))]",
        rf"{name}G = -{z_mean}[\log D(G({z}))]",
        rf"{name}D = {x_mean}[\max(0, 1 - D({x}))] + {z_mean}[\max(0, 1 + D(G({z})))]",
        rf"{name}D = {z_mean}[D(G({z}))] - {x_mean}[D({x})] + {lam} "
        r"\mathbb{E}_{\hat{x}}[(\|\nabla_{\hat{x}} D(\hat{x})\|_2 - 1)^2]",
        rf"{name}D = \frac{{1}}{{2}} {x_mean}[(D({x}) - 1)^2] + "
        rf"\frac{{1}}{{2}} {z_mean}[D(G({z}))^2]",
        rf"R_1 = \frac{{{lam}}}{{2}} {x_mean}[\|\nabla_x D({x})\|^2]",
        rf"L = \frac{{1}}{{{m}}} \sum_{{i=1}}^{{{m}}} \|x_i - \hat{{x}}_i\|^2 - "
        r"\frac{1}{2} \sum_{j=1}^{J} (1 + \log \sigma_j^2 - \mu_j^2 - \sigma_j^2)",
        rf"L = \|x - \hat{{x}}\|^2 + {lam} D_{{\mathrm{{KL}}}}(q(z|x) \| p(z))",
        rf"s = \sqrt{{{a}^2 + {b}^2}} - \frac{{{a} + {b}}}{{1 + e^{{-{a}}}}}",
        rf"{name}G = -{z_mean}[D(G({z}))] + {lam} \|{a} - {b}\|_1",
        rf"\theta_{{t+1}} = \theta_t - \eta \nabla_\theta {name}G",
        rf"w_i = \frac{{\exp({a}_i)}}{{\sum_{{j=1}}^{{n}} \exp({a}_j)}}",
        r"\hat{x} = \epsilon x + (1 - \epsilon) G(z)",
        rf"\frac{{\partial {name}D}}{{\partial \theta}} = {a}_0 + {b}_{{k-1}}^{{2}}",
        r"D^*(x) = \frac{p_r(x)}{p_r(x) + p_g(x)}",
        r"\min_G \max_D V(D, G) = \mathbb{E}_x[\log D(x)] + \mathbb{E}_z[\log(1 - D(G(z)))]",
        r"p(x) = \int p(x|z) p(z) dz",
        rf"\mathcal{{N}}({a}, \sigma^2 I)",
    )
    return random_.choice([*pool, *extra])


def table(random_: random.Random) -> tuple[tuple[str, ...], ...]:
    """Draw a table of settings or of results."""
    if random_.random() < 0.5:
        settings = [
            ("learning rate", f"{random_.choice([1, 2, 5])}e-{random_.randint(3, 5)}"),
            ("batch size", str(2 ** random_.randint(4, 9))),
            ("beta1", random_.choice(["0.0", "0.5", "0.9"])),
            ("latent size", str(2 ** random_.randint(4, 8))),
            ("steps", f"{random_.randint(10, 400)},000"),
            ("optimiser", random_.choice(["Adam", "RMSprop", "SGD"])),
        ]
        return (("setting", "value"), *random_.sample(settings, random_.randint(3, 6)))
    columns = random_.sample(["FID", "IS", "KID", "recall", "precision"], random_.randint(2, 4))
    rows = [
        (name, *(f"{random_.uniform(0.5, 90):.{random_.randint(1, 2)}f}" for _ in columns))
        for name in random_.sample(["WGAN", "SNGAN", "StyleGAN", "VAE", "ours", "DCGAN"], 4)
    ]
    return (("model", *columns), *rows)


def code(random_: random.Random) -> str:
    """Draw a few lines of code."""
    name = random_.choice(WORDS)
    return (
        f"for step in range({random_.randint(2, 9)}000):\n    loss = {name}(batch)\n"
        f"    loss.backward()\n    {name}_optimiser.step()"
    )
