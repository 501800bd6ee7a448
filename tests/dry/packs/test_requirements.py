"""What a pack requires: shown by a dry run of pip, and never a change of what is installed."""

import io
import subprocess
import zipfile
from argparse import Namespace

import pytest

from engine.cli.pack_install import install_pack
from engine.packs import requirements
from engine.packs.requirements import Installed, install_distributions, preview, sort_requirements
from engine.settings import Settings

HERE = {"torch": "2.13.0+cpu", "numpy": "2.4.6", "calotype": "1", "opencv-python-headless": "5.0"}


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """What counts as installed."""
    here = Installed(HERE, frozenset({"calotype", "torch", "numpy"}))
    monkeypatch.setattr(requirements, "read_installed", lambda: here)


def wheel(folder, name, version, requires=()):
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    about += "".join(f"Requires-Dist: {each}\n" for each in requires)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", about)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for all that there is."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_lines_are_sorted_by_what_is_here():
    found = sort_requirements(
        [
            *("torch", "numpy<2", "torchvision>=0.20", "opencv_python", "some_thing>=1"),
            *("git+https://example.com/a/b", "other @ https://example.com/o.zip"),
            'old; python_version < "3"',
        ]
    )
    assert found.install == ("some_thing>=1",)
    assert found.clashes == ("it wants numpy<2; 2.4.6 is installed by Calotype",)
    assert found.source == ("git+https://example.com/a/b", "other @ https://example.com/o.zip")
    torch, opencv = found.stays[1:]
    assert "torchvision>=0.20" in torch
    assert "built for torch 2.13.0+cpu" in torch
    assert "opencv-python-headless 5.0 is installed and brings the same" in opencv


def test_a_file_of_requirements_stands_for_its_lines(tmp_path):
    (tmp_path / "r.txt").write_text("# why\ntorch\nabc  # that\n-r r.txt\n--pre\n")
    assert sort_requirements([f"-r {tmp_path / 'r.txt'}"]).install == ("abc",)


def test_pip_says_what_would_be_added(index):
    wheel(index, "calo_a", "1.0", ["calo_b>=2", "torchvision"])
    wheel(index, "calo_b", "2.5")
    wheel(index, "torchvision", "0.1")
    found = preview(["calo_a"])
    assert found.adds == ("calo_a==1.0", "calo_b==2.5")
    assert "torchvision" in found.stays[0]
    assert (found.clashes, dict(found.left)) == ((), {})


def test_conflicts_are_sentences_and_cost_nothing_else(index):
    wheel(index, "calo_a", "1.0", ["numpy<2,>=1"])
    wheel(index, "calo_b", "2.5")
    wheel(index, "numpy", "1.9")
    found = preview(["calo_a", "calo_b", "calo_gone"])
    assert found.adds == ("calo_b==2.5",)
    (clash,) = found.clashes
    assert clash.replace("-", "_") == (
        "calo_a 1.0 wants numpy<2,>=1; 2.4.6 is installed by Calotype"
    )
    assert "no such version, or no wheel" in found.left["calo_gone"]


def test_exactly_what_was_shown_is_installed(monkeypatch):
    called = []
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(requirements, "_pip", lambda *words: called.append(words) or done)
    install_distributions(("calo_b==2.5",))
    assert called[0][-2:] == ("--", "calo_b==2.5")
    assert {"--no-deps", "--only-binary", "--constraint"} <= set(called[0])


def run(tmp_path, source, **flags):
    given = {"source": str(source), "yes": True, "requirements": False, "reference": "", **flags}
    folder = tmp_path / "custom_nodes"
    return install_pack(Namespace(**given), Settings(custom_nodes_directories=(folder,)))


def test_the_command_shows_asks_and_installs(tmp_path, index, monkeypatch, capsys):
    wheel(index, "calo_b", "2.5")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("raise SystemExit('executed')")
    (pack / "requirements.txt").write_text("calo_b\nnumpy<2\n")
    added = []
    monkeypatch.setattr("engine.cli.pack_install.install_distributions", added.extend)
    assert run(tmp_path, pack) == 1
    text = capsys.readouterr().out
    assert "That adds 1 package: calo_b==2.5\n" in text
    assert "It wants numpy<2; 2.4.6 is installed by Calotype\n" in text
    assert "packs install pack --requirements\n" in text
    assert "packs isolate pack\n" in text
    assert added == []
    assert (tmp_path / "custom_nodes" / "pack").is_dir()
    run(tmp_path, "pack", requirements=True)
    assert added == ["calo_b==2.5"]


def test_a_failed_installation_copies_nothing(tmp_path, index, monkeypatch):
    wheel(index, "calo_b", "2.5")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("")
    (pack / "requirements.txt").write_text("calo_b\n")
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: the disk is full\n")
    asked = requirements._pip

    def pip(*words):
        return asked(*words) if "--dry-run" in words else failed

    monkeypatch.setattr(requirements, "_pip", pip)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    with pytest.raises(requirements.PipError, match="the disk is full"):
        run(tmp_path, pack, requirements=True)
    assert list((tmp_path / "custom_nodes").iterdir()) == []


def test_what_is_installed_is_looked_up(monkeypatch):
    monkeypatch.undo()
    here = requirements.read_installed()
    assert here.version("PyTest")
    assert here.version("not-there") is None
    assert here.whose("pytest") == ""
