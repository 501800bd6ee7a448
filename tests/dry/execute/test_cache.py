"""What the cache retains, and what it evicts first when the budget is exceeded."""

import gc
import itertools
import math
import weakref
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.execute.cache import Cache, NodeResult
from engine.graph.prompt import Prompt, PromptNode
from engine.graph.signature import sign
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Socket


def signature(name, fingerprint=None):
    prompt = Prompt({"1": PromptNode("A", {"name": name})})
    return sign(prompt, "1", fingerprint, {})


def known(size, seconds=1.0):
    return NodeResult(([size],), None, seconds)


def cache_of(budget):
    """A cache whose values are their own sizes; nothing is shared."""
    addresses = itertools.count()
    return Cache(budget, measure=lambda outputs: {next(addresses): outputs[0][0]})


def sharing(budget):
    """A cache whose values are their parts: sizes by address."""
    return Cache(budget, measure=lambda outputs: outputs[0][0])


def test_a_part_that_two_results_share_counts_once_and_goes_with_the_last():
    cache = sharing(100)
    cache.put(signature("a"), NodeResult(([{1: 60, 2: 10}],), None, 1.0))
    cache.put(signature("b"), NodeResult(([{1: 60, 3: 20}],), None, 2.0))
    assert cache.size == 90
    assert cache.release(1) == 10
    assert signature("a") not in cache
    assert cache.size == 80
    assert cache.release(1) == 80
    assert (len(cache), cache.size) == (0, 0)


def test_evicting_goes_on_until_something_is_freed():
    """A result that only passes a buffer on is cheap to recompute; evicting it frees nothing."""
    cache = sharing(100)
    for i in range(3):
        cache.put(signature(f"pass{i}"), NodeResult(([{1: 60}],), None, 0.0))
    cache.put(signature("make"), NodeResult(([{1: 60}],), None, 5.0))
    cache.put(signature("new"), NodeResult(([{2: 50}],), None, 9.0))
    assert cache.size <= 100
    assert signature("new") in cache


def test_what_was_put_in_is_got_back():
    cache = cache_of(100)
    cache.put(signature("a"), known(10))
    assert cache.get(signature("a")) == known(10)
    assert cache.get(signature("b")) is None
    assert (len(cache), cache.size) == (1, 10)


def test_the_cheapest_per_byte_goes_first():
    cache = cache_of(100)
    cache.put(signature("dear"), known(40, seconds=10))
    cache.put(signature("cheap"), known(40, seconds=0.1))
    cache.put(signature("new"), known(40, seconds=1))
    assert signature("cheap") not in cache
    assert signature("dear") in cache
    assert signature("new") in cache


def test_a_big_one_goes_before_a_small_one_of_the_same_cost():
    cache = cache_of(100)
    cache.put(signature("small"), known(10))
    cache.put(signature("big"), known(80))
    cache.put(signature("new"), known(20))
    assert signature("big") not in cache
    assert signature("small") in cache


def test_uses_count():
    cache = cache_of(100)
    cache.put(signature("used"), known(40))
    cache.put(signature("unused"), known(40))
    assert cache.get(signature("used")) is not None
    cache.put(signature("new"), known(40))
    assert signature("used") in cache
    assert signature("unused") not in cache


def test_what_was_dear_and_is_never_used_ages():
    cache = cache_of(100)
    cache.put(signature("dear"), known(50, seconds=3))
    for i in range(10):
        cache.put(signature(f"x{i}"), known(60, seconds=1))
    assert signature("dear") not in cache


def test_what_does_not_fit_is_not_kept():
    cache = cache_of(100)
    cache.put(signature("a"), known(60))
    cache.put(signature("huge"), known(101))
    assert signature("huge") not in cache
    assert signature("a") in cache


def test_what_never_comes_up_again_is_not_kept():
    cache = cache_of(100)
    cache.put(signature("a", fingerprint=math.nan), known(1))
    assert len(cache) == 0


def test_nothing_in_use_is_evicted_and_the_budget_holds_again_afterwards():
    cache = cache_of(100)
    cache.put(signature("old"), known(60, seconds=50))
    with cache.pinning():
        cache.put(signature("a"), known(60, seconds=1))
        cache.put(signature("b"), known(60, seconds=2))
        assert signature("old") not in cache
        assert signature("a") in cache
        assert signature("b") in cache
        assert cache.size == 120
    assert signature("a") not in cache
    assert signature("b") in cache


def test_what_a_run_got_is_in_use_too():
    cache = cache_of(100)
    cache.put(signature("old"), known(60, seconds=0))
    with cache.pinning():
        assert cache.get(signature("old")) is not None
        cache.put(signature("a"), known(60, seconds=9))
        assert signature("old") in cache
    assert signature("old") not in cache


def test_putting_twice_counts_once():
    cache = cache_of(100)
    with cache.pinning():
        cache.put(signature("a"), known(60))
        cache.put(signature("a"), known(50))
    assert (len(cache), cache.size) == (1, 50)


def test_release_gives_back_what_was_asked_for():
    cache = cache_of(100)
    for i in range(5):
        cache.put(signature(str(i)), known(20, seconds=i))
    assert cache.release(30) == 40
    assert {i for i in range(5) if signature(str(i)) in cache} == {2, 3, 4}


def test_clear_forgets_everything():
    cache = cache_of(100)
    cache.put(signature("a"), known(20))
    cache.clear()
    assert (len(cache), cache.size, cache.get(signature("a"))) == (0, 0, None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "get", "hold", "free"]),
            st.integers(0, 12),
            st.integers(1, 40),
            st.floats(0, 5),
        ),
        max_size=60,
    )
)
def test_the_size_is_the_sum_and_the_budget_holds(steps):
    cache = cache_of(100)
    sizes = {}
    holding = None
    for step, name, size, seconds in steps:
        if step == "put":
            cache.put(signature(str(name)), known(size, seconds))
            sizes[name] = size
        elif step == "get":
            cache.get(signature(str(name)))
        elif step == "hold" and holding is None:
            holding = cache.pinning()
            holding.__enter__()
        elif step == "free" and holding is not None:
            holding.__exit__(None, None, None)
            holding = None
        kept = {name for name in sizes if signature(str(name)) in cache}
        assert cache.size == sum(sizes[name] for name in kept)
        assert len(cache) == len(kept)
        assert holding is not None or cache.size <= cache.budget


def test_a_changed_fingerprint_runs_a_node_again(engine):
    stamp = [1]

    @node("Load", category="test", output=True)
    def load(*, name: str) -> None:
        """Load."""

    @load.fingerprint
    def _(name):
        return (name, stamp[0])

    small = engine(load)
    graph = {"1": ("Load", {"name": "a"})}
    small.run(graph)
    small.run(graph)
    assert small.called() == []
    stamp[0] = 2
    small.run(graph)
    assert small.called() == ["1"]


def test_a_fingerprint_that_raises_leaves_the_error_to_the_node(engine):
    @node("Load", category="test", output=True)
    def load(*, name: str) -> None:
        """Load."""
        raise FileNotFoundError(f"no {name}")

    @load.fingerprint
    def _(name):
        raise FileNotFoundError(name)

    end = engine(load).run({"1": ("Load", {"name": "a"})}).end
    assert end.message == "no a"


def test_nodes_that_know_their_id_do_not_share(engine):
    @node("Mine", category="test", output=True, hidden=("UNIQUE_ID",))
    def mine() -> None:
        """Know its id."""

    @node("Once", category="test", output=True, not_idempotent=True)
    def once() -> None:
        """Share nothing."""

    @node("Ours", category="test", output=True)
    def ours() -> None:
        """Share."""

    small = engine(mine, once, ours)
    graph = {f"{kind}{i}": (kind, {}) for kind in ("Mine", "Once", "Ours") for i in (1, 2)}
    small.run(graph)
    assert sorted(name[:4] for name in small.called()) == ["Mine", "Mine", "Once", "Once", "Ours"]
    small.run(graph)
    assert small.called() == []


def test_a_budget_of_nothing_still_runs(engine):
    @node("Add", category="test")
    def add(*, a: int) -> int:
        """Add."""
        return a + 1

    @node("End", category="test", output=True)
    def end(*, a: int) -> None:
        """End."""

    small = engine(add, end, budget=0)
    graph = {"1": ("Add", {"a": 1}), "2": ("Add", {"a": ["1", 0]}), "3": ("End", {"a": ["2", 0]})}
    small.run(graph)
    small.run(graph)
    assert small.called() == ["1", "2", "3"]


class Heavy:
    """A value whose deletion can be observed."""


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_lets_go_of_values_without_waiting_for_the_garbage_collector(engine, fails):
    alive = []

    @node("Make", category="test")
    def make() -> Annotated[Heavy, Socket("HEAVY")]:
        """Make something heavy."""
        value = Heavy()
        alive.append(weakref.ref(value))
        return value

    @node("Use", category="test", output=True)
    def use(*, value: Annotated[Heavy, Socket("HEAVY")], fails: bool, ctx: Context) -> None:
        """Use it."""
        ctx.progress(1, 1)
        if fails:
            raise ValueError

    small = engine(make, use, budget=0)
    gc.disable()
    try:
        small.run({"1": ("Make", {}), "2": ("Use", {"value": ["1", 0], "fails": fails})})
        assert [each() for each in alive] == [None]
    finally:
        gc.enable()


def test_a_result_whose_file_was_deleted_is_made_again(engine, tmp_path):
    written = []

    @node("Make", category="test")
    def make() -> int:
        """Take long."""
        return 1

    @node("Save", category="test", output=True)
    def save(*, value: int, ctx: Context) -> None:
        """Write a file."""
        new = ctx.files.new_output("again", ".txt")
        ctx.files.write(new, b"x")
        written.append(new.path)
        ctx.show(files=[new.shown()])

    small = engine(make, save)
    graph = {"1": ("Make", {}), "2": ("Save", {"value": ["1", 0]})}
    small.run(graph)
    small.run(graph)
    assert small.called() == []
    assert len(written) == 1
    written[0].unlink()
    again = small.run(graph)
    assert small.called() == ["2"]
    assert again.shown["2"]["files"][0]["filename"] == written[1].name
    assert written[1].is_file()
