"""The incumbent's node interfaces, as a catalog."""

import json

import pytest

from engine.graph.schema import InputSchema, NodeSchema, OutputSchema

KNOWN = {"section", "name", "type", "options", "option_count", "combo_style", "folder_backed"}


@pytest.fixture(scope="session")
def incumbent_catalog(reference_folder):
    interfaces = json.loads((reference_folder / "node_interfaces.json").read_text(encoding="utf-8"))
    return {name: node_schema(each) for name, each in interfaces.items()}


def node_schema(each):
    names = each["output_names"] or each["output_types"]
    return NodeSchema(
        class_type=each["class_type"],
        display_name=each["display_name"] or each["class_type"],
        category=each["category"],
        inputs=tuple(input_schema(given) for given in each["inputs"]),
        outputs=tuple(
            OutputSchema(kind, name, bool(is_list))
            for kind, name, is_list in zip(
                each["output_types"], names, each["output_is_list"], strict=True
            )
        ),
        is_output=each["output_node"],
        input_is_list=each["input_is_list"],
    )


def input_schema(given):
    options = {key: value for key, value in given.items() if key not in KNOWN}
    if "dynamic_options" in options:
        options["options"] = [
            {"key": each["key"], "inputs": sections(each["inputs"])}
            for each in options.pop("dynamic_options")
        ]
    if isinstance(options.get("template"), dict) and "input" in options["template"]:
        options["template"] = {
            **options["template"],
            "input": sections(options["template"]["input"]),
        }
    choices = given.get("options")
    return InputSchema(
        name=given["name"],
        type=given["type"],
        section=given["section"],
        options=options,
        choices=tuple(choices) if isinstance(choices, list) else None,
        folder="files" if isinstance(choices, str) else None,
    )


def sections(inputs):
    read = {}
    for each in inputs:
        schema = input_schema(each)
        kind = list(schema.choices) if schema.choices is not None else schema.type
        read.setdefault(schema.section, {})[schema.name] = [kind, dict(schema.options)]
    return read
