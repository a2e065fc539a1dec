"""Judgement of a run: score, P(healthy and true), label, and the axioms that they satisfy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcc.scoring.axioms import Axiom, check_axioms
from dlcc.scoring.calibration import Probability
from dlcc.scoring.fusion import Score


@dataclass(frozen=True)
class Judgement:
    """Everything that scoring says of a run."""

    score: Score
    """V, its weights, what was imputed, and its correction."""
    probability: Probability | None
    """P(healthy and true); None where nothing told of its health."""
    label: str | None
    """Label of the verdict; None where there is none."""
    axioms: tuple[Axiom, ...]
    """Statements that every judgement must satisfy, checked on this one."""

    @classmethod
    def of(cls, score: Score, probability: Probability | None, label: str | None) -> Judgement:
        """Judge a run: check the axioms of its score and of its probability.

        Args:
            score: V of the run with its terms, weights and correction.
            probability: P(healthy and true); None where nothing told of its health.
            label: Label of the verdict; None where there is none.

        Returns:
            The judgement, with every axiom checked.
        """
        apart = probability is not None and disagree(probability, label)
        return cls(score, probability, label, check_axioms(score, probability, label, apart))


def disagree(probability: Probability, label: str | None) -> bool:
    """Tell whether a label and P(healthy and true) point different ways."""
    return (label == "healthy") != (float(probability.both.mean()) >= 0.5)
