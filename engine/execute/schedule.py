"""Pending dependencies of each node, and which node is next."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping


class Schedule:
    """Counts the pending dependencies of each demanded node.

    Of the nodes that wait for nothing, the one of the lowest rank is next.

    Args:
        ranks: of every node that may wait; may grow.
    """

    def __init__(self, ranks: Mapping[str, int]) -> None:
        self._ranks = ranks
        self._waiting: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = {}
        self._ready: list[tuple[int, str]] = []

    def __contains__(self, node_id: object) -> bool:
        """Whether the node was demanded and is not settled."""
        return node_id in self._waiting

    def __iter__(self) -> Iterator[str]:
        """The nodes that were demanded and are not settled."""
        return iter(self._waiting)

    def wait(self, node_id: str, sources: Iterable[str]) -> None:
        """Make a node wait for these sources; ready immediately where there are none."""
        count = 0
        for source in sources:
            count += 1
            waiting = self._dependents.get(source)
            if waiting is None:
                self._dependents[source] = [node_id]
            else:
                waiting.append(node_id)
        self._waiting[node_id] = count
        if not count:
            heapq.heappush(self._ready, (self._ranks[node_id], node_id))

    def settle(self, node_id: str) -> None:
        """A node is done: it is no longer a pending dependency."""
        self._waiting.pop(node_id, None)
        for dependent in self._dependents.pop(node_id, ()):
            left = self._waiting[dependent] = self._waiting[dependent] - 1
            if not left:
                heapq.heappush(self._ready, (self._ranks[dependent], dependent))

    def next(self) -> str | None:
        """A node without pending dependencies, or None."""
        return heapq.heappop(self._ready)[1] if self._ready else None
