"""Installed packs against those that a workflow was made with."""

from types import SimpleNamespace

import pytest

from engine.downloads.pack_versions import difference, folders_of, pack_json, pack_line
from engine.graph.needs import PackNeed

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def pack(version="", commit=""):
    return SimpleNamespace(version=version, commit=commit)


def need(version="1.10.0", *, missing=(), **more):
    return PackNeed(
        **{"name": "fancy-pack", "repository": "some/ComfyUI-Fancy.git", **more},
        version=version,
        classes=("Fancy",),
        missing=dict.fromkeys(missing, ("1",)),
    )


@pytest.mark.parametrize(
    ("asked", "version", "commit", "found"),
    [
        ("1.10.0", "1.9.3", "", "older"),
        ("1.10.0", "1.10.0", "", None),
        ("v1.10", "1.10.0", COMMIT, None),
        ("1.2.0", "2.0.0", "", "newer"),
        ("2.0.0", "2.0.0-beta.1", "", "older"),
        (COMMIT, "1.0.0", COMMIT, None),
        (COMMIT[:10], "", COMMIT, None),
        ("f" * 40, "1.0.0", COMMIT, "other"),
        ("f" * 40, "1.0.0", "", None),
        ("1.0.0", "", COMMIT, None),
        ("spring edition", "autumn edition", "", "other"),
        ("spring edition", "Spring edition", "", None),
        ("nightly", "1.0.0", COMMIT, None),
        ("latest", "1.0.0", "", None),
        (None, "1.0.0", "", None),
        ("20240101", "20250101", "", "newer"),
    ],
)
def test_versions_and_commits(asked, version, commit, found):
    assert difference(asked, pack(version, commit)) == found


def test_its_folder_is_found_by_its_classes_its_id_or_its_repository():
    found = need(modules=("custom_nodes.My_Fancy.nodes",))
    assert folders_of(found) == ("My_Fancy", "fancy-pack", "ComfyUI-Fancy")
    assert folders_of(need(name="a/b", repository=None)) == ("b",)


def test_what_is_said_of_each():
    def line(missing=(), installed=None, asked="1.10.0"):
        return pack_line(need(asked, missing=missing), lambda names: installed)

    assert line(["Fancy"]) == "pack fancy-pack 1.10.0: missing, for Fancy"
    assert line(["Fancy"], pack("1.9")).endswith("1.9 is installed and lacks Fancy; update it")
    assert "packs list" in line(["Fancy"], pack("1.10.0"))
    assert "1.9 is installed; update it if" in line([], pack("1.9"))
    assert line([], pack("2.0")) is None
    assert line([], pack("1.10.0")) is None
    assert line() is None
    assert "0123456789ab is installed" in line([], pack(commit=COMMIT), "f" * 40)


def test_the_list_names_what_is_installed():
    assert pack_json(need(), lambda names: None)["installed"] is None
    older = pack_json(need(), lambda names: pack("1.9"))
    assert (older["installed"], older["differs"]) == ("1.9", "older")
    unnamed = pack_json(need(), lambda names: pack())
    assert (unnamed["installed"], unnamed["differs"]) == ("", None)
