"""What a V3 class declares and returns: `Schema`, `Hidden`, `HiddenHolder`, `NodeOutput`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, cast

from engine.compat.v3.sockets import Input, Output
from engine.errors import NodeError
from engine.nodekit.node import Blocked


class Hidden(StrEnum):
    """What a node may request from the engine; it finds it in `cls.hidden`."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"
    auth_token_comfy_org = "AUTH_TOKEN_COMFY_ORG"  # noqa: S105 - a name, no secret
    api_key_comfy_org = "API_KEY_COMFY_ORG"


class HiddenHolder:
    """The hidden values of one call; None where nothing was requested or there is nothing."""

    def __init__(
        self,
        unique_id: str | None = None,
        prompt: Any = None,
        extra_pnginfo: Any = None,
        dynprompt: Any = None,
        auth_token_comfy_org: str | None = None,
        api_key_comfy_org: str | None = None,
        **_: Any,
    ) -> None:
        self.unique_id = unique_id
        self.prompt = prompt
        self.extra_pnginfo = extra_pnginfo
        self.dynprompt = dynprompt
        self.auth_token_comfy_org = auth_token_comfy_org
        self.api_key_comfy_org = api_key_comfy_org

    def __getattr__(self, name: str) -> None:
        """None: newer hidden values that the engine does not have."""
        if name.startswith("__"):
            raise AttributeError(name)

    @classmethod
    def from_dict(cls, values: Mapping[Any, Any] | None) -> HiddenHolder:
        """From values by member of `Hidden`, or by the name of one."""
        named = {
            str(getattr(key, "value", key)).lower(): value for key, value in (values or {}).items()
        }
        return cls(**named)

    @classmethod
    def from_v3_data(cls, values: Mapping[str, Any] | None) -> HiddenHolder:
        """From what the engine gives to a call."""
        return cls.from_dict((values or {}).get("hidden_inputs"))


class Schema:
    """A node as its class declares it.

    Args:
        node_id: the name in prompts.
        display_name: the title.
        category: the place in the editor's menu.
        inputs: `Type.Input(...)` objects, in order.
        outputs: `Type.Output(...)` objects, in order.
        hidden: members of `Hidden`; an output node gets prompt and extra_pnginfo without asking.
        description: what the editor shows for the node.
        is_input_list: every input is a list, and the function is called once.
        is_output_node: running it has an effect.
        is_deprecated, is_experimental, is_api_node, not_idempotent: flags.
        enable_expand: the function may return a graph to run in its place.
        accept_all_inputs: undeclared inputs are passed on, too.
        unknown: newer keywords, stored as attributes.
    """

    def __init__(
        self,
        node_id: str,
        display_name: str | None = None,
        category: str = "sd",
        inputs: Sequence[Input] | None = None,
        outputs: Sequence[Output] | None = None,
        hidden: Sequence[Any] | None = None,
        description: str = "",
        is_input_list: bool = False,
        is_output_node: bool = False,
        is_deprecated: bool = False,
        is_experimental: bool = False,
        is_api_node: bool = False,
        not_idempotent: bool = False,
        enable_expand: bool = False,
        accept_all_inputs: bool = False,
        search_aliases: Sequence[str] | None = None,
        **unknown: Any,
    ) -> None:
        self.node_id = node_id
        self.display_name = display_name
        self.category = category
        self.inputs: list[Any] = list(inputs or ())
        self.outputs: list[Any] = list(outputs or ())
        self.hidden: list[Any] = list(hidden or ())
        self.description = description
        self.is_input_list = is_input_list
        self.is_output_node = is_output_node
        self.is_deprecated = is_deprecated
        self.is_experimental = is_experimental
        self.is_api_node = is_api_node
        self.not_idempotent = not_idempotent
        self.enable_expand = enable_expand
        self.accept_all_inputs = accept_all_inputs
        self.search_aliases = list(search_aliases or ())
        self.unknown = unknown
        for name, value in unknown.items():
            setattr(self, name, value)

    def finalize(self) -> None:
        """Add the hidden values that output nodes get."""
        if self.is_output_node:
            for kind in (Hidden.prompt, Hidden.extra_pnginfo):
                if kind not in self.hidden:
                    self.hidden.append(kind)

    def validate(self) -> None:
        """Check that no two inputs have the same id.

        Raises:
            NodeError: two have.
        """
        ids = [str(each.id) for each in self.inputs]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise NodeError(
                f"{self.node_id} declares two inputs named {twice[0]!r}; name them differently"
            )


class NodeOutput:
    """What `execute` returns.

    Args:
        args: one value for each output.
        ui: what the editor shows: a dict, or an object with `as_dict()`.
        expand: a graph to run in the node's place; `args` are then links into it, or constants.
        block_execution: what depends on the outputs does not run, and this sentence is reported.
    """

    def __init__(
        self,
        *args: Any,
        ui: Any = None,
        expand: Mapping[str, Any] | None = None,
        block_execution: str | None = None,
    ) -> None:
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The values, or None where there are none."""
        return self.args or None

    def __getitem__(self, index: Any) -> Any:
        """A value by its index, as of the tuple that a V1 function returns."""
        return self.args[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.args)

    def __len__(self) -> int:
        return len(self.args)

    def __bool__(self) -> bool:
        return True

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NodeOutput:
        """From the dict that a V1 function may return: `ui`, `result`, `expand`."""
        result: Any = data.get("result")
        block = None
        if isinstance(result, Blocked):
            result, block = (), result.message
        return cls(
            *cast("Sequence[Any]", result or ()),
            ui=data.get("ui"),
            expand=data.get("expand"),
            block_execution=block,
        )


def as_output(answer: Any) -> NodeOutput:
    """What `execute` may return, as a NodeOutput.

    Raises:
        NodeError: it is nothing of the kind.
    """
    if isinstance(answer, NodeOutput):
        return answer
    if answer is None:
        return NodeOutput()
    if isinstance(answer, Blocked):
        return NodeOutput(block_execution=answer.message)
    if isinstance(answer, Mapping):
        return NodeOutput.from_dict(cast("Mapping[str, Any]", answer))
    if isinstance(answer, tuple):
        return NodeOutput(*cast("tuple[Any, ...]", answer))
    raise NodeError(
        f"a node returned a {type(answer).__name__}; expected NodeOutput(value, ...), a tuple or "
        "a dict"
    )
