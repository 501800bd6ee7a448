"""Counts which nodes may still take a node's outputs, so that a run can release unused ones.

Uses links and ids, no values. Loops, no recursion: a chain may be as long as memory allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping

from engine.graph.prompt import PromptNode


class Consumers:
    """The consumers of each node of a run.

    A node is *live* from when it, or a node that may request it, is demanded, until it is settled.
    Live nodes are the consumers of their sources. A live node without consumers that nothing
    demanded is never called; it stops being live too.

    Args:
        nodes: of the graph; may grow.
        demanded: the nodes that will be settled in any case.
        settled: the nodes whose outputs are there.
        on_live: called with a node that has become live.
        on_unused: called with a node that was live, when nothing will take its outputs any more:
            once it is settled, or instead of that.
    """

    def __init__(
        self,
        nodes: Mapping[str, PromptNode],
        *,
        demanded: Container[str],
        settled: Container[str],
        on_live: Callable[[str], None],
        on_unused: Callable[[str], None],
    ) -> None:
        self._nodes = nodes
        self._demanded = demanded
        self._settled = settled
        self._on_live = on_live
        self._on_unused = on_unused
        self._live: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._wanted: set[str] = set()

    def add(self, node_ids: Iterable[str]) -> None:
        """These nodes, and all that they may request, may be called."""
        for node_id in node_ids:
            self._add(node_id)

    def want(self, node_ids: Iterable[str]) -> None:
        """The same for nodes that will be demanded: they are used until they are settled."""
        for node_id in node_ids:
            self._add(node_id)
            if node_id in self._live and node_id not in self._wanted:
                self._wanted.add(node_id)
                self._counts[node_id] += 1

    def hold(self, node_ids: Iterable[str]) -> None:
        """Something other than a node will take the outputs of these, and `drop` them."""
        for node_id in node_ids:
            self._add(node_id)
            self._counts[node_id] += 1

    def drop(self, node_ids: Iterable[str]) -> None:
        """The opposite of `hold`."""
        for node_id in node_ids:
            if self._take_off(node_id):
                self._end(node_id)

    def settle(self, node_id: str) -> None:
        """A node has its outputs, or has shown its result without them."""
        if node_id in self._wanted:
            self._wanted.remove(node_id)
            self._counts[node_id] -= 1
        self._end(node_id)
        if self._counts[node_id] <= 0:
            self._on_unused(node_id)

    def _add(self, start: str) -> None:
        stack = [start]
        while stack:
            node_id = stack.pop()
            if node_id in self._live or node_id in self._settled:
                continue
            self._live.add(node_id)
            self._on_live(node_id)
            for source in self._sources(node_id):
                self._counts[source] += 1
                stack.append(source)

    def _end(self, start: str) -> None:
        """A node takes nothing any more."""
        stack = [start]
        while stack:
            node_id = stack.pop()
            if node_id in self._live:
                self._live.remove(node_id)
                stack += [each for each in self._sources(node_id) if self._take_off(each)]

    def _take_off(self, node_id: str) -> bool:
        """Remove a consumer of a node; returns whether the node will take nothing any more."""
        self._counts[node_id] -= 1
        if self._counts[node_id] > 0:
            return False
        if node_id in self._settled:
            self._on_unused(node_id)
            return False
        if node_id not in self._live or node_id in self._demanded:
            return False
        self._on_unused(node_id)
        return True

    def _sources(self, node_id: str) -> set[str]:
        return {link.node for _, link in self._nodes[node_id].links()}
