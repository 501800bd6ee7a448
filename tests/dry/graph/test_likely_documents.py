"""Documents made of real nodes, joined by their types, then damaged in a few places.

Unlike `test_random_documents.py` most of each is right, so that what follows a fault is reached:
inputs that multiply or depend on a choice, types that several inputs share, reroutes, subgraphs in
subgraphs, nodes that are left out.
"""

import json
import random
from functools import cache

import pytest
from hypothesis import given
from hypothesis import settings as chosen
from hypothesis import strategies as st

from engine.errors import WorkflowError
from engine.graph.catalog_file import read_catalog
from engine.graph.dynamic import DYNAMIC_TYPES, concrete_inputs
from engine.graph.prompt import to_api
from engine.graph.validate import validate
from engine.graph.workflow import convert
from engine.server.catalog import BUILTIN

ODD = (None, 0, -1, 1e300, float("nan"), "", "x", True, [], {}, [1], ["1", 0], ["1", "x"], {"a": 1})
MOST = 7
"""Nodes on a level."""


@cache
def catalog():
    """No fixture: a report of a failure would show all of it."""
    return read_catalog(BUILTIN)


@cache
def classes():
    """All classes, and those whose inputs are dynamic or share types."""
    found = catalog()
    special = [
        name
        for name, schema in found.items()
        if any(
            each.type in DYNAMIC_TYPES or "MATCH" in each.type or "template" in each.options
            for each in schema.inputs
        )
    ]
    return tuple(found), tuple(special)


class Likely:
    """Makes one document from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick, self.chance = self.random.choice, lambda share: self.random.random() < share
        self.subgraphs = []
        self.last_link = 0

    def literal(self, each):
        if self.chance(0.05):
            return self.pick(ODD)
        if each.choices:
            return self.pick(each.choices)
        numbers = {"INT": 3, "FLOAT": 0.5, "BOOLEAN": True}
        return each.options.get("default", numbers.get(each.type, "x"))

    def values(self, schema, sources):
        """Inputs of a node: literals, and links to earlier outputs, most of their type."""
        given = {}
        for _ in range(3):  # a choice brings further inputs
            for each in concrete_inputs(schema, given):
                if each.name in given or each.section == "hidden" or self.chance(0.05):
                    continue
                fitting = [end for end, type_ in sources if type_ == each.type]
                ends = fitting if self.chance(0.9) else [end for end, _ in sources]
                if (each.is_widget and self.chance(0.8)) or each.type in DYNAMIC_TYPES:
                    given[each.name] = self.literal(each)
                elif ends:
                    given[each.name] = list(self.pick(ends))
                if each.type in DYNAMIC_TYPES and self.chance(0.5):
                    name = self.pick(("image", "input", "value", "0", "a.b", ""))
                    given[f"{each.name}.{name}{self.pick((0, 1, 7, ''))}"] = self.pick(ODD)
        if self.chance(0.05):
            given[self.pick(("", "x", "images.", "images.image0.image0"))] = self.pick(ODD)
        return given

    def class_type(self):
        every, special = classes()
        return self.pick(special if self.chance(0.5) else every)

    def prompt(self):
        nodes, sources = {}, []
        for number in range(self.random.randint(1, MOST)):
            key = str(number) if self.chance(0.9) else f"{number}:{number}"
            schema = catalog()[self.class_type()]
            inputs = self.values(schema, sources)
            nodes[key] = {"class_type": schema.class_type, "inputs": inputs}
            sources += [((key, slot), each.type) for slot, each in enumerate(schema.outputs)]
        if self.chance(0.2) and nodes:  # a circle, or a link to what is not there
            node = nodes[self.pick(list(nodes))]
            node["inputs"][self.pick(("image", "model", "a"))] = [self.pick((*nodes, "99")), 0]
        return nodes

    def level(self, depth, borders=()):
        """Nodes and links of a document or of a subgraph.

        Args:
            depth: how many levels of subgraphs may follow.
            borders: types of the subgraph's own inputs, whose node is -10.
        """
        nodes, links, sources = [], [], [((-10, slot), kind) for slot, kind in enumerate(borders)]
        for number in range(1, self.random.randint(2, MOST)):
            what = self.random.random()
            if depth and what < 0.25:
                node = self.instance(number, depth)
            elif what < 0.4:
                node = self.plain(number, self.pick(("Reroute", "PrimitiveNode", "MarkdownNote")))
            else:
                node = self.real(number, sources)
            for place, slot in enumerate(node["inputs"]):
                fitting = [end for end, kind in sources if kind == slot["type"] or "*" in kind]
                ends = fitting if self.chance(0.9) else [end for end, _ in sources]
                if ends and self.chance(0.8):
                    links.append(self.link(self.pick(ends), (number, place), slot))
            sources += [((number, slot), each["type"]) for slot, each in enumerate(node["outputs"])]
            nodes.append(node)
        for node in nodes:
            for slot, output in enumerate(node["outputs"]):
                output["links"] = [each[0] for each in links if each[1:3] == [node["id"], slot]]
        return nodes, links, sources

    def link(self, origin, target, slot):
        self.last_link += 1
        slot["link"] = self.last_link if self.chance(0.97) else self.pick((None, 0, -1, "x"))
        return [self.last_link, *origin, *target, slot["type"]]

    def plain(self, number, kind, types=("*",), outputs=("*",)):
        return {
            "id": number,
            "type": kind,
            "mode": self.pick((0,) * 8 + (2, 4)),
            "inputs": [{"name": f"i{place}", "type": type_} for place, type_ in enumerate(types)],
            "outputs": [
                {"name": f"o{place}", "type": type_} for place, type_ in enumerate(outputs)
            ],
            "widgets_values": [self.pick(ODD)],
            "properties": {},
        }

    def real(self, number, sources):
        schema = catalog()[self.class_type()]
        given = self.values(schema, [])
        shown = [each for each in concrete_inputs(schema, given) if each.section != "hidden"]
        node = self.plain(
            number, schema.class_type, [each.type for each in shown],
            [each.type for each in schema.outputs],
        )  # fmt: skip
        for slot, each in zip(node["inputs"], shown, strict=True):
            slot["name"] = each.name if self.chance(0.97) else self.pick(("", "x", 3))
            if each.is_widget:
                slot["widget"] = {"name": each.name}
        widgets = [given.get(each.name) for each in shown if each.is_widget]
        node["widgets_values"] = (
            widgets if self.chance(0.8) else widgets[:-1] + [self.pick(ODD)] * 2
        )
        return node

    def instance(self, number, depth):
        """A node that stands for a subgraph: a new one, or one that is there, itself included."""
        if not self.subgraphs or self.chance(0.6):
            self.subgraphs.append(None)
            place = len(self.subgraphs) - 1
            types = [self.pick(("IMAGE", "MODEL", "INT", "*")) for _ in range(self.pick((0, 1, 3)))]
            nodes, links, sources = self.level(depth - 1, types)
            ends = [self.pick(sources) for _ in range(2)] if sources else []
            for slot, (origin, kind) in enumerate(ends):
                links.append(self.link(origin, (-20, slot), {"type": kind}))
            keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
            given = [kind for _, kind in ends]
            borders = {
                "inputs": [{"name": f"i{slot}", "type": kind} for slot, kind in enumerate(types)],
                "outputs": [{"name": f"o{slot}", "type": kind} for slot, kind in enumerate(given)],
            }
            for name, side in (("inputs", 1), ("outputs", 3)):
                for slot, border in enumerate(borders[name]):
                    inside = -10 if side == 1 else -20
                    border["linkIds"] = [
                        each[0] for each in links if each[side : side + 2] == [inside, slot]
                    ]
            self.subgraphs[place] = {
                "id": f"s{place}",
                "name": "s",
                "nodes": nodes,
                "links": [dict(zip(keys, each, strict=True)) for each in links],
                **borders,
            }
        else:
            place = self.random.randrange(len(self.subgraphs))
        made = self.subgraphs[place] or {"inputs": [], "outputs": [{"type": "*"}]}
        node = self.plain(
            number, f"s{place}", [each["type"] for each in made["inputs"]],
            [each["type"] for each in made["outputs"]],
        )  # fmt: skip
        names = [self.pick(("1", "2", "-1", "9")), self.pick(("i0", "seed", "text", ""))]
        node["properties"] = {"proxyWidgets": [names]} if self.chance(0.5) else {}
        return node

    def document(self):
        nodes, links, _ = self.level(3)
        made = [each for each in self.subgraphs if each is not None]
        return {
            "nodes": nodes,
            "links": links,
            "definitions": {"subgraphs": made},
            "last_node_id": len(nodes),
            "last_link_id": self.last_link,
            "version": 0.4,
        }


def checked(document):
    """Convert and check; the prompt, or None where the document is refused with a sentence."""
    try:
        found = convert(document, catalog())
    except WorkflowError:
        return None  # a sentence; anything else fails
    report = validate(found.prompt, catalog(), list_folder=lambda _: ["x"])
    assert report.error is None or report.error.message
    for problems in report.node_errors.values():
        assert all(each.message for each in problems.errors)
    if found.prompt.nodes and "NaN" not in (written := json.dumps(to_api(found.prompt))):
        again = convert(json.loads(written), catalog())
        assert again.prompt.nodes.keys() == found.prompt.nodes.keys()
    return found.prompt


@chosen(max_examples=60)
@given(st.integers(0, 1 << 32))
def test_a_likely_prompt_is_checked_or_refused_with_a_sentence(seed):
    checked(Likely(seed).prompt())


@chosen(max_examples=60)
@given(st.integers(0, 1 << 32))
def test_a_likely_workflow_is_converted_or_refused_with_a_sentence(seed):
    document = Likely(seed).document()
    before = json.dumps(document)
    checked(document)
    assert json.dumps(document) == before, "it is not changed"


def test_most_are_converted():
    """So that the tests above reach what comes after."""
    prompts = [checked(Likely(seed).prompt()) for seed in range(40)]
    workflows = [checked(Likely(seed).document()) for seed in range(40)]
    assert sum(each is not None for each in prompts) > 30
    assert sum(each is not None and len(each.nodes) > 1 for each in workflows) > 20
    inner = [key for each in workflows if each for key in each.nodes if ":" in key]
    assert len(inner) > 20, "nodes of subgraphs"


@pytest.mark.slow
def test_thousands_of_likely_documents():
    for seed in range(20_000):
        maker = Likely(seed)
        checked(maker.document() if seed % 2 else maker.prompt())
