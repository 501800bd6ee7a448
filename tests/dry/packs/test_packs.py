"""Packs on disk, the user's decisions, the records of earlier starts: nothing is executed."""

from dataclasses import replace

import pytest

from engine.packs.distributions import install_advice, install_plan, is_host_module
from engine.packs.found import find_packs, has_packs, misplaced_package, wanted_packs
from engine.packs.plan import find_pack, forget_fault, make_plan, plan_from_json, plan_to_json
from engine.packs.preferences import read_preferences, write_preferences
from engine.packs.records import (
    Fault,
    LastStart,
    last_start,
    read_faults,
    read_last_start,
    write_faults,
    write_last_start,
)
from engine.packs.requirements import Installed
from engine.settings import Settings
from engine.wire.pack_messages import FolderChange, PackReport, PacksReady


@pytest.fixture
def settings(tmp_path):
    folders = (tmp_path / "first", tmp_path / "second", tmp_path / "not there")
    return Settings(user_directory=tmp_path / "user", custom_nodes_directories=folders)


def put(settings, path, text="raise SystemExit('executed')"):
    target = settings.custom_nodes_directories[0].parent / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


def names(packs):
    return [pack.name for pack in packs]


def test_folders_and_files_are_packs_and_nothing_else_is(settings):
    for path in (
        *("second/b/__init__.py", "first/A/__init__.py", "first/one.py"),
        *("first/off.disabled/__init__.py", "second/gone.py.disabled"),
        *("first/.hidden/__init__.py", "first/__pycache__/x/__init__.py", "first/__init__.py"),
        *("first/data/readme.txt", "first/notes.md"),
    ):
        put(settings, path)
    assert names(find_packs(settings)) == ["A", "b", "gone", "off", "one"]
    assert names(wanted_packs(settings)) == ["A", "b", "one"]
    assert [find_pack(settings, name).is_file for name in ("A", "one", "gone")] == [0, 1, 1]


def test_without_packs_there_are_none(settings):
    put(settings, "first/README.md")
    assert not has_packs(settings)
    put(settings, "second/a.py")
    assert has_packs(settings)


def test_the_first_folder_s_pack_counts_unless_it_is_disabled(settings):
    put(settings, "first/a/__init__.py")
    second = put(settings, "second/a/__init__.py").parent
    assert find_pack(settings, "a").path.parent.name == "first"
    (second.parents[1] / "first" / "a").rename(second.parents[1] / "first" / "a.disabled")
    assert find_pack(settings, "a").path == second


@pytest.mark.parametrize(
    ("plugins", "found"), [(None, ["a", "one"]), ((), []), (("one.py",), ["one"]), (("a",), ["a"])]
)
def test_flags_choose_packs(settings, plugins, found):
    put(settings, "first/a/__init__.py")
    put(settings, "first/one.py")
    assert names(wanted_packs(replace(settings, plugins=plugins))) == found


def test_its_project_file_is_read_and_a_broken_one_is_like_none(settings):
    put(settings, "first/a/__init__.py")
    put(
        settings,
        "first/a/pyproject.toml",
        '[project]\nname = "x"\nversion = "2"\ndependencies = ["scipy"]\n'
        '[tool.comfy]\nDisplayName = "An A"\nweb = "../b"\n',
    )
    put(settings, "first/a/requirements.txt", "numpy  # yes\n--index-url x\n\nscipy\n")
    put(settings, "first/b/__init__.py")
    put(settings, "first/b/pyproject.toml", "not [ toml")
    one, other = find_packs(settings)
    assert (one.version, one.display_name) == ("2", "An A")
    assert one.web is None, "it lies outside of the pack"
    assert one.requirements() == ("numpy", "scipy")
    put(settings, "first/a/requirements.txt", "numpy")
    assert one.requirements() == ("numpy",), "what its project says is not what users install"
    (one.path / "requirements.txt").unlink()
    assert one.requirements() == ("scipy",)
    assert (other.version, other.display_name) == ("", "b")


def test_a_pack_one_folder_too_deep_is_found_as_such(settings):
    inner = put(settings, "first/a/a-main/__init__.py").parent
    assert misplaced_package(find_pack(settings, "a")) == inner


def test_a_fault_counts_until_the_files_change_or_the_user_asks(settings):
    source = put(settings, "first/a/__init__.py")
    put(settings, "first/a/__pycache__/x.py")
    fault = Fault("crashed", "it crashed", find_pack(settings, "a").fingerprint())
    write_faults(settings, {"a": fault, "b": fault})
    report = make_plan(settings).skipped["a"]
    assert (report.state, report.error) == ("crashed", "it crashed")
    put(settings, "first/a/__pycache__/y.py")
    assert make_plan(settings).skipped
    source.write_text("changed", encoding="utf-8")
    assert not make_plan(settings).skipped
    new = Fault("hung", "it hung", find_pack(settings, "a").fingerprint())
    assert make_plan(settings, {"a": new}).skipped["a"].state == "hung"
    forget_fault(settings, "a")
    assert set(read_faults(settings)) == {"b"}
    forget_fault(settings, "b")
    assert read_faults(settings) == {}


def test_decisions_are_stored_and_reach_the_plan(settings):
    put(settings, "first/a/__init__.py")
    chosen = read_preferences(settings).enabled("a", is_on=False).choosing("X", "a")
    write_preferences(settings, chosen)
    plan = make_plan(settings)
    assert (plan.skipped["a"].state, plan.chosen) == ("disabled", {"X": "a"})
    assert plan_from_json(plan_to_json(plan)) == plan
    write_preferences(settings, chosen.enabled("a", is_on=True))
    assert not make_plan(settings).skipped


def test_the_last_start_is_remembered_and_a_broken_record_is_like_none(settings):
    ready = PacksReady(b"[]", {"loras": FolderChange(("/l",), ())}, {"X": ("a", "b")})
    told = last_start([PackReport("a", seconds=1.5)], ready)
    write_last_start(settings, LastStart())
    assert not (settings.user_directory / "packs").exists(), "without packs nothing is written"
    write_last_start(settings, told)
    assert read_last_start(settings) == told
    (settings.user_directory / "packs" / "catalog.json").write_bytes(b"[{")
    assert read_last_start(settings) == LastStart()
    for name in ("preferences", "faults"):
        (settings.user_directory / "packs" / f"{name}.json").write_bytes(b"\0")
    assert not make_plan(settings).skipped


def test_the_line_that_installs_a_module(settings, monkeypatch):
    here = Installed({"torch": "2.13.0", "numpy": "2.4"}, frozenset())
    monkeypatch.setattr("engine.packs.requirements.read_installed", lambda: here)
    put(settings, "first/a/__init__.py")
    put(settings, "first/a/requirements.txt", "opencv_contrib.python>=4 ; os_name != 'x'\nPyYAML\n")
    pack = find_pack(settings, "a")
    for module, line in {
        "cv2.dnn": "'opencv_contrib.python>=4'",
        "yaml": "PyYAML",
        "sklearn": "scikit-learn",
        "segment_anything": "segment_anything",
    }.items():
        assert install_advice(pack, module) == (f"python -m pip install {line}", "")
    assert install_advice(pack, "comfy.gone") == install_advice(pack, "json") == ("", "")
    command, advice = install_advice(pack, "torchvision")
    assert command == "", "it must not replace torch"
    assert "built for torch 2.13.0" in advice
    assert install_advice(pack, "numpy") == ("", "")
    assert install_plan(["numpy<2", "torch", "a>=1"]) == (
        "python -m pip install 'a>=1'",
        "it wants numpy<2; 2.4 is installed",
    )
    assert is_host_module("comfy.gone")
    assert not is_host_module("torch")
