"""FLUX.1: the network as in diffusers, its configuration, its inputs, its places for hooks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.flux.family import FluxFamily
from engine.families.flux.network import Flux
from engine.families.reference_latents import Method, places
from engine.nets.hooks import NetHooks, Residuals
from engine.residency.blocks import split
from engine.weights.state_dict import Entry as Stored
from engine.weights.state_dict import StateDict

from .flux_files import DEV, flux_tensors, loaded

FAMILY = FluxFamily()


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode():
        yield


def diffusers_twin(tensors, config, folder):
    import inspect

    from diffusers import FluxTransformer2DModel
    from diffusers.loaders import single_file_model, single_file_utils

    name = "convert_flux_transformer_checkpoint_to_diffusers"
    source = inspect.getsource(getattr(single_file_utils, name))
    # The converter is written for one width: an upgrade that changes it must fail here.
    assert "inner_dim = 3072" in source
    scope = dict(vars(single_file_utils))
    exec(source.replace("inner_dim = 3072", f"inner_dim = {config.channels}"), scope)
    loadable = single_file_model.SINGLE_FILE_LOADABLE_CLASSES["FluxTransformer2DModel"]
    original = loadable["checkpoint_mapping_fn"]
    loadable["checkpoint_mapping_fn"] = scope[name]
    values = {
        "_class_name": "FluxTransformer2DModel",
        "patch_size": 1,
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "num_layers": config.double,
        "num_single_layers": config.single,
        "attention_head_dim": 128,
        "num_attention_heads": config.channels // 128,
        "joint_attention_dim": config.context_channels,
        "pooled_projection_dim": config.vector_channels,
        "guidance_embeds": config.guidance,
        "axes_dims_rope": [16, 56, 56],
    }
    (folder / "config.json").write_text(json.dumps(values))
    try:
        return FluxTransformer2DModel.from_single_file(
            {key: value.clone() for key, value in tensors.items()},
            config=str(folder),
            local_files_only=True,
        ).eval()
    finally:
        loadable["checkpoint_mapping_fn"] = original


def tokens_of(x):
    return x.reshape(len(x), -1, x.shape[2] // 2, 2, x.shape[3] // 2, 2).permute(
        0, 2, 4, 1, 3, 5
    ).reshape(len(x), x.shape[2] * x.shape[3] // 4, -1)  # fmt: skip


@pytest.mark.parametrize("guidance", [True, False])
def test_the_network_is_that_of_diffusers(guidance, tmp_path):
    # feed-forwards of diffusers are four times as wide as tokens
    config = replace(DEV, guidance=guidance, inner=1024)
    tensors = flux_tensors(config)
    twin = diffusers_twin(tensors, config, tmp_path)
    net = loaded(FAMILY.build(config), tensors)
    x, context = torch.randn(2, 16, 6, 8), torch.randn(2, 5, config.context_channels)
    vector, reference = torch.randn(2, config.vector_channels), torch.randn(2, 16, 4, 6)
    time, strength = torch.tensor([0.7, 0.2]), torch.tensor([3.5, 30.0])
    (place,) = places(Method.OFFSET, (6, 8), [(4, 6)])
    found = net(
        x,
        time,
        context,
        vector,
        strength if guidance else None,
        references=[(reference, place)],
    )
    rows = [(0, row, column) for row in range(3) for column in range(4)]
    rows += [(1, row, column) for row in range(2) for column in range(3)]
    expected = twin(
        hidden_states=torch.cat((tokens_of(x), tokens_of(reference)), dim=1),
        encoder_hidden_states=context,
        pooled_projections=vector,
        timestep=time,
        guidance=strength if guidance else None,
        img_ids=torch.tensor(rows).float(),
        txt_ids=torch.zeros(5, 3),
    ).sample[:, :12]
    strays = (tokens_of(found) - expected).norm() / expected.norm()
    assert strays <= 1e-5
    read = StateDict.of({f"transformer.{n}": each for n, each in twin.state_dict().items()})
    family, detected = detect(read)
    assert (family.name, detected) == ("FLUX.1", config)
    original = family.denoiser(detected, read)
    assert set(original) == set(tensors)
    assert all(torch.equal(original[name], each) for name, each in tensors.items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_computes_in_half_precision(dtype):
    tensors = flux_tensors()
    net = loaded(FAMILY.build(DEV), tensors)
    rough = loaded(FAMILY.build(DEV), {name: each.to(dtype) for name, each in tensors.items()})
    given = torch.randn(1, 16, 6, 8), torch.randn(1, 5, 32), torch.randn(1, 24)
    x, context, vector = given
    time, guidance = torch.tensor([0.7]), torch.tensor([3.5])
    exact = net(x, time, context, vector, guidance)
    seen: list[torch.dtype] = []

    def watch(_, outputs):
        seen.append(outputs.dtype)

    for part in rough.modules():
        if isinstance(part, torch.nn.Linear):
            part.register_forward_hook(lambda _, given, out: watch(given, out))
    found = rough(x.to(dtype), time, context.to(dtype), vector.to(dtype), guidance.to(dtype))
    assert found.dtype == dtype
    assert set(seen) == {dtype}
    strays = (found.float() - exact).norm() / exact.norm()
    assert strays <= (0.02 if dtype is torch.bfloat16 else 0.003)


PUBLISHED = {
    "dev": (64, True, 11_901_408_320),
    "schnell": (64, False, 11_891_178_560),
    "Fill": (384, True, 11_902_391_360),
    "Canny": (128, True, 11_901_604_928),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_full_size_layouts_are_recognised_by_shape(name):
    in_channels, guidance, parameters = PUBLISHED[name]
    config = replace(
        DEV,
        in_channels=in_channels,
        context_channels=4096,
        vector_channels=768,
        channels=3072,
        inner=12288,
        double=19,
        single=38,
        guidance=guidance,
    )
    net = FAMILY.build(config)
    assert sum(each.numel() for each in net.parameters()) == parameters
    found = {
        f"model.diffusion_model.{name}": Stored(tuple(each.shape), each.dtype, torch.Tensor)
        for name, each in net.state_dict().items()
    }
    family, detected = detect(StateDict(found))
    assert (family.name, detected) == ("FLUX.1", config)
    # Every block is streamed as a whole.
    blocks = split(net, {}, lambda source: 0, limit=1)
    assert {type(block.module).__name__ for block in blocks} >= {"DoubleBlock", "SingleBlock"}
    assert all(block.module is not None for block in blocks)


def test_newer_names_of_norms_are_read():
    tensors = {
        f"{name.removesuffix('.scale')}.weight" if name.endswith("scale") else name: value
        for name, value in flux_tensors().items()
    }
    family, config = detect(StateDict.of(tensors))
    assert config == DEV
    assert set(family.denoiser(config, StateDict.of(tensors))) == set(flux_tensors())


def test_an_incomplete_file_says_what_is_missing():
    tensors = flux_tensors()
    del tensors["txt_in.weight"]
    with pytest.raises(WeightsError, match=r"looks like FLUX.1, but its tensor txt_in.weight"):
        detect(StateDict.of(tensors))


def entry(**extras):
    return Entry(torch.zeros(1, 5, 32), {"pooled_output": torch.ones(1, 24), **extras})


def test_inputs_of_dev_and_schnell():
    run = Run((1, 16, 6, 8))
    found = FAMILY.inputs(DEV, entry(), run=run, role=Role.POSITIVE)
    assert {name: each.value.shape[1:] for name, each in found.items()} == {
        "context": (5, 32),
        "vector": (24,),
        "guidance": (),
    }
    assert float(found["guidance"].value) == 3.5
    assert "guidance" not in FAMILY.inputs(DEV, entry(guidance=None), run=run, role=Role.POSITIVE)
    schnell = replace(DEV, guidance=False)
    assert "guidance" not in FAMILY.inputs(schnell, entry(guidance=2.0), run=run, role="positive")
    assert FAMILY.parameterization(schnell).sigmas.shape == (1000,)
    assert FAMILY.parameterization(DEV).sigmas.shape == (10_000,)


def test_a_conditioning_of_another_model_is_refused():
    run = Run((1, 16, 6, 8))
    other = Entry(torch.zeros(1, 5, 48), {})
    with pytest.raises(NodeError, match="DualCLIPLoader, type flux"):
        FAMILY.inputs(DEV, other, run=run, role=Role.POSITIVE)
    other = Entry(torch.zeros(1, 5, 32), {"pooled_output": torch.zeros(1, 25)})
    with pytest.raises(NodeError, match="the pooled text has 25 numbers, the model takes 24"):
        FAMILY.inputs(DEV, other, run=run, role=Role.POSITIVE)
    for extras in (
        {"reference_latents": [torch.zeros(1, 4, 6, 8)]},
        {"reference_latents": ["a picture"]},
    ):
        with pytest.raises(NodeError, match="reference latent 1 has the shape"):
            FAMILY.inputs(DEV, entry(**extras), run=run, role=Role.POSITIVE)
    with pytest.raises(NodeError, match="is 'sideways'; known are offset, index"):
        FAMILY.inputs(DEV, entry(reference_latents_method="sideways"), run=run, role=Role.POSITIVE)


def test_fill_takes_a_picture_and_every_pixel_of_a_mask():
    fill = replace(DEV, in_channels=384)
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., 9, 3] = 1  # row 1 and column 3 of the cell at (1, 0)
    extras = {"concat_latent_image": torch.ones(1, 16, 6, 8), "concat_mask": mask}
    found = FAMILY.inputs(fill, entry(**extras), run=Run((1, 16, 6, 8)), role="positive")
    value = found["concat"].value
    assert value.shape == (1, 80, 6, 8)
    assert value[:, :16].allclose(torch.tensor((1 - 0.1159) * 0.3611))
    assert value[0, 16:].nonzero().tolist() == [[8 + 3, 1, 0]]


def test_canny_takes_a_picture_alone():
    canny = replace(DEV, in_channels=128)
    found = FAMILY.inputs(canny, entry(), run=Run((1, 16, 6, 8)), role=Role.POSITIVE)
    assert found["concat"].value.shape == (1, 16, 6, 8)
    with pytest.raises(NodeError, match="the model takes a latent of 16 channels"):
        FAMILY.inputs(
            canny,
            entry(concat_latent_image=torch.zeros(1, 4, 6, 8)),
            run=Run((1, 16, 6, 8)),
            role=Role.POSITIVE,
        )


def test_places_of_several_references():
    sizes = [(8, 12), (16, 16), (10, 12)]
    assert places(Method.INDEX, (8, 12), sizes) == [(1, 0, 0), (2, 0, 0), (3, 0, 0)]
    assert places(Method.DIAGONAL, (8, 12), sizes) == [(0, 8, 12), (0, 16, 24), (0, 32, 40)]
    assert places(Method.OFFSET, (8, 12), sizes) == [(1, 0, 0), (1, 8, 0), (1, 0, 16)]


def called(net, **given):
    generator = torch.Generator().manual_seed(1)
    x, context, vector = (
        torch.randn(shape, generator=generator) for shape in ((1, 16, 4, 4), (1, 5, 32), (1, 24))
    )
    return net(x, torch.tensor([0.7]), context, vector, torch.tensor([3.5]), **given)


def test_hooks_at_blocks():
    net = loaded(FAMILY.build(DEV), flux_tensors())
    plain, seen = called(net), []

    def watch(arguments, extra):
        place = arguments["transformer_options"]["block"]
        shapes = {name: tuple(arguments[name].shape) for name in ("img", "vec", "pe")}
        seen.append((place, shapes, "txt" in arguments))
        return extra["original_block"](arguments)

    hooks = NetHooks().with_replacement("dit", ("double_block", 1), watch)
    hooks = hooks.with_replacement("dit", ("single_block", 0), watch)
    assert torch.allclose(called(net, hooks=hooks), plain, atol=1e-5)
    pe = (1, 1, 9, 64, 2, 2)
    assert seen == [
        (("double_block", 1), {"img": (1, 4, 256), "vec": (1, 256), "pe": pe}, True),
        (("single_block", 0), {"img": (1, 9, 256), "vec": (1, 256), "pe": pe}, False),
    ]

    def skip(arguments, _):
        return {"img": arguments["img"]}

    skipped = NetHooks().with_replacement("dit", ("single_block", 1), skip)
    shorter = loaded(
        FAMILY.build(replace(DEV, single=1)),
        {n: t for n, t in flux_tensors().items() if not n.startswith("single_blocks.1.")},
    )
    assert torch.allclose(called(net, hooks=skipped), called(shorter), atol=1e-5)
    after = NetHooks().with_patch(
        "double_block", lambda given: {"img": given["img"] * 2, "txt": given["txt"]}
    )
    assert not torch.allclose(called(net, hooks=after), plain, atol=1e-2)


def test_residuals_of_control_networks():
    net = loaded(FAMILY.build(DEV), flux_tensors())
    added = torch.randn(1, 4, 256)
    plain = called(net, control=Residuals(input=(None,), output=(None, None)))
    assert torch.equal(plain, called(net))
    doubled = NetHooks().with_patch(
        "double_block",
        lambda given: {
            **given,
            "img": given["img"] + added * (given["block_index"] == 1),
        },
    )
    expected = called(net, hooks=doubled)
    assert torch.equal(called(net, control=Residuals(input=(None, added))), expected)
    assert not torch.equal(called(net, control=Residuals(output=(added,))), plain)


def test_it_can_be_stopped_before_any_block():
    net = loaded(Flux(DEV), flux_tensors())
    calls: list[int] = []
    called(net, checkpoint=lambda: calls.append(1))
    assert len(calls) == 4
