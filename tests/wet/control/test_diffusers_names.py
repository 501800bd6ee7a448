"""ControlNets in diffusers' layout get their original names, for any depths."""

import pytest
import torch

from engine.control.diffusers import DiffusersControlNet
from engine.control.original import OriginalControlNet
from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.layouts import regular_unet
from engine.nets.unet_names import unet_names
from engine.weights.state_dict import StateDict
from tests.wet.control.conftest import HINTS, filled


def in_diffusers_layout(tensors, config):
    """The same tensors under diffusers' names; `config` is a ControlNet's."""
    unet = regular_unet(32, (1,), (0,), context=64, heads=8)
    whole = unet_names(
        type(unet)(
            4, 4, config.model_channels, config.time_channels, config.vector_channels,
            config.input_blocks, config.middle_block, unet.output_blocks,
        )
    )  # fmt: skip
    theirs = {ours: name for name, ours in whole.items()}
    last = len(HINTS) - 1
    for i in range(last + 1):
        part = {0: "conv_in", last: "conv_out"}.get(i, f"blocks.{i - 1}")
        theirs[f"input_hint_block.{2 * i}"] = f"controlnet_cond_embedding.{part}"
    for i in range(len(config.input_blocks)):
        theirs[f"zero_convs.{i}.0"] = f"controlnet_down_blocks.{i}"
    theirs["middle_block_out.0"] = "controlnet_mid_block"
    found = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        found[f"{theirs[module]}.{kind}"] = tensor
    return found


LAYOUTS = {
    "SD1": lambda: regular_unet(32, (1, 2, 4), (1, 1, 0), context=64, heads=8),
    "SDXL": lambda: regular_unet(64, (1, 2, 4), (0, 2, 3), context=96, linear=True, vector=20),
    "one block": lambda: regular_unet(32, (1, 2), (1, 1), context=64, heads=8, blocks=1),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_both_layouts_are_the_same_network(name):
    unet = LAYOUTS[name]()
    first = unet.model_channels
    config = ControlNetConfig(
        4, first, 4 * first, unet.vector_channels, unet.input_blocks, unet.middle_block,
        (*HINTS, first),
    )  # fmt: skip
    tensors = filled(ControlNet(config))
    ours, theirs = (StateDict.of(each) for each in (tensors, in_diffusers_layout(tensors, config)))
    original, diffusers = OriginalControlNet(), DiffusersControlNet()
    assert diffusers.detect(ours) is None
    assert original.detect(theirs) is None
    found = diffusers.detect(theirs)
    assert found == original.detect(ours)
    named = diffusers.tensors(found, theirs)
    assert set(named) == set(tensors)
    assert all(torch.equal(named[key], tensor) for key, tensor in tensors.items())


def test_what_has_no_original_name_keeps_its_own_so_that_it_is_refused():
    name = "controlnet_cond_embedding.conv_in.weight"
    weights = StateDict.of({name: torch.ones(1), "encoder_hid_proj.weight": torch.ones(1)})
    found = DiffusersControlNet().tensors(None, weights)
    assert set(found) == {"input_hint_block.0.weight", "encoder_hid_proj.weight"}
