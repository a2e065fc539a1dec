"""Weights from pairwise judgements: the analytic hierarchy process (Saaty, 1980).

The weights are the principal eigenvector of the matrix of judgements. The consistency ratio says
how far the judgements contradict each other; from .1 on they are refused. They are the prior only:
`dlcc.scoring.weights` pools them with past runs and reviews.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import OptionError

DEFAULT_JUDGEMENTS = Path(__file__).with_name("pairwise_judgements.json")
"""File with this package's own judgements of the five terms."""
CONSISTENT = 0.1
"""Consistency ratio from which on judgements are refused (Saaty, 1980)."""
# Mean consistency index of random reciprocal matrices of size 1 to 10 (Saaty, 1980).
_RANDOM_INDEX = (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49)


def ahp_weights(path: Path = DEFAULT_JUDGEMENTS) -> dict[str, float]:
    """Derive the weight of each term from a file of pairwise judgements (Saaty, 1980).

    Args:
        path: JSON file with an object `judgements` that maps pairs `"a : b"` to how much more `a`
            counts than `b`: a number or a fraction, 1/9 to 9. Default: this package's own file.

    Returns:
        Term -> weight; weights are positive and sum to 1.

    Raises:
        OptionError: The file cannot be read, has more than ten terms, lacks a pair, or its
            judgements contradict each other (consistency ratio .1 or more). The message names the
            file and the pair.

    >>> from dlcc.scoring import ahp_weights
    >>> {term: round(weight, 2) for term, weight in ahp_weights().items()}
    {'impact': 0.45, 'logic': 0.25, 'reproducibility': 0.15, 'meta': 0.09, 'novelty': 0.06}
    """
    names, matrix = _matrix(path)
    weights, ratio = principal_weights(matrix)
    if ratio >= CONSISTENT:
        worst = _most_contradictory(names, matrix, weights)
        raise OptionError(
            f"{path}: the judgements contradict each other (consistency ratio {ratio:.2f}, "
            f"expected below {CONSISTENT}); reconsider {worst} first"
        )
    return dict(zip(names, (float(w) for w in weights), strict=True))


def principal_weights(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Find the weights behind a matrix of pairwise judgements, and how consistent they are.

    Args:
        matrix: Judgements [n, n], 1 <= n <= 10: entry (i, j) is how much more term i counts than
            term j, entry (j, i) its reciprocal.

    Returns:
        Weights [n], the principal eigenvector scaled to sum 1; and the consistency ratio, 0 for
        judgements that do not contradict each other (Saaty, 1980).

    >>> import numpy as np
    >>> from dlcc.scoring import principal_weights
    >>> weights, ratio = principal_weights(np.array([[1, 2, 4], [1 / 2, 1, 2], [1 / 4, 1 / 2, 1]]))
    >>> weights.round(3).tolist(), abs(round(ratio, 6))
    ([0.571, 0.286, 0.143], 0.0)
    """
    n = len(matrix)
    values, vectors = np.linalg.eig(matrix)
    top = int(np.argmax(values.real))
    weights = np.abs(vectors[:, top].real)
    index = (values[top].real - n) / (n - 1) if n > 1 else 0.0
    random_index = _RANDOM_INDEX[n - 1]
    return weights / weights.sum(), float(index / random_index) if random_index else 0.0


def _matrix(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    judged = _read(path)
    names = list(dict.fromkeys(name for pair in judged for name in pair))
    if len(names) > len(_RANDOM_INDEX):
        raise OptionError(f"{path}: {len(names)} terms; expected at most {len(_RANDOM_INDEX)}")
    matrix = np.eye(len(names))
    for (i, a), (j, b) in itertools.combinations(enumerate(names), 2):
        matrix[i, j] = _judgement(path, judged, a, b)
        matrix[j, i] = 1 / matrix[i, j]
    return names, matrix


def _judgement(path: Path, judged: Mapping[tuple[str, str], float], a: str, b: str) -> float:
    """Look up how much more `a` counts than `b`, judged in either order, or in both alike."""
    there, back = judged.get((a, b)), judged.get((b, a))
    if there is None:
        if back is None:
            raise OptionError(f"{path}: no judgement for '{a} : {b}'; add one")
        return 1 / back
    if back is not None and abs(there * back - 1) > 1e-9:
        raise OptionError(
            f"{path}: '{a} : {b}' is {there:g} and '{b} : {a}' is {back:g}; expected one to be "
            "the reciprocal of the other, or only one of them"
        )
    return there


def _read(path: Path) -> dict[tuple[str, str], float]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(
            f"{path}: cannot be read ({error.strerror}); name a file of judgements"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise OptionError(f"{path}: not valid JSON ({reason}); correct it") from error
    pairs = content.get("judgements") if isinstance(content, Mapping) else None
    if not isinstance(pairs, Mapping) or not pairs:
        raise OptionError(f"{path}: expected an object 'judgements' of pairs 'a : b': value")
    judged = {}
    for key, value in pairs.items():
        names = [name.strip() for name in key.split(":")]
        number = _number(value)
        if len(names) != 2 or not all(names) or number is None:
            raise OptionError(
                f"{path}: {key!r}: {value!r}; expected 'term : term' with a number from 1/9 to 9"
            )
        judged[names[0], names[1]] = number
    return judged


def _number(value: object) -> float | None:
    """Read a judgement: a number, or a fraction written as text, within Saaty's scale."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(Fraction(value)) if isinstance(value, str) else float(value)
    except (ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and 1 / 9 - 1e-9 <= number <= 9 + 1e-9 else None


def _most_contradictory(
    names: list[str], matrix: NDArray[np.float64], weights: NDArray[np.float64]
) -> str:
    error = np.abs(np.log(matrix * weights[None, :] / weights[:, None]))
    i, j = np.unravel_index(int(np.argmax(error)), error.shape)
    return f"'{names[i]} : {names[j]}'"
