"""Writes docs/coverage.md: which templates have all their node classes, and what others lack.

    python tools/write_coverage_page.py

The templates are those of the package comfyui-workflow-templates-json in the test extra that need
no paid service; `web/tests/document/templates.json` names them. New nodes change the page.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from engine.graph.absent_classes import absences
from engine.graph.catalog_file import read_catalog
from engine.graph.schema import NodeSchema
from engine.graph.workflow import convert

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"
NAMES = ROOT / "web" / "tests" / "document" / "templates.json"
PACKAGE = "comfyui_workflow_templates_json"
HEAD = """# Coverage of workflow templates

Made by `tools/write_coverage_page.py`; do not edit.

Of {count} templates for ComfyUI that need no paid service (comfyui-workflow-templates-json \
{version}), **{complete} have all their node classes** here. That a class is here does not mean \
that every model family it is used with runs: [families](families.md) and [model files](models.md) \
say which do. `python main.py check FILE...` says the same of your own workflows, with files and \
values.

## What the others lack

| what is missing | templates | classes |
| --- | --- | --- |
"""


def page() -> str:
    """The page. Raises `FileNotFoundError` if the package is not installed."""
    listed = json.loads(NAMES.read_text(encoding="utf-8"))
    catalog = read_catalog(ROOT / "engine" / "server" / "builtin_catalog.json")
    missing = {name: missing_classes(name, catalog) for name in listed["names"]}
    lacking = {name: found for name, found in missing.items() if found}
    version = listed["about"].split("comfyui-workflow-templates-json ")[1].split()[0]
    head = HEAD.format(count=len(missing), complete=len(missing) - len(lacking), version=version)
    rows = list(_rows(lacking, catalog))
    return head + "".join(rows) + _complete(sorted(set(missing) - set(lacking)))


def missing_classes(name: str, catalog: Mapping[str, NodeSchema]) -> tuple[str, ...]:
    """The classes of a template that are not here, in alphabetical order."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"{PACKAGE} is not installed: pip install -e '.[test]'")
    path = Path(found.submodule_search_locations[0]) / "templates" / f"{name}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    return tuple(sorted(convert(document, catalog).missing))


def _rows(
    lacking: Mapping[str, tuple[str, ...]], catalog: Mapping[str, NodeSchema]
) -> Iterator[str]:
    templates: dict[str, set[str]] = defaultdict(set)
    classes: dict[str, set[str]] = defaultdict(set)
    for name, missing in lacking.items():
        reasons = absences(missing, catalog)
        for each in missing:
            group = _group(reasons.get(each, ""))
            templates[group].add(name)
            classes[group].add(each)
    for group in sorted(templates, key=lambda each: (-len(templates[each]), each)):
        shown = ", ".join(f"`{each}`" for each in sorted(classes[group]))
        yield f"| {group} | {len(templates[group])} | {shown} |\n"


def _group(reason: str) -> str:
    """What a sentence says that a class belongs to."""
    _, belongs, rest = reason.partition(" belongs to ")
    if not belongs:
        return "other nodes"
    name, is_partly_here, _ = rest.partition(", of which ")
    return f"parts of {name}" if is_partly_here else name


def _complete(names: list[str]) -> str:
    lines = "".join(f"* {name}\n" for name in names)
    return f"\n## Those that have all classes\n\n{lines}"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
