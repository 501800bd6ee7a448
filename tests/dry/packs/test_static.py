"""Packs are read by their syntax; every file here would end the test if it were executed."""

import json

import pytest

from engine.cli.pack_check import check_packs
from engine.errors import CalotypeError
from engine.packs.found import pack_at
from engine.packs.host_names import ABSENT, PLACEHOLDER, PRESENT, HostNames
from engine.packs.source import read_source
from engine.packs.static import BROKEN, IMPORTS, LACKS, read_pack

EXECUTED = "raise SystemExit('executed')\n"
HOST = HostNames()


@pytest.fixture
def pack(tmp_path):
    def make(name="pack", **files):
        for path, text in files.items():
            target = tmp_path / name / f"{path.replace('__in__', '/')}.py"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(EXECUTED + text, encoding="utf-8")
        return read_pack(pack_at(tmp_path / name), HOST)

    return make


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("folder_paths.get_filename_list", PRESENT),
        ("comfy.samplers.KSampler.SAMPLERS", PRESENT),
        ("comfy.k_diffusion.sampling.sample_euler", PRESENT),
        ("comfy.samplers", PRESENT),
        ("nodes.VAEEncode", PRESENT),
        ("nodes.common_ksampler", PRESENT),
        ("nodes.MAX_RESOLUTION", PRESENT),
        ("nodes.NODE_CLASS_MAPPINGS", PRESENT),
        ("comfy_extras.nodes_mask.MaskComposite", PRESENT),
        ("comfy_api.latest.io.Image.Input", PRESENT),
        ("comfy_api.latest.io.Schema", PRESENT),
        ("comfy_api.latest.ComfyExtension", PRESENT),
        ("server.PromptServer.instance", PRESENT),
        ("comfy.no_such_module", ABSENT),
        ("comfy.sd.no_such_name", ABSENT),
        ("nodes.no_such_class", ABSENT),
        ("comfy_api_nodes.anything", ABSENT),
    ],
)
def test_the_state_of_a_name_of_the_host(name, state):
    assert HOST.state(name) == state


def test_every_known_name_is_present_or_a_placeholder():
    assert {
        HOST.state(f"{module}.{name}") for module, names in HOST._known.items() for name in names
    } == {PRESENT, PLACEHOLDER}


def test_missing_packages_are_told_with_what_installs_them(pack):
    found = pack(
        __init__="from .inner import thing\nimport os, json\nfrom comfy.utils import ProgressBar",
        inner="import no_such_package.part\nfrom yaml_not_there import x",
    )
    assert found.state == LACKS
    assert list(found.missing) == ["no_such_package", "yaml_not_there"]
    assert "pip install no_such_package yaml_not_there" in found.verdict()
    assert found.host == ["comfy.utils.ProgressBar"]


def test_imports_that_a_pack_can_do_without_are_listed_apart(pack):
    found = pack(
        __init__=(
            "try:\n import lost_a\nexcept ImportError:\n import lost_b\n"
            "if flag:\n import lost_c\n"
            "def later():\n import lost_d\n"
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import lost_e\n"
            "try:\n import lost_f\nexcept KeyError:\n pass\n"
        )
    )
    assert list(found.missing) == ["lost_f"]
    assert list(found.maybe) == ["lost_a", "lost_b", "lost_c", "lost_d"]


def test_a_file_that_nothing_imports_does_not_count(pack):
    found = pack(__init__="from . import used", used="", unused="import lost", setup="import gone")
    assert (found.state, found.missing, found.maybe) == (IMPORTS, {}, {})


def test_files_imported_by_computed_names_count_as_possible(pack):
    found = pack(
        __init__="import importlib\nfor name in names: importlib.import_module(f'.{name}', 'x')",
        one="import lost\nNODE_CLASS_MAPPINGS = {'One': One}",
    )
    assert (found.missing, list(found.maybe), found.nodes) == ({}, ["lost"], ["One"])
    assert found.computed


def test_own_modules_on_the_path_are_not_missing(pack):
    found = pack(__init__="import sys\nimport helper_of_mine", helper_of_mine="import lost")
    assert list(found.missing) == ["lost"]


def test_names_of_nodes_in_both_dialects(pack):
    found = pack(
        __init__=(
            "from .a import NODE_CLASS_MAPPINGS as A\n"
            "NODE_CLASS_MAPPINGS: dict = {'X': X, **{'Y': Y}} | A_CLASS_MAPPINGS\n"
            "NODE_CLASS_MAPPINGS.update({'Z': Z})\nNODE_CLASS_MAPPINGS['W'] = W\n"
            "NODE_DISPLAY_NAME_MAPPINGS = {'no': 'no'}"
        ),
        a="io.Schema(node_id='V', inputs=[])",
    )
    assert sorted(found.nodes) == ["V", "W", "X", "Y", "Z"]
    assert not found.more_nodes
    found = pack("b", __init__="NODE_CLASS_MAPPINGS = {X.NAME: X, Y.NAME: Y, 'Z': Z}")
    assert (found.count, found.nodes) == ("3", ["Z"]), "names that are computed are counted"


@pytest.mark.parametrize(
    ("source", "count", "nodes"),
    [
        # A table made by a function from another one.
        (
            "C = {'A': {'class': A}, 'B': {'class': B}}\nNODE_CLASS_MAPPINGS, NAMES = made(C)",
            "at least 2",
            ["A", "B"],
        ),
        # A loop over classes; one over a table; one over what is filled elsewhere.
        ("for c in (A, B): NODE_CLASS_MAPPINGS[c.name] = c", "2", []),
        ("for k, c in m.NODE_CLASS_MAPPINGS.items(): NODE_CLASS_MAPPINGS[k] = c", "0", []),
        ("found = []\nfor c in found: NODE_CLASS_MAPPINGS[c.name] = c", "at least 0", []),
        ("all = [A]\nall.append(B)\nNODE_CLASS_MAPPINGS = {c.n: c for c in all}", "at least 1", []),
        ("NODE_CLASS_MAPPINGS = {k: c for k, c in {'A': A}.items()}", "1", ["A"]),
        # Submodules' tables under other names are counted where they are written.
        ("from .a import NODE_CLASS_MAPPINGS as a\nNODE_CLASS_MAPPINGS = {**a}", "1", ["V"]),
        ("from .a import CLASS_MAPPINGS as a\nNODE_CLASS_MAPPINGS.update(a)", "1", ["V"]),
        ("NODE_CLASS_MAPPINGS = load()", "at least 0", []),
        ("io.Schema(node_id=prefix + 'x')", "at least 0", []),
    ],
)
def test_nodes_of_computed_tables_are_found_or_said_to_be_open(pack, source, count, nodes):
    found = pack(__init__=source, a="NODE_CLASS_MAPPINGS = {'V': V}")
    assert (found.count, sorted(found.nodes)) == (count, nodes)


def test_requirements_that_exclude_what_is_installed(pack, tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "requirements.txt").write_text("pytest<2\npytest>=1\n")
    found = pack(__init__="")
    assert [each.split(";")[0] for each in found.clashes] == ["it wants pytest<2"]
    assert "(packs isolate pack)" in found.verdict()


def test_own_modules_that_are_not_there(pack):
    found = pack(
        __init__="from .gone.part import x\ntry:\n from .also import y\nexcept ImportError: 0"
    )
    assert (found.state, found.lost) == (BROKEN, [".gone.part"])
    assert "imports .gone.part, which the pack does not have" in found.verdict()


def test_submodules_that_were_not_fetched(pack, tmp_path):
    (tmp_path / "pack").mkdir()
    text = '[submodule "s"]\n\tpath = lib/s\n\turl = https://example.com/s.git\n'
    (tmp_path / "pack" / ".gitmodules").write_text(text)
    found = pack(__init__="")
    assert list(found.submodules) == ["lib/s"]
    assert "its git submodule lib/s was not fetched (git clone" in found.verdict()
    (tmp_path / "pack" / ".git").mkdir()
    assert "submodule update --init lib/s" in pack(__init__="").verdict()
    (tmp_path / "pack" / "lib" / "s").mkdir(parents=True)
    (tmp_path / "pack" / "lib" / "s" / "file").write_text("")
    assert pack(__init__="").submodules == {}


def test_names_that_are_missing_here(pack):
    found = pack(
        __init__=(
            "import comfy.sd as sd, nodes\nfrom comfy.sd import no_such\n"
            "def f(): return sd.other_lost, nodes.VAEEncode, nodes.not_there\n"
            "nodes.mine = 1\nnodes.mine.part"
        )
    )
    assert found.state == BROKEN
    assert found.failing == ["comfy.sd.no_such"]
    assert found.absent == ["comfy.sd.no_such", "comfy.sd.other_lost", "nodes.not_there"]
    assert "asks for comfy.sd.no_such" in found.verdict()


def test_a_name_that_means_several_things_is_not_judged(pack):
    found = pack(__init__="import nodes\ndef f(nodes): return nodes.items")
    assert found.absent == []


def test_broken_files_cost_nobody_else(pack, tmp_path, capsys):
    assert pack("good", __init__="").state == IMPORTS
    pack("half", __init__="from . import inner", inner="def (")
    (tmp_path / "bytes").mkdir()
    (tmp_path / "bytes" / "__init__.py").write_bytes(b"\x00\xff\x00")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "__init__.py").write_text("(" * 50_000 + ")" * 50_000)
    (tmp_path / "off" / "inner").mkdir(parents=True)
    (tmp_path / "off" / "inner" / "__init__.py").write_text("")
    assert check_packs([tmp_path], as_json=False) == 1
    table = capsys.readouterr().out
    assert "half   " in table
    assert "1 files cannot be read" in table
    assert "move that folder up" in table
    assert "2 of 5 import" in table
    assert check_packs([tmp_path / "good"], as_json=True) == 0
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "imports"


def test_a_folder_without_packs_is_refused(tmp_path):
    with pytest.raises(CalotypeError, match="no pack and holds none"):
        check_packs([tmp_path], as_json=False)
    with pytest.raises(CalotypeError, match="there is no"):
        check_packs([tmp_path / "gone"], as_json=False)


def test_a_single_file_is_a_pack(tmp_path):
    (tmp_path / "one.py").write_text(EXECUTED + "import lost")
    found = read_pack(pack_at(tmp_path / "one.py"), HOST)
    assert (found.name, list(found.missing)) == ("one", ["lost"])


def test_a_syntax_error_has_its_line(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("x = 1\ndef (")
    assert read_source(path).error.startswith("line 2: ")
