"""When the editor is built, and when not."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """hatch_build.py; hatchling itself is installed only while a wheel is built."""
    plugin = "hatchling.builders.hooks.plugin.interface"
    stand_ins = {name: ModuleType(name) for name in parents(plugin) if name not in sys.modules}
    module = stand_ins.get(plugin)
    if module is not None:
        module.BuildHookInterface = type(
            "BuildHookInterface", (), {"__class_getitem__": classmethod(lambda cls, _: cls)}
        )
    sys.modules.update(stand_ins)
    try:
        spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    finally:
        for name in stand_ins:
            del sys.modules[name]
    return loaded


def parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "src" / "state").mkdir(parents=True)
    (folder / "package.json").write_text("{}", encoding="utf-8")
    (folder / "src" / "main.ts").write_text("one\ntwo\n", encoding="utf-8")
    return folder


def built(hook: ModuleType, web: Path) -> None:
    (web / "dist").mkdir(exist_ok=True)
    (web / "dist" / "index.html").write_text("page", encoding="utf-8")
    (web / "dist" / hook.STAMP).write_text(hook.hash_of_sources(web), encoding="ascii")


def test_a_fresh_checkout_is_built_and_a_built_one_is_not(hook, web):
    assert hook.needs_build(web, {})
    built(hook, web)
    assert not hook.needs_build(web, {})


@pytest.mark.parametrize("name", ["src/main.ts", "src/state/new.ts", "package.json", ".npmrc"])
def test_any_changed_or_new_source_is_seen(hook, web, name):
    built(hook, web)
    (web / name).write_text("changed", encoding="utf-8")
    assert hook.needs_build(web, {})


def test_a_renamed_source_is_seen_though_its_content_stays(hook, web):
    built(hook, web)
    (web / "src" / "main.ts").rename(web / "src" / "other.ts")
    assert hook.needs_build(web, {})


def test_what_is_no_source_changes_nothing(hook, web):
    built(hook, web)
    (web / "node_modules").mkdir()
    (web / "node_modules" / "x.js").write_text("x", encoding="utf-8")
    (web / "tests").mkdir()
    (web / "tests" / "x.test.ts").write_text("x", encoding="utf-8")
    assert not hook.needs_build(web, {})


def test_the_ends_of_lines_do_not_count(hook, web):
    built(hook, web)
    (web / "src" / "main.ts").write_bytes(b"one\r\ntwo\r\n")
    assert not hook.needs_build(web, {})


def test_it_can_be_left_out_and_a_package_without_sources_is_done(hook, web, tmp_path):
    assert not hook.needs_build(web, {hook.SKIP: "1"})
    assert not hook.needs_build(tmp_path / "nothing", {})


def test_a_stamp_without_a_page_is_built_again(hook, web):
    built(hook, web)
    (web / "dist" / "index.html").unlink()
    assert hook.needs_build(web, {})


def test_texts_are_compressed_and_small_ones_are_not(hook, tmp_path):
    (tmp_path / "a.js").write_text("x" * 5000, encoding="utf-8")
    (tmp_path / "b.js").write_text("x", encoding="utf-8")
    hook.compress(tmp_path)
    assert (tmp_path / "a.js.gz").stat().st_size < 100
    assert not (tmp_path / "b.js.gz").exists()


def test_the_lock_file_names_no_addresses():
    """A mirror's address would be used by every build."""
    text = (ROOT / "web" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text


def test_the_built_page_is_no_part_of_the_repository():
    command = ["git", "ls-files", "web/dist", "web/node_modules"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert listed.stdout == ""
