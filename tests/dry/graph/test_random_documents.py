"""Documents made at random from pieces of workflows: none crashes the converter or the check."""

import json
import random
from functools import cache

from hypothesis import example, given
from hypothesis import settings as chosen
from hypothesis import strategies as st

from engine.errors import PromptError, WorkflowError
from engine.graph.catalog_file import read_catalog
from engine.graph.prompt import to_api
from engine.graph.validate import validate
from engine.graph.workflow import convert
from engine.server.catalog import BUILTIN

ODD = (None, 0, -1, "x", True, [], {}, [1, "y"], {"a": 1}, 1e300, float("nan"), "{a|b}")
IDS = (1, 2, 3, "4", -10, -20, None, 1.5, "a", True)
KNOWN = ("KSampler", "SaveImage", "LoadImage", "ComfySwitchNode", "BatchImagesNode", "SaveVideo")
TYPES = (*KNOWN, "sub", "other", "Reroute", "PrimitiveNode", "workflow>group", "Gone", "", 3)
NAMES = ("images", "text", "model", "x", "")


class Maker:
    """Makes documents; a tenth of all parts is replaced by something else."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def some(self, most, make):
        return self.other([make() for _ in range(self.random.randint(0, most))])

    def other(self, value):
        return self.pick(ODD) if self.random.random() < 0.1 else value

    def slot(self):
        return self.other(
            {
                "name": self.pick(NAMES),
                "type": self.pick(("IMAGE", "*", "MODEL", 0)),
                "link": self.pick(IDS),
                "links": self.some(3, lambda: self.pick(IDS)),
                "widget": self.pick((None, {"name": "text"}, 3)),
            }
        )

    def node(self):
        return self.other(
            {
                "id": self.pick(IDS),
                "type": self.pick(TYPES),
                "mode": self.pick((0, 2, 4, "x", None)),
                "inputs": self.some(3, self.slot),
                "outputs": self.some(2, self.slot),
                "widgets_values": self.pick((self.some(8, lambda: self.pick(ODD)), {"text": 3})),
                "widgets_values_named": self.pick(ODD),
                "properties": self.other({"proxyWidgets": [["-1", "x"], ["5", "y"], 3]}),
            }
        )

    def link(self):
        ends = [self.pick(each) for each in (IDS, IDS, (0, 1, "0", None), IDS, (0, 1, 9))]
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        return self.other(self.pick(([*ends, "IMAGE"], dict(zip(keys, ends, strict=True)))))

    def level(self):
        return {"nodes": self.some(6, self.node), "links": self.some(8, self.link)}

    def subgraph(self):
        border = {"inputs": self.some(2, self.slot), "outputs": self.some(2, self.slot)}
        return self.other({**self.level(), **border, "id": self.pick(("sub", "other", None))})

    def document(self):
        group = {**self.level(), "external": self.pick(ODD), "config": self.pick(ODD)}
        return {
            **self.level(),
            "definitions": self.other({"subgraphs": self.some(3, self.subgraph)}),
            "extra": self.other({"groupNodes": self.other({"group": self.other(group)})}),
            "last_node_id": self.pick(ODD),
        }

    def prompt(self):
        def node():
            inputs = {self.pick(NAMES): self.pick(ODD) for _ in range(3)}
            return self.other({"class_type": self.pick(TYPES), "inputs": self.other(inputs)})

        return {key: node() for key in ("1", "2", "3:4", "a")}


@cache
def catalog():
    """No fixture: a report of a failure would show all of it."""
    return read_catalog(BUILTIN)


@chosen(max_examples=150)
@example(3495, False)  # a link in a group whose slot is negative
@given(st.integers(0, 1 << 32), st.booleans())
def test_any_document_is_converted_and_checked_or_refused_with_a_sentence(seed, is_prompt):
    maker = Maker(seed)
    document = maker.prompt() if is_prompt else maker.document()
    try:
        found = convert(document, catalog())
    except WorkflowError:
        return  # a sentence; anything else fails
    report = validate(found.prompt, catalog(), list_folder=lambda _: ["x"])
    assert report.error is None or report.error.message
    if found.prompt.nodes:
        try:
            again = convert(to_api(found.prompt), catalog())
        except PromptError:
            assert "NaN" in json.dumps(to_api(found.prompt)), "a file may hold it, a prompt may not"
        else:
            assert again.prompt.nodes.keys() == found.prompt.nodes.keys()
