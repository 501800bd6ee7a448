"""No dead code: everything that is defined is used outside of tests."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFINING = ("engine", "nodes", "tools")
USING = (*DEFINING, "main.py", "hatch_build.py", "tests/bench")
CALLED_BY_PLUGINS = ("engine/compat/", "engine/packs/")
UNUSED: dict[str, str] = {
    "engine/audiovisual/video.py::VideoFromFile": "nodes of plugins call videos by these names",
    "engine/audiovisual/video.py::VideoInput": "nodes of plugins call videos by these names",
    "engine/execute/live.py::GrowingGraph": "plugins ask a running graph by these names",
    "engine/nodekit/context.py::LiveGraph": "plugins ask a running graph by these names",
    "engine/server/logs.py::_Handler.emit": "Python's logging calls it",
    "nodes/strings.py::_Filled.get_field": "Python's formatter calls it",
    "engine/inference/vision.py::ClipVision.encode_image": "plugins encode pictures by this name",
}
"""Exceptions: path::name, or path::class for all its methods; and the reason."""


def trees(rooms: tuple[str, ...]) -> dict[str, ast.Module]:
    paths: list[Path] = []
    for room in rooms:
        path = ROOT / room
        paths += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
    }


def used_names(tree: ast.Module) -> Iterator[str]:
    """Names that code reads, as a name, an attribute, a keyword or a text; imports do not count."""
    for part in ast.walk(tree):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.keyword) and part.arg:
            yield part.arg
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Functions, classes, methods and constants; a decorator counts as a use of what it takes."""
    for part in tree.body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and not part.decorator_list:
            yield part.name
        elif isinstance(part, ast.ClassDef):
            yield part.name
            for member in part.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    is_called_by_python = member.name.startswith("__")
                    if not member.decorator_list and not is_called_by_python:
                        yield f"{part.name}.{member.name}"
        elif isinstance(part, ast.Assign):
            yield from (target.id for target in part.targets if isinstance(target, ast.Name))
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            yield part.target.id


def unused(defining: dict[str, ast.Module], using: dict[str, ast.Module]) -> set[str]:
    uses = Counter(name for tree in using.values() for name in used_names(tree))
    return {
        f"{path}::{name}"
        for path, tree in defining.items()
        if not path.startswith(CALLED_BY_PLUGINS)
        for name in defined_names(tree)
        if not uses[name.split(".")[-1]] and name != "__all__"
    }


def is_excepted(name: str) -> bool:
    return name in UNUSED or name.rsplit(".", 1)[0] in UNUSED


def test_all_that_is_defined_is_used():
    found = unused(trees(DEFINING), trees(USING))
    # What plugins import is used by them alone.
    found = {name for name in found if not name.startswith("engine/compat/")}
    assert sorted(name for name in found if not is_excepted(name)) == []


def test_every_exception_is_still_needed():
    found = unused(trees(DEFINING), trees(USING))
    excused = {
        exception
        for exception in UNUSED
        if any(name == exception or name.startswith(f"{exception}.") for name in found)
    }
    assert sorted(set(UNUSED) - excused) == []


def test_what_only_its_own_module_defines_is_found():
    example = {"example.py": ast.parse("LIMIT = 1\ndef f(): ...\nclass A:\n    def g(self): ...")}
    assert unused(example, example) == {
        "example.py::LIMIT",
        "example.py::f",
        "example.py::A",
        "example.py::A.g",
    }
