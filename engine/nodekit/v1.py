"""Classes with `INPUT_TYPES`, as ComfyUI's plugins write them, to Nodes.

Supports the tricks of plugins with types and dictionaries. `v1_schema.py` reads what such a class
declares; `engine.compat.core_nodes` converts in the other direction.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from engine.errors import NodeError
from engine.graph.schema import NodeSchema
from engine.nodekit.boundary import Boundary, converted, given
from engine.nodekit.context import Context
from engine.nodekit.node import Blocked, Expansion, Node, Outcome, Soon, Traits
from engine.nodekit.v1_schema import read_v1_schema

HIDDEN_KINDS = frozenset(
    {
        *("PROMPT", "EXTRA_PNGINFO", "UNIQUE_ID", "DYNPROMPT"),
        *("AUTH_TOKEN_COMFY_ORG", "API_KEY_COMFY_ORG"),
    }
)
"""The hidden inputs that the engine fills; one of another type has a value only if it is given."""
V1Class = Any
"""A class with `INPUT_TYPES`, `RETURN_TYPES` and `FUNCTION`; plugins provide no type for it."""


class Instances:
    """The objects made from V1 classes: one for each node of the graph, retained between runs."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, type], Any] = {}

    def of(self, made_from: type, node_id: str) -> Any:
        """The object of that class for that node."""
        key = (node_id, made_from)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = made_from()
        return found

    def forget(self, keep: Callable[[str], bool]) -> None:
        """Drop the objects of nodes whose id is not to be kept."""
        for key in [key for key in self._made if not keep(key[0])]:
            del self._made[key]

    def __len__(self) -> int:
        return len(self._made)


class V1Node(Node):
    """A V1 class as a Node."""

    def __init__(
        self,
        made_from: V1Class,
        class_type: str,
        *,
        display_name: str | None = None,
        python_module: str = "custom_nodes",
        instances: Instances | None = None,
        boundary: Boundary | None = None,
    ) -> None:
        self.made_from = made_from
        self._class_type = class_type
        self._display_name = display_name
        self._python_module = python_module
        self._instances = Instances() if instances is None else instances
        self._boundary = boundary
        self._schema: NodeSchema | None = None

    @property
    def class_type(self) -> str:
        """Its name in prompts."""
        return self._class_type

    def renamed(self, class_type: str) -> V1Node:
        """The same class under another name in prompts."""
        pack = class_type.partition("/")[0]
        return V1Node(
            self.made_from,
            class_type,
            display_name=f"{self._display_name or self._class_type} ({pack})",
            python_module=self._python_module,
            instances=self._instances,
            boundary=self._boundary,
        )

    @property
    def schema(self) -> NodeSchema:
        """Its schema; `INPUT_TYPES` is called once, and again by `describe`."""
        return self._schema or self.describe()

    def describe(self) -> NodeSchema:
        """Its current schema: what `INPUT_TYPES` lists may have changed."""
        self._schema = read_v1_schema(
            self.made_from,
            self._class_type,
            display_name=self._display_name,
            python_module=self._python_module,
        )
        return self._schema

    @property
    def traits(self) -> Traits:
        """Which of the rarer methods the class has."""
        found = self.made_from
        return Traits(
            fingerprints=hasattr(found, "IS_CHANGED"),
            chooses=hasattr(found, "check_lazy_status"),
            checks=hasattr(found, "VALIDATE_INPUTS"),
            knows_id=any(each.type == "UNIQUE_ID" for each in self.schema.inputs),
        )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Soon[Outcome]:
        """Call `FUNCTION` on this node's object."""
        instance = self._instances.of(self.made_from, context.node_id)
        function = getattr(instance, self.made_from.FUNCTION)
        answer: Any = function(**{**given(self._boundary, inputs), **self._hidden(context)})
        if inspect.isawaitable(answer):
            return self._later(answer)
        return self._outcome(answer)

    async def _later(self, answer: Awaitable[Any]) -> Outcome:
        return self._outcome(await answer)

    def _outcome(self, answer: Any) -> Outcome:
        outcome = read_answer(answer, len(self.schema.outputs), self._class_type)
        return converted(self._boundary, outcome)

    def fingerprint_of(self, inputs: Mapping[str, Any], context: Context) -> Soon[Any]:
        """The result of `IS_CHANGED` for the constants."""
        return self._ask(self.made_from.IS_CHANGED, inputs, context)

    def needed(self, inputs: Mapping[str, Any], context: Context) -> Soon[Sequence[str]]:
        """The result of `check_lazy_status`."""
        instance = self._instances.of(self.made_from, context.node_id)
        values = {**given(self._boundary, inputs), **self._hidden(context)}
        answer: Any = instance.check_lazy_status(**values)
        if inspect.isawaitable(answer):
            return _later_names(answer)
        return _names(answer)

    def complaint(
        self, inputs: Mapping[str, Any], linked_types: Mapping[str, str], context: Context
    ) -> Soon[str | None]:
        """The result of `VALIDATE_INPUTS`, which receives only the inputs it names."""
        answer = self._ask(
            self.made_from.VALIDATE_INPUTS, {**inputs, "input_types": linked_types}, context
        )
        if inspect.isawaitable(answer):
            return _later_complaint(answer)
        return _complaint(answer)

    def _ask(
        self, function: Callable[..., Any], inputs: Mapping[str, Any], context: Context
    ) -> Any:
        """Call a class method with those of the inputs and hidden ones that it names."""
        values = {**given(self._boundary, inputs), **self._hidden(context)}
        parameters = inspect.signature(function).parameters
        takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        chosen = {
            name: value
            for name, value in values.items()
            if name in parameters or (takes_all and name != "input_types")
        }
        if self.schema.input_is_list:
            chosen = {
                name: value if name == "input_types" else [value] for name, value in chosen.items()
            }
        return function(**chosen)

    def _hidden(self, context: Context) -> dict[str, Any]:
        return {
            each.name: hidden_value(each.type, context)
            for each in self.schema.inputs
            if each.section == "hidden" and str.__str__(each.type) in HIDDEN_KINDS
        }


def hidden_value(kind: str, context: Context) -> Any:
    """The value of a hidden input of that kind; None for unknown kinds."""
    match str.__str__(kind):
        case "PROMPT":
            return context.prompt
        case "EXTRA_PNGINFO":
            return dict(context.extra)
        case "UNIQUE_ID":
            return context.node_id
        case "DYNPROMPT":
            return context.graph
        case _:
            return None


def read_answer(answer: Any, outputs: int, class_type: str) -> Outcome:
    """What a V1 function returned: a tuple, a dict of `ui`, `result` and `expand`, or a block.

    Raises:
        NodeError: it is none of these.
    """
    if isinstance(answer, Blocked):
        return Outcome((answer,) * outputs)
    if answer is None or (outputs == 0 and not isinstance(answer, dict)):
        return Outcome()  # a node without outputs may return anything
    if isinstance(answer, dict):
        said = cast("dict[str, Any]", answer)
        result = said.get("result", ())
        if isinstance(result, Blocked):
            result = (result,) * outputs
        values = tuple(result or ())
        if "expand" in said:
            return Outcome(shown=said.get("ui"), expansion=Expansion(said["expand"], values))
        return Outcome(complete(values, outputs, class_type), said.get("ui"))
    if isinstance(answer, tuple | list):
        return Outcome(complete(tuple(cast("Sequence[Any]", answer)), outputs, class_type))
    if isinstance(answer, str):
        # Packs return a text where they mean a tuple, and the incumbent takes it by characters.
        return Outcome(complete(tuple(answer[:outputs]), outputs, class_type))
    raise NodeError(
        f"{class_type} returned a {type(answer).__name__}; a node returns a tuple with one value "
        "per output, e.g. `return (image,)`"
    )


def complete(values: tuple[Any, ...], outputs: int, class_type: str) -> tuple[Any, ...]:
    """The values of a plugin's node, which may give fewer than it declares outputs.

    What is linked to an output without a value is not run, and is told why.
    """
    if not values or len(values) >= outputs:
        return values
    missing = Blocked(
        f"{class_type} returned {len(values)} of its {outputs} values; this needs a later one"
    )
    return (*values, *(missing for _ in range(outputs - len(values))))


def _names(answer: Any) -> Sequence[str]:
    return cast("Sequence[str]", answer) if isinstance(answer, list | tuple) else ()


async def _later_names(answer: Awaitable[Any]) -> Sequence[str]:
    return _names(await answer)


def _complaint(answer: Any) -> str | None:
    if answer is True or isinstance(answer, Blocked):
        return None
    return "" if answer is False else str(answer)


async def _later_complaint(answer: Awaitable[Any]) -> str | None:
    return _complaint(await answer)
