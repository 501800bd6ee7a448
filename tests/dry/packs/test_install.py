"""Packs are copied from folders and archives. What must not be copied is refused."""

import io
import tarfile
import zipfile
from argparse import Namespace

import pytest

from engine.cli.pack_install import install_pack
from engine.packs.install import InstallError, staged
from engine.settings import Settings

FILES = {"p-main/__init__.py": "raise SystemExit('executed')", "p-main/sub/a.txt": "text"}


@pytest.fixture
def nodes(tmp_path):
    return tmp_path / "custom_nodes"


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def tarred(path, files, **fields):
    ending = path.name.rpartition(".")[2]
    kind = {"gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz", "tar": "w:"}[ending]
    with tarfile.open(path, kind) as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            for key, value in fields.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def install(source, nodes, yes=True):
    flags = Namespace(source=str(source), yes=yes, requirements=False, reference="")
    return install_pack(flags, Settings(custom_nodes_directories=(nodes,)))


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar", "tar.bz2", "tar.xz", "folder"])
def test_a_pack_is_copied_once(tmp_path, nodes, kind, capsys):
    if kind == "folder":
        source = tmp_path / "p-main"
        (source / "sub").mkdir(parents=True)
        for name, text in FILES.items():
            (tmp_path / name).write_text(text)
    else:
        source = (zipped if kind == "zip" else tarred)(tmp_path / f"x.{kind}", FILES)
    assert install(source, nodes) == 0
    assert (nodes / "p" / "sub" / "a.txt").read_text() == "text"
    assert "2 files" in capsys.readouterr().out
    with pytest.raises(InstallError, match="exists already"):
        install(source, nodes)
    assert [each.name for each in nodes.iterdir()] == ["p"]


@pytest.mark.parametrize("name", ["../out.py", "/out.py", "p/../../out.py", "p\\..\\out", "c:/x"])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_names_that_lead_out_are_refused(tmp_path, nodes, make, name):
    source = make(tmp_path / ("x.zip" if make is zipped else "x.tar.gz"), {**FILES, name: "bad"})
    with pytest.raises(InstallError, match="leads out of the pack"):
        install(source, nodes)
    assert list(nodes.iterdir()) == []


@pytest.mark.parametrize("make", [zipped, tarred])
def test_settings_of_git_are_left_out(tmp_path, nodes, make):
    """They name programs that git runs in that folder."""
    hostile = {"p/.git/config": "[core]\nfsmonitor = evil", "p/sub/.GIT": "gitdir: /x"}
    files = {name.replace("p-main", "p"): text for name, text in FILES.items()}
    ending = "zip" if make is zipped else "tar.gz"
    install(make(tmp_path / f"x.{ending}", {**files, **hostile}), nodes)
    assert sorted(each.name for each in (nodes / "p").rglob("*")) == ["__init__.py", "a.txt", "sub"]


def test_links_are_refused(tmp_path, nodes):
    source = tarred(tmp_path / "x.tar.gz", {"p/a": ""}, type=tarfile.SYMTYPE, linkname="/etc")
    with pytest.raises(InstallError, match="is a link"):
        install(source, nodes)
    entry = zipfile.ZipInfo("p/a")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(entry, "/etc")
    with pytest.raises(InstallError, match="is a link"):
        install(tmp_path / "x.zip", nodes)


@pytest.mark.parametrize("make", [zipped, tarred])
def test_too_much_is_refused(tmp_path, nodes, make):
    source = make(tmp_path / ("x.zip" if make is zipped else "x.tar.gz"), {"p/a": "0" * 4_000_000})
    with pytest.raises(InstallError, match="more than"), staged(source, nodes, most_bytes=1 << 20):
        pass
    many = make(source, {f"p/{n}": "" for n in range(20)})
    with pytest.raises(InstallError, match="more than 10 files"):
        staged(many, nodes, most_files=10).__enter__()
    assert list(nodes.iterdir()) == []


def test_without_a_terminal_it_needs_yes(tmp_path, nodes, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(InstallError, match="add --yes"):
        install(zipped(tmp_path / "x.zip", FILES), nodes, yes=False)
    assert list(nodes.iterdir()) == []


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.rar"])
def test_what_is_no_archive_or_no_pack_is_refused(tmp_path, nodes, name):
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(InstallError):
        install(tmp_path / name, nodes)
    with pytest.raises(InstallError, match="no __init__"):
        install(zipped(tmp_path / "y.zip", {"p/a.txt": ""}), nodes)
