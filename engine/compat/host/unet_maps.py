"""`comfy.utils`: names of the latent diffusion UNets' tensors, diffusers' and the original ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.nets.unet_names import RESIDUAL

_BOTH = ("weight", "bias")
_WITHOUT_BIAS = ("to_q", "to_k", "to_v")

UNET_MAP_ATTENTIONS = {
    f"{name}.{kind}" for name in ("norm", "proj_in", "proj_out") for kind in _BOTH
}
"""The tensors around the blocks of a transformer; they have the same names in both."""
TRANSFORMER_BLOCKS = {
    *(f"norm{number}.{kind}" for number in (1, 2, 3) for kind in _BOTH),
    *(f"attn{number}.{name}.weight" for number in (1, 2) for name in _WITHOUT_BIAS),
    *(f"attn{number}.to_out.0.{kind}" for number in (1, 2) for kind in _BOTH),
    *(f"ff.net.{name}.{kind}" for name in ("0.proj", "2") for kind in _BOTH),
}
"""The tensors of one block of a transformer; they have the same names in both."""
UNET_MAP_RESNET = {
    f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in RESIDUAL.items() for kind in _BOTH
}
"""The tensors of a residual block: the original name, and diffusers'."""
UNET_MAP_BASIC = {
    (f"{ours}.{kind}", f"{theirs}.{kind}")
    for ours, theirs in (
        ("label_emb.0.0", "class_embedding.linear_1"),
        ("label_emb.0.2", "class_embedding.linear_2"),
        ("label_emb.0.0", "add_embedding.linear_1"),
        ("label_emb.0.2", "add_embedding.linear_2"),
        ("input_blocks.0.0", "conv_in"),
        ("out.0", "conv_norm_out"),
        ("out.2", "conv_out"),
        ("time_embed.0", "time_embedding.linear_1"),
        ("time_embed.2", "time_embedding.linear_2"),
    )
    for kind in _BOTH
}
"""The tensors outside of the blocks: the original name, and diffusers'."""


def unet_to_diffusers(unet_config: Mapping[str, Any]) -> dict[str, str]:
    """Diffusers' names of a UNet's tensors to the original ones.

    Args:
        unet_config: has `num_res_blocks` and `channel_mult` for each level, and
            `transformer_depth`, `transformer_depth_output` for each block, and
            `transformer_depth_middle`. Without `num_res_blocks` there is nothing to map.
    """
    if "num_res_blocks" not in unet_config:
        return {}
    counts: Sequence[int] = unet_config["num_res_blocks"]
    levels = len(unet_config["channel_mult"])
    depths = list(unet_config["transformer_depth"])
    middle = unet_config.get("transformer_depth_middle")
    middle = depths[-1] if middle is None else middle
    found = dict(_down(counts, levels, list(depths)))
    if middle > 0:
        found |= _transformer("mid_block.attentions.0", "middle_block.1", middle)
    for index, place in enumerate((0, 2)):
        found |= _resnet(f"mid_block.resnets.{index}", f"middle_block.{place}")
    output = list(unet_config.get("transformer_depth_output") or depths[::-1])
    found.update(_up(counts, levels, output))
    found.update({theirs: ours for ours, theirs in UNET_MAP_BASIC})
    return found


def _resnet(theirs: str, ours: str) -> dict[str, str]:
    return {f"{theirs}.{name}": f"{ours}.{own}" for own, name in UNET_MAP_RESNET.items()}


def _transformer(theirs: str, ours: str, depth: int) -> dict[str, str]:
    names = [*UNET_MAP_ATTENTIONS]
    for index in range(depth):
        names += [f"transformer_blocks.{index}.{name}" for name in TRANSFORMER_BLOCKS]
    return {f"{theirs}.{name}": f"{ours}.{name}" for name in names}


def _down(counts: Sequence[int], levels: int, depths: list[int]) -> Iterator[tuple[str, str]]:
    place = 1
    for level in range(levels):
        for index in range(counts[level]):
            ours, theirs = f"input_blocks.{place}", f"down_blocks.{level}"
            yield from _resnet(f"{theirs}.resnets.{index}", f"{ours}.0").items()
            depth = depths.pop(0)
            if depth > 0:
                yield from _transformer(f"{theirs}.attentions.{index}", f"{ours}.1", depth).items()
            place += 1
        for kind in _BOTH:
            yield (
                f"down_blocks.{level}.downsamplers.0.conv.{kind}",
                f"input_blocks.{place}.0.op.{kind}",
            )
        place += 1


def _up(counts: Sequence[int], levels: int, depths: list[int]) -> Iterator[tuple[str, str]]:
    place = 0
    for level, count in enumerate(reversed(counts[:levels])):
        for index in range(count + 1):
            ours, theirs = f"output_blocks.{place}", f"up_blocks.{level}"
            yield from _resnet(f"{theirs}.resnets.{index}", f"{ours}.0").items()
            depth = depths.pop() if depths else 0
            last = 1
            if depth > 0:
                last = 2
                yield from _transformer(f"{theirs}.attentions.{index}", f"{ours}.1", depth).items()
            if index == count:
                for kind in _BOTH:
                    yield f"{theirs}.upsamplers.0.conv.{kind}", f"{ours}.{last}.conv.{kind}"
            place += 1
