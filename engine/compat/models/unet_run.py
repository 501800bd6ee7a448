# pyright: basic
"""Our UNets by the host's functions, while a plugin has replaced one of them.

Some plugins put functions of their own in the place of `apply_control` or `forward_timestep_embed`
of `comfy.ldm.modules.diffusionmodules.openaimodel`, or of `BasicTransformerBlock.forward`. Then the
network is computed in the host's form, which calls these by name; otherwise by our own code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compat.blocks import transformers, unet_parts
from engine.compat.install import host_module
from engine.compat.models.networks import control_dict, net_hooks, transformer_options
from engine.nets import attention, unet, unet_blocks
from engine.nets.hooks import BlockHooks, NetHooks, Residuals
from engine.nets.unet import UNet

UNET = "comfy.ldm.modules.diffusionmodules.openaimodel"
ATTENTION = "comfy.ldm.modules.attention"
REPLACEABLE = (
    f"{UNET}.apply_control",
    f"{UNET}.forward_timestep_embed",
    f"{ATTENTION}.BasicTransformerBlock.forward",
)
PLACE = "calotype_block"
"""The key of `transformer_options` that says which block of ours is called."""
_BLOCK_FORWARD = transformers.BasicTransformerBlock.forward
_OURS = attention.TransformerBlock.forward


def unet_as_patched(
    net: UNet,
    x: Tensor,
    timesteps: Tensor,
    context: Tensor | None,
    y: Tensor | None,
    *,
    control: Residuals | None,
    hooks: NetHooks | None,
    frames: int,
    checkpoint: Callable[[], None] | None,
) -> Tensor | None:
    """The UNet with what plugins replaced; None if they replaced neither function."""
    host = host_module(UNET)
    ours = (unet_parts.apply_control, unet_parts.forward_timestep_embed)
    if (host.apply_control, host.forward_timestep_embed) == ours:
        return None
    options = transformer_options(hooks)
    time = net.embedded(timesteps, y, hooks, x.dtype)
    added = control_dict(control)

    def through(layers: nn.Module, h: Tensor, part: str, number: int, shape: Any = None) -> Tensor:
        if checkpoint:
            checkpoint()
        options["block"] = (part, number)
        options["transformer_index"] = net.first_transformers[part, number]
        return host.forward_timestep_embed(
            layers,
            h,
            time,
            context,
            options,
            output_shape=shape,
            time_context=None,
            num_video_frames=frames,
            image_only_indicator=None,
        )

    def patched(h: Tensor, kind: str) -> Tensor:
        for patch in options.get("patches", {}).get(kind, ()):
            h = patch(h, options)
        return h

    skips: list[Tensor] = []
    for number, layers in enumerate(net.input_blocks):
        x = host.apply_control(through(layers, x, "input", number), added, "input")
        skips.append(patched(x, "input_block_patch"))
        x = patched(skips[-1], "input_block_patch_after_skip")
    x = through(net.middle_block, x, "middle", 0)
    x = patched(host.apply_control(x, added, "middle"), "middle_block_patch")
    for number, layers in enumerate(net.output_blocks):
        skip = host.apply_control(skips.pop(), added, "output")
        options["block"] = ("output", number)
        for patch in options.get("patches", {}).get("output_block_patch", ()):
            x, skip = patch(x, skip, options)
        shape = skips[-1].shape if skips else x.shape
        x = through(layers, torch.cat((x, skip), dim=1), "output", number, shape)
    return net.out(x)


def layer_of_ours(
    layer: nn.Module,
    x: Tensor,
    emb: Tensor,
    context: Tensor | None,
    options: dict[str, Any],
    shape: Any,
    frames: int | None,
) -> Tensor | None:
    """A layer of the engine's own in `forward_timestep_embed`; None for any other."""
    if isinstance(layer, unet_blocks.ResidualBlock):
        return layer(x, functional.silu(emb), frames or 1)
    if isinstance(layer, unet_blocks.SpatialTransformer):
        place, index = tuple(options.get("block") or ()), options.get("transformer_index", 0)
        hooks = net_hooks(options)
        inside = BlockHooks(hooks, place[:2], index) if hooks and len(place) > 1 else None  # type: ignore[arg-type]
        return layer(x, context, inside, frames or 1)
    if isinstance(layer, unet_blocks.Upsample):
        size = tuple(2 * side for side in x.shape[-2:]) if shape is None else tuple(shape[-2:])
        return layer(x, size)
    return None


def block_as_patched(
    block: attention.TransformerBlock,
    tokens: Tensor,
    context: Tensor | None,
    hooks: BlockHooks | None,
    number: int,
) -> Tensor | None:
    """A transformer block by what plugins put in the place of the method; None if nothing."""
    forward = host_module(ATTENTION).BasicTransformerBlock.forward
    own = block.__dict__.get("forward")
    # A plugin puts the method back as an attribute of the object.
    is_own = (
        own is not None
        and not isinstance(own, attention.OwnForward)
        and getattr(own, "__func__", None) is not _OURS
    )
    if forward is _BLOCK_FORWARD and not is_own:
        return None
    options: dict[str, Any] = {PLACE: (hooks, number)}
    if hooks is not None:
        options = {
            **transformer_options(hooks.hooks),
            **hooks.options(number, block.attn1),
            **options,
        }
    # A call of the module, because its weights may be on the device for its calls only.
    return block(tokens, context, options) if is_own else forward(block, tokens, context, options)


_OF_ORIGINAL: Mapping[str, Any] = {
    "ff_in": None,
    "is_res": True,
    "switch_temporal_ca_to_sa": False,
    "disable_self_attn": property(lambda self: not self.self_attention),
    "n_heads": property(lambda self: self.attn1.heads),
    "d_head": property(lambda self: self.attn1.inner // self.attn1.heads),
}
"""Attributes of the original's transformer blocks that plugins' methods read."""


def install() -> None:
    """Have all UNets of this process ask these functions."""
    for name, value in _OF_ORIGINAL.items():
        setattr(attention.TransformerBlock, name, value)
    attention.blocks_by(block_as_patched)
    unet.forward_by(unet_as_patched)
