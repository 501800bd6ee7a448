"""UNets that read a guidance scale (LCM) run without that input, as diffusers runs them without."""

import logging
import os
from typing import Any

import pytest
import torch

from engine.families.detect import detect
from engine.nets.unet_names import unet_names
from engine.weights.apply import fill
from engine.weights.state_dict import StateDict

TOLERANCE = 2e-5


def oracle(context, vector):
    """A small UNet of diffusers with a projection of the guidance scale."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(3)
    sizes: dict[str, Any] = {
        "block_out_channels": (64, 128),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "cross_attention_dim": context,
        "attention_head_dim": 8 if vector is None else (1, 2),
        "use_linear_projection": vector is not None,
        "class_embed_type": None if vector is None else "projection",
        "projection_class_embeddings_input_dim": vector,
        "time_cond_proj_dim": 256,
    }
    return UNet2DConditionModel(**sizes).eval()


def renamed(state, names):
    """A state dict in the original layout, where LCM's tensor too has a name."""
    names = {**names, "time_embedding.cond_proj": "time_embed.cond_proj"}
    return {
        f"model.diffusion_model.{names[module]}.{kind}": tensor
        for name, tensor in state.items()
        for module, _, kind in [name.rpartition(".")]
    }


@pytest.mark.parametrize("layout", ["diffusers", "original"])
@pytest.mark.parametrize(("context", "vector"), [(768, None), (2048, 2816)])
def test_without_a_guidance_scale_it_computes_what_diffusers_does(context, vector, layout, caplog):
    theirs = oracle(context, vector)
    state = {
        name.replace("class_embedding.", "add_embedding."): tensor
        for name, tensor in theirs.state_dict().items()
    }
    assert state["time_embedding.cond_proj.weight"].abs().sum() > 0
    family, config = detect(StateDict.of(state))
    if layout == "original":
        state = renamed(state, unet_names(config.unet))
        family, config = detect(StateDict.of(state))
    assert family.name == ("Stable Diffusion 1" if vector is None else "Stable Diffusion XL")
    with caplog.at_level(logging.WARNING):
        ours = fill(family.build(config), family.denoiser(config, StateDict.of(state)))
    [record] = caplog.records
    assert "cond_proj" in record.getMessage()
    x, text = torch.randn(2, 4, 16, 16), torch.randn(2, 77, context)
    step = torch.tensor([700.0, 20.0])
    y = None if vector is None else torch.randn(2, vector)
    with torch.no_grad():
        expected = theirs(x, step, text, class_labels=y).sample
        found = ours(x, step, text, y)
    assert (found - expected).norm() / expected.norm() < TOLERANCE


def test_a_file_without_the_projection_says_nothing(small_tensors, caplog):
    weights = StateDict.of(small_tensors)
    family, config = detect(weights)
    family.denoiser(config, weights)
    assert caplog.records == []
