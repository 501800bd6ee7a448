"""Every node by name, in any dialect, and the catalog of their schemas.

Imports no nodes: built-in ones are passed in by `nodes`, a plugin's by the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from engine.graph.schema import NodeSchema
from engine.nodekit.contract import FunctionNode
from engine.nodekit.node import Node
from engine.nodekit.v1 import Instances, V1Node
from engine.nodekit.v3 import V3Node, is_v3


class Registry(Mapping[str, Node]):
    """Nodes by class name. Built-in names stay ours; of two plugins the later one wins.

    Attributes:
        instances: the objects of V1 classes, retained between runs.
        refused: names that a plugin requested and a built-in node has.
        left_out: names whose node cannot be described, and why; filled by `catalog`.
    """

    def __init__(self, builtin: Iterable[Node] = ()) -> None:
        self._nodes: dict[str, Node] = {}
        self.instances = Instances()
        self.refused: set[str] = set()
        self.left_out: dict[str, str] = {}
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
    ) -> None:
        """Add a plugin's `NODE_CLASS_MAPPINGS`: V1 and V3 classes and our own nodes, mixed."""
        for class_type, found in classes.items():
            if isinstance(found, Node):
                self.add(found)
            elif is_v3(found):
                self.add(V3Node(found, class_type=class_type, python_module=python_module))
            else:
                display = (display_names or {}).get(class_type)
                self.add(
                    V1Node(
                        found,
                        class_type,
                        display_name=display,
                        python_module=python_module,
                        instances=self.instances,
                    )
                )

    def catalog(self) -> Mapping[str, NodeSchema]:
        """The current schema of every node, without nodes whose description raises."""
        self.left_out.clear()
        found: dict[str, NodeSchema] = {}
        for class_type, node in self._nodes.items():
            try:
                found[class_type] = node.describe()
            except Exception as error:  # noqa: BLE001 - a plugin's class may raise anything
                self.left_out[class_type] = f"{type(error).__name__}: {error}"
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
