"""Our nodes return the same as the incumbent's for the same inputs, case by case.

`node_outputs/manifest.json` lists nodes and inputs; the tables below give the reasons for
deliberate differences, and list cases in which the incumbent itself failed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import NodeError
from engine.files import Files
from engine.nodekit.context import RunningContext
from engine.nodekit.contract import FunctionNode
from nodes import builtin_nodes

ANSWERED = MappingProxyType(
    {
        "BatchMasksNode": "a mask without a batch counts as a batch of one",
        "GITSScheduler": "the incumbent's table lacks the coefficient 1.23; its own slider has it",
        "ImageBlend": "an image without alpha counts as opaque beside one with it",
        "ImageCompositeMasked": "an image without alpha counts as opaque beside one with it",
        "LatentApplyOperation": "a blur may be wider than the latent; it is mirrored several times",
        "LatentBlend": "batches of other lengths are repeated or cut, as for its neighbours",
        "LatentInterpolate": "the lengths of directions are computed without writing into a view",
        "MaskComposite": "batches of other lengths are repeated or cut, as for its neighbours",
        "RebatchImages": "images of other sizes are scaled to the first of their batch",
        "RebatchLatents": "rows without a mask are sampled everywhere, beside others with one",
        "RegexReplace": "a replacement is only looked at where something is to be replaced",
    }
)
"""Classes for which the incumbent fails in some cases, and why ours return a result."""
REFUSED: Mapping[str, str] = {
    "ImageToMask-700": "an alpha that is not there",
    "RegexReplace-1435": "a replacement that names a group that is not there",
    "RegexReplace-1754": "no regular expression",
    "RegexReplace-1775": "no regular expression",
    "RegexReplace-1794": "no regular expression",
    "RegexReplace-1815": "no regular expression",
    "RegexReplace-1915": "a replacement that names a group that is not there",
    "RegexReplace-2075": "a replacement that names a group that is not there",
    "RegexReplace-2115": "a replacement that names a group that is not there",
    "RegexReplace-2155": "a replacement that names a group that is not there",
}
"""Cases that both refuse; ours with a reason."""
DIFFERENT: Mapping[str, str] = {
    "CropMask-678": "begins outside the mask: a sentence, not 0 x 0 pixels",
    "LatentApplyOperation-958": "a multiplier of 0 gives zeros, not NaN",
    "ManualSigmas-1100": "2e3 is 2000, not 2 and 3",
    "RegexExtract-2228": "a group that matched nothing gives an empty text, not None",
    "RegexExtract-2288": "a group that matched nothing gives an empty text, not None",
}
"""Cases in which ours differ deliberately; `docs/incumbent.md` says so to users."""
FOLDER = Path(__file__).parent / "node_outputs"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
CASES = {case["id"]: case for case in MANIFEST["cases"]}
PICTURES = {case["id"]: case for case in MANIFEST["pictures"]}


@pytest.fixture(scope="module")
def nodes() -> Mapping[str, FunctionNode[..., Any]]:
    return {node.class_type: node for node in builtin_nodes()}


@pytest.fixture(scope="module")
def given() -> Mapping[str, torch.Tensor]:
    return load_file(FOLDER / "inputs.safetensors")


@pytest.fixture(scope="module")
def expected() -> Mapping[str, torch.Tensor]:
    return load_file(FOLDER / "outputs.safetensors")


class Values:
    """Reads the manifest's notation."""

    def __init__(
        self, tensors: Mapping[str, torch.Tensor], nodes: Mapping[str, FunctionNode[..., Any]]
    ) -> None:
        self._tensors = tensors
        self._nodes = nodes

    def read(self, said: Any) -> Any:
        if isinstance(said, list):
            return [self.read(each) for each in said]
        if not isinstance(said, dict):
            return said
        match said:
            case {"$t": name}:
                return self._tensors[name].clone()
            case {"$l": latent}:
                return self._entry(latent)
            case {"$c": entries}:
                return [[self._named(tokens), self._entry(values)] for tokens, values in entries]
            case {"$op": [class_type, inputs]}:
                return self._nodes[class_type](**self.read(inputs))
            case {"zeros": shape}:
                return torch.zeros(shape)
            case _:
                return {key: self.read(each) for key, each in said.items()}

    def _entry(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._named(each) for key, each in said.items()}

    def _named(self, said: Any) -> Any:
        """A string refers to a tensor here, if there is one of that name."""
        return self._tensors[said].clone() if isinstance(said, str) else said


NEWER = frozenset({"downscale_ratio_spacial"})
"""What latents of newer versions say, too: pixels of a cell."""


def differences(found: Any, wanted: Any, tolerance: float, place: str = "") -> list[str]:
    """The places and amounts by which a result differs from another."""
    if isinstance(wanted, torch.Tensor):
        return _of_tensors(found, wanted, tolerance, place)
    if isinstance(wanted, dict):
        if set(found) - NEWER != set(wanted):
            return [f"{place}: has {sorted(found)}, not {sorted(wanted)}"]
        parts = [(f"{place}.{key}", found[key], wanted[key]) for key in wanted]
    elif isinstance(wanted, list):
        if len(found) != len(wanted):
            return [f"{place}: has {len(found)}, not {len(wanted)}"]
        numbered = enumerate(zip(found, wanted, strict=True))
        parts = [(f"{place}[{index}]", *pair) for index, pair in numbered]
    else:
        equal = found == wanted and type(found) is type(wanted)
        return [] if equal else [f"{place}: {found!r}, not {wanted!r}"]
    return [each for name, *pair in parts for each in differences(*pair, tolerance, name)]


def _of_tensors(found: Any, wanted: torch.Tensor, tolerance: float, place: str) -> list[str]:
    if not isinstance(found, torch.Tensor):
        return [f"{place}: {type(found).__name__}, not a tensor"]
    if found.shape != wanted.shape:
        return [f"{place}: shape {list(found.shape)}, not {list(wanted.shape)}"]
    if torch.allclose(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
        return []
    return [f"{place}: differs by up to {(found - wanted).abs().max().item():.3g}"]


def outputs_of(node: FunctionNode[..., Any], inputs: Mapping[str, Any]) -> list[Any]:
    answer = node(**inputs)
    return list(answer) if len(node.schema.outputs) > 1 else [answer]


@pytest.mark.parametrize("name", CASES)
def test_a_node_gives_what_the_incumbent_s_gives(name, nodes, given, expected):
    case = CASES[name]
    node = nodes[case["class"]]
    inputs = Values(given, nodes).read(case["inputs"])
    if name in REFUSED:
        with pytest.raises(NodeError):
            outputs_of(node, inputs)
        return
    if "reference_raises" in case:
        assert case["class"] in ANSWERED, f"the incumbent raised {case['reference_raises']}"
        assert outputs_of(node, inputs)
        return
    wanted = Values(expected, nodes).read(case["outputs"])
    try:
        # Later versions added outputs to some classes.
        given_outputs = outputs_of(node, inputs)[: len(wanted)]
        found = differences(given_outputs, wanted, case["tolerance"])
    except NodeError as error:
        found = [str(error)]
    if name in DIFFERENT:
        assert found, f"{name} is equal by now: take it off the list"
    else:
        assert found == []


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_read_as_the_incumbent_reads_it(name, nodes, expected, files: Files):
    case = PICTURES[name]
    picture = case["file"]
    (files.folders("input")[0] / picture).write_bytes((FOLDER / "files" / picture).read_bytes())
    inputs = {"image": picture, "ctx": RunningContext("1", files)}
    if "channel" in case:
        inputs["channel"] = case["channel"]
    found = outputs_of(nodes[case["class"]], inputs)
    assert differences(found, Values(expected, nodes).read(case["outputs"]), 1e-6) == []


def test_every_class_and_case_that_differs_is_there():
    failing = {name for name, case in CASES.items() if "reference_raises" in case}
    assert set(REFUSED) <= failing
    assert {CASES[name]["class"] for name in failing - set(REFUSED)} == set(ANSWERED)
    assert set(DIFFERENT) <= set(CASES) - failing
    assert (len(CASES), len(PICTURES)) == (628, 37)
