"""The graph of a run: the prompt, and the nodes that expansions add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.graph.prompt import (
    BadLink,
    Link,
    Prompt,
    PromptNode,
    parse_expansion,
    read_input,
    to_api,
)
from engine.nodekit.node import Expansion
from engine.wire.messages import NodeRef


class GrowingGraph:
    """Nodes by id, and where each came from. Implements `nodekit.context.LiveGraph`.

    Attributes:
        prompt: the live graph as a Prompt, for ordering and signing; it grows in place.
    """

    def __init__(self, prompt: Prompt) -> None:
        self._original = prompt
        self._sent: Mapping[str, Any] | None = None
        self._nodes: dict[str, PromptNode] = dict(prompt.nodes)
        self._refs: dict[str, NodeRef] = {}
        self._counts: dict[str, dict[str, int]] = {}
        self.prompt = Prompt(self._nodes)

    def node(self, node_id: str) -> PromptNode:
        """A node by its id."""
        return self._nodes[node_id]

    def node_ref(self, node_id: str) -> NodeRef:
        """How events name a node."""
        found = self._refs.get(node_id)
        if found is None:
            found = self._refs[node_id] = NodeRef(node_id, node_id, None, node_id)
        return found

    def grow(
        self, parent: str, call: int, expansion: Expansion
    ) -> tuple[list[str], tuple[Any, ...]]:
        """Add what one call of a node expanded to.

        Ids that do not begin with the parent's own are local to the expansion, and become
        `real.call.count.id`, where `real` is the prompt's node at the root of the expansions and
        `count` numbers them: names stay short however often a loop repeats.

        Returns:
            the new ids, and the expansion's result with `Link`s where it had links.

        Raises:
            PromptError: the expansion is no graph, or has an id that exists.
        """
        home = self.node_ref(parent)
        counts = self._counts.setdefault(home.real_id, {})
        prefix = f"{home.real_id}.{call}.{counts.setdefault(parent, len(counts))}."
        names = {
            str(name): name if str(name).startswith(f"{parent}.") else f"{prefix}{name}"
            for name in expansion.graph
        }
        parsed = parse_expansion({str(name): node for name, node in expansion.graph.items()})
        added = {
            names[name]: PromptNode(
                node.class_type,
                {key: _renamed(value, names) for key, value in node.inputs.items()},
                node.title,
            )
            for name, node in parsed.items()
        }
        Prompt({name: self._nodes[name] for name in added.keys() & self._nodes.keys()}).extended(
            added
        )
        self._nodes.update(added)
        for name, raw in expansion.graph.items():
            display = self.node_ref(str(raw.get("override_display_id") or home.display_id))
            new = names[str(name)]
            self._refs[new] = NodeRef(new, display.display_id, parent, home.real_id)
        result = tuple(_renamed(_read_result(each), names) for each in expansion.result)
        return list(added), result

    def get_node(self, node_id: str) -> Mapping[str, Any]:
        """A node in API form."""
        return to_api(Prompt({node_id: self._nodes[node_id]}))[node_id]

    def has_node(self, node_id: str) -> bool:
        """Whether there is such a node."""
        return node_id in self._nodes

    def get_display_node_id(self, node_id: str) -> str:
        """The node on which the editor shows this one's progress."""
        return self.node_ref(node_id).display_id

    def get_real_node_id(self, node_id: str) -> str:
        """The node of the user's prompt that this one came from."""
        return self.node_ref(node_id).real_id

    def get_parent_node_id(self, node_id: str) -> str | None:
        """The node whose expansion added this one, or None."""
        return self.node_ref(node_id).parent_id

    def all_node_ids(self) -> Iterable[str]:
        """The ids of all nodes."""
        return set(self._nodes)

    def get_original_prompt(self) -> Mapping[str, Any]:
        """The prompt as it was sent, in API form."""
        if self._sent is None:
            self._sent = to_api(self._original)
        return self._sent

    @property
    def ephemeral_prompt(self) -> Mapping[str, Any]:
        """The nodes that expansions added, in API form."""
        added = self._nodes.keys() - self._original.nodes.keys()
        return to_api(Prompt({name: self._nodes[name] for name in added}))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Link):
        return Link(names.get(value.node, value.node), value.slot)
    return value


def _read_result(value: Any) -> Any:
    """A result's entry: `[id, slot]` is a link, any other list a literal."""
    read = read_input(value)
    return read.received if isinstance(read, BadLink) else read
