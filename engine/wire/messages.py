"""Messages between server and worker: events up, commands down, one tagged union each.

Plain values that msgpack carries. Knows nothing of graphs, sockets or browsers: `channel.py` moves
frames, and the server gives events the form that browsers know.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Message(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower):
    """The root: each message carries its own lower-case name as `kind`."""


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
    """Which nodes' results are cached; sent once, maybe empty, after `Started`."""

    nodes: tuple[str, ...]
    at: float


class Signed(Event, frozen=True):
    """The signature of every node that is needed, by node id; sent once, before `Cached`."""

    signatures: dict[str, bytes]


class Place(msgspec.Struct, frozen=True):
    """Where in the graph a node is.

    Attributes:
        node: its id; a node that an expansion brought has one that the prompt does not hold.
        display: the node the editor shows its progress on.
        parent: the node whose expansion brought it, or None.
        real: the node of the prompt that it came from.
    """

    node: str
    display: str
    parent: str | None
    real: str


class Running(Event, frozen=True):
    """A node was called."""

    place: Place


class Progress(Event, frozen=True):
    """A running node did `step` of `steps`."""

    place: Place
    step: int
    steps: int


class Preview(Event, frozen=True):
    """A picture of what a running node is doing, as JPEG; it belongs to the `Progress` after it."""

    place: Place
    image: bytes


class Shown(Event, frozen=True):
    """What the editor draws under a node that finished; None for a known one that shows nothing."""

    place: Place
    shown: dict[str, Any] | None


class Finished(Event, frozen=True):
    """A node that was `Running` has its results.

    Attributes:
        seconds: what it took.
        memory: bytes at the highest while it ran, of all that the worker holds; 0 where that was
            not measured.
    """

    place: Place
    seconds: float = 0.0
    memory: int = 0


class Blocked(Event, frozen=True):
    """A node was passed over because of what came in; the run goes on."""

    place: Place
    class_type: str
    message: str


class Failed(Event, frozen=True):
    """A node raised, and the run ended there.

    Attributes:
        place, class_type: the node.
        message: the error's text.
        error_type: the error's class, with its module where it is not a built-in one.
        traceback: its lines.
        inputs: what the node was given, by name, each value as text or plain value.
        executed: the nodes that had finished.
        full_disk: where no more could be written, if that was the reason: a folder, or an empty
            text where the error did not say.
    """

    place: Place
    class_type: str
    message: str
    error_type: str
    traceback: tuple[str, ...]
    inputs: dict[str, list[Any]]
    executed: tuple[str, ...]
    at: float
    full_disk: str | None = None


class Interrupted(Event, frozen=True):
    """The user stopped the run; `place` is where, None between two nodes."""

    place: Place | None
    class_type: str | None
    executed: tuple[str, ...]
    at: float


class Succeeded(Event, frozen=True):
    """Everything that was asked for is done."""

    at: float


Ended = Succeeded | Failed | Interrupted
"""Exactly one of these is the last event of every prompt that `Started`."""
AnyEvent = (
    Started | Signed | Cached | Running | Progress | Preview | Shown | Finished | Blocked | Ended
)


class Device(msgspec.Struct, frozen=True):
    """Something a worker computes on; bytes are those of its memory.

    Attributes:
        held: bytes that torch holds.
        budget: bytes for weights and what is computed beside them; 0 where nothing is computed.
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
    """

    note: str
    torch: str
    devices: tuple[Device, ...]


class InterruptAcknowledged(Event, frozen=True):
    """After an `Interrupt`: the running node has seen it, and is on its way out."""


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


Upward = AnyEvent | Ready | InterruptAcknowledged | Freed | CacheChanged
"""Every message from a worker."""


class Run(Message, frozen=True):
    """Run a prompt.

    Attributes:
        prompt_id: how events name it.
        prompt: in API form, as JSON: numbers of any size come through.
        outputs: the ids of the output nodes to run.
        extra: what goes into pictures' metadata (`workflow` among it), as JSON.
        all_progress: report every step, however fast they come.
        ordered: the nodes that the outputs need, each after what it needs; empty where that is not
            known.
    """

    prompt_id: str
    prompt: bytes
    outputs: tuple[str, ...]
    extra: bytes = b"{}"
    all_progress: bool = False
    ordered: tuple[str, ...] = ()


class Interrupt(Message, frozen=True):
    """Stop this prompt."""

    prompt_id: str


class Free(Message, frozen=True):
    """Give memory back between two prompts: weights, finished results, or both."""

    weights: bool = False
    results: bool = False


Command = Run | Interrupt | Free
"""Every message to a worker."""


class Convert(Message, frozen=True):
    """Give a picture another form.

    Attributes:
        number: how the answer names it.
        path: the file.
        form: `webp`, `jpeg` or `png`.
        quality: from 1 to 100, for `webp` and `jpeg`.
        channel: `rgb`, `a` (only the transparency) or `rgba`.
        most: the longest side it may have; larger ones are made smaller, 0 leaves it as it is.
    """

    number: int
    path: str
    form: str
    quality: int
    channel: str
    most: int = 0


class PutMask(Message, frozen=True):
    """Make a PNG of `picture` with the transparency of `mask`, its texts kept."""

    number: int
    picture: str
    mask: str


class ReadHeader(Message, frozen=True):
    """What the header of a `.safetensors` file says about it, as JSON."""

    number: int
    path: str


class Converted(Message, frozen=True):
    """The bytes that were asked for."""

    number: int
    content: bytes


class Refused(Message, frozen=True):
    """Why a picture was not converted, in words fit for a user."""

    number: int
    reason: str


class Deferred(Message, frozen=True):
    """A picture that takes long: ask the helper for those."""

    number: int


MediaCommand = Convert | PutMask | ReadHeader
MediaAnswer = Converted | Refused | Deferred
