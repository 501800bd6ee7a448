"""Environments of isolated packs: what would be installed, and what is laid under them."""

import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from engine.packs import environments
from engine.packs.environments import EnvironmentFailedError, clashes, environment_of, underlay
from engine.packs.found import pack_at
from engine.packs.plan import make_plan
from engine.packs.preferences import PackPreferences, write_preferences
from engine.packs.records import Fault, write_faults
from engine.settings import Settings

HERE = importlib.metadata.version("msgspec")


@pytest.fixture
def settings(tmp_path):
    folder = tmp_path / "custom_nodes"
    return Settings(user_directory=tmp_path / "user", custom_nodes_directories=(folder,))


@pytest.fixture
def pack(settings):
    def make(*requirements, name="mine"):
        folder = settings.custom_nodes_directories[0] / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("raise SystemExit('executed')")
        (folder / "requirements.txt").write_text("\n".join(requirements))
        return pack_at(folder)

    return make


def test_what_is_here_is_used_and_torch_is_never_installed_again(settings, pack):
    lines = [
        "msgspec>=0.1",
        "msgspec<0.1",
        "not-here-at-all==3",
        "torch==1.13; python_version > '3'",
        "torchvision",
        "nvidia-cudnn-cu12",
        "only-there; sys_platform == 'nowhere'",
        "./local.whl",
        "git+https://example.invalid/x.git",
        "# a comment",
        "--extra-index-url https://example.invalid",
    ]
    found = environment_of(settings, pack(*lines))
    assert found.present == ("msgspec>=0.1",)
    assert found.wanted == (lines[1], lines[2], lines[7], lines[8])
    assert found.left_out == (lines[3], lines[4], lines[5])
    assert not found.is_made
    with pytest.raises(EnvironmentFailedError, match="packs isolate mine"):
        found.check()


def test_a_clash_names_the_version_that_is_here(pack):
    found = clashes(pack("msgspec<0.1", "msgspec", "not-here-at-all", "torch==1.0"))
    assert found == (f"msgspec<0.1 (here is {HERE})",)


def test_its_folder_changes_with_its_requirements(settings, pack):
    first = environment_of(settings, pack("a==1"))
    assert environment_of(settings, pack("a==1")).folder == first.folder
    assert environment_of(settings, pack("a==2")).folder != first.folder
    assert environment_of(settings, pack("a==1", name="other")).folder != first.folder


def test_an_environment_is_made_once_sees_ours_and_replaces_an_older_one(settings, pack):
    first = environment_of(settings, pack("msgspec"))
    said = []
    first.make(said.append)
    assert len(said) == 1
    first.make(said.append)
    assert len(said) == 1
    code = "import msgspec, sys; print(msgspec.__version__, sys.prefix)"
    variables = {key: each for key, each in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [first.python, "-c", code], capture_output=True, text=True, env=variables, check=False
    )
    assert done.stdout.split() == [HERE, str(first.folder)], done.stderr
    second = environment_of(settings, pack("msgspec>=0"))
    second.make()
    assert second.is_made
    assert not first.folder.exists()


def test_a_failed_install_leaves_nothing_and_says_why(settings, pack, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(environments.shutil, "which", lambda _: None)
    found = environment_of(settings, pack("not-here-at-all==3"))
    with pytest.raises(EnvironmentFailedError, match="not-here-at-all"):
        found.make()
    assert not found.folder.exists()


def test_one_that_cannot_be_installed_costs_itself_only(settings, pack, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    project = tmp_path / "custom_nodes" / "mine" / "local"
    project.mkdir(parents=True)
    made = project / "calotype_local-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as wheel:
        wheel.writestr("calotype_local.py", "")
        info = "calotype_local-1.0.dist-info"
        needs = "Requires-Dist: msgspec>=0.1\n"  # it is here, and no index is asked
        head = f"Metadata-Version: 2.1\nName: calotype-local\nVersion: 1.0\n{needs}"
        wheel.writestr(f"{info}/METADATA", head)
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\nRoot-Is-Purelib: true"
        )
        wheel.writestr(f"{info}/RECORD", "")
    found, said = environment_of(settings, pack("not-here-at-all==3", f"./local/{made.name}")), []
    found.make(said.append)
    assert found.is_made
    assert list(found.missing) == ["not-here-at-all==3"]
    assert "not-here-at-all" in found.missing["not-here-at-all==3"]
    assert any("not-here-at-all==3 is missing" in each for each in said)
    assert list(found.folder.rglob("calotype_local.py"))
    own = [each.name for each in found.folder.rglob("*.dist-info")]
    assert own == ["calotype_local-1.0.dist-info"], "what lies under it was only shown"
    assert environment_of(settings, pack("a==1")).missing == {}


def test_the_library_is_not_laid_under(tmp_path):
    site = tmp_path / "site-packages"
    site.mkdir()
    library = str(Path(os.__file__).parent)
    found = underlay([library, f"{library}/lib-dynload", str(site), str(tmp_path / "x")])
    assert found == [str(site)]
    assert str(sys.prefix) not in found


def test_an_isolated_pack_is_tried_whatever_it_did_to_a_worker(settings, pack):
    found = pack()
    write_faults(settings, {"mine": Fault("crashed", "boom", found.fingerprint())})
    assert "mine" in make_plan(settings).skipped
    chosen = PackPreferences().isolating("mine", is_on=True, has_network=False, memory=1 << 30)
    write_preferences(settings, chosen)
    plan = make_plan(settings)
    assert (plan.skipped, plan.isolated, plan.offline) == ({}, {"mine"}, {"mine"})
    assert plan.memory == {"mine": 1 << 30}
    assert chosen.isolating("mine", is_on=False).isolated == frozenset()
