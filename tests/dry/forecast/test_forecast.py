"""Hostile numbers, damaged rows and full disks affect the forecast only."""

import asyncio
import logging

import pytest

from engine.errors import StoreError
from engine.files import Files
from engine.forecast.forecast import NO_PLAN, Forecast
from engine.forecast.work import MOST, works
from engine.graph.order import order
from engine.graph.prompt import parse
from engine.store.costs import CostStore
from engine.store.database import Database
from engine.store.queue import Entry
from engine.wire.messages import CacheChanged, Finished, NodeOutput, NodeRef, Signatures

ONE = NodeRef("1", "1", None, "1")
HUGE = (1e200, 1e308, 10**300, -1e200, True, 0, -1, 1e-300, "1e200")


def upscaled(scale, **size):
    return {
        "0": {"class_type": "Empty", "inputs": {"width": 64, "height": 64, **size}},
        "1": {"class_type": "Upscale", "inputs": {"image": ["0", 0], "scale_by": scale}},
        "2": {"class_type": "Upscale", "inputs": {"image": ["1", 0], "scale_by": scale}},
    }


def work_of(nodes, node):
    prompt = parse(nodes)
    return works(prompt, {}, order(prompt, [node]))[node]


@pytest.mark.parametrize("scale", HUGE)
@pytest.mark.parametrize("size", [{}, {"width": 10**400}, {"batch_size": 10**30}])
def test_sizes_stay_within_what_can_be_reckoned_with(scale, size):
    found = work_of(upscaled(scale, **size), "2")
    assert type(found.pixels) is int
    assert 0 <= found.pixels <= MOST


def test_steps_stay_within_what_can_be_reckoned_with():
    nodes = {"1": {"class_type": "A", "inputs": {"steps": 10**500, "end_at_step": 10**400}}}
    assert 1 <= work_of(nodes, "1").steps <= MOST


def test_a_factor_multiplies_pixels_by_its_square():
    assert work_of(upscaled(1.5), "1").pixels == 64 * 64 * 9 // 4


@pytest.fixture
def forecast(tmp_path, settings):
    database = Database(tmp_path / "calotype.db")
    yield Forecast(dict, Files(settings), CostStore(database))
    database.close()


def test_any_prompt_is_run_and_planned(forecast):
    async def scenario():
        await forecast.load()
        for scale in (1e200, 1e-300, True):
            nodes = upscaled(scale)
            await forecast.begin(Entry("p", nodes, ["2"]))
            for node in nodes:
                forecast.observe(Finished("p", NodeRef(node, node, None, node), 0.5, 1 << 20))
            forecast.end()
            assert forecast.plan(parse(nodes), ["2"]).run == 3

    asyncio.run(scenario())


def test_a_result_whose_shown_files_were_deleted_is_planned_as_a_run(forecast, settings):
    nodes = {"1": {"class_type": "Save", "inputs": {"text": "x"}}}
    item = {"filename": "a_00001_.png", "subfolder": "", "type": "output"}
    file = settings.user_directory / "output" / item["filename"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x")

    def states():
        return forecast.plan(parse(nodes), ["1"]).nodes["1"].state

    async def scenario():
        await forecast.begin(Entry("p", nodes, ["1"]))
        forecast.observe(Signatures("p", {"1": b"signature"}))
        forecast.observe(NodeOutput("p", ONE, {"images": [item], "animated": [True], "odd": None}))
        forecast.update_cached(CacheChanged((b"signature",), ()))
        forecast.end()
        found = [states()]
        file.unlink()
        return [*found, states()]

    assert asyncio.run(scenario()) == ["cached", "run"]


def test_what_fails_inside_is_logged_and_fails_nobody(forecast, monkeypatch, caplog):
    def fail(*_):
        raise OverflowError("inside")

    monkeypatch.setattr("engine.forecast.forecast.works", fail)

    async def scenario():
        await forecast.begin(Entry("p", upscaled(2), ["2"]))
        forecast.observe(Finished("p", ONE, 0.5))
        forecast.end()
        return forecast.plan(parse(upscaled(2)), ["2"])

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(scenario()) == NO_PLAN
    assert "inside" in caplog.text


def test_a_damaged_row_of_costs_costs_itself_only(tmp_path, settings, caplog):
    database = Database(tmp_path / "calotype.db")
    row = "INSERT INTO costs VALUES (?, 'w', 1, 1, 0, ?, 0, 0)"

    def damage(connection):
        for name, text in (("A", "[1.5]"), ("B", "[1.5"), ("C", "{}"), ("D", "[]"), ("E", '["x"]')):
            connection.execute(row, (name, text))

    async def scenario():
        await database.run(damage)
        return [each.class_type for each in await CostStore(database).load()]

    assert asyncio.run(scenario()) == ["A"]
    database.close()


def test_a_store_that_refuses_costs_the_forecast_only(forecast, monkeypatch, caplog):
    async def refuse(*_):
        raise StoreError("the disk refused")

    monkeypatch.setattr(CostStore, "load", refuse)
    with caplog.at_level(logging.ERROR):
        asyncio.run(forecast.load())
    assert "the disk refused" in caplog.text
