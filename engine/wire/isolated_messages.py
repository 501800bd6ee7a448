"""What a worker and the process of an isolated pack tell each other, and values as they travel.

Values are plain trees. The bytes of tensors and arrays are not in them but in a block of shared
memory beside the message, see `shared_memory.py`. Nothing is pickled. Imports no torch.
"""

from __future__ import annotations

from typing import Union

import msgspec

from engine.wire.message import Message
from engine.wire.messages import Run
from engine.wire.pack_messages import (
    AskServer,
    CustomBytes,
    CustomEvent,
    FoldersChanged,
    PackLoading,
    PackReport,
    PacksReady,
    ServerAnswer,
)
from engine.wire.shared_memory import Block, BlocksGivenBack


class _Tree(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The root of what is neither a number nor a text."""


class ListOf(_Tree, frozen=True):
    """A list."""

    items: list[Tree]


class TupleOf(_Tree, frozen=True):
    """A tuple."""

    items: list[Tree]


class SetOf(_Tree, frozen=True):
    """A set; `is_frozen` for a frozenset."""

    items: list[Tree]
    is_frozen: bool = False


class DictOf(_Tree, frozen=True):
    """A dictionary; its keys may be anything that a key can be."""

    keys: list[Tree]
    values: list[Tree]


class Bytes(_Tree, frozen=True):
    """Bytes; `is_array` for a bytearray."""

    content: bytes
    is_array: bool = False


class BigInteger(_Tree, frozen=True):
    """An integer beyond 64 bits, in hexadecimal digits."""

    digits: str


class Complex(_Tree, frozen=True):
    """A complex number."""

    real: float
    imaginary: float


class TensorAt(_Tree, frozen=True):
    """A tensor of torch, or an array of numpy, whose bytes are at an offset of the block.

    Attributes:
        number: counts those of one message; one that occurs twice is the same object.
        offset: in bytes.
        dtype: its name: `float32` of torch, `<f4` of numpy.
        shape: its sides.
        is_array: whether it is numpy's.
    """

    number: int
    offset: int
    dtype: str
    shape: list[int]
    is_array: bool = False


class HandleOf(_Tree, frozen=True):
    """An object that stays in the process that made it.

    Attributes:
        is_yours: whether it is the receiver's: it gets the object itself back.
        number: by which the owner knows it.
        kind: the name of its class, for sentences.
    """

    is_yours: bool
    number: int
    kind: str = ""


class BlockedBy(_Tree, frozen=True):
    """A value that will not come, see `engine.nodekit.node.Blocked`."""

    message: str | None = None


Tree = Union[  # noqa: UP007 - its members name it before it exists
    None,
    bool,
    int,
    float,
    str,
    Bytes,
    ListOf,
    TupleOf,
    SetOf,
    DictOf,
    BigInteger,
    Complex,
    TensorAt,
    HandleOf,
    BlockedBy,
]
"""A value on the way."""

RUN, FINGERPRINT, NEEDED, COMPLAINT = "run", "fingerprint", "needed", "complaint"


class RunOf(msgspec.Struct, frozen=True):
    """The run that a call belongs to, told with the first call of it.

    Attributes:
        prompt: in API form, as JSON.
        extra: what a client sent along for pictures, as JSON.
        job: as the server sent it; None on the command line.
    """

    prompt: bytes
    extra: bytes
    job: Run | None = None


class NodeTraits(msgspec.Struct, frozen=True):
    """Which of the rarer methods a class has; see `engine.nodekit.node.Traits`."""

    fingerprints: bool = False
    chooses: bool = False
    checks: bool = False
    knows_id: bool = False
    is_async: bool = False


class Call(Message, frozen=True):
    """Call a method of a node; ends with `Answer` or `CallFailed` of the same number.

    Attributes:
        method: `run`, `fingerprint`, `needed` or `complaint`.
        inputs: a `DictOf`.
        linked_types: the wire types of links, for a `complaint`.
        call: which of the node's calls it is, where lists make several.
        run: told once for each `prompt_id`.
        block: the memory of tensors in `inputs`.
    """

    number: int
    method: str
    class_type: str
    node_id: str
    inputs: Tree
    linked_types: dict[str, str] = {}
    call: int = 0
    preview_method: str = "none"
    prompt_id: str = ""
    run: RunOf | None = None
    block: Block | None = None


class StopCall(Message, frozen=True):
    """The user stopped the run of that call."""

    number: int


class Describe(Message, frozen=True):
    """Describe the nodes again; answered by `IsolatedReady`."""


class ChangePrompt(Message, frozen=True):
    """Have the pack's handlers change a prompt's body; answered by `PromptChanged`."""

    number: int
    body: bytes


class GraphTold(Message, frozen=True):
    """The answer to `AskGraph`: nodes of the run, as JSON."""

    number: int
    body: bytes


class Released(Message, frozen=True):
    """Objects of the receiver that the sender needs no longer, by their numbers."""

    numbers: tuple[int, ...]


class IsolatedReady(Message, frozen=True):
    """The pack was imported, or was not; or its nodes were described again.

    Attributes:
        report: how it was loaded.
        ready: its catalog, folders and routes.
        traits: of its classes.
    """

    report: PackReport
    ready: PacksReady
    traits: dict[str, NodeTraits] = {}


class CallProgress(Message, frozen=True):
    """A call did `step` of `steps`."""

    number: int
    step: int
    steps: int
    preview: bytes | None = None


class AskGraph(Message, frozen=True):
    """The node of that call reads the graph of its run; answered by `GraphTold`."""

    number: int


class Answer(Message, frozen=True):
    """A call has ended.

    Attributes:
        value: what a hook said; of a `run` a `TupleOf` with one value per output.
        shown: what the editor draws under the node.
        graph, result: the expansion to run for the values, instead of them.
        block: the memory of tensors in these.
    """

    number: int
    value: Tree = None
    shown: Tree = None
    graph: Tree = None
    result: Tree = None
    block: Block | None = None


class CallFailed(Message, frozen=True):
    """A call raised.

    Attributes:
        error: its text.
        error_type: the name of its class.
        module: of its class.
        traceback: its lines.
        is_stop: whether it is the user's stop.
    """

    number: int
    error: str
    error_type: str = "Exception"
    module: str = "builtins"
    traceback: tuple[str, ...] = ()
    is_stop: bool = False


class PromptChanged(Message, frozen=True):
    """The answer to `ChangePrompt`."""

    number: int
    body: bytes


IsolatedCommand = (
    Call
    | StopCall
    | Describe
    | ChangePrompt
    | GraphTold
    | Released
    | BlocksGivenBack
    | ServerAnswer
)
"""What a worker sends to the process of an isolated pack."""
PassedOn = CustomEvent | CustomBytes | FoldersChanged | AskServer
"""What such a process sends for the server."""
IsolatedMessage = (
    PackLoading
    | IsolatedReady
    | CallProgress
    | AskGraph
    | Answer
    | CallFailed
    | PromptChanged
    | Released
    | BlocksGivenBack
    | PassedOn
)
"""What such a process sends."""
