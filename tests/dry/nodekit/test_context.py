"""The requests of a running node to its context."""

import pytest

from engine.errors import Stopped
from engine.nodekit.context import Context, RunningContext


class Graph:
    def get_original_prompt(self):
        return {"1": "from the graph"}


def test_it_answers_what_the_protocol_asks(files):
    context = RunningContext("1", files, prompt={"1": {}}, extra={"workflow": {"nodes": []}})
    assert isinstance(context, Context)
    assert (context.node_id, context.files) == ("1", files)
    assert (context.prompt, context.workflow) == ({"1": {}}, {"nodes": []})


def test_without_a_prompt_of_its_own_the_graph_is_asked(files):
    assert RunningContext("1", files, graph=Graph()).prompt == {"1": "from the graph"}
    assert RunningContext("1", files).prompt == {}
    assert RunningContext("1", files).workflow is None


def test_progress_is_told_and_then_looks_for_a_stop(files):
    told = []
    context = RunningContext(
        "1", files, stopped=lambda: len(told) == 2, on_progress=lambda *step: told.append(step)
    )
    context.progress(1, 3)
    with pytest.raises(Stopped):
        context.progress(2, 3, b"jpeg")
    assert told == [("1", 1, 3, None), ("1", 2, 3, b"jpeg")]
    with pytest.raises(Stopped):
        context.checkpoint()


def test_what_is_shown_adds_up(files):
    context = RunningContext("1", files)
    context.show(images=["a"], text="x")
    context.show(images=("b",))
    assert context.shown == {"images": ["a", "b"], "text": ["x"]}


def test_what_is_shown_aside_stays_aside(files):
    context = RunningContext("1", files, prompt={"1": {}}, extra={"e": 1}, call=2)
    aside = context.aside()
    aside.show(images=["a"])
    assert context.shown == {}
    assert (aside.node_id, aside.prompt, aside.extra, aside.call) == ("1", {"1": {}}, {"e": 1}, 2)
