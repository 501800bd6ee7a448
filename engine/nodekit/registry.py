"""Every node by name, in any dialect, and the catalog of their schemas.

Imports no nodes: built-in ones are passed in by `nodes`, a plugin's by the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from engine.errors import error_text, is_from_user
from engine.graph.schema import NodeSchema
from engine.nodekit.boundary import Boundary
from engine.nodekit.contract import FunctionNode
from engine.nodekit.node import Node
from engine.nodekit.v1 import Instances, V1Node
from engine.nodekit.v3 import V3Node, is_v3


class Registry(Mapping[str, Node]):
    """Nodes by class name. Built-in names stay ours.

    A class that several packs have is also `PACK/CLASS`; `settle` says whose has the plain name.

    Attributes:
        boundary: converts the values of plugins' nodes that are added; None: they stay as they are.
        instances: the objects of V1 classes, retained between runs.
        refused: names that a plugin requested and a built-in node has.
        left_out: names whose node cannot be described, and why; filled by `catalog`.
    """

    def __init__(self, builtin: Iterable[Node] = (), *, boundary: Boundary | None = None) -> None:
        self.boundary = boundary
        self._nodes: dict[str, Node] = {}
        self.instances = Instances()
        self.refused: set[str] = set()
        self.left_out: dict[str, str] = {}
        self._claims: dict[str, dict[str, Node]] = {}
        for node in builtin:
            self._nodes[node.class_type] = node
        self._builtin = frozenset(self._nodes)

    def __getitem__(self, class_type: str) -> Node:
        return self._nodes[class_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def builtin(self) -> frozenset[str]:
        """The names that plugins cannot take."""
        return self._builtin

    def add(self, node: Node) -> bool:
        """Add a plugin's node; False where a built-in one has its name."""
        if node.class_type in self._builtin:
            self.refused.add(node.class_type)
            return False
        self._nodes[node.class_type] = node
        return True

    def add_classes(
        self,
        classes: Mapping[str, Any],
        display_names: Mapping[str, str] | None = None,
        *,
        python_module: str,
        pack: str = "",
    ) -> None:
        """Add a plugin's `NODE_CLASS_MAPPINGS`: V1 and V3 classes and our own nodes, mixed.

        Args:
            classes: by the names the plugin gives them.
            display_names: by the same names.
            python_module: the origin that the catalog names.
            pack: the plugin's name, which makes its classes known to `settle`.
        """
        for class_type, found in classes.items():
            node = found
            if not isinstance(node, Node):
                display = (display_names or {}).get(class_type)
                node = self._made(found, class_type, display, python_module)
            self.add(node)
            if pack:
                self._claims.setdefault(node.class_type, {})[pack] = node

    def settle(self, chosen: Mapping[str, str] | None = None) -> dict[str, tuple[str, ...]]:
        """Decide whose class has the plain name, once all packs have added theirs.

        Args:
            chosen: by class, the pack the user has chosen; else the first by name.

        Returns:
            the classes that several packs have, and these packs; the first has the plain name.
        """
        settled: dict[str, tuple[str, ...]] = {}
        for class_type, claimants in self._claims.items():
            first = (chosen or {}).get(class_type)
            packs = sorted(claimants, key=lambda pack: (pack != first, pack.lower(), pack))
            is_builtin = class_type in self._builtin
            if len(packs) > 1 and not is_builtin:
                settled[class_type] = tuple(packs)
            if not is_builtin:
                self._nodes[class_type] = claimants[packs[0]]
            if is_builtin or len(packs) > 1:
                for pack in packs:
                    node = self._renamed(claimants[pack], pack)
                    self._nodes[node.class_type] = node
        return settled

    def _made(
        self, found: Any, class_type: str, display_name: str | None, python_module: str
    ) -> Node:
        if is_v3(found):
            return V3Node(
                found,
                class_type=class_type,
                python_module=python_module,
                boundary=self.boundary,
            )
        return V1Node(
            found,
            class_type,
            display_name=display_name,
            python_module=python_module,
            instances=self.instances,
            boundary=self.boundary,
        )

    def _renamed(self, node: Node, pack: str) -> Node:
        """The same node as `PACK/CLASS`."""
        return node.renamed(f"{pack}/{node.class_type}")

    def describe(self, class_types: Iterable[str]) -> tuple[dict[str, NodeSchema], dict[str, str]]:
        """The schemas of these classes now, and why others have none. Leaves internal ones out."""
        found: dict[str, NodeSchema] = {}
        left_out: dict[str, str] = {}
        for class_type in class_types:
            node = self._nodes[class_type]
            if isinstance(node, FunctionNode) and node.is_internal:
                continue
            try:
                found[class_type] = node.describe()
            except BaseException as error:
                if is_from_user(error):
                    raise
                left_out[class_type] = f"{type(error).__name__}: {error_text(error)}"
        return found, left_out

    def catalog(self) -> Mapping[str, NodeSchema]:
        """The schema of every node but internal ones and those whose description raises."""
        found, self.left_out = self.describe(self._nodes)
        return MappingProxyType(found)

    def forget_instances(self, keep: Callable[[str], bool]) -> None:
        """Drop the objects of V1 classes whose node has left the graph."""
        self.instances.forget(keep)


def nodes_in(module: ModuleType) -> list[FunctionNode[..., Any]]:
    """The nodes that a module defines, in the order it defines them."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, FunctionNode) and value.__module__ == module.__name__
    ]
