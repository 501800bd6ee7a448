"""What a validation has found so far: problems by node, up to what a report can hold.

A hostile prompt has a million faults; each costs a place in a set, and only the first ones are
described.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.graph.problems import NodeProblems, Problem
from engine.graph.prompt import Prompt

MOST_PROBLEMS = 5000
"""The maximum number of problems described; each takes some hundred bytes."""
MOST_OUTPUTS = 100
"""Failed outputs that are listed with each node at fault."""
MOST_OUTPUTS_IN_ALL = 10_000


class Findings:
    """Problems as they are found.

    Attributes:
        omitted: how many are not described.
        failed: the nodes that cannot run, because of themselves or of what they need.
    """

    def __init__(self) -> None:
        self.omitted = 0
        self.failed: set[str] = set()
        self._found: dict[str, list[Problem]] = {}
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether further problems are only counted."""
        return self._count >= MOST_PROBLEMS

    def add(self, node_id: str, problem: Problem) -> None:
        """Note a problem of a node."""
        self.failed.add(node_id)
        if self.is_full:
            self.omitted += 1
            return
        self._count += 1
        self._found.setdefault(node_id, []).append(problem)

    def omit(self, node_id: str) -> None:
        """Note that a node has a problem that is not described."""
        self.failed.add(node_id)
        self.omitted += 1

    def by_node(
        self, prompt: Prompt, ordered: Sequence[str], outputs: Sequence[str]
    ) -> dict[str, NodeProblems]:
        """The problems of these nodes, each with the failed outputs that need it.

        Args:
            prompt: what was checked.
            ordered: the nodes that were checked, each after its sources.
            outputs: the requested output nodes.
        """
        dependents = self._dependents(prompt, ordered, [o for o in outputs if o in self.failed])
        left = MOST_OUTPUTS_IN_ALL
        made: dict[str, NodeProblems] = {}
        for node_id in ordered:
            if node_id in self._found:
                named = dependents.get(node_id, ())[:left]
                left -= len(named)
                class_type = prompt.nodes[node_id].class_type
                made[node_id] = NodeProblems(class_type, tuple(self._found[node_id]), named)
        return made

    def _dependents(
        self, prompt: Prompt, ordered: Sequence[str], bad: Sequence[str]
    ) -> Mapping[str, tuple[str, ...]]:
        """For each node with problems, the first of the failed outputs that need it.

        From the outputs up to their sources, each node passes its list on and releases it, so that
        there are never more lists than nodes at the frontier of the search.
        """
        if not self._found:
            return {}
        places: dict[str, tuple[int, ...]] = {key: (at,) for at, key in enumerate(bad)}
        found: dict[str, tuple[str, ...]] = {}
        for node_id in reversed(ordered):
            own = places.pop(node_id, ())
            if not own:
                continue
            if node_id in self._found:
                found[node_id] = tuple(bad[at] for at in own)
            for source in {link.node for _, link in prompt.nodes[node_id].links()}:
                if source != node_id:
                    places[source] = _merged(own, places.get(source, ()))
        return found


def _merged(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The smallest of both, in order."""
    if not other or one is other or one == other:
        return one
    if one[-1] < other[0]:
        return (one + other)[:MOST_OUTPUTS]
    return tuple(sorted({*one, *other})[:MOST_OUTPUTS])


def described(errors: Iterable[NodeProblems], omitted: int, most: int) -> str:
    """The first of these problems, one on a line, and how many more there are."""
    lines = [f"{each.message}: {each.details}" for node in errors for each in node.errors]
    more = len(lines) - most + omitted if len(lines) > most else omitted
    return "\n".join([*lines[:most], *([f"and {more:,} more"] if more else [])])
