"""Classes with `define_schema` and `execute`, ComfyUI's third dialect, to Nodes.

Uses duck typing, not base classes, so it needs none of the names that plugins import.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from engine.graph.dynamic import DYNAMIC_TYPES, VALUED_TYPES, nested
from engine.graph.schema import COMBO, InputSchema, NodeSchema, OutputSchema
from engine.nodekit.boundary import Boundary, converted, given
from engine.nodekit.context import Context
from engine.nodekit.folder_list import FolderList
from engine.nodekit.node import Blocked, Expansion, Node, Outcome, Soon, Traits
from engine.nodekit.v1 import complete, hidden_value, read_answer
from engine.nodekit.v1_schema import read_v1_input

V3Class = Any
"""A class with the class methods `define_schema` and `execute`; plugins provide no type for it."""
_HIDDEN = (
    "UNIQUE_ID",
    "PROMPT",
    "EXTRA_PNGINFO",
    "DYNPROMPT",
    "AUTH_TOKEN_COMFY_ORG",
    "API_KEY_COMFY_ORG",
)


def is_v3(found: object) -> bool:
    """Whether a plugin's class is of this dialect."""
    return hasattr(found, "define_schema") or hasattr(found, "GET_SCHEMA")


class V3Node(Node):
    """A V3 class as a Node. The class is derived from for each call, as its contract requires."""

    def __init__(
        self,
        made_from: V3Class,
        *,
        class_type: str | None = None,
        python_module: str = "custom_nodes",
        boundary: Boundary | None = None,
    ) -> None:
        self.made_from = made_from
        self._boundary = boundary
        self._python_module = python_module
        self._schema: NodeSchema | None = None
        self._class_type = class_type or ""
        if not class_type:
            self._class_type = self.schema.class_type

    @property
    def class_type(self) -> str:
        """Its name in prompts."""
        return self._class_type

    def renamed(self, class_type: str) -> V3Node:
        """The same class under another name in prompts."""
        return V3Node(
            self.made_from,
            class_type=class_type,
            python_module=self._python_module,
            boundary=self._boundary,
        )

    @property
    def schema(self) -> NodeSchema:
        """Its schema; the class is called once, and again by `describe`."""
        return self._schema or self.describe()

    def describe(self) -> NodeSchema:
        """Its current schema."""
        found = self.made_from
        declared: Any = (
            found.GET_SCHEMA() if hasattr(found, "GET_SCHEMA") else found.define_schema()
        )
        checks, takes_all = self._validated()
        schema = read_v3_schema(
            declared,
            python_module=self._python_module,
            checks=frozenset({"*"}) if takes_all else checks,
        )
        if self._class_type:
            schema = replace(schema, class_type=self._class_type)
        self._schema = schema
        return schema

    @property
    def traits(self) -> Traits:
        """Which of the rarer methods the class itself defines."""
        return Traits(
            fingerprints=self._defines("fingerprint_inputs"),
            chooses=self._defines("check_lazy_status"),
            checks=self._defines("validate_inputs"),
            knows_id=any(each.type == "UNIQUE_ID" for each in self.schema.inputs),
        )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Soon[Outcome]:
        """Call `execute` on a separate class for this call."""
        answer: Any = self._for_call(context).execute(**given(self._boundary, inputs))
        if inspect.isawaitable(answer):
            return self._later(answer)
        return self._outcome(answer)

    async def _later(self, answer: Awaitable[Any]) -> Outcome:
        return self._outcome(await answer)

    def _outcome(self, answer: Any) -> Outcome:
        outcome = read_output(answer, len(self.schema.outputs), self._class_type)
        return converted(self._boundary, outcome)

    def fingerprint_of(self, inputs: Mapping[str, Any], context: Context) -> Soon[Any]:
        """The result of `fingerprint_inputs`."""
        values = self._as_arguments(given(self._boundary, inputs))
        return self._for_call(context).fingerprint_inputs(**values)

    def needed(self, inputs: Mapping[str, Any], context: Context) -> Soon[Sequence[str]]:
        """The result of `check_lazy_status`."""
        answer: Any = self._for_call(context).check_lazy_status(**given(self._boundary, inputs))
        return answer if inspect.isawaitable(answer) else answer or ()

    def complaint(
        self, inputs: Mapping[str, Any], linked_types: Mapping[str, str], context: Context
    ) -> Soon[str | None]:
        """The result of `validate_inputs`, which receives only the inputs it names."""
        names, takes_all = self._validated()
        values = self._as_arguments(given(self._boundary, inputs))
        values["input_types"] = linked_types
        chosen = {
            name: value
            for name, value in values.items()
            if name in names or (takes_all and name != "input_types")
        }
        answer: Any = self._for_call(context).validate_inputs(**chosen)
        if inspect.isawaitable(answer):
            return _later_complaint(answer)
        return _complaint(answer)

    def _as_arguments(self, constants: Mapping[str, Any]) -> dict[str, Any]:
        """Constants in the form that `execute` gets them: parts of dynamic inputs in a dict."""
        found = self.schema.inputs
        parents = {each.name for each in found if each.type in DYNAMIC_TYPES}
        valued = {each.name for each in found if each.type in VALUED_TYPES}
        arguments = nested(constants, parents, valued) if parents else dict(constants)
        if self.schema.input_is_list:
            return {name: [value] for name, value in arguments.items()}
        return arguments

    def _for_call(self, context: Context) -> V3Class:
        hidden = {kind.lower(): hidden_value(kind, context) for kind in _HIDDEN}
        # A plugin may read a hidden value that is newer than this list: its holder says None.
        own: Any = getattr(self.made_from, "hidden", None)
        make: Any = getattr(own, "from_dict", None)
        holder: Any = make(hidden) if make else SimpleNamespace(**hidden)
        return type(self.made_from.__name__, (self.made_from,), {"hidden": holder})

    def _defines(self, method: str) -> bool:
        """Whether the class defines the method, rather than inheriting the contract's own.

        The class that states the contract is the farthest ancestor with `define_schema`.
        """
        ancestors: Sequence[type] = self.made_from.__mro__
        stating = [each for each in ancestors if "define_schema" in vars(each)]
        if len(stating) > 1:
            ancestors = ancestors[: ancestors.index(stating[-1])]
        return any(method in vars(each) for each in ancestors)

    def _validated(self) -> tuple[frozenset[str], bool]:
        if not self._defines("validate_inputs"):
            return frozenset(), False
        parameters = inspect.signature(self.made_from.validate_inputs).parameters.values()
        takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters)
        named = (each.name for each in parameters if each.kind is not each.VAR_KEYWORD)
        return frozenset(named), takes_all


def read_v3_schema(declared: Any, *, python_module: str, checks: frozenset[str]) -> NodeSchema:
    """Read a V3 schema: an object with `node_id`, `inputs`, `outputs`, `hidden` and flags."""
    is_output = bool(getattr(declared, "is_output_node", False))
    hidden = {_hidden_kind(each) for each in getattr(declared, "hidden", None) or ()}
    if is_output:
        hidden |= {"PROMPT", "EXTRA_PNGINFO"}
    inputs = [_read_input(each) for each in getattr(declared, "inputs", None) or ()]
    inputs += [InputSchema(kind.lower(), kind, "hidden") for kind in _HIDDEN if kind in hidden]
    return NodeSchema(
        class_type=declared.node_id,
        display_name=getattr(declared, "display_name", None) or declared.node_id,
        category=getattr(declared, "category", None) or "sd",
        inputs=tuple(inputs),
        outputs=tuple(_read_output(each) for each in getattr(declared, "outputs", None) or ()),
        description=getattr(declared, "description", None) or "",
        python_module=python_module,
        is_output=is_output,
        input_is_list=bool(getattr(declared, "is_input_list", False)),
        deprecated=bool(getattr(declared, "is_deprecated", False)),
        experimental=bool(getattr(declared, "is_experimental", False)),
        not_idempotent=bool(getattr(declared, "not_idempotent", False)),
        flexible=bool(getattr(declared, "accept_all_inputs", False)),
        checks_input_types="input_types" in checks,
        checks=checks,
    )


def read_output(answer: Any, outputs: int, class_type: str) -> Outcome:
    """What `execute` returned: an output object with `args`, or what a V1 function may return."""
    if not hasattr(answer, "args") or isinstance(answer, BaseException):
        return read_answer(answer, outputs, class_type)
    if (message := getattr(answer, "block_execution", None)) is not None:
        return Outcome((Blocked(message),) * outputs)
    shown: Any = getattr(answer, "ui", None)
    if hasattr(shown, "as_dict"):
        shown = shown.as_dict()
    values: tuple[Any, ...] = tuple(answer.args or ())
    if (graph := getattr(answer, "expand", None)) is not None:
        return Outcome(shown=shown, expansion=Expansion(graph, values))
    return Outcome(complete(values, outputs, class_type), shown)


def _read_input(declared: Any) -> InputSchema:
    options: dict[str, Any] = dict(declared.as_dict())
    listed: Any = options.get("options")
    kind = _kind(declared)
    files = _folder_list(getattr(declared, "options", None)) or _folder_list(listed)
    if kind == COMBO and files is not None:
        options.pop("options", None)
        section = "optional" if getattr(declared, "optional", False) else "required"
        return read_v1_input(declared.id, section, (files, options))
    return InputSchema(
        name=declared.id,
        type=kind,
        section="optional" if getattr(declared, "optional", False) else "required",
        options=options,
        choices=tuple(cast("Sequence[Any]", listed))
        if kind == COMBO and isinstance(listed, list | tuple)
        else None,
    )


def _folder_list(choices: object) -> FolderList | None:
    return choices if isinstance(choices, FolderList) and choices.is_as_listed else None


def _read_output(declared: Any) -> OutputSchema:
    kind = _kind(declared)
    name = getattr(declared, "display_name", None) or getattr(declared, "id", None) or kind
    template: Any = getattr(declared, "template", None)
    return OutputSchema(
        type=kind,
        name=name,
        is_list=bool(getattr(declared, "is_output_list", False)),
        tooltip=getattr(declared, "tooltip", None),
        match=getattr(template, "template_id", None),
    )


def _kind(declared: Any) -> str:
    return declared.get_io_type() if hasattr(declared, "get_io_type") else declared.io_type


def _hidden_kind(declared: Any) -> str:
    """The kind of a hidden input, given as an enumeration's member or as its name."""
    return str(getattr(declared, "value", declared)).upper()


def _complaint(answer: Any) -> str | None:
    return None if answer is True else "" if answer is False else str(answer)


async def _later_complaint(answer: Awaitable[Any]) -> str | None:
    return _complaint(await answer)
