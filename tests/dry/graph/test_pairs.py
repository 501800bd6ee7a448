"""Saved workflows of a public collection become the prompts that the incumbent made of them.

Expected differences: inputs that classes gained since the picture was made, which take their
defaults; values of the editor's own widgets, which old clients also sent; the ids of the nodes of
one group, which the picture's client had numbered before they were grouped.

The collection is not ours to distribute: `CALOTYPE_PAIRS` names a folder of JSON files that each
hold a `workflow` and the `prompt` that was embedded beside it.
"""

import json
import os
from pathlib import Path

import pytest

from engine.graph.prompt import to_api
from engine.graph.validate import validate
from engine.graph.widgets import default_of
from engine.graph.workflow import convert

pytestmark = pytest.mark.outside
EDITOR_WIDGETS = {
    ("LoadImage", "choose file to upload"),
    ("LoadImage", "upload"),
    ("SaveWEBM", "video-preview"),
}
"""The upload button and the player: widgets that are not inputs."""
GAINED = {
    ("CLIPLoader", "device"),
    ("CLIPVisionEncode", "crop"),
    ("DualCFGGuider", "style"),
    ("DualCLIPLoader", "device"),
    ("ImageScaleToTotalPixels", "resolution_steps"),
    ("LTXVImgToVideo", "strength"),
    ("SDTurboScheduler", "denoise"),
    ("VAEDecodeTiled", "temporal_overlap"),
    ("VAEDecodeTiled", "temporal_size"),
    ("VAEEncodeForInpaint", "grow_mask_by"),
}
"""Inputs newer than some of the pictures."""
RENUMBERED = {
    "stable_cascade__stable_cascade__inpaint_controlnet.png.json": {
        "68:0": "62",
        "68:1": "66",
        "68:2": "64",
        "68:3": "61",
        "68:5": "60",
    }
}


@pytest.fixture(scope="session")
def pairs():
    folder = os.environ.get("CALOTYPE_PAIRS")
    assert folder, "set CALOTYPE_PAIRS to the folder of the pairs"
    found = sorted(Path(folder).glob("*.json"))
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in found}


def differences(ours, theirs, catalog):
    """The unexpected differences."""
    found = []
    if ours.keys() != theirs.keys():
        found.append(("nodes", sorted(ours.keys() ^ theirs.keys())))
    for key in ours.keys() & theirs.keys():
        a, b = ours[key], theirs[key]
        class_type = a["class_type"]
        if class_type != b["class_type"]:
            found.append((key, class_type, b["class_type"]))
        for name in a["inputs"].keys() | b["inputs"].keys():
            if name not in a["inputs"] and (class_type, name) in EDITOR_WIDGETS:
                continue
            if name not in b["inputs"] and (class_type, name) in GAINED:
                schema = catalog[class_type].input(name)
                if a["inputs"][name] == default_of(schema):
                    continue
            mine, other = a["inputs"].get(name, "-"), b["inputs"].get(name, "-")
            if mine != other:
                found.append((key, class_type, name, mine, other))
    return found


def renumbered(prompt, ids):
    def value(each):
        is_link = isinstance(each, list) and each[0] in ids
        return [ids[each[0]], each[1]] if is_link else each

    return {
        ids.get(key, key): {
            **node,
            "inputs": {name: value(each) for name, each in node["inputs"].items()},
        }
        for key, node in prompt.items()
    }


def test_every_pair_converts_equal(pairs, incumbent_catalog):
    assert len(pairs) >= 60
    wrong = {}
    for name, pair in pairs.items():
        conversion = convert(pair["workflow"], incumbent_catalog)
        assert not conversion.missing
        ours = renumbered(to_api(conversion.require_classes()), RENUMBERED.get(name, {}))
        found = differences(ours, pair["prompt"], incumbent_catalog)
        if found:
            wrong[name] = found
    assert wrong == {}


def test_every_pair_validates(pairs, incumbent_catalog):
    """Except for weights missing on the machine whose interfaces these are."""
    wrong = []
    for name, pair in pairs.items():
        for document in (pair["workflow"], pair["prompt"]):
            report = validate(convert(document, incumbent_catalog).prompt, incumbent_catalog)
            for key, node in report.node_errors.items():
                for error in node.errors:
                    given = error.extra_info["input_name"]
                    lacks_file = error.type == "value_not_in_list" and given == "vae_name"
                    newer = (node.class_type, given) in GAINED
                    if not lacks_file and not (newer and document is pair["prompt"]):
                        wrong.append((name, key, error))
    assert wrong == []


def test_titles_are_those_of_the_workflow(pairs, incumbent_catalog):
    compared = 0
    for pair in pairs.values():
        ours = convert(pair["workflow"], incumbent_catalog).prompt
        for key, node in pair["prompt"].items():
            saved = next((n for n in pair["workflow"]["nodes"] if str(n["id"]) == key), None)
            if saved and "title" in saved and "_meta" in node:
                assert ours.nodes[key].title == node["_meta"]["title"]
                compared += 1
    assert compared > 10
