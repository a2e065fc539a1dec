"""Surrogates of the objective that Bayesian optimisation climbs: mean and deviation at points."""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np

from dlcc.errors import OptionError, did_you_mean
from dlcc.typing import Floats

LENGTH, NOISE = 0.5, 0.15
"""Length scale of the Gaussian process in decades, and deviation of its noise in that of y."""
_TREES, _NETS, _HIDDEN = 60, 5, 16


class Surrogate(Protocol):
    """Model of y over x that knows how sure it is.

    >>> model: Surrogate = GaussianProcess()
    >>> model.fit(np.array([[0.0], [1.0]]), np.array([0.0, 1.0]))
    >>> mean, deviation = model.predict(np.array([[0.0], [9.0]]))
    >>> bool(deviation[0] < deviation[1])
    True
    """

    def fit(self, x: Floats, y: Floats) -> None:
        """Fit the model.

        Args:
            x: Points [n, d].
            y: Values [n].
        """
        ...

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Predict means and standard deviations.

        Args:
            x: Points [m, d].

        Returns:
            Means [m] and standard deviations [m].
        """
        ...


class GaussianProcess:
    """Gaussian process of scikit-learn: a squared exponential kernel, and noise.

    Its length scale is set and not fitted: of ten noisy windows the likelihood says little, and a
    fit takes longer than a window's steps may cost.
    """

    def __init__(self, length: float = LENGTH, noise: float = NOISE) -> None:
        self.length, self.noise = length, noise

    def fit(self, x: Floats, y: Floats) -> None:
        """Condition the process on values [n] at points [n, d]."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF

        self._model = GaussianProcessRegressor(
            RBF(self.length), alpha=self.noise**2, optimizer=None, normalize_y=True
        ).fit(x, y)

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute posterior means [m] and deviations [m] at points [m, d]."""
        mean, deviation = self._model.predict(x, return_std=True)
        return np.asarray(mean), np.asarray(deviation)


class Forest:
    """Random forest of scikit-learn; its deviation is that of its trees."""

    def fit(self, x: Floats, y: Floats) -> None:
        """Grow trees on values [n] at points [n, d]."""
        from sklearn.ensemble import RandomForestRegressor

        self._model = RandomForestRegressor(_TREES, random_state=0).fit(x, y)

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute the trees' mean [m] and deviation [m] at points [m, d]."""
        each = np.stack([tree.predict(x) for tree in self._model.estimators_])
        return each.mean(axis=0), each.std(axis=0)


class Networks:
    """Few small networks of scikit-learn; their deviation is that among them."""

    def fit(self, x: Floats, y: Floats) -> None:
        """Train the networks on values [n] at points [n, d]."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        self._middle, self._scale = float(y.mean()), float(y.std()) or 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._models = [
                MLPRegressor(
                    hidden_layer_sizes=(_HIDDEN,),
                    activation="tanh",
                    solver="lbfgs",
                    max_iter=100,
                    random_state=k,
                ).fit(x, (y - self._middle) / self._scale)
                for k in range(_NETS)
            ]

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute the networks' mean [m] and deviation [m] at points [m, d]."""
        each = np.stack([model.predict(x) for model in self._models])
        return self._middle + self._scale * each.mean(axis=0), self._scale * each.std(axis=0)


class NoData:
    """No model of the data: 0 everywhere, so that only what is assumed beforehand counts."""

    def fit(self, x: Floats, y: Floats) -> None:
        """Take no notice of values [n] at points [n, d]."""

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Return zeros [m] and zeros [m] for points [m, d]."""
        return np.zeros(len(x)), np.zeros(len(x))


SURROGATES = ("gp", "forest", "mlp", "prior", "random-walk")
"""Names of surrogates; `random-walk` has none and moves at random within the same trust region, and
`prior` sees no data: both are controls."""


def make_surrogate(name: str) -> Surrogate | None:
    """Make a surrogate by its name.

    Args:
        name: One of `SURROGATES`.

    Returns:
        The surrogate; None for the random walk.

    Raises:
        OptionError: There is no such surrogate.

    >>> make_surrogate("random-walk") is None
    True
    """
    if name not in SURROGATES:
        raise OptionError(
            f"control: no surrogate is called {name!r}{did_you_mean(name, SURROGATES)}; choose one "
            f"of {', '.join(SURROGATES)}"
        )
    known: dict[str, type[Surrogate]] = {
        "gp": GaussianProcess,
        "forest": Forest,
        "mlp": Networks,
        "prior": NoData,
    }
    return known[name]() if name in known else None
