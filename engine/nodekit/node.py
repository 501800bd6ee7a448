"""The executor's interface to a node, in any of the dialects.

`contract.py`, `v1.py` and `v3.py` each make these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.graph.schema import NodeSchema
from engine.nodekit.context import Context

Value = TypeVar("Value")
Soon = Value | Awaitable[Value]
"""A value, or an awaitable of one: every hook of a node may be a coroutine."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A placeholder for a value that will not come: what depends on it is skipped.

    With a message, each output node it reaches is reported; without one, it is silent.
    """

    message: str | None = None


@dataclass(frozen=True, slots=True)
class Expansion:
    """A node's result that is a graph to run in its place.

    Attributes:
        graph: nodes in API form; its ids get the prefix the executor gives.
        result: one entry per output: a literal, or a link `[node id, slot]` into the graph.
    """

    graph: Mapping[str, Mapping[str, Any]]
    result: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one call of a node.

    Attributes:
        values: one per output; an output that is a list holds a list of its elements.
        shown: what the editor draws under the node: name to list of items.
        expansion: the graph to run for the values, instead of them.
    """

    values: tuple[Any, ...] = ()
    shown: Mapping[str, Any] | None = None
    expansion: Expansion | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """Which of the rarer methods a node implements, so that the executor calls no others.

    Attributes:
        fingerprints: `fingerprint_of` is implemented; its result becomes part of the signature.
        chooses: `needed` says which lazy inputs to evaluate.
        checks: `complaint` may refuse the constants.
        knows_id: the node uses its own id, so its results are not shared.
    """

    fingerprints: bool = False
    chooses: bool = False
    checks: bool = False
    knows_id: bool = False


class Node(ABC):
    """One kind of node: its schema, and how to run it."""

    @property
    @abstractmethod
    def class_type(self) -> str:
        """Its name in prompts, known without reading the schema."""

    def renamed(self, class_type: str) -> Node:
        """The same node under another name in prompts; one that cannot be renamed stays itself."""
        del class_type
        return self

    @property
    @abstractmethod
    def schema(self) -> NodeSchema:
        """Its schema, read once."""

    def describe(self) -> NodeSchema:
        """Its current schema, read again where it may have changed."""
        return self.schema

    @property
    @abstractmethod
    def traits(self) -> Traits:
        """Which of the methods below are implemented."""

    @abstractmethod
    def run(self, inputs: Mapping[str, Any], context: Context) -> Soon[Outcome]:
        """Call it once. Inputs that were not given are left out, so that defaults hold."""

    def fingerprint_of(self, inputs: Mapping[str, Any], context: Context) -> Soon[Any]:
        """What its result depends on besides its inputs. Links are None in `inputs`.

        NaN means that it is never the same twice.
        """
        del inputs, context
        return None

    def needed(self, inputs: Mapping[str, Any], context: Context) -> Soon[Sequence[str]]:
        """Which of its lazy inputs, None in `inputs` while not evaluated, it needs."""
        del inputs, context
        return ()

    def complaint(
        self, inputs: Mapping[str, Any], linked_types: Mapping[str, str], context: Context
    ) -> Soon[str | None]:
        """What is wrong with these inputs, or None.

        Args:
            inputs: the constants; links are None.
            linked_types: the wire types of the links.
            context: gives a check access to files.
        """
        del inputs, linked_types, context
        return None
