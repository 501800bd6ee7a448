"""The UNet against diffusers on tiny random nets and against the reference's numbers."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import Stopped, WeightsError
from engine.nets.layouts import regular_unet, stable_diffusion_1
from engine.nets.unet import UNet, timestep_embedding, unet_config

SD1 = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [32, 64, 64, 64],
    "layers_per_block": 2,
    "cross_attention_dim": 48,
    "attention_head_dim": 8,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
SDXL = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [32, 64, 128],
    "layers_per_block": 2,
    "cross_attention_dim": 40,
    "attention_head_dim": [1, 2, 4],
    "use_linear_projection": True,
    "transformer_layers_per_block": [1, 2, 3],
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 16,
    "projection_class_embeddings_input_dim": 126,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
}
SD2 = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [32, 64, 64, 64],
    "layers_per_block": 2,
    "cross_attention_dim": 48,
    "attention_head_dim": [1, 2, 2, 2],
    "use_linear_projection": True,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
X4 = {
    "in_channels": 7,
    "out_channels": 4,
    "block_out_channels": [32, 64, 64, 96],
    "layers_per_block": 2,
    "cross_attention_dim": 48,
    "attention_head_dim": 8,
    "use_linear_projection": True,
    "only_cross_attention": [True, True, True, False],
    "num_class_embeds": 1000,
    "down_block_types": ["DownBlock2D"] + ["CrossAttnDownBlock2D"] * 3,
    "up_block_types": ["CrossAttnUpBlock2D"] * 3 + ["UpBlock2D"],
}


@pytest.fixture
def sd1_net(fill):
    config = regular_unet(32, (1, 2, 2, 2), (1, 1, 1, 0), heads=8, context=48)
    return fill(lambda: UNet(config))


def inputs(config, height, width):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, config.in_channels, height, width, generator=generator)
    context = torch.randn(2, 77, config.context_channels, generator=generator)
    return x, torch.tensor([999, 3]), context


@pytest.mark.parametrize("size", [(16, 16), (17, 23), (9, 8)])
def test_sd1_equals_diffusers(sd1_net, diffusers_unet, size):
    x, timesteps, context = inputs(sd1_net.config, *size)
    expected = diffusers_unet(sd1_net, **SD1)(x, timesteps, context).sample
    difference = (sd1_net(x, timesteps, context) - expected).abs().max()
    assert difference < 1e-5, difference  # seen: under 1e-6


def test_sdxl_equals_diffusers(fill, diffusers_unet):
    config = regular_unet(
        32, (1, 2, 4), (0, 2, 3), head_channels=32, context=40, linear=True, vector=126
    )
    net = fill(lambda: UNet(config))
    x, timesteps, context = inputs(config, 13, 16)
    pooled = torch.randn(2, 30)
    sizes = torch.tensor([[512.0, 640, 0, 8, 512, 640], [256, 256, 4, 0, 512, 512]])
    y = torch.cat((pooled, timestep_embedding(sizes.flatten(), 16).reshape(2, -1)), dim=1)
    more = {"text_embeds": pooled, "time_ids": sizes}
    oracle = diffusers_unet(net, **SDXL)
    expected = oracle(x, timesteps, context, added_cond_kwargs=more).sample
    difference = (net(x, timesteps, context, y) - expected).abs().max()
    assert difference < 1e-5, difference


@pytest.mark.parametrize("channels", [4, 8, 9])
def test_sd2_and_models_given_a_picture_equal_diffusers(fill, diffusers_unet, channels):
    config = regular_unet(
        32,
        (1, 2, 2, 2),
        (1, 1, 1, 0),
        head_channels=32,
        context=48,
        linear=True,
        in_channels=channels,
    )
    net = fill(lambda: UNet(config))
    x, timesteps, context = inputs(config, 17, 12)
    expected = diffusers_unet(net, **{**SD2, "in_channels": channels})(x, timesteps, context).sample
    difference = (net(x, timesteps, context) - expected).abs().max()
    assert difference < 1e-5, difference


@pytest.mark.parametrize("channels", [8, 9])
def test_sd1_given_a_picture_equals_diffusers(fill, diffusers_unet, channels):
    config = regular_unet(32, (1, 2, 2, 2), (1, 1, 1, 0), heads=8, context=48, in_channels=channels)
    net = fill(lambda: UNet(config))
    x, timesteps, context = inputs(config, 9, 8)
    expected = diffusers_unet(net, **{**SD1, "in_channels": channels})(x, timesteps, context).sample
    difference = (net(x, timesteps, context) - expected).abs().max()
    assert difference < 1e-5, difference


def test_the_x4_upscaler_equals_diffusers(fill, diffusers_unet, shapes_of):
    config = regular_unet(
        32,
        (1, 2, 2, 3),
        (0, 1, 1, 1),
        heads=8,
        context=48,
        linear=True,
        in_channels=7,
        classes=1000,
        self_attention=(False, False, False, True),
    )
    net = fill(lambda: UNet(config))
    assert unet_config(shapes_of(net), heads=8) == config
    x, timesteps, context = inputs(config, 17, 12)
    levels = torch.tensor([0, 350])
    expected = diffusers_unet(net, **X4)(x, timesteps, context, class_labels=levels).sample
    difference = (net(x, timesteps, context, levels) - expected).abs().max()
    assert difference < 1e-5, difference


def test_tiny15_equals_the_reference(reference_folder, tiny15_checkpoint):
    prefix = "model.diffusion_model."
    state = {
        key.removeprefix(prefix): tensor.float()
        for key, tensor in load_file(tiny15_checkpoint).items()
        if key.startswith(prefix)
    }
    with torch.device("meta"):
        net = UNet(unet_config({k: tuple(t.shape) for k, t in state.items()}, heads=8))
    net.load_state_dict(state, assign=True)
    reference = load_file(reference_folder / "unet_tiny15.safetensors")
    predicted = net(reference["x"], reference["t"], reference["context"])
    difference = (predicted - reference["eps"]).norm() / reference["eps"].norm()
    assert difference < 1e-5, difference


@pytest.mark.parametrize(
    "how",
    [
        {"heads": 8},
        {"heads": 4, "in_channels": 9, "blocks": 1},
        {"head_channels": 32, "linear": True, "vector": 20},
    ],
)
@pytest.mark.parametrize(
    ("multipliers", "depths"), [((1, 2, 4, 4), (1, 1, 1, 0)), ((1, 2), (0, 3)), ((2,), (1,))]
)
def test_a_configuration_is_read_back_from_its_shapes(shapes_of, multipliers, depths, how):
    config = regular_unet(32, multipliers, depths, context=48, **how)
    with torch.device("meta"):
        shapes = shapes_of(UNet(config))
    hint = {key: how[key] for key in ("heads", "head_channels") if key in how}
    assert unet_config(shapes, **hint) == config


def test_pruned_middle_and_irregular_depths_are_read(shapes_of, fill):
    regular = regular_unet(32, (1, 2), (1, 2), heads=8, context=48)
    blocks = list(regular.input_blocks)
    blocks[2] = blocks[2][:1]
    config = dataclasses.replace(
        regular, middle_block=regular.middle_block[:1], input_blocks=tuple(blocks)
    )
    net = fill(lambda: UNet(config))
    assert unet_config(shapes_of(net), heads=8) == config
    x, timesteps, context = inputs(config, 8, 8)
    assert net(x, timesteps, context).shape == x.shape


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("time_embed.0.weight", None, "time_embed.0.weight should have"),
        ("input_blocks.0.0.weight", (32,), "found shape"),
        ("input_blocks.3.0.op.weight", None, "input_blocks.3.0.weight should have"),
        ("input_blocks.2.0.in_layers.2.weight", (32, 64, 3, 3), "takes 64 channels, 32 come in"),
        ("input_blocks.1.1.proj_in.weight", (30, 32, 1, 1), "do not split into 8 heads"),
        ("out.2.weight", (4, 64, 3, 3), "out takes 64 channels"),
        ("output_blocks.6.0.op.weight", (32, 32, 3, 3), "6 blocks lead down, 7 up"),
        ("input_blocks.999999999.0.weight", (4, 4, 3, 3), None),
    ],
)
def test_incomplete_or_misshapen_nets_are_refused(shapes_of, key, shape, message):
    with torch.device("meta"):
        shapes = shapes_of(UNet(regular_unet(32, (1, 2), (1, 1), heads=8, context=48)))
    shapes.pop(key, None)
    if shape:
        shapes[key] = shape
    if message is None:  # a key that belongs to no network is left to the loader
        unet_config(shapes, heads=8)
        return
    with pytest.raises(WeightsError, match=message):
        unet_config(shapes, heads=8)


def test_a_stop_takes_effect_at_the_next_block(sd1_net):
    calls = []

    def checkpoint():
        calls.append(1)
        if len(calls) == 5:
            raise Stopped

    x, timesteps, context = inputs(sd1_net.config, 8, 8)
    with pytest.raises(Stopped):
        sd1_net(x, timesteps, context, checkpoint=checkpoint)
    blocks = len(sd1_net.config.input_blocks) + len(sd1_net.config.output_blocks) + 1
    calls.clear()
    sd1_net(x, timesteps, context, checkpoint=lambda: calls.append(1))
    assert len(calls) == blocks


def test_bfloat16_stays_close(sd1_net):
    x, timesteps, context = inputs(sd1_net.config, 16, 16)
    expected = sd1_net(x, timesteps, context)
    predicted = sd1_net.bfloat16()(x.bfloat16(), timesteps, context.bfloat16())
    assert predicted.dtype == torch.bfloat16
    assert (predicted - expected).norm() / expected.norm() < 0.03


def test_stable_diffusion_1_has_the_shapes_of_its_checkpoints(reference_folder, shapes_of):
    prefix = "model.diffusion_model."
    listed = json.loads((reference_folder / "sd15_shapes.json").read_text())
    shapes = {
        key.removeprefix(prefix): tuple(shape)
        for key, shape in listed.items()
        if key.startswith(prefix)
    }
    config, _ = stable_diffusion_1()
    assert unet_config(shapes, heads=8) == config
    with torch.device("meta"):
        assert shapes_of(UNet(config)) == shapes
