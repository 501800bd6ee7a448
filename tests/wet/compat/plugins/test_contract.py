"""The tricks of the V1 contract, loops and blocks, in packs of our own."""

from engine.wire import messages


def test_undeclared_inputs_and_outputs(pack):
    graph = {
        "i": ("PrimitiveInt", {"value": 5}),
        "t": ("TrickTakesAnything", {"first": 1, "second": ["i", 0], "third": 3}),
        "x": ("TrickTells", {"value": ["t", 0]}),
        "y": ("TrickTells", {"value": ["t", 3]}),
    }
    shown = pack("contract_tricks").run(graph)
    assert shown["x"] == {"value": ["first,second,third"], "me": ["x"]}
    assert shown["y"]["value"] == ["5"]


def test_state_in_self_and_a_fingerprint_that_is_never_the_same(pack):
    engine = pack("contract_tricks")
    graph = {"c": ("TrickCounts", {"start": 10}), "x": ("TrickTells", {"value": ["c", 0]})}
    assert [engine.run(graph)["x"]["value"] for _ in range(3)] == [[11], [12], [13]]


def test_lists_in_and_out(pack):
    graph = {
        "a": ("TrickLists", {"values": ["b", 1], "times": 3}),
        "b": ("TrickLists", {"values": ["i", 0], "times": 1}),
        "i": ("PrimitiveInt", {"value": 7}),
        "x": ("TrickTells", {"value": ["a", 0]}),
    }
    assert pack("contract_tricks").run(graph)["x"]["value"] == [1, 1, 1]


def test_lazy_inputs_of_a_coroutine(pack):
    graph = {
        "i": ("PrimitiveInt", {"value": 7}),
        "never": ("TrickCounts", {"start": 0}),
        "l": ("TrickLazy", {"a": ["i", 0], "b": ["never", 0], "first": True}),
        "x": ("TrickTells", {"value": ["l", 0]}),
    }
    engine = pack("contract_tricks")
    assert engine.run(graph)["x"]["value"] == [7]
    assert "never" not in [each.node.id for each in engine.of(messages.Running)]


def test_its_own_check_replaces_ours(pack):
    engine = pack("contract_tricks")
    graph = {"c": ("TrickChecks", {"name": "z"}), "x": ("TrickTells", {"value": ["c", 0]})}
    assert engine.run(graph)["x"]["value"] == ["z"]
    graph["c"] = ("TrickChecks", {"name": "zz"})
    (problem,) = engine.check(graph).node_errors["c"].errors
    assert problem.details == "zz is too long"


def test_a_hidden_input_of_its_own_type_has_a_value_only_if_given(pack):
    engine = pack("contract_tricks")
    graph = {"h": ("TrickHiddenStart", {"count": 2}), "x": ("TrickTells", {"value": ["h", 0]})}
    assert engine.run(graph)["x"]["value"] == ["[('count', 2), ('token', None)]"]
    graph["h"] = ("TrickHiddenStart", {"count": 2, "start": 5})
    assert engine.run(graph)["x"]["value"] == ["[('count', 2), ('start', 5), ('token', None)]"]


def test_a_loop_repeats_the_nodes_between(pack):
    engine = pack("graph_loops")
    graph = {
        "open": ("LoopOpen", {"count": 4, "value": 10}),
        "add": ("LoopAdd", {"a": ["open", 2], "b": 5}),
        "close": ("LoopClose", {"flow": ["open", 0], "value": ["add", 0]}),
        "x": ("LoopWho", {"value": ["close", 0]}),
    }
    assert engine.run(graph)["x"]["value"] == [30]
    names = [each.node.id for each in engine.of(messages.Running)]
    assert len(names) == len(set(names))
    assert len([each for each in names if "add" in each]) == 4
    shown_at = {each.node.display_id for each in engine.of(messages.Running)}
    assert shown_at == {"open", "add", "close", "x"}
    engine.run(graph)
    assert [each.node.id for each in engine.of(messages.Running)] == []


def test_two_graphs_of_one_node_do_not_mix(pack):
    graph = {
        "t": ("LoopTwice", {"a": 1}),
        "x": ("LoopWho", {"value": ["t", 0]}),
        "y": ("LoopWho", {"value": ["t", 1]}),
    }
    shown = pack("graph_loops").run(graph)
    assert (shown["x"]["value"], shown["y"]["value"]) == ([2], [3])
    assert shown["y"]["who"] == ["y", 0]


def test_a_block_with_a_reason_and_without(pack):
    engine = pack("graph_loops")
    graph = {
        "s": ("LoopStop", {"value": 1, "why": "enough"}),
        "x": ("LoopWho", {"value": ["s", 0]}),
        "q": ("LoopStop", {"value": 1, "why": ""}),
        "y": ("LoopWho", {"value": ["q", 0]}),
    }
    assert engine.run(graph) == {}
    assert [(each.node.id, each.message) for each in engine.of(messages.Blocked)] == [
        ("x", "enough")
    ]
