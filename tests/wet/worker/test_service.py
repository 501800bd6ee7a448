"""A worker decodes and signs a prompt once, and uses the order computed by the server."""

from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from PIL import Image

from engine.execute import signer
from engine.graph import order, prompt
from engine.wire.messages import (
    CacheChanged,
    Cached,
    NodeOutput,
    Run,
    Running,
    Signatures,
    Started,
    Succeeded,
)
from engine.worker.service import Service

GRAPH = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}


@pytest.fixture
def served(settings):
    """A service, and its messages, each with whether another follows immediately."""
    sent = []
    service = Service(
        replace(settings, dtype="fp32"), lambda message, *, more=False: sent.append((message, more))
    )
    return service, sent


def test_a_prompt_is_parsed_and_signed_once_and_not_ordered(served, monkeypatch):
    service, sent = served
    counts: Counter[str] = Counter()

    def counting(module, name):
        real = getattr(module, name)

        def call(*given, **options):
            counts[name] += 1
            return real(*given, **options)

        monkeypatch.setattr(module, name, call)

    counting(prompt, "_parse_nodes")
    counting(order, "_visit")
    counting(signer, "sign")
    service.run(Run("p", msgspec.json.encode(GRAPH), ("2",), ordered=("1", "2")), lambda: False)
    assert isinstance(sent[-1][0], Succeeded)
    assert counts == {"_parse_nodes": 1, "sign": 2}


def test_a_wholly_cached_prompt_is_answered_in_one_piece(served):
    service, sent = served
    job = Run("p", msgspec.json.encode(GRAPH), ("2",))
    service.run(job, lambda: False)
    first = [type(message) for message, _ in sent]
    assert first.count(Running) == 2
    assert first.count(CacheChanged) == 1
    assert next(more for message, more in sent if isinstance(message, Running)) is False

    sent.clear()
    service.run(job, lambda: False)
    kinds = [type(message) for message, _ in sent]
    assert Started in kinds
    assert {Cached, NodeOutput} <= {*kinds}
    assert [more for _, more in sent] == [True] * (len(sent) - 1) + [False]
    assert isinstance(sent[-1][0], Succeeded)


def test_the_same_prompt_again_is_neither_parsed_nor_signed(served, monkeypatch):
    """Nor are its classes read; another prompt is, and one whose nodes may change what they get."""
    service, sent = served
    counts: Counter[str] = Counter()

    def counting(module, name):
        real = getattr(module, name)

        def call(*given, **options):
            counts[name] += 1
            return real(*given, **options)

        monkeypatch.setattr(module, name, call)

    def run(graph):
        counts.clear()
        sent.clear()
        service.run(Run("p", msgspec.json.encode(graph), ("2",), ordered=("1", "2")), lambda: False)
        assert isinstance(sent[-1][0], Succeeded)
        found = next(message for message, _ in sent if isinstance(message, Signatures))
        return dict(counts), found.signatures

    counting(prompt, "_parse_nodes")
    counting(signer, "sign")
    counting(signer, "read_info")
    first, signatures = run(GRAPH)
    again = run(GRAPH)
    other, changed = run(
        {**GRAPH, "1": {**GRAPH["1"], "inputs": {**GRAPH["1"]["inputs"], "color": 1}}}
    )
    listed = {**GRAPH, "2": {**GRAPH["2"], "inputs": {"images": ["1", 0], "x": {"a": 1}}}}
    run(listed)
    listed_again, _ = run(listed)
    assert first == {"_parse_nodes": 1, "sign": 2, "read_info": 2}
    assert again == ({}, signatures)
    assert other == listed_again == {"_parse_nodes": 1, "sign": 2}
    assert changed != signatures


def test_a_prompt_with_a_fingerprint_is_signed_again(served, settings):
    """A file may have changed since."""
    service, sent = served
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    found = []
    for color in (0, 255):
        Image.new("L", (8, 8), color).save(settings.input_directory / "a.png")
        service.run(Run("p", msgspec.json.encode(graph), ("2",)), lambda: False)
        found.append(next(each for each, _ in reversed(sent) if isinstance(each, Signatures)))
    assert found[0].signatures["1"] != found[1].signatures["1"]
    assert found[0].signatures["2"] != found[1].signatures["2"]
