"""UNets in diffusers' layout get their original names, for any depths."""

import json

import pytest
import torch

from engine.errors import WeightsError
from engine.nets import unet_keys
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet, unet_config
from engine.nets.unet_names import unet_names
from engine.weights.state_dict import StateDict


def shapes_of(config):
    with torch.device("meta"):
        return {name: tuple(each.shape) for name, each in UNet(config).state_dict().items()}


def pruned(shapes):
    """The middle of SSD-1B and Vega: one residual block."""
    return {
        name: shape
        for name, shape in shapes.items()
        if not name.startswith(("middle_block.1.", "middle_block.2."))
    }


def sdxl(reference_folder):
    found = json.loads((reference_folder / "sdxl_shapes.json").read_text(encoding="utf-8"))
    prefix = "model.diffusion_model."
    return {
        name.removeprefix(prefix): tuple(shape)
        for name, shape in found.items()
        if name.startswith(prefix)
    }


REFINER = {"context": 1280, "linear": True, "vector": 2560}
VEGA = {"context": 2048, "linear": True, "vector": 2816}
LAYOUTS = {
    "SD1": lambda _: shapes_of(regular_unet(320, (1, 2, 4, 4), (1, 1, 1, 0), context=768, heads=8)),
    "SDXL": sdxl,
    "refiner": lambda _: shapes_of(regular_unet(384, (1, 2, 4, 4), (0, 4, 4, 0), **REFINER)),
    "Vega": lambda _: pruned(shapes_of(regular_unet(320, (1, 2, 4), (0, 1, 2), **VEGA))),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("prefix", ["", "unet."])
def test_names_of_diffusers_are_mapped_back(name, prefix, reference_folder):
    shapes = LAYOUTS[name](reference_folder)
    config = unet_config(shapes, head_channels=64)
    theirs = {ours: other for other, ours in unet_names(config).items()}
    given = {}
    for key, shape in shapes.items():
        module, _, kind = key.rpartition(".")
        given[f"{prefix}{theirs[module]}.{kind}"] = torch.empty(shape, device="meta")
    found = unet_keys.tensors(StateDict.of(given))
    assert found is not None
    assert found.shapes == shapes


def test_what_has_no_original_name_keeps_its_own_so_that_it_is_refused():
    rename = unet_keys.original_names(["down_blocks.0.resnets.0.conv1.weight"])
    assert rename("down_blocks.0.resnets.0.conv1.weight") == "input_blocks.1.0.in_layers.2.weight"
    for unknown in ("time_embedding.cond_norm.weight", "down_blocks.7.resnets.0.conv1.weight"):
        assert rename(unknown) == unknown


def test_a_controlnet_in_diffusers_layout_is_no_unet():
    names = ("conv_in.weight", "down_blocks.0.resnets.0.conv1.weight", "controlnet_mid_block.bias")
    weights = StateDict.of({name: torch.ones(1) for name in names})
    assert unet_keys.tensors(weights) is None


def test_an_empty_tensor_is_refused():
    weights = StateDict.of({unet_keys.MARK: torch.ones(0, 4, 3, 3)})
    with pytest.raises(WeightsError, match=r"shape \[0, 4, 3, 3\], which is empty"):
        unet_keys.tensors(weights)
