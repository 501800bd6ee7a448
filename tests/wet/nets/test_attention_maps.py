"""Identity attention and the recorded map, against diffusers' processors."""

from __future__ import annotations

import sys
from dataclasses import replace

import torch

from engine.nets.attention_maps import (
    AttentionRecorder,
    each_sees_itself,
    middle_transformers,
    without_middle_attention,
)
from engine.nets.hooks import NetHooks
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet

CONFIG = regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1)
SAME = {
    "in_channels": 4,
    "out_channels": 4,
    "cross_attention_dim": 48,
    "attention_head_dim": 8,
    "block_out_channels": [32, 64],
    "layers_per_block": 1,
    "sample_size": 8,
    "down_block_types": ["CrossAttnDownBlock2D"] * 2,
    "up_block_types": ["CrossAttnUpBlock2D"] * 2,
}


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, context = (
        torch.randn(4, 4, 8, 8, generator=generator),
        torch.randn(4, 5, 48, generator=generator),
    )
    return x, torch.tensor([999, 3, 500, 20]), context


def test_identity_attention_equals_diffusers(fill, diffusers_unet) -> None:
    from diffusers.models.attention_processor import PAGIdentitySelfAttnProcessor2_0

    net = fill(lambda: UNet(CONFIG))
    oracle = diffusers_unet(net, **SAME)
    attention = oracle.mid_block.attentions[0].transformer_blocks[0].attn1
    attention.set_processor(PAGIdentitySelfAttnProcessor2_0())
    x, timesteps, context = inputs()
    # Its processor perturbs the second half of a batch.
    expected = oracle(x, timesteps, context).sample[2:]
    hooks = without_middle_attention(NetHooks(), middle_transformers(CONFIG))
    found = net(x, timesteps, context, hooks=hooks)[2:]
    plain = net(x, timesteps, context)[2:]
    assert torch.allclose(found, expected, atol=2e-4)
    assert (found - plain).abs().max() > 1e-2


def test_the_recorded_map_equals_diffusers(fill, diffusers_unet) -> None:
    from diffusers import StableDiffusionSAGPipeline

    net = fill(lambda: UNet(CONFIG))
    oracle = diffusers_unet(net, **SAME)
    processor = sys.modules[StableDiffusionSAGPipeline.__module__].CrossAttnStoreProcessor()
    oracle.mid_block.attentions[0].transformer_blocks[0].attn1.set_processor(processor)
    x, timesteps, context = inputs()
    expected = oracle(x, timesteps, context).sample
    probabilities = processor.attention_probs.unflatten(0, (4, 8)).mean(1).sum(1)
    recorder = AttentionRecorder((8, 8))
    hooks = NetHooks().with_replacement("attn1", ("middle", 0, 0), recorder)
    options = {"cond_or_uncond": [0, 1], "original_shape": [4, 4, 8, 8]}
    found = net(x, timesteps, context, hooks=hooks.with_options(options))
    assert torch.allclose(found, expected, atol=2e-4)
    assert recorder.received is not None
    assert torch.allclose(recorder.received, probabilities[2:], atol=1e-5)


def test_only_a_negative_that_covers_x_is_recorded(fill) -> None:
    net = fill(lambda: UNet(CONFIG))
    recorder = AttentionRecorder((8, 8))
    hooks = NetHooks().with_replacement("attn1", ("middle", 0, 0), recorder)
    x, timesteps, context = inputs()
    for options in (
        {"cond_or_uncond": [0, 0], "original_shape": [4, 4, 8, 8]},
        {"cond_or_uncond": [0, 1], "original_shape": [4, 4, 4, 8]},
    ):
        net(x, timesteps, context, hooks=hooks.with_options(options))
        assert recorder.received is None


def test_a_middle_block_without_attention() -> None:
    bare = CONFIG.middle_block[:1]
    assert middle_transformers(replace(CONFIG, middle_block=bare)) == 0
    assert middle_transformers(CONFIG) == 1


def test_every_transformer_of_the_middle_is_replaced() -> None:
    recorder = AttentionRecorder((8, 8))
    recording = NetHooks().with_replacement("attn1", ("middle", 0, 0), recorder)
    hooks = without_middle_attention(recording, 3)
    for number in range(3):
        found = hooks.replacement("attn1", ("middle", 0), number)
        assert found is each_sees_itself
    assert recording.replacement("attn1", ("middle", 0), 0) is recorder
