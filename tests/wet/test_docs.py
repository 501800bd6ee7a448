"""The docs list every node, flag and exit code of the program."""

import argparse
import re
import runpy
from pathlib import Path

import pytest

from engine.cli.command import build_parser
from engine.errors import CalotypeError
from engine.nodekit.contract import FunctionNode

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_node_reference_is_up_to_date():
    tool = runpy.run_path(str(ROOT / "tools" / "write_node_reference.py"))
    assert read("docs/node_reference.md") == tool["reference"]()


def test_the_page_of_model_files_is_up_to_date():
    tool = runpy.run_path(str(ROOT / "tools" / "write_models_page.py"))
    assert read("docs/models.md") == tool["page"]()


def test_the_page_of_coverage_is_up_to_date():
    tool = runpy.run_path(str(ROOT / "tools" / "write_coverage_page.py"))
    assert read("docs/coverage.md") == tool["page"]()


def test_every_flag_is_in_the_readme_or_among_the_ways_in():
    pages = read("README.md") + read("docs/http_api.md")
    commands = next(
        action.choices
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    flags = {
        text
        for command in commands.values()
        for action in command._actions
        for text in action.option_strings
        if text.startswith("--") and text != "--help" and action.help != argparse.SUPPRESS
    }
    assert {flag for flag in flags if flag not in pages} == set()
    assert {name for name in commands if f"main.py {name} " not in pages} == set()


def test_the_readme_s_node_is_a_node():
    [code] = re.findall(
        r"## A node in ten lines\n\n```python\n(.*?)```", read("README.md"), re.DOTALL
    )
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    module: dict[str, object] = {"__name__": "example"}
    exec(compile(code, "README.md", "exec"), module)
    found = module["image_to_grey"]
    assert isinstance(found, FunctionNode)
    assert [each.name for each in found.schema.inputs] == ["image", "strength"]
    assert [each.type for each in found.schema.outputs] == ["IMAGE"]


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_an_adr_is_a_page():
    long = [
        path.name
        for path in (ROOT / "docs" / "adr").glob("*.md")
        if len(path.read_text(encoding="utf-8").splitlines()) > 40
    ]
    assert long == []


def test_every_error_a_user_may_see_says_what_it_is_for():
    kinds = CalotypeError.__subclasses__()
    assert kinds
    assert [kind.__name__ for kind in kinds if not kind.__doc__] == []
