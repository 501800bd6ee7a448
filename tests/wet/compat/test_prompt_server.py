"""`PromptServer` in a process of its own: what plugins call while they load and run."""

import asyncio
import json
import threading
from dataclasses import replace

import pytest

from engine.compat.serving.events import encode_binary, encode_json
from engine.compat.serving.link import ServerLink
from engine.compat.serving.plugin_routes import serve_routes
from engine.compat.serving.prompt_server import PromptServer, install_prompt_server
from engine.settings import Settings
from engine.wire.messages import Run
from engine.wire.pack_messages import AskServer, CustomBytes, CustomEvent, ServerAnswer


@pytest.fixture
def host(tmp_path):
    """A server whose messages are collected; every question is answered with its own name."""
    before = PromptServer.__dict__["instance"]
    sent = []

    def send(message):
        sent.append(message)
        if isinstance(message, AskServer) and message.what != "silence":
            body = encode_json({"what": message.what, "body": json.loads(message.body)})
            error = "it cannot run" if message.what == "put" else ""
            link.answered(ServerAnswer(message.number, body, error))

    link = ServerLink(send)
    settings = replace(Settings(), user_directory=tmp_path / "user")
    found = install_prompt_server(settings, link)
    found.sent, found.link = sent, link
    yield found
    PromptServer.instance = before


def run(prompt_id="p", client="me"):
    return Run(prompt_id, b'{"1": {"class_type": "A", "inputs": {}}}', ("1",), b"{}", client=client)


def test_there_is_an_instance_even_where_nothing_was_installed():
    before = PromptServer.__dict__["instance"]
    try:
        found = PromptServer.instance
        found.send_sync("event", {})
        assert found.prompt_queue.get_tasks_remaining() == 0
        assert found.prompt_queue.get_current_queue() == ([], [])
        assert found.prompt_queue.get_history() == {}
        assert found.port == 0
        assert PromptServer.instance is found
    finally:
        PromptServer.instance = before


def test_events_are_messages(host):
    host.send_sync("mine", {"a": 1})
    asyncio.run(host.send("mine", {"a": 1}, "you"))
    host.send_progress_text("text", "7")
    assert host.sent == [
        CustomEvent("mine", b'{"a":1}'),
        CustomEvent("mine", b'{"a":1}', "you"),
        CustomBytes(3, b"\0\0\0\x017text"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": float("nan")}, {"a": None}),
        ({1: 2, "a": [1 << 64]}, {"1": 2, "a": [1 << 64]}),
        ({"big": 1 << 70}, {"big": 1 << 70}),
        ({"nan": float("nan"), "big": 1 << 70}, {"nan": None, "big": 1 << 70}),
        ({"set": {1}, "other": Exception("x")}, {"set": [1], "other": "x"}),
    ],
)
def test_any_value_becomes_json(value, text):
    assert json.loads(encode_json(value)) == text


def test_arrays_become_numbers_and_lists():
    import numpy as np
    import torch

    value = {"n": np.float32(1.5), "a": np.arange(2), "t": torch.tensor(2), "m": torch.ones(2)}
    assert json.loads(encode_json(value)) == {"n": 1.5, "a": [0, 1], "t": 2, "m": [1.0, 1.0]}


def test_a_preview_with_metadata_is_encoded():
    from PIL import Image

    data = (("JPEG", Image.new("RGBA", (8, 4)), None), {"node_id": "1"})
    number, content = encode_binary(4, data)
    size = int.from_bytes(content[:4])
    assert number == 4
    assert json.loads(content[4 : 4 + size]) == {"node_id": "1", "image_type": "image/jpeg"}
    assert content[4 + size :][:3] == b"\xff\xd8\xff"


def test_it_knows_what_runs(host):
    host.run_began(run())
    host.node_began("1")
    assert (host.client_id, host.last_node_id, host.last_prompt_id) == ("me", "1", "p")
    [item] = host.prompt_queue.currently_running.values()
    assert item[1:5] == (
        "p",
        {"1": {"class_type": "A", "inputs": {}}},
        {"extra_pnginfo": {}, "client_id": "me"},
        ["1"],
    )
    host.run_ended()
    assert host.prompt_queue.currently_running == {}
    assert host.number == 1


def test_the_queue_asks_the_server(host):
    queue = host.prompt_queue
    assert host.link.ask("remaining", 1) == {"what": "remaining", "body": 1}
    with pytest.raises(RuntimeError, match="it cannot run"):
        queue.put((1, "p", {}, {"client_id": "me"}, ["1"], {}))
    queue.set_flag("free_memory", True)
    queue.set_flag("mine", 3)
    assert queue.get_flags() == {"mine": 3}
    assert queue.get_flags() == {}
    assert [each.what for each in host.sent] == ["remaining", "put", "free"]
    asked = json.loads(host.sent[1].body)
    assert asked["partial_execution_targets"] == ["1"]
    assert asked["client_id"] == "me"


def test_a_server_that_does_not_answer_is_said(host):
    with pytest.raises(TimeoutError, match="did not answer 'silence'"):
        host.link.ask("silence", seconds=0.05)
    host.link.answered(ServerAnswer(1))  # comes too late: nobody waits


def test_handlers_change_prompts_in_order_and_one_that_raises_changes_nothing(host, capsys):
    def adds(body):
        body["a"] = body.get("a", 0) + 1
        return body

    def breaks(body):
        body.clear()
        raise ValueError("broken")

    def forgets_to_return(body):
        body["b"] = 1

    for each in (adds, breaks, forgets_to_return, adds):
        host.add_on_prompt_handler(each)
    assert host.trigger_on_prompt({}) == {"a": 2, "b": 1}
    assert "ValueError: broken" in capsys.readouterr().err


def test_a_handler_that_hangs_costs_itself_only(host, monkeypatch, capsys):
    monkeypatch.setattr("engine.compat.serving.prompt_server.HANDLER_SECONDS", 0.2)
    released, called = threading.Event(), []

    def hangs(body):
        called.append(1)
        body["hung"] = True
        released.wait(60)
        return body

    def marks(body):
        return {**body, "marked": True}

    for each in (hangs, marks):
        host.add_on_prompt_handler(each)
    assert host.trigger_on_prompt({"a": 1}) == {"a": 1, "marked": True}
    assert "has not returned within 0 s: prompts go on without it" in capsys.readouterr().err
    assert host.trigger_on_prompt({}) == {"marked": True}
    assert len(called) == 1, "it is not called again while it hangs"
    released.set()
    for thread in [each for each in threading.enumerate() if each.name == "on_prompt"]:
        thread.join()
    assert host.trigger_on_prompt({}) == {"hung": True, "marked": True}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_handler_that_raises_anything_changes_nothing(host, kind):
    def raises(body):
        body["changed"] = True
        raise kind

    host.add_on_prompt_handler(raises)
    assert host.trigger_on_prompt({"a": 1}) == {"a": 1}


def test_users_files_stay_in_the_users_folder(host, tmp_path):
    users = host.user_manager
    assert users.get_request_user_id(None) == "default"
    path = users.get_request_user_filepath(None, "mine/a.json")
    assert path == str(tmp_path / "user" / "userdata" / "mine" / "a.json")
    assert (tmp_path / "user" / "userdata" / "mine").is_dir()
    assert users.get_request_user_filepath(None, "workflows/a.json", create_dir=False) == str(
        tmp_path / "user" / "workflows" / "a.json"
    )
    assert users.get_request_user_filepath(None, "../../x") is None
    with pytest.raises(KeyError):
        users.get_request_user_filepath(None, "a", type="other")


def test_nothing_is_served_where_nothing_was_added(host):
    assert serve_routes(host).address == ""
    assert not [each for each in threading.enumerate() if each.name == "routes"]


def test_the_facade_has_the_names():
    from engine.compat.install import host_module

    module = host_module("server")
    assert module.PromptServer is PromptServer
    assert module.BinaryEventTypes.PREVIEW_IMAGE == 1
    assert module.web.json_response
    assert module.uuid.uuid4
