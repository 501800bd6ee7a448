"""`execution`: the parts of the incumbent's executor that plugins name.

Prompts are run by this engine's own executor; a plugin queues one through the server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, NoReturn

from engine.compat.host.interrupts import throw_exception_if_processing_interrupted
from engine.compat.host.state import host
from engine.compat.placeholders import refuse

_LOGGER = logging.getLogger(__name__)
SENSITIVE_EXTRA_DATA_KEYS = ("auth_token_comfy_org", "api_key_comfy_org")
MAXIMUM_HISTORY_SIZE = 10000


class ExecutionResult(Enum):
    """How the call of a node ended."""

    SUCCESS = 0
    FAILURE = 1
    PENDING = 2


class CacheType(Enum):
    """How results are cached in the incumbent."""

    CLASSIC = 0
    LRU = 1
    NONE = 2
    RAM_PRESSURE = 3


class CacheEntry(NamedTuple):
    """The cached result of a node."""

    ui: dict[str, Any]
    outputs: list[Any]


class DuplicateNodeError(Exception):
    """An expansion has a node whose id exists."""


class _Unused:
    """Made by plugins that replace the incumbent's executor; nothing here calls it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs


class IsChangedCache(_Unused):
    """Fingerprints of nodes."""


class CacheSet(_Unused):
    """The caches of a run."""


class PromptExecutor:
    """The incumbent's executor, to be named; it runs nothing here.

    Attributes:
        server: the `PromptServer`.
        success: of the last run.
    """

    def __init__(self, server: Any, cache_type: Any = False, cache_args: Any = None) -> None:
        self.server = server
        self.cache_args = cache_args
        self.cache_type = cache_type
        self.reset()

    def reset(self) -> None:
        """Forget the last run."""
        self.caches = CacheSet()
        self.status_messages: list[Any] = []
        self.success = True

    def add_message(self, event: str, data: dict[str, Any], broadcast: bool) -> None:
        """Send an event to the client that runs something, or to all."""
        self.status_messages.append((event, data))
        client = getattr(self.server, "client_id", None)
        if client is not None or broadcast:
            self.server.send_sync(event, data, client)

    def handle_execution_error(
        self,
        prompt_id: str,
        prompt: Any,  # noqa: ARG002 - the names are part of the interface
        current_outputs: Any,  # noqa: ARG002
        executed: Any,  # noqa: ARG002
        error: Mapping[str, Any],
        ex: BaseException,
    ) -> None:
        """Log the error of a node."""
        _LOGGER.error("prompt %s: %s", prompt_id, error.get("exception_message", ex))

    def execute(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a node cannot run another prompt. Raises `NotImplementedError`."""
        refuse("execution.PromptExecutor.execute")

    async def execute_async(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a node cannot run another prompt. Raises `NotImplementedError`."""
        refuse("execution.PromptExecutor.execute_async")


def full_type_name(klass: type) -> str:
    """The name of a class with its module, which is left out for Python's own."""
    module = klass.__module__
    return klass.__qualname__ if module == "builtins" else f"{module}.{klass.__qualname__}"


async def validate_prompt(
    prompt_id: Any, prompt: Any = None, partial_execution_list: Any = None
) -> tuple[bool, dict[str, Any] | None, list[str], dict[str, Any]]:
    """Check a prompt in API form.

    Args:
        prompt_id: its name; in the older form, with one argument, the prompt.
        prompt: by node, `class_type` and `inputs`.
        partial_execution_list: the outputs to check; None for all.

    Returns:
        whether something can run, the error of the prompt as a whole, the output nodes that can
        run, and the errors of nodes.
    """
    graph = prompt_id if prompt is None else prompt
    return host().validate(graph, partial_execution_list)


def slice_inputs(inputs: Mapping[str, Sequence[Any]], index: int) -> dict[str, Any]:
    """One call's arguments of lists; a shorter list repeats its last item."""
    return {
        name: values[min(index, len(values) - 1)] if len(values) else None
        for name, values in inputs.items()
    }


def map_node_over_list(
    obj: Any,
    input_data_all: Mapping[str, Sequence[Any]],
    func: str,
    allow_interrupt: bool = False,
    execution_block_cb: Callable[[Any], Any] | None = None,  # noqa: ARG001 - the interface's name
    pre_execute_cb: Callable[[int], Any] | None = None,
) -> list[Any]:
    """Call a node's function once for each item of the longest list of arguments.

    Args:
        obj: the node.
        input_data_all: by argument, its values in all calls.
        func: the name of the function.
        allow_interrupt: stop before a call if the user stopped the run.
        execution_block_cb: not called.
        pre_execute_cb: called with the number of each call.
    """
    function = getattr(obj, func)
    if getattr(obj, "INPUT_IS_LIST", False):
        calls: list[dict[str, Any]] = [dict(input_data_all)]
    else:
        count = max((len(each) for each in input_data_all.values()), default=1)
        calls = [slice_inputs(input_data_all, index) for index in range(count)]
    results: list[Any] = []
    for index, arguments in enumerate(calls):
        if allow_interrupt:
            throw_exception_if_processing_interrupted()
        if pre_execute_cb is not None:
            pre_execute_cb(index)
        results.append(function(**arguments))
    return results


def merge_result_data(results: Sequence[Sequence[Any]], obj: Any) -> list[list[Any]]:
    """The results of several calls by output; those that are lists already are joined."""
    if not results:
        return []
    lists = getattr(obj, "OUTPUT_IS_LIST", None) or [False] * len(results[0])
    merged: list[list[Any]] = []
    for slot, is_list in enumerate(lists):
        values = [each[slot] for each in results if slot < len(each)]
        merged.append([item for each in values for item in each] if is_list else values)
    return merged


def get_input_data(
    inputs: Mapping[str, Any],
    class_def: Any,
    unique_id: str,
    execution_list: Any = None,
    dynprompt: Any = None,
    extra_data: Mapping[str, Any] | None = None,
) -> tuple[dict[str, list[Any]], dict[str, bool], dict[str, Any]]:
    """A node's arguments, each as a list: constants, and what `execution_list` has for links.

    Returns:
        the arguments, the names of those that have no value yet, and nothing.
    """
    declared: Mapping[str, Any] = class_def.INPUT_TYPES()
    hidden = declared.get("hidden") or {}
    found: dict[str, list[Any]] = {}
    missing: dict[str, bool] = {}
    for name, value in inputs.items():
        if not (isinstance(value, list) and len(value) == 2):
            found[name] = [value]
            continue
        cached = None if execution_list is None else execution_list.get_cache(value[0], unique_id)
        outputs = getattr(cached, "outputs", cached)
        if outputs is None:
            missing[name] = True
        else:
            found[name] = outputs[value[1]]
    extra = extra_data or {}
    original = dynprompt.get_original_prompt() if dynprompt is not None else {}
    filled = {
        "PROMPT": original,
        "DYNPROMPT": dynprompt,
        "EXTRA_PNGINFO": extra.get("extra_pnginfo"),
        "UNIQUE_ID": unique_id,
    }
    for name, kind in hidden.items():
        if kind in filled:
            found[name] = [filled[kind]]
    return found, missing, {}
