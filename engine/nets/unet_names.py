"""Diffusers' names of the modules of the latent diffusion UNets, used by most adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from engine.nets.unet import Block, UNet, UNetConfig
from engine.nets.unet_blocks import (
    DownsampleConfig,
    LayerConfig,
    ResidualConfig,
    TransformerConfig,
    UpsampleConfig,
)

OUTER: Mapping[str, str] = {
    "input_blocks.0.0": "conv_in",
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "label_emb": "class_embedding",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
RESIDUAL: Mapping[str, str] = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}

TIME_STACK = "time_stack."


def unet_names(config: UNetConfig) -> dict[str, str]:
    """Diffusers' names to the original ones, without `.weight`, for every module with weights."""
    with torch.device("meta"):
        net = UNet(config)
    # A dict, not a set: the order is that of the network in every process.
    ours = dict.fromkeys(name.rpartition(".")[0] for name, _ in net.named_parameters())
    places = dict(_places(config))
    found = {theirs: name for name, theirs in OUTER.items() if name in ours}
    for name in ours:
        start = next((place for place in places if name.startswith(f"{place}.")), None)
        if start is None:
            continue
        theirs, layer = places[start]
        rest = name.removeprefix(f"{start}.")
        if isinstance(layer, ResidualConfig):
            rest = _residual(rest, layer)
        elif isinstance(layer, TransformerConfig):
            rest = _transformer(rest)
        else:
            rest = "conv"
        found[f"{theirs}.{rest}"] = name
    return found


def _residual(name: str, layer: ResidualConfig) -> str:
    """Diffusers' name of a module in a residual block, of a picture's or of a video's."""
    if not layer.temporal:
        return RESIDUAL[name]
    if name.startswith(TIME_STACK):
        return f"temporal_res_block.{RESIDUAL[name.removeprefix(TIME_STACK)]}"
    return name if name == "time_mixer" else f"spatial_res_block.{RESIDUAL[name]}"


def _transformer(name: str) -> str:
    """Diffusers' name of a module in a transformer; only those over frames are named otherwise."""
    name = name.replace(TIME_STACK, "temporal_transformer_blocks.")
    name = name.replace("time_pos_embed.0", "time_pos_embed.linear_1")
    return name.replace("time_pos_embed.2", "time_pos_embed.linear_2")


def _places(config: UNetConfig) -> Iterator[tuple[str, tuple[str, LayerConfig]]]:
    """The original place of each layer, and its place in diffusers."""
    level, block = 0, 0
    for i, layers in enumerate(config.input_blocks[1:], 1):
        yield from _layers(f"input_blocks.{i}", layers, f"down_blocks.{level}", block)
        block += 1
        if isinstance(layers[0], DownsampleConfig):
            level, block = level + 1, 0
    resnets = attentions = 0
    for j, layer in enumerate(config.middle_block):
        if isinstance(layer, ResidualConfig):
            yield f"middle_block.{j}", (f"mid_block.resnets.{resnets}", layer)
            resnets += 1
        else:
            yield f"middle_block.{j}", (f"mid_block.attentions.{attentions}", layer)
            attentions += 1
    level, block = 0, 0
    for i, layers in enumerate(config.output_blocks):
        yield from _layers(f"output_blocks.{i}", layers, f"up_blocks.{level}", block)
        block += 1
        if isinstance(layers[-1], UpsampleConfig):
            level, block = level + 1, 0


def _layers(
    ours: str, layers: Block, theirs: str, block: int
) -> Iterator[tuple[str, tuple[str, LayerConfig]]]:
    for j, layer in enumerate(layers):
        if isinstance(layer, ResidualConfig):
            yield f"{ours}.{j}", (f"{theirs}.resnets.{block}", layer)
        elif isinstance(layer, TransformerConfig):
            yield f"{ours}.{j}", (f"{theirs}.attentions.{block}", layer)
        elif isinstance(layer, DownsampleConfig):
            yield f"{ours}.{j}", (f"{theirs}.downsamplers.0", layer)
        elif isinstance(layer, UpsampleConfig):
            yield f"{ours}.{j}", (f"{theirs}.upsamplers.0", layer)
