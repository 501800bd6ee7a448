"""Subgraphs of plugins: which are found, and what is reported about them."""

from dataclasses import replace

import pytest

from engine.server.subgraphs import LARGEST, find_subgraphs, read_subgraph


@pytest.fixture
def packs(tmp_path):
    """A folder of plugins, one of them with two subgraphs."""
    root = tmp_path / "custom_nodes"
    folder = root / "painter" / "subgraphs"
    folder.mkdir(parents=True)
    (folder / "Soften.json").write_text('{"nodes": []}', encoding="utf-8")
    (folder / "Ünder.json").write_text("{", encoding="utf-8")
    (folder / "notes.txt").write_text("no", encoding="utf-8")
    (root / ".hidden" / "subgraphs").mkdir(parents=True)
    (root / ".hidden" / "subgraphs" / "x.json").write_text("{}", encoding="utf-8")
    (root / "plain.py").write_text("", encoding="utf-8")
    return root


@pytest.fixture
def settings(settings, packs):
    return replace(settings, custom_nodes_directories=(packs,))


def test_files_are_found_by_plugin_and_name(packs):
    found = find_subgraphs([packs, packs.parent / "missing"])
    assert [(each.pack, each.name) for each in found] == [
        ("painter", "Soften"),
        ("painter", "Ünder"),
    ]
    assert [each.id for each in found] == [each.id for each in find_subgraphs([packs])]
    assert len({each.id for each in found}) == 2


def test_what_cannot_be_read_is_none(packs):
    soften, under = find_subgraphs([packs])
    assert read_subgraph(under) == "{"
    soften.path.write_bytes(b"\xff\xfe\x00")
    assert read_subgraph(soften) is None
    soften.path.write_bytes(b" " * (LARGEST + 1))
    assert read_subgraph(soften) is None
    soften.path.unlink()
    assert read_subgraph(soften) is None


def test_they_are_told_as_others_tell_them(serving):
    async def scenario(client):
        listed = await (await client.get("/global_subgraphs")).json()
        key = next(key for key, each in listed.items() if each["name"] == "Soften")
        one = await (await client.get(f"/global_subgraphs/{key}")).json()
        none = await (await client.get("/global_subgraphs/unknown")).json()
        return listed[key], one, none

    listed, one, none = serving(scenario)
    assert listed == {
        "source": "custom_node",
        "name": "Soften",
        "info": {"node_pack": "painter"},
    }
    assert one == {**listed, "data": '{"nodes": []}'}
    assert none is None
