"""Files are written whole or not at all, in an order that survives a power cut, on any disk."""

import errno
import os
from pathlib import Path

import pytest

from engine.atomic import (
    interrupted_claim,
    make_folder,
    part_beside,
    publish,
    refusal,
    rename,
    write_atomically,
)
from engine.errors import DiskError, FilesError


def refusing(number):
    def refuse(*_: object, **__: object):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.fixture(params=["hard links", "EPERM", "ENOTSUP", "ENOSYS", "EMLINK", "EACCES"])
def disk(request, monkeypatch):
    """Disks with and without hard links, as exFAT and network shares are."""
    if request.param != "hard links":
        monkeypatch.setattr(os, "link", refusing(getattr(errno, request.param)))
    return request.param


def names(folder: Path):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("disk")
def test_a_new_file_never_takes_the_place_of_another(tmp_path):
    path = tmp_path / "a.json"
    assert write_atomically(path, b"one", replace=False)
    assert not write_atomically(path, b"two", replace=False)
    assert path.read_bytes() == b"one"
    assert write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.usefixtures("disk")
def test_a_file_gets_another_name_unless_it_is_taken(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    assert not rename(tmp_path / "a", tmp_path / "b", replace=False)
    assert (tmp_path / "a").read_bytes() == b"a"
    assert (tmp_path / "b").read_bytes() == b"b"
    assert rename(tmp_path / "a", tmp_path / "deep/er/c", replace=False)
    assert (tmp_path / "deep/er/c").read_bytes() == b"a"
    assert rename(tmp_path / "deep/er/c", tmp_path / "b", replace=True)
    assert (tmp_path / "b").read_bytes() == b"a"
    assert names(tmp_path / "deep/er") == []


def test_a_file_may_get_its_own_name_again(tmp_path):
    """As on file systems where `a` and `A` are one file."""
    (tmp_path / "a").write_bytes(b"a")
    assert rename(tmp_path / "a", tmp_path / "a", replace=False)
    assert (tmp_path / "a").read_bytes() == b"a"


@pytest.mark.parametrize("name", ["a" * 255, "名" * 85, "é" * 127, "x" * 250 + ".json"])
@pytest.mark.usefixtures("disk")
def test_the_longest_names_can_be_written(tmp_path, name):
    assert write_atomically(tmp_path / name, b"x", replace=False)
    assert write_atomically(tmp_path / name, b"y")
    assert (tmp_path / name).read_bytes() == b"y"


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_answer(
    tmp_path, monkeypatch
):
    done: list[str] = []
    fsync, replace, mkdir = os.fsync, Path.replace, Path.mkdir

    def seen_fsync(descriptor):
        done.append("flush " + Path(f"/proc/self/fd/{descriptor}").readlink().name[:5])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", lambda *a: done.append("name") or replace(*a))
    monkeypatch.setattr(
        Path, "mkdir", lambda *a, **k: done.append(f"make {a[0].name}") or mkdir(*a, **k)
    )
    write_atomically(tmp_path / "outer" / "inner" / "file", b"x")
    above = f"flush {tmp_path.name[:5]}"
    assert done == [
        "make outer",
        above,
        "make inner",
        "flush outer",
        "flush .file",
        "name",
        "flush inner",
    ]


def test_a_share_that_cannot_flush_has_done_what_it_can(tmp_path, monkeypatch):
    for number in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
        monkeypatch.setattr(os, "fsync", refusing(number))
        assert write_atomically(tmp_path / str(number), b"x")
    monkeypatch.setattr(os, "fsync", refusing(errno.EIO))
    with pytest.raises(DiskError, match="refused"):
        write_atomically(tmp_path / "broken", b"x")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path, monkeypatch, number):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", refusing(number))
    with pytest.raises(DiskError, match=r"a: the disk is full .*free some space") as refused:
        write_atomically(path, b"new")
    assert refused.value.full
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_what_the_path_gets_wrong_is_no_fault_of_the_disk(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for path, sentence in (
        (tmp_path / "file" / "inside", "a part of the path is a file"),
        (tmp_path / ("x" * 256), "too long"),
    ):
        with pytest.raises(FilesError, match=sentence) as refused:
            write_atomically(path, b"x")
        assert not isinstance(refused.value, DiskError)
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(FilesError, match="a folder has that name"):
        write_atomically(tmp_path / "folder", b"x")


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES])
def test_a_broken_or_read_only_disk_is_not_called_full(number):
    found = refusal("x", OSError(number, os.strerror(number)))
    assert isinstance(found, DiskError)
    assert not found.full
    assert os.strerror(number) in str(found)


def test_a_failed_publication_gives_the_name_back(tmp_path, monkeypatch):
    path = tmp_path / "a"
    part = part_beside(path)
    part.write_bytes(b"x")
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    monkeypatch.setattr(Path, "replace", refusing(errno.EIO))
    with pytest.raises(OSError, match="error"):
        publish(part, path, replace=False)
    assert names(tmp_path) == [part.name]


def test_a_crash_between_the_claim_of_a_name_and_its_file_can_be_seen(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    part = part_beside(path)
    part.write_bytes(b"x")

    class PowerCut(BaseException):
        pass

    def cut(*_):
        raise PowerCut

    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    monkeypatch.setattr(Path, "replace", cut)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(PowerCut):
        publish(part, path, replace=False)
    claims = [each for each in tmp_path.iterdir() if interrupted_claim(each) is not None]
    assert [interrupted_claim(each) for each in claims] == [path]
    path.write_bytes(b"somebody's")
    assert interrupted_claim(claims[0]) is None


def test_folders_are_made_where_they_are_missing(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
