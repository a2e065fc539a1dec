"""Argumentation framework: arguments, attacks, and the sets of arguments that can stand together.

P. M. Dung, "On the acceptability of arguments and its fundamental role in nonmonotonic reasoning,
logic programming and n-person games", Artificial Intelligence 77 (1995), definitions 2 to 25.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

_MOST_ARGUMENTS = 40  # preferred extensions are found by enumerating conflict-free sets


@dataclass(frozen=True)
class Framework:
    """Arguments by name, and attacks as pairs (attacker, attacked).

    >>> two = Framework(("a", "b", "c"), (("a", "b"), ("b", "c")))
    >>> sorted(two.grounded), len(two.preferred)
    (['a', 'c'], 1)
    >>> torn = Framework(("a", "b"), (("a", "b"), ("b", "a")))
    >>> sorted(torn.grounded), len(torn.preferred)
    ([], 2)
    """

    arguments: tuple[str, ...]
    attacks: tuple[tuple[str, str], ...]

    @cached_property
    def _graph(self) -> nx.DiGraph[str]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.arguments)
        graph.add_edges_from(self.attacks)
        return graph

    def attackers(self, argument: str) -> frozenset[str]:
        """Arguments that attack one."""
        return frozenset(self._graph.predecessors(argument))

    @cached_property
    def grounded(self) -> frozenset[str]:
        """Grounded extension: what stands whichever side one takes, the least fixed point of
        defence."""
        standing: frozenset[str] = frozenset()
        while True:
            defended = frozenset(a for a in self.arguments if self._defends(standing, a))
            if defended == standing:
                return standing
            standing = defended

    @cached_property
    def preferred(self) -> tuple[frozenset[str], ...]:
        """Preferred extensions: the largest sets without an attack among them that defend
        themselves, in the order of their names.

        Raises:
            ValueError: There are more than 40 arguments.
        """
        if len(self.arguments) > _MOST_ARGUMENTS:
            raise ValueError(f"{len(self.arguments)} arguments: expected {_MOST_ARGUMENTS} at most")
        admissible = {self._largest_admissible(free) for free in self._conflict_free()}
        largest = [one for one in admissible if not any(one < other for other in admissible)]
        return tuple(sorted(largest, key=sorted))

    def _conflict_free(self) -> Iterator[frozenset[str]]:
        """Largest sets without an attack among them."""
        selfless = [a for a in self.arguments if not self._graph.has_edge(a, a)]
        peace: nx.Graph[str] = nx.complement(self._graph.subgraph(selfless).to_undirected())
        for clique in nx.find_cliques(peace):
            yield frozenset(clique)

    def _largest_admissible(self, members: Iterable[str]) -> frozenset[str]:
        """Largest subset of a conflict-free set that defends all of its members."""
        left = frozenset(members)
        while True:
            defended = frozenset(a for a in left if self._defends(left, a))
            if defended == left:
                return left
            left = defended

    def _defends(self, members: frozenset[str], argument: str) -> bool:
        """Whether every attacker of an argument is attacked by a member."""
        return all(members & self.attackers(attacker) for attacker in self.attackers(argument))
