"""Messages between server and worker: events up, commands down, one tagged union each.

Plain values that msgpack encodes. `channel.py` sends the frames; the server turns events into the
messages of browsers.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine.wire.message import Message
from engine.wire.pack_messages import PackCommand, PackMessage


class Event(Message, frozen=True):
    """Something that happened to a prompt.

    Attributes:
        prompt_id: which prompt.
    """

    prompt_id: str


class Started(Event, frozen=True):
    """A prompt began to run.

    Attributes:
        at: when, in seconds since 1970.
    """

    at: float


class Cached(Event, frozen=True):
    """The nodes whose results are cached; sent once, possibly empty, after `Started`."""

    nodes: tuple[str, ...]
    at: float


class Signatures(Event, frozen=True):
    """The signature of every needed node, by node id; sent once, before `Cached`."""

    signatures: dict[str, bytes]


class NodeRef(msgspec.Struct, frozen=True):
    """How events name a node.

    Attributes:
        id: its own; that of a node added by an expansion is not in the prompt.
        display_id: the node that the editor shows its progress on.
        parent_id: the node whose expansion added it, or None.
        real_id: the node of the prompt that it came from.
    """

    id: str
    display_id: str
    parent_id: str | None
    real_id: str


class Running(Event, frozen=True):
    """A node was called."""

    node: NodeRef


class Progress(Event, frozen=True):
    """A running node did `step` of `steps`."""

    node: NodeRef
    step: int
    steps: int


class Preview(Event, frozen=True):
    """A preview of a running node's result, as JPEG; it belongs to the `Progress` after it."""

    node: NodeRef
    image: bytes


class NodeOutput(Event, frozen=True):
    """What the editor draws under a finished node; None for a cached one that shows nothing."""

    node: NodeRef
    shown: dict[str, Any] | None


class Finished(Event, frozen=True):
    """A node that was `Running` has its results.

    Attributes:
        seconds: its duration.
        memory: peak bytes of the worker's memory while it ran; 0 where not measured.
    """

    node: NodeRef
    seconds: float = 0.0
    memory: int = 0


class Blocked(Event, frozen=True):
    """A node was skipped because of a blocked input; the run continues."""

    node: NodeRef
    class_type: str
    message: str


class Failed(Event, frozen=True):
    """A node raised, and the run ended there.

    Attributes:
        node, class_type: the node.
        message: the error's text.
        error_type: the error's class, with its module where it is not a built-in one.
        traceback: its lines.
        inputs: the node's inputs by name, each value as text or plain value.
        executed: the nodes that had finished.
        full_disk: the folder on a full disk, if that was the reason; an empty text where the error
            does not name it.
    """

    node: NodeRef
    class_type: str
    message: str
    error_type: str
    traceback: tuple[str, ...]
    inputs: dict[str, list[Any]]
    executed: tuple[str, ...]
    at: float
    full_disk: str | None = None


class Interrupted(Event, frozen=True):
    """The user stopped the run; `node` is the one that ran, None between two nodes."""

    node: NodeRef | None
    class_type: str | None
    executed: tuple[str, ...]
    at: float


class Succeeded(Event, frozen=True):
    """The run is complete."""

    at: float


Ended = Succeeded | Failed | Interrupted
"""Exactly one of these is the last event of every prompt that `Started`."""
AnyEvent = (
    Started
    | Signatures
    | Cached
    | Running
    | Progress
    | Preview
    | NodeOutput
    | Finished
    | Blocked
    | Ended
)


class Device(msgspec.Struct, frozen=True):
    """Something a worker computes on; bytes are those of its memory.

    Attributes:
        held: bytes that torch holds.
        budget: bytes for weights and activations; 0 where nothing is computed.
    """

    name: str
    type: str
    index: int | None
    total: int
    free: int
    held: int = 0
    budget: int = 0


class Ready(Message, frozen=True):
    """A worker has loaded its nodes and takes jobs.

    Attributes:
        note: which dtype it computes in, and why.
        torch: the version of torch.
        dtype: what networks compute in: `fp32`, `bf16` or `fp16`.
    """

    note: str
    torch: str
    devices: tuple[Device, ...]
    dtype: str = ""


class InterruptAcknowledged(Event, frozen=True):
    """After an `Interrupt`: the running node has seen it and will stop."""


class Freed(Message, frozen=True):
    """The result of a `Free`.

    Attributes:
        released: bytes freed.
        devices: how much is free now.
    """

    released: int
    devices: tuple[Device, ...]


class CacheChanged(Message, frozen=True):
    """Signatures of results added to and dropped from the cache since the last report."""

    added: tuple[bytes, ...]
    dropped: tuple[bytes, ...]


class Withdrawn(Message, frozen=True):
    """The answer to a `Withdraw`: these prompts had not begun, and will not; the others have."""

    prompt_ids: tuple[str, ...]


JobMessage = AnyEvent | Ready | InterruptAcknowledged | Freed | CacheChanged | Withdrawn
"""What a worker sends of prompts and of itself."""
WorkerMessage = JobMessage | PackMessage
"""Every message from a worker."""


class Run(Message, frozen=True):
    """Run a prompt, after those that were sent before.

    Attributes:
        prompt_id: how events name it.
        prompt: in API form, as JSON: numbers of any size come through.
        outputs: the ids of the output nodes to run.
        extra: metadata for saved pictures (`workflow` among it), as JSON.
        all_progress: report every step, however fast they come.
        ordered: the nodes that the outputs need, each after what it needs; empty where that is not
            known.
        previews: how samplers make previews: `none`, `auto`, `latent2rgb` or `taesd`.
        client: the browser that sent it, or None.
        number: its place in the queue: smaller ones run first.
        metadata: whether the files that are saved carry how they were made.
    """

    prompt_id: str
    prompt: bytes
    outputs: tuple[str, ...]
    extra: bytes = b"{}"
    all_progress: bool = False
    ordered: tuple[str, ...] = ()
    previews: str = "none"
    client: str | None = None
    number: float = 0.0
    metadata: bool = True


class Interrupt(Message, frozen=True):
    """Stop this prompt."""

    prompt_id: str


class Withdraw(Message, frozen=True):
    """Do not begin these prompts, if they have not begun; always answered by `Withdrawn`.

    After a run that failed because a disk is full, the worker begins nothing before it has this.
    """

    prompt_ids: tuple[str, ...]


class Free(Message, frozen=True):
    """Free memory before the next prompt begins: weights, cached results, or both."""

    weights: bool = False
    results: bool = False


Command = Run | Interrupt | Withdraw | Free | PackCommand
"""Every message to a worker."""


class Convert(Message, frozen=True):
    """Convert a picture.

    Attributes:
        number: identifies it in the answer.
        path: the file.
        form: `webp`, `jpeg` or `png`.
        quality: from 1 to 100, for `webp` and `jpeg`.
        channel: `rgb`, `a` (only the transparency) or `rgba`.
        most: the maximum length of a side; larger pictures are scaled down, 0 is no limit.
    """

    number: int
    path: str
    form: str
    quality: int
    channel: str
    most: int = 0


class PutMask(Message, frozen=True):
    """Make a PNG of `picture` with the transparency of `mask`; its text chunks are kept."""

    number: int
    picture: str
    mask: str


class ReadHeader(Message, frozen=True):
    """The metadata in the header of a `.safetensors` file, as JSON."""

    number: int
    path: str


class Converted(Message, frozen=True):
    """The requested bytes."""

    number: int
    content: bytes


class Refused(Message, frozen=True):
    """Why a picture was not converted, as a sentence for the user."""

    number: int
    reason: str


class Deferred(Message, frozen=True):
    """The picture takes long to decode: use the slow helper."""

    number: int


MediaCommand = Convert | PutMask | ReadHeader
MediaAnswer = Converted | Refused | Deferred
