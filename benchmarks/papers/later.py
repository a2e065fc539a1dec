"""Content that was written after the reader was frozen: formulas, and styles of figures."""

from __future__ import annotations

FORMULAS: tuple[str, ...] = (
    r"\mathcal{L}_{\mathrm{ELBO}} = \mathbb{E}_{q_\phi(z|x)}[\log p_\theta(x|z)] - "
    r"D_{\mathrm{KL}}(q_\phi(z|x) \| p(z))",
    r"W(p_r, p_g) = \sup_{\|f\|_L \leq 1} \mathbb{E}_{x \sim p_r}[f(x)] - "
    r"\mathbb{E}_{x \sim p_g}[f(x)]",
    r"L_D = \mathbb{E}_{x \sim p_r}\left[\log\left(1 + e^{-D(x)}\right)\right] + "
    r"\mathbb{E}_{z \sim p_z}\left[\log\left(1 + e^{D(G(z))}\right)\right]",
    r"L_G = \frac{1}{2} \mathbb{E}_{z \sim p_z}\left[(D(G(z)) - 1)^2\right]",
    r"d^2 = \|\mu_r - \mu_g\|^2 + \mathrm{Tr}(\Sigma_r + \Sigma_g - 2(\Sigma_r \Sigma_g)^{1/2})",
    r"x_t = \sqrt{\bar{\alpha}_t} x_0 + \sqrt{1 - \bar{\alpha}_t} \epsilon",
    r"p(x_{1:T}) = \prod_{t=1}^{T} p(x_t | x_{t-1})",
    r"c = \frac{1}{1 + \frac{a}{b + c}}",
    r"k(x, y) = \exp\left(-\frac{\|x - y\|^2}{2 \sigma^2}\right)",
    r"L = -\frac{1}{N} \sum_{i=1}^{N} "
    r"\log \frac{e^{s_{ii} / \tau}}{\sum_{j=1}^{N} e^{s_{ij} / \tau}}",
    r"\nabla_\theta J = \mathbb{E}_\pi[\nabla_\theta \log \pi_\theta(a|s) A(s, a)]",
    r"\hat{\theta} = \arg\min_\theta \sum_{i=1}^{n} \ell(f_\theta(x_i), y_i)",
    r"y' = \gamma \frac{x - \mu_B}{\sqrt{\sigma_B^2 + \epsilon}} + \beta",
    r"\int_0^1 f(t) dt = F(1) - F(0)",
    r"L_1 + L_2 \geq 0.5 \cdot 10^{-3}",
    r"v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2",
    r"L_D = -\frac{1}{m} \sum_{i=1}^{m} D(x_i) + \frac{1}{m} \sum_{i=1}^{m} D(G(z_i))",
)
LATEX_FORMULAS: tuple[str, ...] = (
    r"f(x) = \begin{cases} x & x > 0 \\ 0 & x \leq 0 \end{cases}",
    r"A = \begin{pmatrix} a & b \\ c & d \end{pmatrix}",
    r"\binom{n}{k} = \frac{n!}{k! (n - k)!}",
    r"\underbrace{a + b}_{c} = d",
)
"""Formulas that only TeX sets; most have no rule to tell what is above what."""
FORMULAS_OF_THE_SECOND_DRAW: tuple[str, ...] = (
    r"L_G = \mathbb{E}_{z \sim p_z}[(D(G(z)) - 1)^2] + \frac{\beta}{2} \|w\|^2",
    r"L_D = \mathbb{E}_{x \sim p_r}[\max(0, m - D(x))] + "
    r"\mathbb{E}_{z \sim p_z}[\max(0, m + D(G(z)))]",
    r"\mathrm{KL}(p \| q) = \int p(x) \log \frac{p(x)}{q(x)} dx",
    r"\mathrm{IS} = \exp(\mathbb{E}_x[\mathrm{KL}(p(y|x) \| p(y))])",
    r"\sigma(a) = \frac{1}{1 + e^{-a}}",
    r"\lambda_{\max} \leq \frac{2}{\eta}",
    r"z = \mu + \sigma \odot \epsilon",
    r"\|D(x) - D(y)\| \leq K \|x - y\|",
    r"L = \sum_{k=1}^{K} \alpha_k "
    r"\left(\frac{1}{n} \sum_{i=1}^{n} (x_{ik} - \hat{x}_{ik})^2\right)",
    r"H(p) = -\sum_x p(x) \log p(x)",
)
"""Formulas that were written after what the first draw showed was mended."""
FIGURE_STYLES: tuple[str, ...] = (
    "bmh", "classic", "seaborn-v0_8-whitegrid", "ggplot", "dark_background",
)  # fmt: skip
LATEX_STYLES: dict[str, str] = {
    "two columns of Charter": r"\documentclass[twocolumn,a4paper]{article}"
    r"\usepackage{amsmath,amssymb,booktabs}\usepackage{charter}\usepackage[margin=1.8cm]{geometry}",
    "KOMA and Palatino": r"\documentclass[11pt]{scrartcl}\usepackage{amsmath,amssymb,booktabs}"
    r"\usepackage{mathpazo}",
    "formulas to the left": r"\documentclass[fleqn,leqno]{article}"
    r"\usepackage{amsmath,amssymb,booktabs}",
    "amsart": r"\documentclass{amsart}\usepackage{amssymb,booktabs}",
}
