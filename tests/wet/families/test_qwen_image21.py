"""Qwen-Image 2.1's denoiser and autoencoder against diffusers on tiny random nets; its files."""

from __future__ import annotations

import os

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.detect import detect, detect_autoencoder
from engine.families.family import Entry, Run
from engine.families.qwen_image21 import keys
from engine.families.qwen_image21.family import QwenImage21Family
from engine.families.qwen_image21.network import QwenImage21, QwenImage21Config
from engine.families.qwen_image21.text import PICTURES
from engine.families.residual_autoencoder import DEVIATION, LATENT, MEAN
from engine.nets.autoencoder_residual import ResidualAutoencoder
from engine.nets.hooks import NetHooks
from engine.weights.state_dict import StateDict
from tests.wet.alive import Alive

TINY = QwenImage21Config(64, 64, 48, 64, 32, 192, 2)
FULL = QwenImage21Config(64, 64, 4096, 4096, 128, 12288, 32)


def filled(make, seed=5):
    with torch.device("meta"):
        net = make()
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5
        for name, tensor in net.state_dict().items()
    }
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(requires_grad=False)


def tiny():
    return filled(lambda: QwenImage21(TINY))


def off(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def oracle():
    """Diffusers' network of the same weights, which it converts itself."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import QwenImage21Transformer2DModel
    from diffusers.loaders import single_file_utils

    state = {name: tensor.clone() for name, tensor in tiny().state_dict().items()}
    oracle = QwenImage21Transformer2DModel(
        num_layers=2, attention_head_dim=32, num_attention_heads=2, context_in_dim=48,
        axes_dims_rope=(4, 14, 14),
    )  # fmt: skip
    convert = single_file_utils.convert_qwen_image21_transformer_checkpoint_to_diffusers
    oracle.load_state_dict(convert(state))
    return oracle.eval()


def asked(net, x, time, entry, hooks=None):
    family, run = QwenImage21Family(), Run(x.shape)
    inputs = family.inputs(net.config, entry, run=run, role=Role.POSITIVE)
    moved = {name: one.to(x.device, x.dtype).value for name, one in inputs.items()}
    given = {name: each.expand(len(x), *each.shape[1:]) for name, each in moved.items()}
    return family.predict(net, x, time, given, control=None, hooks=hooks, checkpoint=lambda: None)


def of_text(length, places=(), sizes=(), seed=0):
    """An entry with pictures in places, and their latents of sizes."""
    generator = torch.Generator().manual_seed(seed)
    extras = {
        PICTURES: tuple(places),
        "reference_latents": [torch.randn(1, 64, *size, generator=generator) for size in sizes],
    }
    return Entry(torch.randn(1, length, 48, generator=generator), extras)


CASES = {
    "text": (7, (), ()),
    "one picture": (9, ((2, 4),), ((2, 4),)),
    "two pictures": (14, ((1, 3), (5, 11)), ((4, 2), (4, 6))),
    "pictures side by side": (8, ((2, 3), (3, 5)), ((2, 2), (2, 4))),
}


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_equals_diffusers(oracle, case, rows):
    net, (length, places, sizes) = tiny(), CASES[case]
    entry = of_text(length, places, sizes)
    x, time = torch.randn(rows, 64, 6, 10), torch.tensor([0.8, 0.3])[:rows]
    slots = torch.zeros(1, length, dtype=torch.bool)
    for start, stop in places:
        slots[:, start:stop] = True
    slots = torch.cat((slots, torch.ones(1, 15, dtype=torch.bool)), dim=1).expand(rows, -1)
    given = [LATENT.into(each) for each in entry.extras["reference_latents"]]
    cells = [each.flatten(2).transpose(1, 2).expand(rows, -1, -1) for each in (*given, x)]
    with torch.no_grad():
        found = asked(net, x, time, entry)
        expected = oracle(
            hidden_states=torch.cat(cells, dim=1),
            encoder_hidden_states=entry.embedding.expand(rows, -1, -1),
            timestep=time,
            img_shapes=[[(1, *size) for size in (*sizes, (6, 10))]] * rows,
            img_mask=slots,
        ).sample[:, -60:]
    assert off(found.flatten(2).transpose(1, 2), expected) < 1e-5  # seen: under 2e-6


def test_words_that_do_not_count_are_not_seen(oracle):
    net, entry = tiny(), of_text(7)
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0]])
    x, time = torch.randn(1, 64, 4, 4), torch.tensor([0.8])
    slots = torch.cat((torch.zeros(1, 7), torch.ones(1, 4)), dim=1).bool()
    with torch.no_grad():
        found = asked(net, x, time, Entry(entry.embedding, {"attention_mask": mask}))
        expected = oracle(
            hidden_states=x.flatten(2).transpose(1, 2),
            encoder_hidden_states=entry.embedding,
            timestep=time,
            img_shapes=[[(1, 4, 4)]],
            img_mask=slots,
            encoder_hidden_states_mask=mask.bool(),
        ).sample[:, -16:]
    assert off(found.flatten(2).transpose(1, 2), expected) < 1e-5
    assert off(asked(net, x, time, entry), found) > 1e-3


def test_both_layouts_are_the_same_network(oracle):
    family, net = QwenImage21Family(), tiny()
    own = {f"model.diffusion_model.{name}": t for name, t in net.state_dict().items()}
    for weights in (StateDict.of(own), StateDict.of(oracle.state_dict())):
        assert detect(weights)[0].name == "Qwen-Image 2.1"
        assert family.detect(weights) == TINY
        found = family.denoiser(TINY, weights)
        assert found.shapes == {name: tuple(t.shape) for name, t in net.state_dict().items()}
        assert all(torch.equal(found[name], t) for name, t in net.state_dict().items())
    del own["model.diffusion_model.img_in.weight"]
    with pytest.raises(WeightsError, match=r"img_in\.weight is missing"):
        family.detect(StateDict.of(own))
    theirs = oracle.state_dict()
    del theirs["transformer_blocks.1.img_mlp.proj.weight"]
    found = family.denoiser(TINY, StateDict.of(theirs))
    assert found.shape("transformer_blocks.1.img_mlp.gate_up.weight") == (192, 64)


def test_adapters_find_the_halves_of_gates(oracle):
    ours = {name.removesuffix(".weight") for name in tiny().state_dict()}
    theirs = {name.removesuffix(".weight") for name in oracle.state_dict()}
    names = keys.lora_names(TINY)
    assert {rows.module for rows in names.values()} == ours - theirs
    assert set(names) == theirs - ours


def test_blocks_are_replaced_and_half_precision_stays_close():
    net, entry = tiny(), of_text(9, ((2, 4),), ((2, 4),))
    x, time = torch.randn(1, 64, 4, 4), torch.tensor([0.5])
    plain = asked(net, x, time, entry)

    def skip(given, extra):
        del extra
        return {"img": given["img"]}

    hooks = NetHooks().with_replacement("dit", ("single_block", 1), skip)
    assert off(asked(net, x, time, entry, hooks), plain) > 1e-4
    for half, most in ((torch.bfloat16, 3e-2), (torch.float16, 4e-3)):
        halved = {name: each.to(half) for name, each in net.state_dict().items()}
        other = tiny()
        other.load_state_dict(halved, assign=True)
        found = asked(other, x.to(half), time, entry)
        assert found.dtype == half
        assert off(found.float(), plain) < most


def test_full_size_files_have_the_published_sizes():
    from diffusers import QwenImage21Transformer2DModel

    with torch.device("meta"):
        oracle = QwenImage21Transformer2DModel(num_layers=1)
    state = oracle.state_dict()
    blocks = {name: t for name, t in state.items() if name.startswith("transformer_blocks.0.")}
    for i in range(1, 32):
        state |= {name.replace(".0.", f".{i}.", 1): t for name, t in blocks.items()}
    assert QwenImage21Family().detect(StateDict.of(state)) == FULL
    net = QwenImage21Family().build(FULL)
    assert FULL.axes == (16, 56, 56)
    expected = sum(each.numel() for each in state.values())
    assert sum(each.numel() for each in net.parameters()) == expected


def test_conditionings_of_other_models_are_refused():
    family, run = QwenImage21Family(), Run((1, 64, 4, 4))
    entry = Entry(torch.zeros(1, 3, 2560), {})
    with pytest.raises(NodeError, match=r"have 2560 numbers, the model takes 48.*qwen_image"):
        family.inputs(TINY, entry, run=run, role=Role.POSITIVE)
    with pytest.raises(NodeError, match=r"1 reference latents and its prompt 0 pictures"):
        family.inputs(TINY, of_text(4, (), ((2, 2),)), run=run, role=Role.POSITIVE)


def test_the_estimate_of_memory_holds_what_is_alive():
    net, family = tiny(), QwenImage21Family()
    x, context = torch.randn(2, 64, 32, 32), torch.randn(2, 128, 48)
    with torch.inference_mode(), Alive(net) as alive:
        net(x, torch.tensor([0.5, 0.1]), context)
    expected = family.activation_bytes(TINY, x.shape, 4)
    assert 1.2 * alive.most < expected < 6 * alive.most, expected / alive.most


@pytest.fixture(scope="module")
def their_autoencoder():
    from diffusers import AutoencoderKLQwenImage21

    torch.manual_seed(3)
    found = AutoencoderKLQwenImage21(
        base_dim=8, decoder_base_dim=12, z_dim=6, dim_mult=[1, 2, 4, 4, 4],
        latents_mean=[0.0] * 6, latents_std=[1.0] * 6,
    )  # fmt: skip
    for tensor in found.state_dict().values():
        torch.nn.init.normal_(tensor, 0.0, tensor[0].numel() ** -0.5)
    return found.eval()


HALVES = {"down_blocks": "downsamples", "up_blocks": "upsamples"}
ORIGINAL = (
    ("mid_block.resnets.0.", "middle.0."), ("mid_block.attentions.0.", "middle.1."),
    ("mid_block.resnets.1.", "middle.2."), ("post_quant_conv.", "conv2."),
    ("quant_conv.", "conv1."), ("conv_in.", "conv1."), ("norm_out.", "head.0."),
    ("conv_out.", "head.2."), ("norm1.", "residual.0."), ("norm2.", "residual.3."),
    ("conv_shortcut.", "shortcut."),
)  # fmt: skip


def original_name(name):
    half, level, *rest = name.split(".")
    if level in HALVES:
        number, part, *rest = rest
        at = rest.pop(0) if part == "resnets" else "9"
        name = ".".join((half, HALVES[level], number, HALVES[level], at, *rest))
    for theirs, ours in ORIGINAL:
        name = name.replace(theirs, ours)
    if name.split(".")[1] in ("downsamples", "upsamples", "middle"):
        name = name.replace(".conv1.", ".residual.2.").replace(".conv2.", ".residual.6.")
    return name


def original(state):
    """The same tensors in the layout of Wan's files, kernels over time included."""
    found = {}
    for name, tensor in state.items():
        flat = any(part in name for part in (".resample.", "to_qkv", ".proj.", "gamma", "time_"))
        over_time = tensor.ndim == 4 and not flat
        stacked = torch.stack((tensor + 1, tensor - 1, tensor), dim=2) if over_time else tensor
        found[original_name(name)] = stacked
    return found


def test_the_autoencoder_equals_diffusers(their_autoencoder):
    pixels, z = torch.rand(2, 4, 64, 96) * 2 - 1, torch.randn(2, 6, 2, 3)
    state = their_autoencoder.state_dict()
    with torch.no_grad():
        mean = their_autoencoder.encode(pixels[:, :, None]).latent_dist.mean[:, :, 0]
        decoded = their_autoencoder.post_quant_conv(z[:, :, None])
        their_autoencoder.clear_cache()
        decoded = their_autoencoder.decoder(
            decoded,
            feat_cache=their_autoencoder._feat_map,
            feat_idx=[0],
            first_chunk=True,
        )[:, :, 0]
    for weights in (state, {f"vae.{name}": t for name, t in original(state).items()}):
        found = detect_autoencoder(StateDict.of(weights))
        assert found.kind.name == "residual autoencoder"
        assert (found.config.downscale, found.config.pixel_channels) == (16, 4)
        net = found.kind.build(found.config)
        assert isinstance(net, ResidualAutoencoder)
        net.load_state_dict({n: found.tensors[n] for n in found.tensors}, assign=True)
        with torch.no_grad():
            assert off(net.encode(pixels), mean) < 1e-5
            assert off(net.decode(z), decoded) < 1e-5
            opaque = torch.cat((pixels[:, :3], torch.ones(2, 1, 64, 96)), dim=1)
            assert torch.equal(net.encode(pixels[:, :3]), net.encode(opaque))


def test_the_scaling_of_latents_is_diffusers():
    from diffusers import AutoencoderKLQwenImage21

    with torch.device("meta"):
        theirs = AutoencoderKLQwenImage21()
    assert list(MEAN) == theirs.config.latents_mean
    assert list(DEVIATION) == theirs.config.latents_std
    found = detect_autoencoder(StateDict.of(theirs.state_dict()))
    latent = found.kind.latent(found.config)
    assert (latent.channels, latent.downscale) == (LATENT.channels, LATENT.downscale)
    ours = sum(each.numel() for each in found.kind.build(found.config).parameters())
    times = sum(t.numel() for name, t in theirs.state_dict().items() if "time_conv" in name)
    assert ours == sum(t.numel() for t in theirs.state_dict().values()) - times
