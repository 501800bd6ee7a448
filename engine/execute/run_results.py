"""Results by signature as one run sees them: its own, and those of earlier runs.

A result is not evicted for as long as nodes of the run may take it. Values are not inspected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from engine.execute.cache import Cache, NodeResult
from engine.execute.signer import Signer
from engine.graph.signature import Signature


class RunResults:
    """The results that a run can use.

    Args:
        cache: of all runs.
        files_exist: whether the files that a cached result shows are still there.
    """

    def __init__(self, cache: Cache, files_exist: Callable[[NodeResult], bool]) -> None:
        self._cache = cache
        self._files_exist = files_exist
        self._results: dict[Signature, NodeResult] = {}
        self._users: Counter[Signature] = Counter()
        self._checked: set[Signature] = set()

    def is_cached(self, signature: Signature) -> bool:
        """Whether an earlier run cached the result; one whose files were deleted is dropped."""
        result = self._cache.peek(signature)
        return result is not None and self._is_whole(signature, result)

    def record(self, signature: Signature) -> NodeResult | None:
        """What a node showed whose outputs were evicted; None where its files were deleted."""
        result = self._cache.record(signature)
        return result if result is not None and self._is_whole(signature, result) else None

    def find(self, signature: Signature) -> NodeResult | None:
        """The result of that signature, of this run or an earlier one."""
        result = self._results.get(signature)
        if result is None and self.is_cached(signature):
            result = self._cache.get(signature)
            if result is not None:
                self._results[signature] = result
        return result

    def seconds(self, signature: Signature) -> float:
        """The seconds that it took to compute a result in use."""
        return self._results[signature].seconds

    def put(self, signature: Signature, result: NodeResult) -> None:
        """A node of this run made a result."""
        self._results[signature] = result
        self._cache.put(signature, result)

    def use(self, signature: Signature) -> None:
        """One more node may take or make this result."""
        self._users[signature] += 1

    def release(self, signature: Signature) -> None:
        """The opposite of `use`; after the last one the result may be evicted."""
        self._users[signature] -= 1
        if self._users[signature] <= 0:
            del self._users[signature]
            self._results.pop(signature, None)
            self._cache.unpin(signature)

    def _is_whole(self, signature: Signature, result: NodeResult) -> bool:
        """Whether its files exist; checked once in a run."""
        if result.shown and signature not in self._checked:
            if not self._files_exist(result):
                self._cache.remove(signature)
                return False
            self._checked.add(signature)
        return True


class Outputs:
    """The outputs of a run's nodes, for as long as something may take them.

    Attributes:
        by_node: by node id, of the nodes that are settled and not released.
    """

    def __init__(self, results: RunResults, signer: Signer) -> None:
        self.by_node: dict[str, tuple[list[Any], ...]] = {}
        self._all = results
        self._signer = signer

    def use(self, node_id: str) -> None:
        """A node may be called."""
        self._all.use(self._signer.signatures[node_id])

    def release(self, node_id: str) -> None:
        """Nothing takes the outputs of a node any more, as far as is known."""
        if not self._signer.sees_graph:
            self.by_node.pop(node_id, None)
            self._all.release(self._signer.signatures[node_id])
