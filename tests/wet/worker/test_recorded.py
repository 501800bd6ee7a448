"""What a worker saves carries the record of its run, unless metadata is not wanted."""

import json
from dataclasses import replace

import msgspec
import pytest

from engine.media.metadata import read_texts
from engine.record.record import NUMERICS
from engine.wire.messages import Run, Succeeded
from engine.worker.loop import Worker
from engine.worker.service import Service

GRAPH = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}


def saved(settings, **choices) -> dict[str, str]:
    """The texts of the picture that a run saves."""
    sent = []
    service = Service(
        replace(settings, dtype="fp32"), lambda message, more=False: sent.append(message)
    )
    extra = b'{"workflow": {"nodes": []}, "calotype": "from a client"}'
    job = Run("p", msgspec.json.encode(GRAPH), ("2",), extra, **choices)
    service.run(job, lambda: False)
    assert isinstance(sent[-1], Succeeded)
    return read_texts(settings.output_directory / "x_00001_.png")


def test_a_picture_carries_the_record_of_its_run(settings):
    texts = saved(settings)
    record = json.loads(texts["calotype"])
    assert record["numerics"] == NUMERICS
    assert record["computing"]["dtype"] == "fp32"
    assert record["computing"]["device"] == "cpu"
    assert json.loads(texts["workflow"]) == {"nodes": []}


@pytest.mark.parametrize("by_flag", [True, False])
def test_metadata_is_left_out_entirely_where_it_is_not_wanted(settings, by_flag):
    if by_flag:
        assert saved(replace(settings, embed_metadata=False)) == {}
    else:
        assert saved(settings, metadata=False) == {}


def test_a_run_that_saves_nothing_makes_no_record(settings, monkeypatch):
    monkeypatch.setattr(Worker, "_record", lambda *_: pytest.fail("made a record"))
    sent = []
    service = Service(
        replace(settings, dtype="fp32"), lambda message, more=False: sent.append(message)
    )
    graph = {**GRAPH, "2": {"class_type": "PreviewAny", "inputs": {"source": "x"}}}
    service.run(Run("p", msgspec.json.encode(graph), ("2",)), lambda: False)
    assert isinstance(sent[-1], Succeeded)
