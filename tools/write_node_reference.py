"""Writes docs/node_reference.md: every built-in node, its inputs and outputs, from the registry.

    python tools/write_node_reference.py           # write it
    python tools/write_node_reference.py --check   # exit 1 if it is out of date

Reads the schemas of the registry; runs no node.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from engine.graph.schema import InputSchema, NodeSchema
from nodes import builtin_registry

PAGE = Path(__file__).resolve().parent.parent / "docs" / "node_reference.md"
HEAD = """# Built-in nodes

Made by `tools/write_node_reference.py`; do not edit.
An input in brackets is optional; a value behind `=` is its default.
"""


def reference() -> str:
    """The page."""
    schemas = sorted(
        builtin_registry().catalog().values(),
        key=lambda schema: (schema.category, schema.class_type),
    )
    lines = [HEAD]
    for category, members in groupby(schemas, key=lambda schema: schema.category):
        lines += [f"## {category}\n", "| node | inputs | outputs | |", "| --- | --- | --- | --- |"]
        lines += [*map(_row, members), ""]
    return "\n".join(lines)


def _row(schema: NodeSchema) -> str:
    inputs = ", ".join(_input(each) for each in schema.inputs if each.section != "hidden")
    outputs = ", ".join(f"{each.type}{' list' if each.is_list else ''}" for each in schema.outputs)
    about = " ".join(schema.description.split("\n\n")[0].split()).replace("|", "\\|")
    return f"| `{schema.class_type}` | {inputs} | {outputs} | {about} |"


def _input(each: InputSchema) -> str:
    default = each.options.get("default")
    text = each.name
    if default is not None and len(str(default)) <= 24 and default != "":
        text += f" = {default}"
    return f"[{text}]" if each.section == "optional" else text


def problems(page: str) -> Iterator[str]:
    """The problems of the existing page."""
    if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        yield f"{PAGE.name} is out of date; run python tools/write_node_reference.py"


def main() -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if out of date")
    page = reference()
    if parser.parse_args().check:
        found = list(problems(page))
        sys.stderr.writelines(f"{line}\n" for line in found)
        return 1 if found else 0
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
