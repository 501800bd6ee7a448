"""Repositories are fetched without the user's settings, hooks, links and unseen submodules."""

import subprocess
from pathlib import Path

import pytest

from engine.packs.repository import RepositoryError, fetched, is_address, read_submodules

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")


def git(folder, *arguments):
    command = ["git", *IDENTITY, "-c", "protocol.file.allow=always", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def committed(folder, files):
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", ".")
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "x")
    return folder


def fetch(folder, **arguments):
    said = []
    with fetched(folder.as_uri(), said.append, protocols=("file",), **arguments) as found:
        files = {
            each.relative_to(found.folder).as_posix(): each.read_text()
            for each in sorted(found.folder.rglob("*"))
            if each.is_file() and ".git" not in each.relative_to(found.folder).parts
        }
        here = found.folder
        assert not list(here.glob(".git/hooks/*"))
    assert not here.exists()
    return found, files, said


def test_the_newest_state_of_a_branch_or_a_tag_is_fetched(tmp_path):
    pack = committed(tmp_path / "pack", {"__init__.py": "old"})
    git(pack, "tag", "v1")
    committed(pack, {"__init__.py": "new"})
    found, files, said = fetch(pack)
    assert (found.folder.name, files, len(found.commit)) == ("pack", {"__init__.py": "new"}, 40)
    assert said == [f"Fetching {pack.as_uri()}"]
    assert fetch(pack, reference="v1")[1] == {"__init__.py": "old"}
    with pytest.raises(RepositoryError, match="gone"):
        fetch(pack, reference="gone")
    with pytest.raises(RepositoryError, match="no name of a branch"):
        fetch(pack, reference="--upload-pack=x")


def test_nothing_that_is_configured_is_executed(tmp_path, monkeypatch):
    mark = tmp_path / "executed"
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[core]\n hooksPath = {hook.parent}\n fsmonitor = "touch {mark}"\n'
        f'[init]\n templateDir = {tmp_path}\n[filter "x"]\n smudge = touch {mark}; cat\n'
    )
    pack = committed(tmp_path / "pack", {"__init__.py": "", ".gitattributes": "*.py filter=x\n"})
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, str(settings))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {mark}")
    git(tmp_path, "clone", "--quiet", str(pack), "by-hand")
    assert mark.exists(), "the settings would be executed by a plain clone"
    mark.unlink()
    fetch(pack)
    assert not mark.exists()


def test_links_and_too_much_are_refused_before_a_file_is_written(tmp_path):
    pack = committed(tmp_path / "pack", {"__init__.py": "x" * 3_000_000})
    with pytest.raises(RepositoryError, match="1 files and 2 MiB"):
        fetch(pack, most_bytes=2 << 20)
    (pack / "link").symlink_to("/etc/passwd")
    committed(pack, {})
    with pytest.raises(RepositoryError, match="'link', which is a link"):
        fetch(pack)


def test_submodules_are_told_and_deeper_ones_are_not_fetched(tmp_path):
    deep = committed(tmp_path / "deep", {"d.py": "deep"})
    inner = committed(tmp_path / "inner", {"mod.py": "inner"})
    git(inner, "submodule", "--quiet", "add", deep.as_uri(), "deep")
    committed(inner, {})
    pack = committed(tmp_path / "pack", {"__init__.py": ""})
    git(pack, "submodule", "--quiet", "add", "../inner", "sub")
    committed(pack, {})
    assert read_submodules(pack) == {"sub": "../inner"}
    _, files, said = fetch(pack)
    assert files["sub/mod.py"] == "inner"
    assert "sub/deep/d.py" not in files
    assert said[1].startswith(f"Fetching its submodule sub from {inner.as_uri()}, commit ")
    assert said[2] == "sub has a submodule deep of its own, which is not fetched"


def test_a_submodule_by_another_protocol_is_refused(tmp_path):
    inner = committed(tmp_path / "inner", {"mod.py": ""})
    pack = committed(tmp_path / "pack", {"__init__.py": ""})
    git(pack, "submodule", "--quiet", "add", inner.as_uri(), "sub")
    settings = (pack / ".gitmodules").read_text()
    (pack / ".gitmodules").write_text(settings.replace("file://", "ext::touch "))
    committed(pack, {})
    with pytest.raises(RepositoryError, match="has to begin with https"):
        fetch(pack)


def test_files_in_lfs_are_named(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    found, _, _ = fetch(
        committed(
            tmp_path / "pack",
            {"__init__.py": "", "a.bin": pointer, ".gitattributes": "*.bin -text\n"},
        )
    )
    assert found.pointers == ("a.bin",)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://example.com/a/b", "begin with https"),
        ("ext::sh -c touch", "begin with https"),
        ("ssh://git@example.com/a/b", "begin with https"),
        ("git@example.com:a/b", "begin with https"),
        ("https://me:secret@example.com/a/b", "user name or a password"),
        ("https://example.com/a b", "refused"),
        ("https://example.com/", "refused"),
        ("https://example.com/a/..", "no name of a pack"),
        ("https://example.com:x/a/b", "no address"),
    ],
)
def test_other_addresses_are_refused(address, why):
    with pytest.raises(RepositoryError, match=why), fetched(address, print):
        pass


def test_addresses_are_told_from_paths(tmp_path):
    assert is_address("https://example.com/a/b")
    assert is_address("git@example.com:a/b")
    assert not is_address(str(tmp_path))
    assert not is_address(str(Path("packs", "a@b")))
