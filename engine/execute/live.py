"""The graph as it grows while it runs: the prompt and what expansions bring."""

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
from engine.wire.messages import Place


class GrowingGraph:
    """Nodes by id, and where each came from. Answers what `nodekit.context.LiveGraph` asks.

    Attributes:
        prompt: the live graph as a Prompt, for ordering and signing; it grows in place.
    """

    def __init__(self, prompt: Prompt) -> None:
        self._original = prompt
        self._sent: Mapping[str, Any] | None = None
        self._nodes: dict[str, PromptNode] = dict(prompt.nodes)
        self._places: dict[str, Place] = {}
        self._counts: dict[str, dict[str, int]] = {}
        self.prompt = Prompt(self._nodes)

    def node(self, node_id: str) -> PromptNode:
        """A node by its id."""
        return self._nodes[node_id]

    def place(self, node_id: str) -> Place:
        """Where a node is, for events."""
        found = self._places.get(node_id)
        if found is None:
            found = self._places[node_id] = Place(node_id, node_id, None, node_id)
        return found

    def grow(
        self, parent: str, call: int, expansion: Expansion
    ) -> tuple[list[str], tuple[Any, ...]]:
        """Add what one call of a node expanded to.

        Ids that do not begin with the parent's own are local to the expansion, and become
        `real.call.count.id`, where `real` is the prompt's node that all this began with and
        `count` tells its expansions apart: names stay short however often a loop goes round.

        Returns:
            the new ids, and the expansion's result with `Link`s where it had links.

        Raises:
            PromptError: the expansion is no graph, or brings an id that exists.
        """
        home = self.place(parent)
        counts = self._counts.setdefault(home.real, {})
        prefix = f"{home.real}.{call}.{counts.setdefault(parent, len(counts))}."
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
            display = raw.get("override_display_id") or home.display
            new = names[str(name)]
            self._places[new] = Place(new, str(display), parent, home.real)
        result = tuple(_renamed(_read_result(each), names) for each in expansion.result)
        return list(added), result

    def get_node(self, node_id: str) -> Mapping[str, Any]:
        """A node in API form."""
        return to_api(Prompt({node_id: self._nodes[node_id]}))[node_id]

    def has_node(self, node_id: str) -> bool:
        """Whether there is such a node by now."""
        return node_id in self._nodes

    def get_display_node_id(self, node_id: str) -> str:
        """The node on which the editor shows this one's progress."""
        return self.place(node_id).display

    def get_real_node_id(self, node_id: str) -> str:
        """The node of the user's prompt that this one came from."""
        return self.place(node_id).real

    def get_parent_node_id(self, node_id: str) -> str | None:
        """The node whose expansion brought this one, or None."""
        return self.place(node_id).parent

    def all_node_ids(self) -> Iterable[str]:
        """The ids of all nodes by now."""
        return set(self._nodes)

    def get_original_prompt(self) -> Mapping[str, Any]:
        """The prompt as it was sent, in API form."""
        if self._sent is None:
            self._sent = to_api(self._original)
        return self._sent

    @property
    def ephemeral_prompt(self) -> Mapping[str, Any]:
        """The nodes that expansions brought, in API form."""
        brought = self._nodes.keys() - self._original.nodes.keys()
        return to_api(Prompt({name: self._nodes[name] for name in brought}))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Link):
        return Link(names.get(value.node, value.node), value.slot)
    return value


def _read_result(value: Any) -> Any:
    """A result's entry: `[id, slot]` is a link, any other list a literal."""
    read = read_input(value)
    return read.received if isinstance(read, BadLink) else read
