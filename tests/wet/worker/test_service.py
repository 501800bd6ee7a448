"""A worker decodes and signs a prompt once, and uses the order computed by the server."""

from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from engine.execute import signer
from engine.graph import order, prompt
from engine.wire.messages import CacheChanged, Cached, NodeOutput, Run, Running, Started, Succeeded
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
