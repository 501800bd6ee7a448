"""Widgets of the nodes inside a subgraph that its instances show, and the values these hold.

Three generations of files promote widgets in three ways; an instance's value overrides the inner
widget's own. Values are passed on as the file holds them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.graph.prompt import is_list, is_mapping
from engine.graph.saved_graph import Definition, SavedNode

_NOT_INSIDE = "-1"
"""In a promotion, the node id that represents the subgraph's own input."""
_PREVIEW = "$$"
"""Promotions so named show a picture and hold no value."""
_NUMBERED = re.compile(r"^\d+: ")


@dataclass(frozen=True, slots=True)
class HostValues:
    """The values of an instance that override those of the nodes inside.

    Attributes:
        inputs: values of the subgraph's inputs, by name.
        widgets: values of inner widgets, by inner node id and widget name.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    widgets: Mapping[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])


def host_values(
    instance: SavedNode,
    definition: Definition,
    definitions: Mapping[str, Definition],
    overrides: Mapping[str, Any],
) -> HostValues:
    """The values that this instance holds for its promoted widgets.

    `overrides` are values that an outer subgraph's instance holds for this instance's widgets.
    """
    inputs: dict[str, Any] = {}
    widgets: dict[tuple[str, str], Any] = {}
    values = instance.values
    proxies = _proxies(instance)
    if is_mapping(values):
        inputs.update({str(name): value for name, value in values.items()})
    elif is_list(values) and proxies:
        for (node_id, name), value in _paired(proxies, values):
            if node_id == _NOT_INSIDE:
                inputs[name] = value
            else:
                widgets[node_id, name] = value
    elif is_list(values):
        names = _backed_by_widgets(definition, definitions)
        if len(names) != len(values) and instance.named_values is not None:
            inputs.update({str(name): value for name, value in instance.named_values.items()})
        else:
            inputs.update(zip(names, values, strict=False))
    inputs.update(_quarantined(instance))
    known = {each.name for each in definition.inputs}
    inputs.update({name: value for name, value in overrides.items() if name in known})
    inner = {(i, n): value for (i, n), value in widgets.items() if value is not None}
    return HostValues({n: value for n, value in inputs.items() if value is not None}, inner)


def _proxies(instance: SavedNode) -> list[tuple[str, str]]:
    """The promotions of the first two generations: inner node id and widget name."""
    found = instance.properties.get("proxyWidgets")
    return [
        (str(each[0]), _NUMBERED.sub("", str(each[1])))
        for each in (found if is_list(found) else ())
        if is_list(each) and len(each) >= 2
    ]


def _paired(proxies: list[tuple[str, str]], values: list[Any]) -> list[tuple[tuple[str, str], Any]]:
    """Promotions with their values; none where they cannot be matched.

    Files hold values for all promotions, for all but previews, or for the subgraph's inputs only.
    """
    holding = [each for each in proxies if not each[1].startswith(_PREVIEW)]
    own = [each for each in holding if each[0] == _NOT_INSIDE]
    for candidates in (proxies, holding, own):
        if len(candidates) == len(values):
            pairs = zip(candidates, values, strict=True)
            return [pair for pair in pairs if not pair[0][1].startswith(_PREVIEW)]
    return []


def _quarantined(instance: SavedNode) -> dict[str, Any]:
    """Values of promotions that a newer editor could not move over, but kept."""
    values: dict[str, Any] = {}
    found = instance.properties.get("proxyWidgetErrorQuarantine")
    for each in found if is_list(found) else ():
        entry = each.get("originalEntry") if is_mapping(each) else None
        held = each.get("hostValue") if is_mapping(each) else None
        if held is not None and is_list(entry) and len(entry) >= 2 and str(entry[0]) == _NOT_INSIDE:
            values[str(entry[1])] = held
    return values


def _backed_by_widgets(definition: Definition, definitions: Mapping[str, Definition]) -> list[str]:
    """The names of a subgraph's inputs that lead to a widget inside, in their order."""
    return [
        each.name
        for slot, each in enumerate(definition.inputs)
        if _leads_to_widget(definition, slot, definitions)
    ]


def _leads_to_widget(
    definition: Definition, slot: int, definitions: Mapping[str, Definition]
) -> bool:
    """Whether the input feeds a slot that represents a widget, maybe some levels down."""
    waiting = [(definition, slot)]
    seen: set[tuple[str, int]] = set()
    while waiting:
        within, at = waiting.pop()
        if (within.id, at) in seen:
            continue
        seen.add((within.id, at))
        for link in within.leaving.get(at, ()):
            target = within.graph.nodes.get(link.target)
            fed = [each for each in target.inputs if each.link == link.id] if target else []
            if any(each.widget is not None for each in fed):
                return True
            inner = definitions.get(target.type) if target else None
            if inner is not None:
                names = {each.name for each in fed}
                waiting += [(inner, i) for i, one in enumerate(inner.inputs) if one.name in names]
    return False
