"""Saves never lose the previous content: versions stay, and a changed file is not replaced."""

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from engine.documents.versions import MOST_VERSIONS, Versions, versions_to_delete

HOUR = 3_600_000


@given(
    st.lists(
        st.tuples(st.integers(0, 400 * HOUR), st.booleans()), max_size=40, unique_by=lambda e: e[0]
    ),
    st.integers(2, 20),
)
def test_thinning_keeps_so_many_and_both_ends(moments, most):
    gone = versions_to_delete(moments, 400 * HOUR, most)
    left = sorted({when for when, _ in moments} - set(gone))
    assert len(left) == min(most, len(moments))
    if moments:
        assert left[0] == min(moments)[0]
        assert left[-1] == max(moments)[0]


def test_thinning_keeps_more_of_today_than_of_the_past():
    now = 1000 * HOUR
    moments = [(now - index * HOUR // 4, False) for index in range(1000)]
    left = {when for when, _ in moments} - set(versions_to_delete(moments, now))
    today = sum(when > now - 24 * HOUR for when in left)
    assert 20 <= today < MOST_VERSIONS
    assert sum(when < now - 120 * HOUR for when in left) >= 5


def test_what_was_kept_automatically_goes_first():
    moments = [(index * HOUR, index % 2 == 1) for index in range(40)]
    gone = versions_to_delete(moments, 40 * HOUR, 30)
    assert sum(when // HOUR % 2 for when in gone) > len(gone) * 0.7


def test_equal_texts_are_one_version_and_times_never_the_same(tmp_path):
    versions = Versions(tmp_path)

    async def scenario():
        for text in (b"1", b"1", b"2", b"1"):
            await versions.keep("a", text, label="Move", kind="save")
        return await versions.list("a"), await versions.list("b")

    found, none = asyncio.run(scenario())
    assert [each.size for each in found] == [1, 1, 1]
    assert len({each.when for each in found}) == 3
    assert none == []


def test_versions_of_one_moment_are_all_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.documents.versions.time.time_ns", lambda: 5_000_000_000)
    versions, others = Versions(tmp_path), Versions(tmp_path)

    async def scenario():
        kept = (
            each.keep("a", b"%d" % index, label="", kind="auto")
            for index in range(20)
            for each in (versions, others)
        )
        await asyncio.gather(*kept)
        return [(await versions.read("a", each.when)).text for each in await versions.list("a")]

    assert {b"%d" % index for index in range(20)} == set(asyncio.run(scenario()))


def test_saves_keep_versions_and_what_they_replace(serving, settings):
    path = "/userdata/workflows%2Fa.json"
    workflow = {"nodes": [{"id": 1}, {"id": 2}], "links": []}

    async def scenario(client):
        await client.post(f"{path}?label=Move", json=workflow)
        (settings.user_directory / "workflows" / "a.json").write_bytes(b"foreign")
        await client.post(f"{path}?overwrite=true&label=Add", json={**workflow, "nodes": []})
        listed = await (await client.get("/calotype/versions?of=workflows/a.json")).json()
        texts = [
            await (
                await client.get(f"/calotype/versions/{each['when']}?of=workflows/a.json")
            ).read()
            for each in listed
        ]
        await client.post(f"{path}/move/workflows%2Fb.json", data=b"")
        moved = await (
            await client.get("/calotype/versions?of=workflows/a.json&of=workflows/b.json")
        ).json()
        return listed, texts, moved

    listed, texts, moved = serving(scenario)
    said = [(each["kind"], each["label"], each["nodes"]) for each in listed]
    assert said == [("save", "Add", 0), ("replaced", "", None), ("save", "Move", 2)]
    assert texts[1] == b"foreign"
    assert json.loads(texts[2]) == workflow
    assert moved == listed


def test_a_file_that_has_changed_is_replaced_only_when_told(serving, settings):
    path = "/userdata/workflows%2Fa.json"
    file = settings.user_directory / "workflows" / "a.json"

    async def scenario(client):
        first = await client.post(path, data=b"1")
        tag = first.headers["ETag"]
        read = (await client.get(path)).headers["ETag"]
        file.write_bytes(b"theirs")
        refused = await client.post(f"{path}?overwrite=true", data=b"2", headers={"If-Match": tag})
        kept = file.read_bytes()
        current = (await client.get(path)).headers["ETag"]
        taken = await client.post(
            f"{path}?overwrite=true", data=b"2", headers={"If-Match": current}
        )
        file.unlink()
        gone = await client.post(
            f"{path}?overwrite=true", data=b"3", headers={"If-Match": taken.headers["ETag"]}
        )
        return tag, read, refused.status, kept, taken.status, gone.status

    tag, read, refused, kept, taken, gone = serving(scenario)
    assert tag == read
    assert (refused, kept, taken, gone) == (412, b"theirs", 200, 412)
    assert not file.exists()


def test_versions_of_documents_never_saved(serving):
    async def scenario(client):
        kept = await client.post("/calotype/versions?of=some-id&label=Add", data=b'{"nodes": []}')
        bad = [
            (await client.get("/calotype/versions")).status,
            (await client.get("/calotype/versions/..%2Fx?of=a")).status,
            (await client.get("/calotype/versions/1?of=a")).status,
            (await client.get("/calotype/versions?of=" + "a" * 1001)).status,
        ]
        return (await kept.json())["kind"], bad

    kind, bad = serving(scenario)
    assert kind == "auto"
    assert bad == [400, 400, 404, 400]
