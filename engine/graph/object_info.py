"""A node's schema as clients of ComfyUI's `/object_info` read it, and as V1 classes state it.

The caller provides the schemas and lists the folders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.graph.schema import COMBO, InputSchema, NodeSchema

ListFolder = Callable[[str], Sequence[str]]
"""Given the kind of a folder (`checkpoints`, `input`), the names of its files."""
_NAMED_COMBO_KEYS = frozenset({"multiselect", "remote", "options"})


def object_info(schema: NodeSchema, list_folder: ListFolder | None = None) -> dict[str, Any]:
    """One entry of `/object_info`. Combos of files hold what `list_folder` lists."""
    inputs: dict[str, dict[str, Any]] = {"required": {}}
    for each in schema.inputs:
        entry: Any = input_entry(each, list_folder)
        if each.section == "hidden":
            entry = entry[0]
        inputs.setdefault(each.section, {})[each.name] = entry
    info: dict[str, Any] = {
        "input": inputs,
        "input_order": {section: list(named) for section, named in inputs.items()},
        "output": [_plain(each.type) for each in schema.outputs],
        "output_is_list": [each.is_list for each in schema.outputs],
        "output_name": [_plain(each.name) for each in schema.outputs],
        "name": schema.class_type,
        "display_name": schema.display_name,
        "description": schema.description,
        "python_module": schema.python_module,
        "category": schema.category,
        "output_node": schema.is_output,
    }
    if any(each.tooltip for each in schema.outputs):
        info["output_tooltips"] = [each.tooltip for each in schema.outputs]
    if any(each.match for each in schema.outputs):
        info["output_matchtypes"] = [each.match for each in schema.outputs]
    if schema.deprecated:
        info["deprecated"] = True
    if schema.experimental:
        info["experimental"] = True
    return info


def input_entry(schema: InputSchema, list_folder: ListFolder | None = None) -> list[Any]:
    """`[TYPE]` or `[TYPE, options]`.

    A combo is `[[choices], options]`, the form every client reads, but where its options use what
    only the newer form `["COMBO", {"options": [choices]}]` has.
    """
    options = dict(schema.options)
    is_combo = schema.type == COMBO  # not `!=`, which a wildcard's type overrides
    if not is_combo:
        return [_plain(schema.type), options] if options else [_plain(schema.type)]
    choices = [*list_folder(schema.folder)] if schema.folder and list_folder else []
    choices += [each for each in schema.choices or () if each not in choices]
    if _NAMED_COMBO_KEYS & options.keys():
        if "remote" not in options:
            options["options"] = choices
        return [COMBO, options]
    return [choices, options] if options else [choices]


def _plain(text: str) -> str:
    """The text of a string whose class overrides comparison."""
    return str.__str__(text)
