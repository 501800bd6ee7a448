"""The rules of the code base: size budgets, docstrings, layers the import linter cannot see."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("engine", "nodes", "tests", "tools", "main.py")
MOST_LINES_IN_A_FILE = 400
MOST_LINES_IN_A_FUNCTION = 60
LONGER: dict[str, str] = {}
"""Exceptions: path or path::function, and the reason."""
RE_EXPORTING: dict[str, str] = {
    "nodes/__init__.py": "its job is to be a face for plugins",
}
FACADE = {"folder_paths", "server", "execution", "node_helpers", "latent_preview"}


def sources() -> list[Path]:
    found: list[Path] = []
    for room in ROOMS:
        path = ROOT / room
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path for path in found if "__pycache__" not in path.parts]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sources()}


def test_a_file_has_at_most_400_lines():
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()
    }
    long = {name: lines for name, lines in lengths.items() if lines > MOST_LINES_IN_A_FILE}
    assert {name: lines for name, lines in long.items() if name not in LONGER} == {}


def test_a_function_has_at_most_60_lines(trees):
    long = {}
    for name, tree in trees.items():
        for part in ast.walk(tree):
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (part.end_lineno or part.lineno) - part.lineno + 1
                if lines > MOST_LINES_IN_A_FUNCTION and f"{name}::{part.name}" not in LONGER:
                    long[f"{name}::{part.name}"] = lines
    assert long == {}


def test_every_exception_is_still_needed(trees):
    missing = [name for name in (*LONGER, *RE_EXPORTING) if name.split("::")[0] not in trees]
    assert missing == []


def test_every_module_says_what_it_is_for(trees):
    silent = [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_a_room_s_face_is_its_files(trees):
    talkative = [
        name
        for name, tree in trees.items()
        if name.endswith("__init__.py")
        and name not in RE_EXPORTING
        and not name.startswith(("engine/compat/facade", "tests/plugins"))
        and any(isinstance(part, ast.Import | ast.ImportFrom) for part in ast.walk(tree))
    ]
    assert talkative == []


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            names |= {each.name for each in part.names}
        elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
            names.add(part.module)
    return names


def test_main_reaches_only_settings_and_the_two_ways_in(trees):
    allowed = ("engine.settings", "engine.serving", "engine.errors", "engine.cli", "engine.server")
    ours = {
        name for name in imported(trees["main.py"]) if name.split(".")[0] in {"engine", "nodes"}
    }
    assert {name for name in ours if not name.startswith(allowed)} == set()


def test_nothing_of_ours_imports_a_facade_name(trees):
    wrong = {
        name: imports
        for name, tree in trees.items()
        if not name.startswith(("engine/compat/facade", "tests/plugins"))
        and (
            imports := {each for each in imported(tree) if each.split(".")[0] in FACADE | {"comfy"}}
        )
    }
    assert wrong == {}
