"""Novelty stage: the place of the run among past ones, and the outcomes of its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from dlcc.errors import OptionError
from dlcc.findings import Finding
from dlcc.kinds import kind_of
from dlcc.past_runs.independence import independence
from dlcc.past_runs.similarity import FEWEST_RUNS, OUTSIDE, Space
from dlcc.past_runs.store import nearest_fraction
from dlcc.records import Config, HealthRecord, Neighbourhood, PastNeighbour, Series
from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult
from dlcc.stages.novelty.regions import Region, region_of

_MORE_THAN_USUAL = 0.1


@dataclass(frozen=True)
class Novelty(Stage):
    """Place of the run among past ones, the outcomes of the nearest, and its independence."""

    name: ClassVar = "novelty"
    needs: ClassVar = (Config, Series, HealthRecord)
    gives: ClassVar = (Neighbourhood,)

    shown: int = 8
    """Number of nearest past runs that are shown."""

    def __post_init__(self) -> None:
        if self.shown < 1:
            raise OptionError(f"novelty.shown {self.shown}: expected 1 or more")

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        health, config = case[HealthRecord], case[Config]
        library = ctx.similar_runs(config.objective).excluding(case[Series]).untampered
        if len(library) < FEWEST_RUNS:
            raise NotApplicable(f"the library has {len(library)} runs; {FEWEST_RUNS} are needed")
        series_only = len(health.figures) == 0
        space = Space(library, nearest_fraction(health.seen), series_only)
        point = space.standardised(space.raw_of(health.features, config.config))
        found, distances = space.nearest(point[None, :], min(self.shown, len(library)))
        ctx.progress(0.2, "the run graph")
        independent = independence(space, point, ctx.rng)
        record = Neighbourhood(
            nearest=tuple(
                PastNeighbour(
                    data=str(library.data[i]),
                    config=library.configs[i],
                    label=library.label_of(i),
                    stability=float(library.stability[i]),
                    distance=float(d / space.usual_distance),
                )
                for i, d in zip(found[0], distances[0], strict=True)
            ),
            distance=space.distance(point),
            independence=independent.mean,
        )
        region = region_of(
            space,
            health.features,
            kind_of(config.objective),
            str(config.objective.get("loss", "")),
        )
        return StageResult(
            terms={"novelty": independent},
            records=[record],
            findings=list(_findings(record, region)),
            details={
                "note": f"independence among {len(library):,} past runs",
                "distance": round(record.distance, 4),
                "nearest": [f"{n.label} ({n.data}, {n.distance:.2f})" for n in record.nearest],
                "region": None if region is None else region.words,
            },
        )


def _findings(record: Neighbourhood, region: Region | None) -> Iterator[Finding]:
    if region is not None and region.share.interval(0.9)[0] > region.usual + _MORE_THAN_USUAL:
        yield Finding(
            "NOV001",
            f"Of {region.runs} past runs in which {region.words}, {region.failed} failed "
            f"({100 * region.usual:.0f} % of all do).",
            evidence={"runs": region.runs, "failed": region.failed, "usual": region.usual},
        )
    if record.distance > OUTSIDE:
        yield Finding(
            "NOV002",
            f"It lies {record.distance:.1f} times as far from past runs as 90 % of these do from "
            "each other.",
            evidence={"distance": round(record.distance, 4)},
        )
