"""The messages of a run, in the order that clients rely on."""

import json
import struct

import pytest

from engine.server.hub import Outgoing, outgoing
from engine.server.running import RunningJob, summarize_outputs
from engine.store.entries import Entry
from engine.wire.messages import (
    Blocked,
    Cached,
    Failed,
    Finished,
    Interrupted,
    NodeOutput,
    NodeRef,
    Preview,
    Progress,
    Running,
    Started,
    Succeeded,
)

ONE, TWO = NodeRef("1", "1", None, "1"), NodeRef("2", "2", None, "2")
SHOWN = {"images": [{"filename": "x_00001_.png", "subfolder": "", "type": "output"}]}
RUN = [
    Started("p", 1.5),
    Cached("p", (), 1.5),
    Running("p", ONE),
    Preview("p", ONE, b"jpeg"),
    Progress("p", ONE, 1, 2),
    Progress("p", ONE, 2, 2),
    Finished("p", ONE),
    Running("p", TWO),
    NodeOutput("p", TWO, SHOWN),
    Finished("p", TWO),
    Succeeded("p", 2.5),
]


def job(client="me", previews="auto"):
    prompt = {"1": {"class_type": "A"}, "2": {"class_type": "B"}}
    return RunningJob(Entry("p", prompt, ["2"], extra={"preview_method": previews}, client=client))


def sent(running, events):
    """The frames, with the client they are for."""
    told = [each for event in events for each in running.handle(event)]
    frames = [each if isinstance(each, Outgoing) else outgoing(each) for each in told]
    return [(running.entry.client, frame) for frame in frames]


def names(pairs):
    return [
        json.loads(message.content)["type"] if message.content[:1] == "{" else "binary"
        for _, message in pairs
    ]


def test_the_order_of_a_run():
    pairs = sent(job(), RUN)
    assert names(pairs) == [
        "execution_start",
        "execution_cached",
        "progress_state",
        "executing",
        "progress_state",
        "binary",
        "progress",
        "binary",
        "progress_state",
        "progress",
        "progress_state",
        "progress_state",
        "executing",
        "executed",
        "progress_state",
        "execution_success",
    ]
    assert {client for client, _ in pairs} == {"me"}
    assert all(
        message.content.startswith('{"type":')
        for _, message in pairs
        if isinstance(message.content, str)
    )


def test_previews_have_two_forms():
    with_metadata, plain = [
        message for _, message in sent(job(), RUN) if isinstance(message.content, bytes)
    ]
    assert plain.content == struct.pack(">II", 1, 1) + b"jpeg"
    assert plain.with_metadata == b""
    assert with_metadata.content == b""
    kind, size = struct.unpack(">II", with_metadata.with_metadata[:8])
    assert kind == 4
    metadata = json.loads(with_metadata.with_metadata[8 : 8 + size])
    assert metadata == {
        "node_id": "1",
        "prompt_id": "p",
        "display_node_id": "1",
        "parent_node_id": None,
        "real_node_id": "1",
        "image_type": "image/jpeg",
    }
    assert with_metadata.with_metadata[8 + size :] == b"jpeg"


@pytest.mark.parametrize("method", [None, "none", "default", 5])
def test_previews_come_only_when_asked_for(method):
    assert "binary" not in names(sent(job(previews=method), RUN))


def test_without_a_client_only_progress_goes_to_all():
    pairs = sent(job(client=None), RUN)
    assert set(names(pairs)) == {"progress_state", "progress", "binary"}
    assert {client for client, _ in pairs} == {None}


def test_the_outcome_is_what_history_tells():
    running = job()
    sent(running, RUN)
    assert running.ending == "done"
    outcome = running.outcome()
    assert outcome["outputs"] == {"2": SHOWN}
    assert outcome["meta"]["2"] == {
        "node_id": "2",
        "display_node": "2",
        "parent_node": None,
        "real_node_id": "2",
    }
    assert outcome["status"]["status_str"] == "success"
    assert [name for name, _ in outcome["status"]["messages"]] == [
        "execution_start",
        "execution_cached",
        "execution_success",
    ]
    assert outcome["status"]["messages"][0][1] == {"prompt_id": "p", "timestamp": 1500}
    assert running.summary()["preview_output"]["nodeId"] == "2"


def test_lists_tell_how_a_shown_text_begins():
    running = job()
    sent(running, [NodeOutput("p", TWO, {"text": ["", "a long " * 100]})])
    assert running.summary()["preview_text"] == ("a long " * 100)[:300]
    assert "preview_output" not in running.summary()


def test_a_failure_is_told_with_its_node():
    running = job()
    failed = Failed("p", ONE, "A", "no", "ValueError", ("line",), {"a": [1]}, ("0",), 2.0)
    pairs = sent(running, [*RUN[:3], failed])
    assert names(pairs)[-2:] == ["progress_state", "execution_error"]
    data = json.loads(pairs[-1][1].content)["data"]
    assert data == {
        "prompt_id": "p",
        "node_id": "1",
        "node_type": "A",
        "executed": ["0"],
        "exception_message": "no",
        "exception_type": "ValueError",
        "traceback": ["line"],
        "current_inputs": {"a": [1]},
        "current_outputs": ["0"],
        "timestamp": 2000,
    }
    state = json.loads(pairs[-2][1].content)["data"]["nodes"]["1"]["state"]
    assert state == "error"
    assert running.outcome()["status"]["completed"] is False
    assert running.summary()["execution_error"]["node_id"] == "1"


def test_a_stop_is_told_to_all_who_may_care():
    running = job(client=None)
    pairs = sent(running, [*RUN[:3], Interrupted("p", ONE, "A", (), 2.0)])
    assert names(pairs)[-1] == "execution_interrupted"
    assert running.ending == "stopped"
    assert running.outcome()["status"]["status_str"] == "error"


def test_a_block_is_told_and_the_run_goes_on():
    running = job()
    pairs = sent(running, [Blocked("p", ONE, "A", "not today")])
    data = json.loads(pairs[0][1].content)["data"]
    assert data["exception_type"] == "ExecutionBlocked"
    assert "timestamp" not in data
    assert running.ending is None


def test_a_crash_names_the_node_that_ran():
    running = job()
    sent(running, RUN[:3])
    failed = running.crash_event("the worker process was ended by signal 9 (SIGKILL)")
    assert failed.node == ONE
    assert failed.class_type == "A"
    assert "signal 9 (SIGKILL) while node 1 (A) ran" in failed.message
    assert job().crash_event("gone").node.id == "2"


def test_traffic_grows_with_the_graph_and_not_with_its_square():
    def bytes_of(count):
        running = job()
        events = [
            event(place)
            for number in range(count)
            for place in [NodeRef(f"{number:06}", f"{number:06}", None, f"{number:06}")]
            for event in (lambda place: Running("p", place), lambda place: Finished("p", place))
        ]
        return sum(len(message.content) for _, message in sent(running, events))

    assert bytes_of(2000) < 2.01 * bytes_of(1000)


def test_a_lasting_file_stands_for_a_job_before_a_preview():
    preview = {"filename": "a", "type": "temp"}
    kept = {"filename": "b", "type": "output"}
    outputs = {"1": {"images": [preview, preview]}, "2": {"images": [kept], "text": ["x"]}}
    count, best = summarize_outputs(outputs)
    assert count == 3
    assert best == {**kept, "nodeId": "2", "mediaType": "images"}
    assert summarize_outputs({}) == (0, None)


def test_history_says_what_was_not_run():
    running = job()
    for event in (*RUN[:-1], Blocked("p", ONE, "A", "not today"), RUN[-1]):
        running.handle(event)
    status = running.outcome()["status"]
    assert status["status_str"] == "success"
    (problem,) = status["node_errors"]["1"]["errors"]
    assert (problem["type"], problem["details"]) == ("execution_blocked", "not today")
    assert status["node_errors"]["1"]["class_type"] == "A"


def test_a_run_without_problems_says_nothing_of_them():
    running = job()
    for event in RUN:
        running.handle(event)
    assert "node_errors" not in running.outcome()["status"]
