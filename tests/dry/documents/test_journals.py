"""What the server confirmed is on disk: despite torn lines, lost answers, two windows, damage."""

import asyncio
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.documents.journal_lines import JournalRefusedError
from engine.documents.journals import Journals
from engine.errors import FilesError

NAME = "11111111-2222-4333-8444-555555555555"
WINDOW = "one"


def line(n, *, window=None, closed=None, **more):
    tab = {} if window is None else {"tab": {"window": window, "closed": closed, "name": "a"}}
    return json.dumps({"n": n, **tab, **more}).encode() + b"\n"


def run(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture
def journals(tmp_path):
    return Journals(tmp_path)


def test_lines_follow_a_whole_journal_and_come_back(journals, tmp_path):
    whole = line(1, window=WINDOW, graph={"seed": 1})
    assert run(journals.replace(NAME, WINDOW, whole)) == 1
    assert run(journals.append(NAME, WINDOW, line(2) + line(3))) == 3
    assert run(Journals(tmp_path).read(NAME)) == whole + line(2) + line(3)


def test_lines_sent_twice_are_kept_once(journals):
    run(journals.replace(NAME, WINDOW, line(1, window=WINDOW)))
    run(journals.append(NAME, WINDOW, line(2)))
    assert run(journals.append(NAME, WINDOW, line(2) + line(3))) == 3
    assert run(journals.read(NAME)) == line(1, window=WINDOW) + line(2) + line(3)


def test_a_gap_is_refused_and_says_what_is_there(journals):
    run(journals.replace(NAME, WINDOW, line(1, window=WINDOW)))
    with pytest.raises(JournalRefusedError) as refused:
        run(journals.append(NAME, WINDOW, line(3)))
    assert (refused.value.reason, refused.value.last) == ("conflict", 1)


def test_another_window_takes_over_only_with_the_newest_line(journals):
    run(journals.replace(NAME, WINDOW, line(1, window=WINDOW) + line(2)))
    with pytest.raises(JournalRefusedError):
        run(journals.append(NAME, "two", line(3)))
    with pytest.raises(JournalRefusedError):
        run(journals.replace(NAME, "two", line(1, window="two")))
    assert run(journals.replace(NAME, "two", line(3, window="two"))) == 3
    with pytest.raises(JournalRefusedError) as refused:
        run(journals.append(NAME, WINDOW, line(4)))
    assert refused.value.window == "two"


def test_a_window_takes_over_only_from_whom_it_knows(journals):
    run(journals.replace(NAME, WINDOW, line(1, window=WINDOW)))
    assert run(journals.replace(NAME, "two", line(2, window="two"), owner=WINDOW)) == 2
    # Sent again, as its answer was lost.
    assert run(journals.replace(NAME, "two", line(2, window="two"), owner=WINDOW)) == 2
    with pytest.raises(JournalRefusedError) as refused:
        run(journals.replace(NAME, WINDOW, line(9, window=WINDOW), owner=WINDOW))
    assert (refused.value.reason, refused.value.window) == ("conflict", "two")


@given(cut=st.integers(0, 200), lines=st.integers(1, 6))
def test_a_kill_in_the_middle_of_a_write_costs_the_torn_line_only(tmp_path_factory, cut, lines):
    folder = tmp_path_factory.mktemp("journals")
    written = [line(1, window=WINDOW)] + [line(n, value="ä" * n) for n in range(2, lines + 2)]
    content = b"".join(written)[: max(1, len(b"".join(written)) - cut)]
    path = folder / f"{NAME}.jsonl"
    path.write_bytes(content)
    whole = [each for index, each in enumerate(written) if _ends(written, index) <= len(content)]
    found = run(Journals(folder).read(NAME))
    assert found == (b"".join(whole) or None)
    if whole:
        run(Journals(folder).append(NAME, WINDOW, line(len(whole) + 1, more=True)))
        assert path.read_bytes() == b"".join(whole) + line(len(whole) + 1, more=True)


def _ends(written, index):
    return len(b"".join(written[: index + 1]))


@given(st.lists(st.integers(0, 3), max_size=8))
def test_batches_that_come_again_in_any_number_leave_each_line_once(tmp_path_factory, again):
    journals = Journals(tmp_path_factory.mktemp("journals"))

    async def scenario():
        await journals.replace(NAME, WINDOW, line(1, window=WINDOW))
        for index, times in enumerate(again):
            for _ in range(times + 1):
                await journals.append(NAME, WINDOW, line(index + 2))
        return await journals.read(NAME)

    numbers = [json.loads(each)["n"] for each in run(scenario()).splitlines()]
    assert numbers == list(range(1, len(again) + 2))


def test_damage_in_the_middle_is_kept_beside(journals, tmp_path):
    path = tmp_path / f"{NAME}.jsonl"
    path.write_bytes(line(1, window=WINDOW) + b"\0\0\n" + line(3))
    assert run(journals.read(NAME)) == line(1, window=WINDOW)
    with pytest.raises(JournalRefusedError):
        run(journals.append(NAME, WINDOW, line(2)))
    run(journals.replace(NAME, WINDOW, line(2, window=WINDOW)))
    (kept,) = tmp_path.glob("*.damaged")
    assert kept.read_bytes().endswith(line(3))


def test_the_oldest_closed_ones_are_deleted_and_open_ones_never(tmp_path):
    names = [str(uuid.UUID(int=number)) for number in range(104)]
    for number, name in enumerate(names):
        closed = None if number < 2 else 1000 + number
        (tmp_path / f"{name}.jsonl").write_bytes(line(1, window=WINDOW, closed=closed))
    listed = {each.id for each in run(Journals(tmp_path).list())}
    assert listed == set(names) - set(names[2:4])
    assert len(list(tmp_path.iterdir())) == 102


def test_a_list_says_what_is_there_now(journals, tmp_path):
    path = tmp_path / f"{NAME}.jsonl"
    for name, window in (("a", "one"), ("b", "two")):
        tab = {"window": window, "closed": None, "name": name}
        path.write_bytes(json.dumps({"n": 1, "tab": tab}).encode() + b"\n")
        (listed,) = run(journals.list())
        assert json.loads(listed.tab.content) == tab
        (again,) = run(journals.list())
        assert again == listed
        path.touch()
    path.unlink()
    assert run(journals.list()) == []


def test_a_list_does_not_delete_a_document_that_is_opened_again_meanwhile(tmp_path):
    names = [str(uuid.UUID(int=number)) for number in range(102)]
    for number, name in enumerate(names):
        (tmp_path / f"{name}.jsonl").write_bytes(line(1, window=WINDOW, closed=1000 + number))
    journals = Journals(tmp_path)

    async def scenario():
        async with journals._lock(names[0]):
            listing = asyncio.create_task(journals.list())
            # Both are beyond the newest 100, and the later one is deleted first.
            while (tmp_path / f"{names[1]}.jsonl").exists():
                await asyncio.sleep(0.01)
            with (tmp_path / f"{names[0]}.jsonl").open("ab") as stream:
                stream.write(line(2, window=WINDOW))
        return await listing

    assert names[0] in {each.id for each in run(scenario())}
    assert (tmp_path / f"{names[0]}.jsonl").read_bytes().endswith(line(2, window=WINDOW))


TABS = {
    "a window that is a list": b'{"window":["x"]}',
    "a window that is an object": b'{"window":{}}',
    "a window that is too long": b'{"window":"' + b"x" * 101 + b'"}',
    "closed with 400 digits": b'{"window":"one","closed":1' + b"0" * 400 + b"}",
    "closed beyond all numbers": b'{"window":"one","closed":1e999}',
    "closed as a text": b'{"window":"one","closed":"now"}',
    "a list": b"[1]",
    "a number": b"7",
}


@pytest.mark.parametrize("tab", TABS.values(), ids=TABS.keys())
def test_a_tab_that_cannot_be_is_refused_and_on_disk_it_stops_nothing(tab, journals, tmp_path):
    run(journals.replace(NAME, WINDOW, line(1, window=WINDOW)))
    bad = b'{"n":2,"tab":' + tab + b"}\n"
    with pytest.raises(JournalRefusedError, match="line 2") as refused:
        run(journals.append(NAME, WINDOW, bad))
    assert refused.value.reason == "invalid"
    other = NAME.replace("1", "2")
    (tmp_path / f"{other}.jsonl").write_bytes(line(1, window=WINDOW) + bad)
    fresh = Journals(tmp_path)
    assert {each.id for each in run(fresh.list())} == {NAME, other}
    assert run(fresh.read(other)) == line(1, window=WINDOW) + bad
    assert run(fresh.replace(other, "two", line(3, window="two"))) == 3


@pytest.mark.parametrize("number", [b"0", b"-1", b"1.5", b"true", b"1" + b"0" * 400, b'"1"'])
def test_a_line_without_a_whole_number_is_no_line(number, journals):
    with pytest.raises(JournalRefusedError, match="numbered"):
        run(journals.replace(NAME, WINDOW, b'{"n":' + number + b',"tab":{"window":"one"}}\n'))


def test_half_a_character_in_a_text_is_kept(journals, tmp_path):
    """A browser can split an emoji and write unpaired surrogates, which msgspec rejects."""
    half = b'{"n":1,"tab":{"window":"one","name":"\\ud83d"},"graph":"\\ude00"}\n'
    assert run(journals.replace(NAME, WINDOW, half)) == 1
    assert run(journals.append(NAME, WINDOW, line(2))) == 2
    (listed,) = run(Journals(tmp_path).list())
    assert json.loads(listed.tab.content)["name"] == "\ud83d"
    assert run(journals.read(NAME)) == half + line(2)


def test_a_folder_with_the_name_of_a_journal_is_put_aside_by_the_next_whole_one(journals, tmp_path):
    run(journals.replace(NAME.replace("1", "2"), WINDOW, line(1, window=WINDOW)))
    path = tmp_path / f"{NAME}.jsonl"
    path.mkdir()
    (path / "work").write_text("mine")
    assert len(run(journals.list())) == 1
    with pytest.raises(FilesError, match="cannot be read"):
        run(journals.read(NAME))
    with pytest.raises(FilesError, match="cannot be deleted"):
        run(journals.delete(NAME))
    assert run(journals.replace(NAME, WINDOW, line(1, window=WINDOW))) == 1
    assert run(journals.append(NAME, WINDOW, line(2))) == 2
    (aside,) = tmp_path.glob("*.damaged")
    assert (aside / "work").read_text() == "mine"


def test_locks_are_not_kept_for_ever(journals):
    async def scenario():
        for number in range(200):
            assert await journals.read(str(uuid.UUID(int=number))) is None

    run(scenario())
    assert len(journals._locks) == 0
