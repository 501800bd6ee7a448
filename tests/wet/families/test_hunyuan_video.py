"""HunyuanVideo: the network as in diffusers, in all layouts, with and without a given picture."""

from __future__ import annotations

import inspect
from dataclasses import replace

import diffusers
import pytest
import torch
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file

from engine.adapters.explain import complaints
from engine.adapters.read import adapter_of
from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.hunyuan_video.family import HunyuanVideoFamily
from engine.families.hunyuan_video.keys import tensors
from engine.families.hunyuan_video.network import HunyuanVideoConfig
from engine.inference.adapters import matched_with, patched_model
from engine.inference.load import load_denoiser
from engine.residency.manager import DeviceResidency
from engine.weights.state_dict import StateDict

from .flux_files import loaded, random_tensors

FAMILY = HunyuanVideoFamily()
TINY = HunyuanVideoConfig(
    in_channels=16,
    out_channels=16,
    context_channels=48,
    vector_channels=32,
    channels=256,
    inner=1024,
    double=2,
    single=2,
    refiner=2,
    guidance=True,
)
SIZE = (3, 4, 6)
TIME = torch.tensor([700.0, 200.0])


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode():
        yield


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tencent_name(name):
    """The name in the files of Tencent."""
    for ours, theirs in (
        ("img_attn.qkv", "img_attn_qkv"),
        ("img_attn.proj", "img_attn_proj"),
        ("img_attn.norm.query_norm.scale", "img_attn_q_norm.weight"),
        ("img_attn.norm.key_norm.scale", "img_attn_k_norm.weight"),
        ("txt_attn.qkv", "txt_attn_qkv"),
        ("txt_attn.proj", "txt_attn_proj"),
        ("txt_attn.norm.query_norm.scale", "txt_attn_q_norm.weight"),
        ("txt_attn.norm.key_norm.scale", "txt_attn_k_norm.weight"),
        ("self_attn.", "self_attn_"),
        ("norm.query_norm.scale", "q_norm.weight"),
        ("norm.key_norm.scale", "k_norm.weight"),
        ("mod.lin.", "mod.linear."),
        ("modulation.lin.", "modulation.linear."),
    ):
        name = name.replace(ours, theirs)
    if "double_blocks" in name:
        name = name.replace("mlp.0", "mlp.fc1").replace("mlp.2", "mlp.fc2")
    if "refiner.blocks" in name:
        name = name.replace("mlp.0", "mlp.fc1").replace("mlp.2", "mlp.fc2")
    if name.startswith(("time_in", "guidance_in", "txt_in.t_embedder")):
        name = name.replace("in_layer", "mlp.0").replace("out_layer", "mlp.2")
    if name.startswith("txt_in.c_embedder"):
        name = name.replace("in_layer", "linear_1").replace("out_layer", "linear_2")
    return name


def twin(given, config, **more):
    """diffusers' class with the tensors, which its own converter renames."""
    source = inspect.getsource(single_file_utils.convert_hunyuan_video_transformer_to_diffusers)
    # The converter is written for one width: an upgrade that changes it must fail here.
    assert "hidden_size = 3072" in source
    scope = dict(vars(single_file_utils))
    exec(source.replace("hidden_size = 3072", f"hidden_size = {config.channels}"), scope)
    convert = scope["convert_hunyuan_video_transformer_to_diffusers"]
    net = diffusers.HunyuanVideoTransformer3DModel(
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        num_attention_heads=config.channels // 128,
        num_layers=config.double,
        num_single_layers=config.single,
        num_refiner_layers=config.refiner,
        guidance_embeds=config.guidance,
        text_embed_dim=config.context_channels,
        pooled_projection_dim=config.vector_channels,
        **more,
    )
    theirs = convert({tencent_name(name): each.clone() for name, each in given.items()})
    net.load_state_dict(theirs)
    return net.eval()


def asked(config, given, x, **extras):
    """The family's call, as the sampler makes it."""
    entry = Entry(drawn(1, 7, 48, seed=2), {"pooled_output": drawn(1, 32, seed=3), **extras})
    run = Run(x.shape, clean=drawn(*x.shape, seed=9)[:1])
    inputs = FAMILY.inputs(config, entry, run=run, role=Role.POSITIVE)
    rows = {key: each.value.expand(2, *each.value.shape[1:]) for key, each in inputs.items()}
    net = loaded(FAMILY.build(config), given)
    nothing = {"control": None, "hooks": None, "checkpoint": lambda: None}
    return FAMILY.predict(net, x, TIME, rows, **nothing)


def expected(net, x, guidance=6000.0):
    context, vector = drawn(1, 7, 48, seed=2), drawn(1, 32, seed=3)
    told = None if guidance is None else torch.full((2,), guidance)
    attended = torch.ones(2, 7)
    return net(x, TIME, context.expand(2, -1, -1), attended, vector.expand(2, -1), told).sample


def strays(found, wanted):
    assert found.shape == wanted.shape
    return float((found - wanted).norm() / wanted.norm())


def test_the_network_is_that_of_diffusers():
    given = random_tensors(FAMILY.build(TINY))
    x = drawn(2, 16, *SIZE)
    assert strays(asked(TINY, given, x), expected(twin(given, TINY), x)) < 1e-5
    told = asked(TINY, given, x, guidance=2.0)
    assert strays(told, expected(twin(given, TINY), x, 2000.0)) < 1e-5


def test_an_odd_side_goes_on_from_the_other_edge():
    given = random_tensors(FAMILY.build(TINY))
    x = drawn(2, 16, 2, 3, 5)
    whole = torch.cat((x, x[..., :1]), dim=-1)
    whole = torch.cat((whole, whole[..., :1, :]), dim=-2)
    wanted = expected(twin(given, TINY), whole)[..., :3, :5]
    assert strays(asked(TINY, given, x), wanted) < 1e-5


def test_texts_of_different_lengths_share_a_call():
    given = random_tensors(FAMILY.build(TINY))
    net, x = loaded(FAMILY.build(TINY), given), drawn(2, 16, *SIZE)
    context, vector, told = drawn(2, 7, 48, seed=2), drawn(2, 32, seed=3), torch.full((2,), 6.0)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    found = net(x, TIME, context * mask[..., None], vector, told, mask=mask)
    alone = net(x[1:], TIME[1:], context[1:, :4], vector[1:], told[1:])
    assert strays(found[1:], alone) < 1e-5
    wanted = twin(given, TINY)(x, TIME, context, mask, vector, told * 1000).sample
    assert strays(found, wanted) < 1e-5


def test_a_picture_beside_the_latent():
    config = replace(TINY, in_channels=33, guidance=False)
    given = random_tensors(FAMILY.build(config))
    x, picture = drawn(2, 16, *SIZE), drawn(1, 16, 1, *SIZE[1:], seed=4)
    mask = torch.ones(1, 1, *SIZE)
    mask[:, :, 0] = 0
    found = asked(config, given, x, concat_latent_image=picture, concat_mask=mask)
    beside = torch.zeros(2, 17, *SIZE)
    beside[:, :16, :1] = picture * 0.476986
    beside[:, 16, 0] = 1
    net = twin(given, config, image_condition_type="latent_concat")
    assert strays(found, expected(net, torch.cat((x, beside), 1), None)) < 1e-5
    with pytest.raises(NodeError, match="take both from the same node"):
        asked(config, given, x, concat_latent_image=picture[..., :2])


def test_a_picture_in_the_place_of_the_first_frame():
    given = random_tensors(FAMILY.build(TINY))
    x = drawn(2, 16, *SIZE)
    found = asked(TINY, given, x, guiding_frame_index=0)
    kept = torch.cat(
        (drawn(2, 16, *SIZE, seed=9)[:1, :, :1].expand(2, -1, -1, -1, -1), x[:, :, 1:]), 2
    )
    wanted = expected(twin(given, TINY, image_condition_type="token_replace"), kept)
    assert strays(found, wanted) < 1e-5
    with pytest.raises(NodeError, match="takes the first"):
        asked(TINY, given, x, guiding_frame_index=2)


def test_all_layouts_are_read():
    given = random_tensors(FAMILY.build(TINY))
    tencent = {f"model.model.{tencent_name(name)}": each for name, each in given.items()}
    of_diffusers = dict(twin(given, TINY).state_dict())
    plain = {f"model.diffusion_model.{name}": each for name, each in given.items()}
    for layout in (tencent, of_diffusers, plain):
        family, config = detect(StateDict.of(layout))
        assert (family.name, config) == ("HunyuanVideo", TINY)
        read = tensors(StateDict.of(layout))
        assert read is not None
        assert set(read) == set(given)
        assert all(torch.equal(read[name], each) for name, each in given.items())


def test_other_sizes_are_refused():
    given = random_tensors(FAMILY.build(TINY))
    given["img_in.proj.weight"] = torch.zeros(256, 20, 1, 2, 2)
    with pytest.raises(WeightsError, match=r"looks like HunyuanVideo, but its img_in\.proj"):
        detect(StateDict.of(given))
    other = Entry(torch.zeros(1, 5, 64), {})
    with pytest.raises(NodeError, match="DualCLIPLoader, type hunyuan_video"):
        FAMILY.inputs(TINY, other, run=Run((1, 16, *SIZE)), role=Role.POSITIVE)


MODULES = {
    "diffusion_model.double_blocks.1.img_attn.qkv": ("double_blocks.1.img_attn.qkv", 0, 768),
    "double_blocks.1.img_attn_qkv": ("double_blocks.1.img_attn.qkv", 0, 768),
    "lora_unet_double_blocks_1_img_attn_qkv": ("double_blocks.1.img_attn.qkv", 0, 768),
    "transformer.transformer_blocks.1.attn.to_k": ("double_blocks.1.img_attn.qkv", 256, 512),
    "diffusion_model.single_blocks.0.linear1": ("single_blocks.0.linear1", 0, 1792),
}


@pytest.mark.parametrize("name", MODULES)
def test_adapters_in_their_usual_names(name, tmp_path):
    module, first, last = MODULES[name]
    given = random_tensors(FAMILY.build(TINY))
    save_file(given, tmp_path / "model.safetensors")
    model = load_denoiser(tmp_path / "model.safetensors")
    down, up = drawn(4, 256, seed=7), drawn(last - first, 4, seed=8)
    kinds = ("lora_down", "lora_up") if name.startswith("lora_unet") else ("lora_A", "lora_B")
    pair = zip(kinds, (down, up), strict=True)
    adapter = adapter_of(
        StateDict.of({f"{name}.{kind}.weight": each for kind, each in pair}), "lora"
    )
    matched = matched_with(adapter, model, None)
    assert complaints(adapter, matched, model.family.name) == []
    changed = {**given, f"{module}.weight": given[f"{module}.weight"].clone()}
    changed[f"{module}.weight"][first:last] += 0.5 * up @ down
    patched = patched_model(model, matched, 0.5)
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)
    with residency.use(patched.net):
        found = patched.net.module.get_submodule(module).weight
        assert strays(found, changed[f"{module}.weight"]) < 1e-6
