"""Signs the nodes of a run, and reads their classes' schemas, each once."""

from __future__ import annotations

from typing import Any

from engine.errors import NodeError, Stopped
from engine.execute.coroutines import Coroutines
from engine.execute.failures import NodeFailure, explained, failure
from engine.execute.inputs import ClassInfo, constants, is_current, read_info
from engine.execute.live import GrowingGraph
from engine.execute.run_services import RunServices
from engine.graph.signature import Signature, sign
from engine.nodekit.node import Node


class Signer:
    """The signatures and classes of a run's nodes.

    Attributes:
        signatures: by node id.
        infos: by class, those that this run uses.
        sees_graph: whether a node that was signed is given the graph or links in it: what it
            expands to may link to any other node.
    """

    def __init__(
        self,
        graph: GrowingGraph,
        given: RunServices,
        coroutines: Coroutines,
        executed: list[str],
    ) -> None:
        self.signatures: dict[str, Signature] = {}
        self.infos: dict[str, ClassInfo] = {}
        self.sees_graph = False
        self._graph = graph
        self._given = given
        self._coroutines = coroutines
        self._executed = executed

    def info(self, node_id: str) -> ClassInfo:
        """What is needed to run a node.

        Raises:
            NodeFailure: there is no class of that name, or it cannot be read.
        """
        class_type = self._graph.node(node_id).class_type
        info = self.infos.get(class_type)
        if info is not None:
            return info
        node = self._given.registry.get(class_type)
        if node is None:
            missing = f"there is no node class {class_type!r}; install the plugin that brings it"
            raise self._failure(node_id, NodeError(missing))
        try:
            info = self.infos[class_type] = self._read_info(class_type, node)
        except (Exception, SystemExit) as error:
            raise self._failure(node_id, error) from error
        return info

    def sign(self, node_id: str, known: Signature | None = None) -> None:
        """Sign a node whose sources are signed; `known` is its signature, if that is known.

        Raises:
            NodeFailure: there is no class of that name, or it cannot be read.
        """
        info = self.info(node_id)
        self.sees_graph = self.sees_graph or info.sees_graph
        self.signatures[node_id] = known or sign(
            self._graph.prompt,
            node_id,
            self._fingerprint(node_id, info) if info.traits.fingerprints else None,
            self.signatures,
            include_id=info.by_id,
            output=info.schema.is_output,
        )

    def _read_info(self, class_type: str, node: Node) -> ClassInfo:
        """What is needed to run a class; read again where it has changed since an earlier run."""
        before = self._given.infos.get(class_type)
        if before is None or not is_current(before, node):
            before = self._given.infos[class_type] = read_info(node)
        return before

    def _fingerprint(self, node_id: str, info: ClassInfo) -> Any:
        """A node's fingerprint; NaN, never the same twice, where it raises."""
        literals = constants(self._graph.node(node_id))
        try:
            said = info.node.fingerprint_of(literals, self._given.context(node_id, self._graph))
            return self._coroutines.now(said)
        except Stopped:
            raise
        except (Exception, SystemExit):  # noqa: BLE001 - the node is run, and reports the error itself
            return float("nan")

    def _failure(self, node_id: str, error: Exception | SystemExit) -> NodeFailure:
        given = self._given
        return failure(
            given.prompt_id,
            self._graph.node_ref(node_id),
            self._graph.node(node_id).class_type,
            error,
            inputs={},
            executed=self._executed,
            message=explained(error, given.explain),
        )
