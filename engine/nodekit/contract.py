"""`@node`: a typed function becomes a Node, and stays a function that tests call plainly.

    @node("EmptyImage", category="image", display="EmptyImage")
    def empty_image(width: Annotated[int, Range(1, 16384)] = 512, ...) -> Image:
        '''A picture of one colour.'''

Its parameters are the inputs, its defaults the widgets' defaults, its docstring the description,
its return annotation the outputs. Annotations are read when the schema is first requested, so
importing a module of nodes costs nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast, get_type_hints

from engine.errors import NodeError
from engine.graph.schema import InputSchema, NodeSchema
from engine.graph.sizes import SIZES
from engine.nodekit.annotations import read_inputs, read_outputs, returns_several
from engine.nodekit.context import Context
from engine.nodekit.node import Blocked, Expansion, Node, Outcome, Soon, Traits

P = ParamSpec("P")
R = TypeVar("R")
Hook = TypeVar("Hook", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The arguments of `@node`."""

    class_type: str
    category: str
    display: str | None = None
    output_names: Sequence[str] | None = None
    output: bool = False
    input_is_list: bool = False
    hidden: Sequence[str] = ()
    deprecated: bool = False
    experimental: bool = False
    not_idempotent: bool = False
    internal: bool = False
    checks: frozenset[str] = frozenset()
    checks_input_types: bool = False


def node(
    class_type: str,
    *,
    category: str,
    display: str | None = None,
    output_names: Sequence[str] | None = None,
    output: bool = False,
    input_is_list: bool = False,
    hidden: Sequence[str] = (),
    deprecated: bool = False,
    experimental: bool = False,
    not_idempotent: bool = False,
    internal: bool = False,
    checks: Sequence[str] = (),
    checks_input_types: bool = False,
) -> Callable[[Callable[P, R]], FunctionNode[P, R]]:
    """Make a typed function a node of the name `class_type`.

    Args:
        class_type: the name in prompts and workflows.
        category: where the editor's menu lists it, parts divided by `/`.
        display: the title; without it, `class_type`.
        output_names: the outputs' names as the editor shows them; without it, a NamedTuple's
            field names, else the wire types.
        output: running it has an effect worth running a graph for: it saves or shows something.
        input_is_list: every input comes as a list, and the function is called once.
        hidden: what the engine provides, `"PROMPT"`, `"EXTRA_PNGINFO"`, `"UNIQUE_ID"`: listed in
            the schema, and read from the `Context`. With `"UNIQUE_ID"` results are not shared
            between nodes.
        deprecated: the editor hides it in menus.
        experimental: the editor marks it.
        not_idempotent: never shares a cached result with another node.
        internal: only expansions use it; it is in no catalog, and prompts cannot name it.
        checks: inputs whose list and range checks the `check` hook replaces.
        checks_input_types: the `check` hook replaces the check of linked types.
    """

    def make(function: Callable[P, R]) -> FunctionNode[P, R]:
        return FunctionNode(
            function,
            Declaration(
                class_type=class_type,
                category=category,
                display=display,
                output_names=output_names,
                output=output,
                input_is_list=input_is_list,
                hidden=hidden,
                deprecated=deprecated,
                experimental=experimental,
                not_idempotent=not_idempotent,
                internal=internal,
                checks=frozenset(checks),
                checks_input_types=checks_input_types,
            ),
        )

    return make


class FunctionNode(Node, Generic[P, R]):
    """A function with a schema. Called, it is the function.

    It has three hooks, each a function of any of the node's inputs, by name, and maybe a Context:

    * `@f.fingerprint`: what its result depends on besides its inputs, e.g. a file's identity.
    * `@f.needs`: the names of the lazy inputs to evaluate; those not yet evaluated are None.
    * `@f.check`: True, or what is wrong with the constants, as a sentence. A parameter
      `input_types` receives the wire types of the linked inputs.
    """

    def __init__(self, function: Callable[P, R], declaration: Declaration) -> None:
        update_wrapper(self, function)
        self._function = function
        self._declaration = declaration
        self._fingerprint: _BoundHook | None = None
        self._needs: _BoundHook | None = None
        self._check: _BoundHook | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself."""
        return self._function(*args, **kwargs)

    @property
    def class_type(self) -> str:
        """The name in prompts, known without reading annotations."""
        return self._declaration.class_type

    def fingerprint(self, hook: Hook) -> Hook:
        """Return what the result depends on besides the inputs."""
        self._fingerprint = _BoundHook(hook)
        return hook

    def needs(self, hook: Hook) -> Hook:
        """Return the names of the lazy inputs to evaluate."""
        self._needs = _BoundHook(hook)
        return hook

    def check(self, hook: Hook) -> Hook:
        """Return True, or what is wrong with the constants."""
        self._check = _BoundHook(hook)
        return hook

    @property
    def is_internal(self) -> bool:
        """Whether only expansions use it."""
        return self._declaration.internal

    @cached_property
    def schema(self) -> NodeSchema:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Its interface, read from the annotations once."""
        declared, reading = self._declaration, self._reading
        checks = declared.checks
        return NodeSchema(
            class_type=declared.class_type,
            display_name=declared.display or declared.class_type,
            category=declared.category,
            inputs=(*reading.inputs, *(_hidden_input(kind) for kind in declared.hidden)),
            outputs=read_outputs(reading.returns, declared.output_names),
            description=inspect.cleandoc(self._function.__doc__ or ""),
            python_module=_python_module(self._function),
            is_output=declared.output,
            input_is_list=declared.input_is_list,
            deprecated=declared.deprecated,
            experimental=declared.experimental,
            not_idempotent=declared.not_idempotent,
            checks_input_types=declared.checks_input_types,
            checks=checks,
        )

    @property
    def traits(self) -> Traits:
        """Which hooks it has."""
        return Traits(
            fingerprints=self._fingerprint is not None,
            chooses=self._needs is not None,
            checks=self._check is not None,
            knows_id="UNIQUE_ID" in self._declaration.hidden,
        )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Soon[Outcome]:
        """Call the function with these inputs, and the context where it takes one."""
        given: dict[str, Any] = dict(inputs)
        said = self._reading
        for name, most in said.sizes.items():
            _check_size(name, given.get(name), most)
        if said.context is not None:
            given[said.context] = context
        answer: Any = self._function(**given)  # pyright: ignore[reportCallIssue]
        if inspect.isawaitable(answer):
            return self._later(answer)
        return self._outcome(answer)

    async def _later(self, answer: Awaitable[Any]) -> Outcome:
        return self._outcome(await answer)

    def _outcome(self, answer: Any) -> Outcome:
        count = len(self.schema.outputs)
        if isinstance(answer, Expansion):
            return Outcome(expansion=answer)
        if isinstance(answer, Blocked):
            return Outcome((answer,) * count)
        if self._reading.several:
            return Outcome(tuple(answer))
        return Outcome((answer,) if count else ())

    def fingerprint_of(self, inputs: Mapping[str, Any], context: Context) -> Soon[Any]:
        """The result of the fingerprint hook."""
        return self._fingerprint(inputs, context) if self._fingerprint else None

    def needed(self, inputs: Mapping[str, Any], context: Context) -> Soon[Sequence[str]]:
        """The result of the needs hook."""
        return self._needs(inputs, context) if self._needs else ()

    def complaint(
        self, inputs: Mapping[str, Any], linked_types: Mapping[str, str], context: Context
    ) -> Soon[str | None]:
        """The result of the check hook."""
        if self._check is None:
            return None
        answer = self._check({**inputs, "input_types": linked_types}, context)
        return None if answer is True else str(answer)

    @cached_property
    def _reading(self) -> _Reading:
        return _read_function(self._function, in_list=self._declaration.input_is_list)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read from a function's annotations."""

    inputs: tuple[InputSchema, ...]
    returns: Any
    several: bool
    context: str | None
    sizes: Mapping[str, float]


def _check_size(name: str, value: Any, most: float) -> None:
    """Check that a number that becomes a size is within its bounds, even if a node computed it.

    Raises:
        NodeError: it is larger.
    """
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    for each in values:
        if isinstance(each, int | float) and each > most:
            raise NodeError(f"{name} is {each:,}, at most {most:,}: choose a smaller one")


def _read_function(function: Callable[..., Any], *, in_list: bool) -> _Reading:
    name = getattr(function, "__qualname__", repr(function))
    hints = get_type_hints(function, include_extras=True)
    inputs: list[InputSchema] = []
    context: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in hints:
            raise NodeError(f"{name}: the parameter {parameter.name!r} has no annotation")
        if hints[parameter.name] is Context:
            context = parameter.name
            continue
        try:
            inputs += read_inputs(parameter, hints[parameter.name], in_list=in_list)
        except NodeError as error:
            raise NodeError(f"{name}: {error}") from error
    if "return" not in hints:
        raise NodeError(f"{name}: the return annotation is missing; use None for no outputs")
    returns = hints["return"]
    bounds = {each.name: each.options.get("max") for each in inputs if each.name in SIZES}
    sizes = {key: most for key, most in bounds.items() if most is not None}
    return _Reading(tuple(inputs), returns, returns_several(returns), context, sizes)


class _BoundHook:
    """A hook that receives those of the inputs that it names, and a Context if it takes one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, inputs: Mapping[str, Any], context: Context) -> Any:
        names, wants_context = self._reading
        given = {name: inputs.get(name) for name in names}
        if wants_context is not None:
            given[wants_context] = context
        return self._function(**given)

    @cached_property
    def _reading(self) -> tuple[tuple[str, ...], str | None]:
        hints = get_type_hints(self._function)
        names = tuple(inspect.signature(self._function).parameters)
        context = next((name for name in names if hints.get(name) is Context), None)
        return tuple(name for name in names if name != context), context


def _hidden_input(kind: str) -> InputSchema:
    return InputSchema(kind.lower(), kind, "hidden")


def _python_module(function: Callable[..., Any]) -> str:
    """The module as the catalog names it: every built-in node's is `nodes`."""
    module = function.__module__
    return "nodes" if module.split(".", 1)[0] == "nodes" else module
