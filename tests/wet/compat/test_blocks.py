"""Building blocks under the host's names: what they compute, and which of ours they recognise."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.compat.blocks.attention import attend_as_patched
from engine.compat.install import host_module
from engine.nets import attention as networks

GENERATOR = torch.Generator().manual_seed(5)


def drawn(*shape):
    return torch.randn(*shape, generator=GENERATOR)


def filled(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(drawn(*parameter.shape) * 0.2)
    return module


def attention():
    return host_module("comfy.ldm.modules.attention")


@pytest.mark.parametrize(
    "name", ["attention_pytorch", "attention_basic", "attention_split", "attention_sub_quad"]
)
@pytest.mark.parametrize("masked", [False, True])
def test_attention_follows_its_definition(name, masked):
    q, k, v = drawn(2, 5, 12), drawn(2, 7, 12), drawn(2, 7, 12)
    mask = drawn(5, 7) > 0 if masked else None
    parts = [each.reshape(2, -1, 3, 4).transpose(1, 2) for each in (q, k, v)]
    scores = parts[0] @ parts[1].transpose(-1, -2) / 2.0
    if mask is not None:
        mask[:, 0] = True
        scores = scores.masked_fill(~mask, -torch.inf)
    wanted = scores.softmax(-1) @ parts[2]
    function = getattr(attention(), name)
    found = function(q, k, v, 3, mask=mask)
    assert torch.allclose(found, wanted.transpose(1, 2).reshape(2, 5, 12), atol=1e-5)
    split = function(*parts, 3, mask, skip_reshape=True, skip_output_reshape=True)
    assert torch.allclose(split, wanted, atol=1e-5)


def test_an_override_in_the_options_is_called():
    def instead(original, *args, **kwargs):
        return original(*args, **kwargs) * 2

    q = drawn(1, 4, 8)
    options = {"optimized_attention_override": instead}
    plain = attention().optimized_attention(q, q, q, 2)
    found = attention().optimized_attention(q, q, q, 2, transformer_options=options)
    assert torch.equal(found, plain * 2)


def test_a_replaced_attention_is_called_by_our_networks(monkeypatch):
    module = filled(networks.CrossAttention(8, 8, 8, 2))
    x = drawn(1, 4, 8)
    plain = module(x)
    monkeypatch.setattr(networks._Instead, "attend", attend_as_patched)
    assert torch.equal(module(x), plain)
    monkeypatch.setattr(attention(), "optimized_attention", lambda q, k, v, heads: v * 0)
    assert torch.equal(module(x), module.to_out[0].bias.expand(1, 4, 8))


@pytest.mark.parametrize("cast", [False, True])
def test_layers_cast_their_weights_to_the_input(cast):
    ops = host_module("comfy.ops")
    layers = ops.manual_cast if cast else ops.disable_weight_init
    linear = filled(layers.Linear(4, 3, dtype=torch.float64 if cast else torch.float32))
    x = drawn(2, 4)
    wanted = functional.linear(x, linear.weight.float(), linear.bias.float())
    assert torch.allclose(linear(x), wanted)
    assert linear(x).dtype == torch.float32


def test_every_layer_computes_what_torch_computes():
    ops = host_module("comfy.ops").manual_cast
    cases = [
        (ops.Conv1d, nn.Conv1d, (4, 6, 3), drawn(1, 4, 9)),
        (ops.Conv2d, nn.Conv2d, (4, 6, 3), drawn(1, 4, 9, 9)),
        (ops.Conv3d, nn.Conv3d, (4, 6, 3), drawn(1, 4, 5, 9, 9)),
        (ops.ConvTranspose1d, nn.ConvTranspose1d, (4, 6, 3), drawn(1, 4, 9)),
        (ops.ConvTranspose2d, nn.ConvTranspose2d, (4, 6, 3), drawn(1, 4, 9, 9)),
        (ops.GroupNorm, nn.GroupNorm, (2, 4), drawn(1, 4, 9, 9)),
        (ops.LayerNorm, nn.LayerNorm, (9,), drawn(1, 4, 9)),
        (ops.RMSNorm, nn.RMSNorm, (9,), drawn(1, 4, 9)),
        (ops.Embedding, nn.Embedding, (9, 4), torch.tensor([[1, 8]])),
    ]
    for theirs, ours, args, x in cases:
        layer = filled(theirs(*args))
        plain = ours(*args)
        plain.load_state_dict(layer.state_dict())
        assert isinstance(layer, ours)
        assert torch.allclose(layer(x), plain(x), atol=1e-6), theirs


def test_the_layers_for_two_dtypes():
    ops = host_module("comfy.ops")
    half = torch.float16
    assert ops.pick_operations(half, half) is ops.disable_weight_init
    assert ops.pick_operations(half, torch.float32) is ops.manual_cast
    scaled = ops.pick_operations(half, half, scaled_fp8=half).Linear(4, 2)
    assert {"scale_weight", "weight", "bias"} <= scaled.state_dict().keys()


def test_our_networks_count_as_theirs():
    theirs = attention()
    ours = networks.TransformerBlock(8, 8, 2, 16)
    assert isinstance(ours, theirs.BasicTransformerBlock)
    assert isinstance(ours.ff, theirs.FeedForward)
    assert not isinstance(nn.Linear(2, 2), theirs.BasicTransformerBlock)
    derived = type("Derived", (theirs.BasicTransformerBlock,), {})
    assert not isinstance(ours, derived)


def test_a_transformer_block_has_our_keys_and_results():
    theirs = attention().BasicTransformerBlock(8, 2, 4, context_dim=6)
    ours = filled(networks.TransformerBlock(8, 6, 2, 32))
    theirs.load_state_dict(ours.state_dict())
    x, context = drawn(2, 5, 8), drawn(2, 3, 6)
    assert torch.allclose(theirs(x, context), ours(x.clone(), context), atol=1e-5)


def test_positions_turn_pairs_of_channels():
    host = host_module("comfy.ldm.flux.math")
    ids = torch.arange(4)[None].float()
    turns = host.rope(ids, 8, 10000)
    assert turns.shape == (1, 4, 4, 2, 2)
    x = drawn(1, 1, 4, 8)
    turned, _ = host.apply_rope(x, x, turns[:, None])
    assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1), atol=1e-5)
    assert torch.allclose(turned[:, :, 0], x[:, :, 0])


def test_the_blocks_of_flux_keep_shapes():
    layers = host_module("comfy.ldm.flux.layers")
    double = filled(layers.DoubleStreamBlock(16, 2, 2.0, qkv_bias=True))
    single = filled(layers.SingleStreamBlock(16, 2, 2.0))
    places = layers.EmbedND(8, 10000, [4, 4])(torch.zeros(1, 7, 2))
    img, txt = double(drawn(1, 4, 16), drawn(1, 3, 16), drawn(1, 16), places)
    assert (img.shape, txt.shape) == ((1, 4, 16), (1, 3, 16))
    assert single(drawn(1, 7, 16), drawn(1, 16), places).shape == (1, 7, 16)
    assert {"img_attn.qkv.weight", "img_mod.lin.weight", "txt_mlp.0.weight"} <= set(
        double.state_dict()
    )


def test_residual_blocks_resize_and_blend():
    unet = host_module("comfy.ldm.modules.diffusionmodules.openaimodel")
    block = filled(unet.ResBlock(32, 16, 0.0, out_channels=64, down=True))
    assert block(drawn(2, 32, 8, 8), drawn(2, 16)).shape == (2, 64, 4, 4)
    video = filled(unet.VideoResBlock(32, 16, 0.0, merge_strategy="learned"))
    assert video(drawn(4, 32, 8, 8), drawn(4, 16), 4).shape == (4, 32, 8, 8)
    stage = unet.TimestepEmbedSequential(block, unet.Upsample(64, True))
    assert stage(drawn(2, 32, 8, 8), drawn(2, 16)).shape == (2, 64, 8, 8)


def test_a_video_transformer_keeps_its_shape():
    host = attention()
    module = filled(
        host.SpatialVideoTransformer(32, 2, 16, context_dim=8, use_linear=True, ff_in=True)
    )
    assert module(drawn(6, 32, 4, 4), drawn(6, 3, 8), None, 3).shape == (6, 32, 4, 4)


def test_a_latent_is_padded_to_patches():
    dit = host_module("comfy.ldm.common_dit")
    x = drawn(1, 2, 5, 6)
    padded = dit.pad_to_patch_size(x, (2, 2))
    assert padded.shape == (1, 2, 6, 6)
    assert torch.equal(padded[:, :, 5], x[:, :, 0])
    assert torch.allclose(dit.rms_norm(x).pow(2).mean(-1), torch.ones(1, 2, 5), atol=1e-3)


def test_control_adds_the_next_residual():
    host = host_module("comfy.ldm.modules.diffusionmodules.openaimodel")
    control = {"input": [torch.ones(1), torch.full((1,), 2.0)]}
    assert float(host.apply_control(torch.zeros(1), control, "input")) == 2.0
    assert float(host.apply_control(torch.zeros(1), control, "input")) == 1.0
    assert float(host.apply_control(torch.zeros(1), control, "input")) == 0.0
