"""Pending prompts can be reordered and held; finished ones can be searched."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from engine.store.database import Database
from engine.store.entries import End, Entry
from engine.store.gallery import Gallery, GalleryFilter
from engine.store.history import History
from engine.store.migrations import MIGRATIONS
from engine.store.notes import Note
from engine.store.queue import Queue

DAY = 86_400.0


def entry(name: str, **more) -> Entry:
    return Entry(name, {"1": {"class_type": "X", "inputs": {}}}, ["1"], **more)


@pytest.fixture
def database(tmp_path: Path):
    opened = Database(tmp_path / "calotype.db")
    yield opened
    opened.close()


@pytest.fixture
def queue(database: Database, stepped) -> Queue:
    return stepped(database)


@pytest.fixture
def gallery(database: Database) -> Gallery:
    return Gallery(database)


async def names(queue: Queue) -> str:
    return "".join(await queue.ids())


def test_a_waiting_prompt_moves_before_another_and_behind_all(queue: Queue):
    async def scenario():
        for name in "abcd":
            await queue.put(entry(name))
        orders = []
        for moved, before in (("d", "a"), ("d", "c"), ("a", None), ("b", "b"), ("c", None)):
            assert await queue.move(moved, before=before)
            orders.append(await names(queue))
        await queue.put(entry("e"))
        orders.append(await names(queue))
        return orders

    assert asyncio.run(scenario()) == ["dabc", "abdc", "bdca", "bdca", "bdac", "bdace"]


def test_moving_never_runs_out_of_numbers(queue: Queue):
    async def scenario():
        for name in "abcd":
            await queue.put(entry(name))
        for _ in range(150):
            await queue.move("d", before="b")
            await queue.move("c", before="d")
            await queue.move("d", before="c")
        found = await names(queue)
        await queue.put(entry("front"), front=True)
        return found, (await queue.claim_next(1.0)).id

    assert asyncio.run(scenario()) == ("adcb", "front")


def test_equal_numbers_are_told_apart_when_one_moves(queue: Queue):
    async def scenario():
        for name in "abc":
            await queue.put(entry(name), number=7)
        await queue.move("c", before="b")
        return await names(queue)

    assert asyncio.run(scenario()) == "acb"


def test_what_waits_no_longer_is_not_moved(queue: Queue):
    async def scenario():
        for name in "abc":
            await queue.put(entry(name))
        await queue.claim_next(1.0)
        moved = [
            await queue.move(name, before=before)
            for name, before in (("a", "b"), ("b", "a"), ("none", None))
        ]
        return moved, await names(queue)

    assert asyncio.run(scenario()) == ([False, False, False], "bc")


def test_a_paused_queue_stays_paused_over_a_restart(tmp_path: Path, stepped):
    path = tmp_path / "calotype.db"

    async def first(queue: Queue):
        await queue.put(entry("a"))
        await queue.pause(paused=True)
        return await queue.claim_next(1.0)

    async def second(queue: Queue):
        paused, none = await queue.is_paused(), await queue.claim_next(1.0)
        await queue.pause(paused=False)
        return paused, none, (await queue.claim_next(1.0)).id, await queue.is_paused()

    results = []
    for scenario in (first, second):
        database = Database(path)
        results.append(asyncio.run(scenario(stepped(database))))
        database.close()
    assert results == [None, (True, None, "a", False)]


async def run_some(queue: Queue) -> None:
    """Six pictures over three days: cats and dogs, of two workflows."""
    for number, (name, words) in enumerate(
        [
            ("a", "a red cat\n4711"),
            ("b", "a blue cat"),
            ("c", "a red dog"),
            ("d", "straße"),
            ("e", "100% red"),
            ("f", "cat"),
        ]
    ):
        note = Note(
            title=f"work {number % 2}",
            excerpt=words,
            words=words.casefold(),
            batch="grid" if name in "ab" else None,
            place={"x": 1},
        )
        created = DAY * (1 + number // 2) + 60
        await queue.put(entry(name, created=created, workflow=f"w{number % 2}", note=note))
        await queue.claim_next(created)
        ending = "failed" if name == "f" else "done"
        await queue.finish(End(name, ending, {"outputs": {}}, created + 5))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (GalleryFilter(), "fedcba"),
        (GalleryFilter(words=["cat"]), "fba"),
        (GalleryFilter(words=["red", "cat"]), "a"),
        (GalleryFilter(words=["red cat"]), "a"),
        (GalleryFilter(words=["471"]), "a"),
        (GalleryFilter(words=["strasse"]), "d"),
        (GalleryFilter(words=["%"]), "e"),
        (GalleryFilter(states=["failed"]), "f"),
        (GalleryFilter(workflow="w1", states=["done"]), "db"),
        (GalleryFilter(batch="grid"), "ba"),
        (GalleryFilter(starred=True), "c"),
        (GalleryFilter(since=2 * DAY, until=3 * DAY), "dc"),
        (GalleryFilter(words=["nothing"]), ""),
    ],
)
def test_what_has_run_is_found_by_its_words_and_more(queue, gallery, wanted, expected):
    async def scenario():
        await run_some(queue)
        await gallery.star(["c", "a"], starred=True)
        await gallery.star(["a"], starred=False)
        rows, total = await gallery.page(wanted, limit=10)
        days = await gallery.days(wanted, zone_seconds=0)
        return "".join(row.job.id for row in rows), total, sum(count for _, count in days)

    assert asyncio.run(scenario()) == (expected, len(expected), len(expected))


def test_a_repeat_is_listed_once_and_goes_with_its_original(queue: Queue, gallery: Gallery):
    async def scenario():
        for number, (name, text, file) in enumerate(
            [
                ("a", "x", "1.png"),
                ("b", "x", "1.png"),
                ("c", "y", "1.png"),
                ("d", "x", "2.png"),
                ("e", "x", None),
                ("f", "x", None),
            ]
        ):
            prompt = {"1": {"class_type": "X", "inputs": {"text": text}}}
            await queue.put(Entry(name, prompt, ["1"], created=DAY + number))
            await queue.claim_next(DAY)
            summary = {} if file is None else {"preview_output": {"filename": file}}
            await queue.finish(End(name, "done", {"outputs": {}}, DAY + 9, summary=summary))
        wanted = GalleryFilter(repeats=False)
        rows, total = await gallery.page(wanted, limit=10)
        days = await gallery.days(wanted, zone_seconds=0)
        ids = await gallery.with_repeats(["b", "e", "none"])
        return "".join(row.job.id for row in rows), total, days, "".join(sorted(ids))

    assert asyncio.run(scenario()) == ("fedca", 5, [("1970-01-02", 5)], "abenone")


def test_pages_and_days_fit_together(queue: Queue, gallery: Gallery):
    async def scenario():
        await run_some(queue)
        page, total = await gallery.page(GalleryFilter(), limit=2, offset=3)
        here = await gallery.days(GalleryFilter(), zone_seconds=0)
        west = await gallery.days(GalleryFilter(), zone_seconds=-3600)
        return page, total, here, west, await gallery.workflows()

    page, total, here, west, workflows = asyncio.run(scenario())
    assert ([row.job.id for row in page], total) == (["c", "b"], 6)
    assert (page[1].title, page[1].excerpt, page[1].batch) == ("work 1", "a blue cat", "grid")
    assert page[1].place == {"x": 1}
    assert here == [("1970-01-04", 2), ("1970-01-03", 2), ("1970-01-02", 2)]
    assert [day for day, _ in west] == ["1970-01-03", "1970-01-02", "1970-01-01"]
    assert sorted(workflows) == [("w0", "work 0", 3), ("w1", "work 1", 3)]


def test_notes_go_with_their_prompt_and_a_star_keeps_both(tmp_path, queue, gallery, database):
    async def scenario():
        await run_some(queue)
        await gallery.star(["a"], starred=True)
        dropped = await History(database, most_kept=2).trim()
        rows, _ = await gallery.page(GalleryFilter(), limit=10)
        await History(database).delete(["a"])
        return dropped, [(row.job.id, row.starred) for row in rows]

    assert asyncio.run(scenario()) == (3, [("f", False), ("e", False), ("a", True)])
    database.close()
    notes = sqlite3.connect(tmp_path / "calotype.db").execute("SELECT count(*) FROM notes")
    assert notes.fetchone() == (2,)


def test_prompts_from_before_there_were_notes_are_found(tmp_path: Path):
    path = tmp_path / "calotype.db"
    old = sqlite3.connect(path)
    old.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1;")
    prompt = '{"1": {"class_type": "T", "inputs": {"text": "A Red Fox", "link": ["2", 0]}}}'
    old.execute(
        "INSERT INTO prompts (id, digest, number, state, prompt, extra, wanted, created, ended)"
        " VALUES ('old', x'00', 0, 'done', ?, '{}', '[]', 1, 2)",
        (prompt,),
    )
    old.commit()
    old.close()
    database = Database(path)
    rows, _ = asyncio.run(Gallery(database).page(GalleryFilter(words=["red fox"]), limit=5))
    links, _ = asyncio.run(Gallery(database).page(GalleryFilter(words=["2"]), limit=5))
    database.close()
    assert [row.job.id for row in rows] == ["old"]
    assert links == []
