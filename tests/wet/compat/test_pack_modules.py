"""What a pack does to the modules of others while it is imported."""

import sys
from dataclasses import replace

import pytest

from engine.compat.pack_modules import import_pack, libraries_kept
from engine.packs.found import find_packs

TIDIES = """
import sys
before = set(sys.modules)
from . import own
import operators_once
import uses_operators
from . import other
for name in set(sys.modules) - before:
    del sys.modules[name]
"""


@pytest.fixture
def pack(tmp_path, monkeypatch, settings):
    libraries, folder = tmp_path / "libraries", tmp_path / "custom_nodes" / "tidies"
    libraries.mkdir()
    folder.mkdir(parents=True)
    (libraries / "operators_once.py").write_text("registered = object()\n")
    (libraries / "uses_operators.py").write_text("import operators_once\n")
    (folder / "__init__.py").write_text(TIDIES)
    (folder / "own.py").write_text("")
    (folder / "other.py").write_text("")
    monkeypatch.syspath_prepend(str(libraries))
    found = {
        each.name: each
        for each in find_packs(replace(settings, custom_nodes_directories=(folder.parent,)))
    }["tidies"]
    yield found
    for name in [
        name for name in sys.modules if name.endswith(("operators_once", "uses_operators"))
    ]:
        del sys.modules[name]


def test_libraries_that_a_pack_removes_are_put_back(pack):
    finders = list(sys.meta_path)
    with libraries_kept(pack):
        module = import_pack(pack)
    assert sys.modules["operators_once"] is module.operators_once
    assert sys.modules["uses_operators"] is module.uses_operators
    assert sys.meta_path == finders


def test_its_own_modules_stay_as_it_leaves_them(pack):
    with libraries_kept(pack):
        import_pack(pack)
    assert not [name for name in sys.modules if name.endswith((".own", ".other"))]


def test_a_library_that_fails_is_not_put_back(pack):
    (pack.path / "__init__.py").write_text(
        "try:\n    import broken_library\nexcept ValueError:\n    import uses_operators\n"
    )
    (pack.path.parents[1] / "libraries" / "broken_library.py").write_text("raise ValueError\n")
    with libraries_kept(pack):
        import_pack(pack)
    assert "broken_library" not in sys.modules
    assert "uses_operators" in sys.modules
