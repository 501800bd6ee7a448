"""docs/families.md and its workflows: made anew they are the same, and each one is valid."""

import json
import runpy
from pathlib import Path

import pytest

from engine.graph.prompt import parse
from engine.graph.validate import validate
from nodes import builtin_registry

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / "docs" / "workflows").glob("*.json"))
TEMPLATES = (ROOT / "web" / "workflows" / "families").glob("*.json")


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        yield runpy.run_path(str(ROOT / "tools" / "write_families_page.py"))


def test_the_page_and_its_workflows_are_up_to_date(tool):
    made = tool["pages"]()
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, path.name
    assert {path for path in made if path.suffix == ".json"} == {*WORKFLOWS, *TEMPLATES}


@pytest.fixture(scope="module")
def catalog():
    return builtin_registry().catalog()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_valid_but_for_its_files(path, catalog, tool):
    graph = json.loads(path.read_text(encoding="utf-8"))
    report = validate(parse(graph), catalog)
    assert report.error is None, report
    assert report.node_errors == {}
    recipe = next(each for each in tool["RECIPES"] if each.name == path.stem)
    named = {
        value
        for node in graph.values()
        for name, value in node["inputs"].items()
        if name.endswith(("_name", "_name1", "_name2", "_name3", "_name4"))
        and isinstance(value, str)
    }
    files = {address.rsplit("/", 1)[-1] for _, address in recipe.files}
    assert files <= named
