"""Values on their way between two processes: both ends in one."""

import copy
import gc
import socket

import numpy as np
import pytest
import torch

from engine.compat.boundary import plugin_boundary
from engine.compat.isolation import values
from engine.compat.isolation.stand_ins import Handles, StandIn, holds_lost
from engine.compat.isolation.values import Reader, Writer
from engine.errors import NodeError
from engine.execute.sizes import size_of
from engine.nodekit.node import Blocked
from engine.wire.isolated_messages import Answer, IsolatedMessage
from engine.wire.shared_memory import BlockChannel


class Ends:
    """Two tables of objects, and a channel between them."""

    def __init__(self, folder):
        self.one, self.other = Handles("a {} of other".format), Handles("a {} of one".format)
        self.out, self.into = (
            BlockChannel(each, IsolatedMessage, folder) for each in socket.socketpair()
        )

    def send(self, value, *, back=False):
        """The value as the other end reads it."""
        source, target = (self.other, self.one) if back else (self.one, self.other)
        writer = Writer(source)
        answer = Answer(1, writer.tree(value))
        self.out.send_with(answer, writer.parts, writer.size)
        message = self.into.next()
        memory = self.into.open(message.block) if message.block else None
        return Reader(target, memory).value(message.value)


@pytest.fixture
def ends(tmp_path):
    made = Ends(tmp_path)
    yield made
    made.out.close()
    made.into.close()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(1 << 63),
        1 << 64,
        -(1 << 200),
        0.1,
        float("inf"),
        "text",
        b"\0bytes",
        bytearray(b"more"),
        3 - 4j,
        (1, [2, {"a": (3,)}], ()),
        {1, 7},
        frozenset({"b"}),
        {("a", 1): "b", None: 2, 3.5: []},
        Blocked("why"),
    ],
    ids=repr,
)
def test_plain_values_come_back_equal(ends, value):
    found = ends.send(value)
    assert found == value
    assert type(found) is type(value)


DTYPES = [
    each
    for each in vars(torch).values()
    if isinstance(each, torch.dtype)
    and each.itemsize >= 1
    and not str(each).startswith(("torch.q", "torch.bits", "torch.int", "torch.uint"))
] + [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16]


@pytest.mark.parametrize("dtype", dict.fromkeys(DTYPES), ids=str)
def test_tensors_of_every_dtype_come_back_bit_for_bit(ends, dtype):
    content = torch.arange(48, dtype=torch.uint8)
    value = content[: 48 // dtype.itemsize * dtype.itemsize]
    value = (value % 2 if dtype == torch.bool else value).view(dtype)
    found = ends.send(value)
    assert found.dtype == dtype
    assert torch.equal(found.view(torch.uint8), value.view(torch.uint8))


def test_layouts_are_read_as_values(ends):
    value = torch.arange(24.0).reshape(2, 3, 4)
    odd = [value.transpose(0, 2), value[:, 1:2], value.expand(5, 2, 3, 4), value[..., ::2]]
    odd += [torch.tensor(3), torch.zeros(0, 7), torch.view_as_complex(torch.ones(3, 2)).conj()]
    odd += [torch.nn.Parameter(torch.ones(2)), value.clone().requires_grad_(True) * 2]
    for each in odd:
        found = ends.send(each)
        assert torch.equal(found, each.detach())
        assert found.shape == each.shape
        assert found.is_contiguous()
    array = np.arange(6, dtype=">i4").reshape(2, 3)[:, ::-1]
    assert (ends.send(array) == array).all()
    assert ends.send(np.float32(2.5)) == np.float32(2.5)


@pytest.mark.parametrize("copied", [0, 64 << 20])
def test_one_tensor_stays_one_and_what_is_changed_is_the_receiver_s(ends, monkeypatch, copied):
    monkeypatch.setattr(values, "_COPIED", copied)
    value = torch.ones(1000)
    one, (other,) = ends.send([value, (value,)])
    assert one is other
    one += 1
    assert torch.equal(value, torch.ones(1000))


def test_a_conditioning_with_nested_values(ends):
    value = [
        [torch.ones(1, 77, 8), {"pooled_output": None, "mask": torch.zeros(2, 2), "area": (1, 2)}]
    ]
    found = ends.send(value)
    assert type(found[0]) is list
    assert torch.equal(found[0][0], value[0][0])
    assert found[0][1]["area"] == (1, 2)


class Thing:
    def __init__(self):
        self.secret = 5

    def __reduce__(self):
        raise AssertionError("pickled")


def test_an_object_stays_and_is_itself_when_it_comes_back(ends):
    thing = Thing()
    stand_in = ends.send({"here": thing})["here"]
    assert type(stand_in) is StandIn
    assert ends.send(("there", stand_in), back=True)[1] is thing
    for use in (
        lambda: stand_in.secret,
        stand_in,
        lambda: stand_in[0],
        lambda: list(stand_in),
    ):
        with pytest.raises(NodeError, match="a Thing of one"):
            use()
    assert not hasattr(stand_in, "clone")
    assert size_of([stand_in, stand_in]) < 1000
    assert copy.deepcopy([stand_in])[0] is stand_in
    boundary = plugin_boundary()
    assert boundary.to_object(stand_in) is stand_in
    assert boundary.to_value([stand_in])[0] is stand_in


def test_an_object_is_held_as_long_as_the_other_end_needs_it(ends):
    stand_in = ends.send(Thing())
    assert len(ends.one) == 1
    del stand_in
    gc.collect()
    unused = ends.other.unused()
    assert unused
    assert ends.other.unused() == ()
    ends.one.take_back(unused)
    assert len(ends.one) == 0


def test_what_was_lost_with_a_process_says_so(ends):
    stand_in = ends.send([Thing()])
    ends.other.close()
    assert holds_lost({"a": ([stand_in],)})
    assert not holds_lost([1, "a", torch.ones(2)])
    with pytest.raises(NodeError, match="run the workflow again"):
        _ = stand_in[0].secret
    with pytest.raises(NodeError, match="was lost"):
        ends.send(stand_in, back=True)


def test_a_value_that_holds_itself_is_refused(ends):
    value = []
    value.append(value)
    with pytest.raises(NodeError, match="holds itself"):
        ends.send(value)


def test_a_hostile_tree_is_an_error_and_no_crash(ends):
    from engine.wire.isolated_messages import HandleOf, TensorAt

    for tree in (
        TensorAt(0, 0, "load", [1]),
        TensorAt(0, 1 << 40, "float32", [4]),
        TensorAt(0, 0, "float32", [-1]),
        TensorAt(0, 0, "O", [1], True),
        HandleOf(True, 99),
    ):
        with pytest.raises((NodeError, AssertionError)):
            Reader(ends.one, None).value(tree)
