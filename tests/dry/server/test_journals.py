"""What was answered is on disk: through torn lines, lost answers, two windows and damage."""

import asyncio
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.documents.journals import JournalRefusedError, Journals

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


def test_the_oldest_closed_ones_are_let_go_and_open_ones_never(tmp_path):
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
        assert listed.tab == tab
        (again,) = run(journals.list())
        assert again == listed
        path.touch()
    path.unlink()
    assert run(journals.list()) == []


def test_routes(serving, settings):
    address = f"/calotype/journals/{NAME}"

    async def scenario(client):
        statuses = [
            (await client.get(address)).status,
            (await client.post(f"{address}?window=one", data=line(1))).status,
            (await client.put(f"{address}?window=one", data=line(1, window="one"))).status,
            (await client.post(f"/api{address}?window=one", data=line(2))).status,
            (await client.post(f"{address}?window=two", data=line(3))).status,
            (await client.post(address, data=line(3))).status,
            (await client.post(f"{address}?window=one", data=b'{"n": 3}')).status,
            (await client.post(f"{address}?window=one", data=b"")).status,
            (await client.put(f"{address}?window=two", data=line(3, window="one"))).status,
        ]
        listed = await (await client.get("/calotype/journals")).json()
        async with client.ws_connect("/ws?clientId=one"):
            alive = (await (await client.get("/calotype/journals")).json())[0]["alive"]
        content = await (await client.get(address)).read()
        statuses += [(await client.delete(address)).status, (await client.get(address)).status]
        return statuses, listed, alive, content

    statuses, listed, alive, content = serving(scenario)
    assert statuses == [404, 409, 200, 200, 409, 400, 400, 400, 400, 204, 404]
    assert [(each["id"], each["alive"]) for each in listed] == [(NAME, False)]
    assert alive
    assert content == line(1, window="one") + line(2)


@pytest.mark.parametrize("name", ["..%2Fcalotype", "a", "%00", NAME.upper() + "x", "CON", ".."])
def test_names_are_ids(name, serving, settings):
    async def scenario(client):
        put = await client.put(f"/calotype/journals/{name}?window=one", data=line(1, window="one"))
        return put.status

    assert serving(scenario) in {400, 404, 405}
    assert not list((settings.user_directory / "journals").glob("*"))


def test_a_disk_that_refuses_keeps_what_was_there(serving, settings):
    folder = settings.user_directory / "journals"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("no folder")

    async def scenario(client):
        put = await client.put(f"/calotype/journals/{NAME}?window=one", data=line(1, window="one"))
        return put.status, await put.text()

    status, text = serving(scenario)
    assert status == 400
    assert str(settings.user_directory) not in text
