"""Messages survive encoding and decoding, and contain their type."""

import msgspec
import pytest

from engine.wire.messages import (
    AnyEvent,
    Command,
    Failed,
    Free,
    Interrupt,
    NodeRef,
    Preview,
    Run,
    Running,
    WorkerMessage,
)
from engine.wire.pack_messages import (
    CustomBytes,
    CustomEvent,
    FolderChange,
    FoldersChanged,
    PackLoaded,
    PackLoading,
    PackReport,
    PacksReady,
    ReloadCatalog,
)

PLACE = NodeRef("7.0.0.1", "7", "7", "7")


@pytest.mark.parametrize(
    ("message", "union"),
    [
        (Running("p", PLACE), AnyEvent),
        (Preview("p", PLACE, b"\xff\xd8"), AnyEvent),
        (
            Failed("p", PLACE, "A", "no", "ValueError", ("line",), {"a": [1, "b"]}, (), 1.5),
            AnyEvent,
        ),
        (Run("p", b"{}", ("1",), b"{}"), Command),
        (Interrupt("p"), Command),
        (Free(weights=True), Command),
    ],
)
def test_messages_survive_the_wire(message, union):
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=union) == message


def test_a_message_carries_its_name():
    assert msgspec.to_builtins(Interrupt("p")) == {"kind": "interrupt", "prompt_id": "p"}


def test_an_event_is_no_command():
    packed = msgspec.msgpack.encode(Running("p", PLACE))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(packed, type=Command)


@pytest.mark.parametrize(
    ("message", "union"),
    [
        (PackLoading("a"), WorkerMessage),
        (PackLoaded(PackReport("a", web={"a": "/a/js"}, left_out={"A": "no"})), WorkerMessage),
        (
            PacksReady(b"[]", {"loras": FolderChange(("/l",), (".pt",))}, {"A": ("a", "b")}),
            WorkerMessage,
        ),
        (FoldersChanged({}), WorkerMessage),
        (CustomEvent("mine", b"{}"), WorkerMessage),
        (CustomBytes(7, b"\0", "client"), WorkerMessage),
        (ReloadCatalog(), Command),
    ],
)
def test_messages_of_packs_survive_the_wire(message, union):
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=union) == message
