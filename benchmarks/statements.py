"""Provers on true and false statements of the field: what each decides, and what is certified.

    python benchmarks/statements.py

`statements/true_first.txt` and `false_first.txt` were written while the chain was made, the second
files after it was frozen. Nothing false may be proved. Beside the chain stand sympy, Z3 and numbers
alone; certificates are Coq files that `coqc` accepted, whose assumptions are the axioms of the
real numbers.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import write_result

from dlcc.stages.consistency.provers import algebra, coq, numbers, z3_prover
from dlcc.stages.consistency.provers.chain import decide
from dlcc.stages.consistency.provers.statement import Statement, parse_statements

FOLDER = Path(__file__).parent / "statements"


def main() -> None:
    figures: dict[str, Any] = {}
    for half in ("first", "second"):
        for truth in ("true", "false"):
            text = (FOLDER / f"{truth}_{half}.txt").read_text(encoding="utf-8")
            figures[f"{truth}_{half}"] = measured(parse_statements(text), truth == "true")
    totals = {
        truth: {
            key: figures[f"{truth}_first"]["chain"].get(key, 0)
            + figures[f"{truth}_second"]["chain"].get(key, 0)
            for key in ("proved", "refuted", "unknown")
        }
        for truth in ("true", "false")
    }
    figures["totals"] = totals
    figures["certificates"] = sum(
        figures[f"true_{half}"]["certificates"] for half in ("first", "second")
    )
    print(totals, figures["certificates"])
    write_result("statements", figures, seeds={"points": 0})


def measured(statements: list[Statement], true: bool) -> dict[str, Any]:
    """What the chain and each prover alone decide."""
    chain: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    certificates = 0
    missed: list[str] = []
    for statement in statements:
        decision = decide(statement)
        chain[decision.verdict] += 1
        seconds["chain"] += decision.seconds
        if decision.verdict != ("proved" if true else "refuted"):
            missed.append(f"{statement.name}: {decision.verdict} {decision.method}")
        for name, prover in (("sympy", algebra.prove), ("z3", z3_prover.prove)):
            started = time.perf_counter()
            alone[name] += prover(statement)
            seconds[name] += time.perf_counter() - started
        started = time.perf_counter()
        alone["numbers_refute"] += numbers.refute(statement) is not None
        seconds["numbers"] += time.perf_counter() - started
        if true:
            started = time.perf_counter()
            certificates += coq.certify(statement) is not None
            seconds["coq"] += time.perf_counter() - started
        print(statement.name, decision.verdict, decision.method, decision.reason, flush=True)
    return {
        "statements": len(statements),
        "chain": dict(chain),
        "alone": dict(alone),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "certificates": certificates,
        "not_as_hoped": missed,
    }


if __name__ == "__main__":
    main()
