"""IP-Adapter in a UNet against diffusers' loader of the original files, on random weights."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from engine.diffusion.conditioning import Step
from engine.diffusion.parameterization import discrete
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference.hook_run import HookStart
from engine.inference.ip_adapter import IpAdapterHook, Pictures, load_ip_adapter
from engine.inference.values import Model
from engine.nets.hooks import NetHooks
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet, timestep_embedding
from engine.nets.unet_names import unet_names
from engine.residency.handles import LazyWeights
from engine.weights.state_dict import StateDict

from .ip_adapter_files import LAYOUTS, nested, values

TOLERANCE = 2e-6
"""Relative L2; without the adapter the two networks differ by as much."""
SD1 = regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1)
XL = regular_unet(
    32, (1, 2, 2), (0, 1, 2), context=48, head_channels=16, blocks=1, linear=True, vector=64
)


def weights_of(config):
    with torch.device("meta"):
        net = UNet(config)
    return values({name: tuple(each.shape) for name, each in net.state_dict().items()}, 5)


def ours(config, tensors):
    with torch.device("meta"):
        net = UNet(config)
    net.load_state_dict(tensors, assign=True)
    net.requires_grad_(requires_grad=False)
    sources = StateDict.of(tensors).entries
    weights = LazyWeights("net", 1, lambda: net, sources=sources)
    whole = StableDiffusion1Config(config)
    family = StableDiffusion1()
    return net, Model(family, whole, weights, family.latent(whole), discrete())


def theirs(config, tensors):
    """Diffusers' UNet with the same weights."""
    is_xl = config.vector_channels is not None
    widths = (32, 64, 64) if is_xl else (32, 64)
    down = ["CrossAttnDownBlock2D"] * len(widths)
    up = ["CrossAttnUpBlock2D"] * len(widths)
    more = {}
    if is_xl:
        down[0], up[-1] = "DownBlock2D", "UpBlock2D"
        more = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 64,
            "transformer_layers_per_block": (1, 1, 2),
            "use_linear_projection": True,
        }
    unet = UNet2DConditionModel(
        block_out_channels=widths,
        layers_per_block=1,
        cross_attention_dim=48,
        attention_head_dim=(2, 4, 4) if is_xl else 8,
        down_block_types=down,
        up_block_types=up,
        **more,
    )
    names = unet_names(config)
    state = {}
    for name in unet.state_dict():
        module, _, kind = name.rpartition(".")
        state[name] = tensors[f"{names[module]}.{kind}"]
    unet.load_state_dict(state)
    return unet.eval().requires_grad_(requires_grad=False)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def run_ours(config, tensors, path, shown, hidden, weight, inputs, residency):
    net, model = ours(config, tensors)
    x, timesteps, context, pooled, times = inputs
    y = None
    if pooled is not None:
        y = torch.cat((pooled, timestep_embedding(times.flatten(), 8).reshape(len(x), -1)), dim=1)
    adapter = load_ip_adapter(path)
    hook = IpAdapterHook(adapter, Pictures(shown, hidden), weight, 0.0, 1.0, None)
    hook.check(model)
    with residency.use(adapter.weights), torch.no_grad():
        start = HookStart(adapter.weights.module, x.device, torch.float32, model, x.shape)
        hooks = NetHooks().with_patch("attn2_addition", hook.started(start))
        options = {
            "cond_or_uncond": [0, 1],
            "step": Step(timesteps, torch.empty(0)),
            "areas": [None, None],
            "original_shape": list(x.shape),
        }
        return net(x, timesteps, context, y, hooks=hooks.with_options(options))


@pytest.mark.parametrize("config", [SD1, XL], ids=["sd1", "xl"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_unet_with_pictures_is_diffusers(layout, config, tmp_path, cpu_residency):
    tensors = weights_of(config)
    held = LAYOUTS[layout]({name: tuple(each.shape) for name, each in tensors.items()})
    # Both kinds of files, each with each layout.
    suffix = ".bin" if config is SD1 else ".safetensors"
    path = tmp_path / f"ip{suffix}"
    if suffix == ".bin":
        torch.save(nested(held), path)
    else:
        save_file(held, path)
    states = layout != "plain"
    # Full face takes the 257 states of an encoder with 256 patches; diffusers relies on that.
    shape = (257, 40) if states else (40,)
    shown, hidden = randn(1, *shape, seed=1), randn(1, *shape, seed=2) * 0.1
    x, timesteps = randn(2, 4, 8, 12, seed=3), torch.tensor([500.0, 500.0])
    context = randn(2, 7, 48, seed=4)
    is_xl = config is XL
    pooled = randn(2, 16, seed=5) if is_xl else None
    times = torch.arange(12.0).reshape(2, 6) * 30 if is_xl else None
    unet = theirs(config, tensors)
    added = {"text_embeds": pooled, "time_ids": times} if is_xl else {}
    expected = [unet(x, timesteps, context, added_cond_kwargs=added).sample]
    unet._load_ip_adapter_weights([nested(held)], low_cpu_mem_usage=False)
    for processor in unet.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [3.0]
    embeds = torch.cat((shown, hidden))[:, None]
    added["image_embeds"] = [embeds]
    with torch.no_grad():
        expected.append(unet(x, timesteps, context, added_cond_kwargs=added).sample)
    inputs = (x, timesteps, context, pooled, times)
    strays = []
    for weight, wanted in zip((0.0, 3.0), expected, strict=True):
        found = run_ours(config, tensors, path, shown, hidden, weight, inputs, cpu_residency)
        strays.append(float((found - wanted).norm() / wanted.norm()))
    assert strays[0] < TOLERANCE
    assert strays[1] < TOLERANCE
    assert float((expected[0] - expected[1]).norm() / expected[0].norm()) > 1e-3
