"""Qwen-Image's denoiser against diffusers on tiny random nets, and its files."""

from __future__ import annotations

import os

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.family import Entry, Run
from engine.families.qwen_image import keys
from engine.families.qwen_image.family import QwenImageFamily
from engine.families.qwen_image.network import QwenImage, QwenImageConfig
from engine.families.reference_latents import Method
from engine.families.wan_autoencoder import LATENT
from engine.nets.hooks import NetHooks, Residuals
from engine.weights.state_dict import StateDict
from tests.wet.alive import Alive

TINY = QwenImageConfig(64, 64, 48, 64, 32, 256, 2)
FULL = QwenImageConfig(64, 64, 3584, 3072, 128, 12288, 60)


def filled(config):
    with torch.device("meta"):
        net = QwenImage(config)
    generator = torch.Generator().manual_seed(5)
    state = {
        name: torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5
        for name, tensor in net.state_dict().items()
    }
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(requires_grad=False)


def oracle_of(net, **values):
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import QwenImageTransformer2DModel

    config = net.config
    oracle = QwenImageTransformer2DModel(
        in_channels=config.in_channels,
        out_channels=config.out_channels // 4,
        num_layers=config.blocks,
        attention_head_dim=config.head_channels,
        num_attention_heads=config.channels // config.head_channels,
        joint_attention_dim=config.context_channels,
        axes_dims_rope=list(config.axes),
        **values,
    )
    oracle.load_state_dict(net.state_dict())
    return oracle.eval()


def off(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


def packed(latent):
    """Patches of 2 x 2 cells, channels first, as diffusers' pipelines make them."""
    batch, channels, frames, rows, columns = latent.shape
    x = latent.reshape(batch, channels, frames, rows // 2, 2, columns // 2, 2)
    return x.permute(0, 2, 3, 5, 1, 4, 6).reshape(batch, -1, channels * 4)


def asked(net, x, time, context, references, method, **options):
    """The family's call, as the sampler makes it."""
    family = QwenImageFamily()
    extras = {"reference_latents": [LATENT.out(each) for each in references]}
    if method:
        extras["reference_latents_method"] = method
    entry = Entry(context[:1], extras)
    run = Run(x.shape)
    inputs = family.inputs(net.config, entry, run=run, role=Role.POSITIVE)
    given = {name: one.value.expand(len(x), *one.value.shape[1:]) for name, one in inputs.items()}
    control, hooks = options.get("control"), options.get("hooks")
    return family.predict(
        net, x, time, given, control=control, hooks=hooks, checkpoint=lambda: None
    )


# Sides that are even, and references no larger than the picture: in other cases the incumbent,
# whose results ours equal, places tokens otherwise than diffusers.
CASES = {
    "text": ({}, [], None, 1),
    "batch of two": ({}, [], None, 2),
    "one reference": ({}, [(8, 12)], None, 1),
    "two references": ({}, [(8, 8), (4, 12)], "index", 2),
    "references without noise": ({"zero_cond_t": True}, [(8, 8), (4, 12)], None, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_diffusers(case):
    values, sizes, method, rows = CASES[case]
    clean = bool(values)
    net = filled(QwenImageConfig(64, 64, 48, 64, 32, 256, 2, clean_references=clean))
    oracle = oracle_of(net, **values)
    x, context = torch.randn(rows, 16, 1, 8, 12), torch.randn(1, 7, 48).expand(rows, -1, -1)
    references = [torch.randn(1, 16, 1, *size) for size in sizes]
    time = torch.tensor([0.7, 0.2])[:rows]
    with torch.no_grad():
        found = asked(net, x, time, context, references, method)
        pieces = [x, *(each.expand(rows, -1, -1, -1, -1) for each in references)]
        expected = oracle(
            hidden_states=torch.cat([packed(piece) for piece in pieces], dim=1),
            encoder_hidden_states=context,
            encoder_hidden_states_mask=torch.ones(rows, 7, dtype=torch.bool),
            timestep=time,
            img_shapes=[[(1, piece.shape[3] // 2, piece.shape[4] // 2) for piece in pieces]] * rows,
        ).sample[:, : 4 * 6]
    assert off(packed(found), expected) < 1e-5  # seen: under 1e-6


def test_layers_equal_diffusers():
    net = filled(QwenImageConfig(64, 64, 48, 64, 32, 256, 2, layered=True))
    oracle = oracle_of(net, use_additional_t_cond=True, use_layer3d_rope=True)
    x, picture = torch.randn(1, 16, 4, 8, 4), torch.randn(1, 16, 1, 8, 4)
    context, time = torch.randn(1, 5, 48), torch.tensor([0.4])
    with torch.no_grad():
        found = asked(net, x, time, context, [picture], None)
        expected = oracle(
            hidden_states=torch.cat((packed(x), packed(picture)), dim=1),
            encoder_hidden_states=context,
            timestep=time,
            img_shapes=[[(1, 4, 2)] * 5],
            additional_t_cond=torch.tensor([0]),
        ).sample[:, : 4 * 4 * 2]
    assert off(packed(found), expected) < 1e-5  # seen: under 1e-6


def test_a_mask_leaves_tokens_out():
    net = filled(TINY)
    x, context = torch.randn(1, 16, 1, 4, 6), torch.randn(1, 9, 48)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0, 0]])
    family, time = QwenImageFamily(), torch.tensor([0.5])
    with torch.no_grad():
        entry = Entry(context, {"attention_mask": mask})
        inputs = family.inputs(TINY, entry, run=Run(x.shape), role=Role.POSITIVE)
        masked = net(x, time, inputs["context"].value, inputs["mask"].value)
        assert off(masked, net(x, time, context[:, :6])) < 1e-5
        assert off(masked, net(x, time, context)) > 1e-3


def test_sides_that_are_odd_are_continued_and_cut_off():
    net = filled(TINY)
    x, context = torch.randn(1, 16, 1, 7, 5), torch.randn(1, 3, 48)
    wide = torch.cat((x, x[:, :, :, :1]), dim=3)
    wide = torch.cat((wide, wide[..., :1]), dim=4)
    with torch.no_grad():
        time = torch.tensor([0.5])
        assert torch.equal(net(x, time, context), net(wide, time, context)[..., :7, :5])


def test_hooks_and_residuals_enter_at_blocks():
    net = filled(TINY)
    x, context = torch.randn(1, 16, 1, 4, 4), torch.randn(1, 3, 48)
    time, seen = torch.tensor([0.5]), []
    with torch.no_grad():
        plain = asked(net, x, time, context, [], None)

        def skip(given, extra):
            assert given["transformer_options"]["block"] == ("double_block", 1)
            seen.append(extra["original_block"](given)["img"].shape)
            return {"img": given["img"], "txt": given["txt"]}

        hooks = NetHooks().with_replacement("dit", ("double_block", 1), skip)
        skipped = asked(net, x, time, context, [], None, hooks=hooks)
        assert seen == [(1, 4, 64)]
        assert off(skipped, plain) > 1e-3

        patch = {"img": 0}

        def changed(given):
            patch["img"] += 1
            return {"img": given["img"] + (given["block_index"] == 1)}

        hooks = NetHooks().with_patch("double_block", changed)
        added = asked(net, x, time, context, [], None, hooks=hooks)
        assert patch == {"img": 2}
        residuals = Residuals(input=(None, torch.ones(1, 4, 64)))
        assert torch.equal(asked(net, x, time, context, [], None, control=residuals), added)
        fewer = Residuals(input=(None, torch.ones(1, 2, 64)))
        assert not torch.equal(asked(net, x, time, context, [], None, control=fewer), added)


def test_half_precision_stays_close():
    net = filled(TINY)
    x, context, time = torch.randn(1, 16, 1, 8, 8), torch.randn(1, 5, 48), torch.tensor([0.5])
    with torch.no_grad():
        exact = asked(net, x, time, context, [], None)
        half = torch.bfloat16
        found = asked(net.to(half), x.to(half), time, context.to(half), [], None)
    assert found.dtype == half
    assert off(found.float(), exact) < 3e-2  # seen: 7e-3


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "transformer."])
def test_files_are_recognised(prefix):
    net = filled(TINY)
    state = {f"{prefix}{name}": tensor for name, tensor in net.state_dict().items()}
    family = QwenImageFamily()
    weights = StateDict.of({**state, f"{prefix}scaled_fp8": torch.zeros(2)})
    assert family.detect(weights) == TINY
    assert set(family.denoiser(TINY, weights)) == set(net.state_dict())
    marked = StateDict.of({**state, f"{prefix}{keys.CLEAN}": torch.zeros(0)})
    config = family.detect(marked)
    assert config.clean_references
    assert set(family.denoiser(config, marked)) == set(net.state_dict())
    # A ControlNet and Mage-Flow have the same blocks.
    control = {**state, f"{prefix}controlnet_blocks.0.weight": torch.zeros(1)}
    assert family.detect(StateDict.of(control)) is None
    mage = {f"{prefix}txt_norm.weight": (2560,), f"{prefix}proj_out.weight": (128, 64)}
    other = {**state, **{name: torch.empty(shape, device="meta") for name, shape in mage.items()}}
    assert family.detect(StateDict.of(other)) is None
    del state[f"{prefix}img_in.weight"]
    with pytest.raises(WeightsError, match=r"img_in\.weight is missing"):
        family.detect(StateDict.of(state))


def test_full_size_files_have_the_published_sizes():
    from diffusers import QwenImageTransformer2DModel

    with torch.device("meta"):
        state = QwenImageTransformer2DModel(num_layers=1).state_dict()
    start = "transformer_blocks.0."
    block = {n.removeprefix(start): t for n, t in state.items() if n.startswith(start)}
    for number in range(1, 60):
        state |= {f"transformer_blocks.{number}.{name}": t for name, t in block.items()}
    assert QwenImageFamily().detect(StateDict.of(state)) == FULL
    net = QwenImageFamily().build(FULL)
    ours = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert ours == {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert sum(each.numel() for each in net.parameters()) == 20_430_401_088
    assert FULL.axes == (16, 56, 56)


def test_conditionings_of_other_models_are_refused():
    family, run = QwenImageFamily(), Run((1, 16, 1, 4, 4))
    with pytest.raises(NodeError, match=r"have 32 numbers, the model takes 48.*type qwen_image"):
        family.inputs(TINY, Entry(torch.zeros(1, 3, 32), {}), run=run, role=Role.POSITIVE)
    entry = Entry(torch.zeros(1, 3, 48), {"reference_latents": [torch.zeros(1, 4, 4, 4)]})
    with pytest.raises(NodeError, match=r"reference latent 1 has the shape \[1, 4, 4, 4\]"):
        family.inputs(TINY, entry, run=run, role=Role.POSITIVE)
    entry = Entry(torch.zeros(1, 3, 48), {"reference_latents_method": "sideways"})
    with pytest.raises(NodeError, match="sideways"):
        family.inputs(TINY, entry, run=run, role=Role.POSITIVE)
    assert Method.INDEX == "index"


def test_the_estimate_of_memory_holds_what_is_alive():
    net, family = filled(TINY), QwenImageFamily()
    x, context = torch.randn(2, 16, 1, 64, 64), torch.randn(2, 256, 48)
    with torch.inference_mode(), Alive(net) as alive:
        net(x, torch.tensor([0.5, 0.1]), context)
    expected = family.activation_bytes(TINY, x.shape, 4)
    assert 1.5 * alive.most < expected < 8 * alive.most, expected / alive.most
