"""Nodes that are coroutines: while one waits, others run."""

import asyncio

import pytest

from engine.nodekit.context import CURRENT, Context
from engine.nodekit.contract import node
from engine.wire import messages


@node("Show", category="test", output=True)
def show(*, a: int, b: int = 0, ctx: Context) -> None:
    """Show."""
    ctx.show(sums=[a + b])


@node("Sync", category="test")
def sync(*, a: int) -> int:
    """At once."""
    return a


def test_two_that_wait_for_each_other_both_finish(engine):
    here, there = asyncio.Event(), asyncio.Event()

    @node("Meet", category="test")
    async def meet(*, mine: int) -> int:
        """Wait until the other one is there, too."""
        ours, theirs = (here, there) if mine else (there, here)
        ours.set()
        await theirs.wait()
        return mine + 1

    done = engine(meet, show).run(
        {
            "1": ("Meet", {"mine": 0}),
            "2": ("Meet", {"mine": 1}),
            "out": ("Show", {"a": ["1", 0], "b": ["2", 0]}),
        }
    )
    assert done.shown == {"out": {"sums": [3]}}


def test_others_go_on_while_one_waits(engine):
    finished = asyncio.Event()

    @node("Slow", category="test")
    async def slow(*, a: int) -> int:
        """Wait until a node that does not wait is finished."""
        await finished.wait()
        return a

    @node("Note", category="test")
    def note(*, a: int) -> int:
        """Say that it was here."""
        finished.set()
        return a

    small = engine(slow, note, show)
    done = small.run(
        {
            "slow": ("Slow", {"a": 1}),
            "note": ("Note", {"a": 2}),
            "out": ("Show", {"a": ["slow", 0], "b": ["note", 0]}),
        }
    )
    assert done.executed == ("note", "slow", "out")


def test_equal_nodes_that_wait_are_called_once(engine):
    calls = []

    @node("Once", category="test")
    async def once(*, a: int) -> int:
        """Count calls."""
        calls.append(a)
        await asyncio.sleep(0.01)
        return a

    done = engine(once, show).run(
        {
            "1": ("Once", {"a": 4}),
            "2": ("Once", {"a": 4}),
            "out": ("Show", {"a": ["1", 0], "b": ["2", 0]}),
        }
    )
    assert done.shown == {"out": {"sums": [8]}}
    assert calls == [4]


def test_an_error_in_a_coroutine_ends_the_run(engine):
    @node("Bad", category="test")
    async def bad(*, a: int) -> int:
        """Raise, after a while."""
        await asyncio.sleep(0)
        raise ValueError("no")

    @node("Endless", category="test")
    async def endless(*, a: int) -> int:
        """Never finish."""
        await asyncio.Event().wait()
        return a

    end = (
        engine(bad, endless, show)
        .run(
            {
                "bad": ("Bad", {"a": 1}),
                "endless": ("Endless", {"a": 1}),
                "out": ("Show", {"a": ["bad", 0], "b": ["endless", 0]}),
            }
        )
        .end
    )
    assert isinstance(end, messages.Failed)
    assert (end.node.id, end.message, end.inputs) == ("bad", "no", {"a": [1]})


def test_stop_cancels_what_waits(engine):
    cancelled = []

    @node("Endless", category="test")
    async def endless() -> int:
        """Never finish."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise
        return 1

    small = engine(endless, show)
    end = small.run(
        {"1": ("Endless", {}), "out": ("Show", {"a": ["1", 0]})},
        stopped=lambda: bool(small.of(messages.Running)),
    ).end
    assert isinstance(end, messages.Interrupted)
    assert cancelled == [1]


def test_each_coroutine_has_its_own_context(engine):
    seen = {}

    @node("Who", category="test")
    async def who(*, a: int) -> int:
        """Note whose context is current after a wait."""
        await asyncio.sleep(0)
        seen[a] = CURRENT.get().node_id
        return a

    small = engine(who, show)
    small.run(
        {
            "1": ("Who", {"a": 1}),
            "2": ("Who", {"a": 2}),
            "out": ("Show", {"a": ["1", 0], "b": ["2", 0]}),
        }
    )
    assert seen == {1: "1", 2: "2"}
    with pytest.raises(LookupError):
        CURRENT.get()


def test_a_coroutine_is_retried_too(engine):
    tries = []

    @node("Greedy", category="test")
    async def greedy() -> int:
        """Fail once."""
        await asyncio.sleep(0)
        tries.append(1)
        if len(tries) == 1:
            raise MemoryError
        return 5

    done = engine(greedy, show).run(
        {"1": ("Greedy", {}), "out": ("Show", {"a": ["1", 0]})}, retry=lambda _: True
    )
    assert done.shown == {"out": {"sums": [5]}}


def test_many_may_wait_at_once(engine):
    started = []
    everyone = asyncio.Event()

    @node("Crowd", category="test")
    async def crowd(*, a: int) -> int:
        """Wait until all are there."""
        started.append(a)
        if len(started) == 1_000:
            everyone.set()
        await everyone.wait()
        return a

    @node("Add", category="test")
    def add(*, a: int, b: int) -> int:
        """Add."""
        return a + b

    @node("Range", category="test")
    def count() -> list[int]:
        """The first 500 numbers."""
        return list(range(500))

    @node("Sum", category="test", input_is_list=True, output=True)
    def total(*, values: list[int], more: list[int], ctx: Context) -> None:
        """The sum of all."""
        ctx.show(sum=[sum(values) + sum(more)])

    graph = {
        "range": ("Range", {}),
        "listed": ("Crowd", {"a": ["range", 0]}),
        **{str(i): ("Crowd", {"a": i}) for i in range(500, 1000)},
        "out": ("Sum", {"values": ["listed", 0], "more": ["add499", 0]}),
    }
    for i in range(500):
        previous = [f"add{i - 1}", 0] if i else 0
        graph[f"add{i}"] = ("Add", {"a": previous, "b": [str(500 + i), 0]})
    done = engine(crowd, count, total, add).run(graph)
    assert done.shown == {"out": {"sum": [sum(range(1000))]}}
